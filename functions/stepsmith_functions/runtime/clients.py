"""boto3 clients, created when first asked for and kept for the life of the process.

Nothing connects at import, so that a local run can start its emulation first. boto3 has no types of its own:
its answers are `Any` here and get their types where an action reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

AwsClient: TypeAlias = Any
"""A boto3 client."""


class Clients(Protocol):
    """Hands out the client of a service by boto3's name for it, in the deployment's region or another."""

    def get(self, service: str, region: str | None = None) -> AwsClient: ...


class BotoClients:
    """One boto3 client per service and region, with short connect times and standard retries."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None], AwsClient] = {}

    def get(self, service: str, region: str | None = None) -> AwsClient:
        key = (service, region)
        if key not in self._clients:
            import boto3  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]

            config = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
            self._clients[key] = boto3.client(service, region_name=region, config=config)
        return self._clients[key]

    def clear(self) -> None:
        self._clients.clear()


_of_process = BotoClients()
_on_reset: list[Callable[[], None]] = [_of_process.clear]


def of_process() -> Clients:
    """The clients that every handler of this process shares."""
    return _of_process


def on_reset(forget: Callable[[], None]) -> None:
    """Has `forget` called by `reset()`: for whatever else keeps a client."""
    _on_reset.append(forget)


def reset() -> None:
    """Forgets every client, as is needed where the emulated AWS begins or ends."""
    for forget in _on_reset:
        forget()


def code_of(error: Exception) -> str:
    """The error code of a botocore ClientError, `""` for any other exception.

    HeadObject and HeadBucket answer without a body, so that their code is the bare HTTP status, e.g. `404`.
    """
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
