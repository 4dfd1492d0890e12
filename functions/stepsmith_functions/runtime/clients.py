"""AWS clients, created when first asked for and kept for the life of the process.

They are botocore's, which are those that `boto3.client` hands out less its helpers for files. boto3 itself is not
imported: it would cost a cold start 15 ms more, for classes that no action uses. Nothing connects at import, so that a
local run can start its emulation first. botocore has no types of its own: its answers are `Any` here and get theirs
where an action reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

AwsClient: TypeAlias = Any
"""A client of botocore's."""
Session: TypeAlias = Any
"""A session of botocore's, which makes clients."""


class Clients(Protocol):
    """Hands out the client of a service by botocore's name for it, in the deployment's region or another."""

    def get(self, service: str, region: str | None = None) -> AwsClient: ...


class BotoClients:
    """One client per service and region, with short connect times and standard retries."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None], AwsClient] = {}
        self._session: Session = None

    def get(self, service: str, region: str | None = None) -> AwsClient:
        key = (service, region)
        if key not in self._clients:
            import botocore.session  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]

            if self._session is None:
                self._session = botocore.session.Session()
            config = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
            self._clients[key] = self._session.create_client(service, region_name=region, config=config)
        return self._clients[key]

    def clear(self, session: Session = None) -> None:
        """Forgets every client; the next ones come from `session`, a new one if left out."""
        self._clients.clear()
        self._session = session


_of_process = BotoClients()
_on_reset: list[Callable[[], None]] = []


def of_process() -> Clients:
    """The clients that every handler of this process shares."""
    return _of_process


def on_reset(forget: Callable[[], None]) -> None:
    """Has `forget` called by `reset()`: for whatever else keeps a client."""
    _on_reset.append(forget)


def reset(session: Session = None) -> None:
    """Forgets every client, as is needed where the emulated AWS begins or ends.

    The next ones come from `session`, a new one if left out.
    """
    _of_process.clear(session)
    for forget in _on_reset:
        forget()


def code_of(error: Exception) -> str:
    """The error code of a botocore ClientError, `""` for any other exception.

    HeadObject and HeadBucket answer without a body, so that their code is the bare HTTP status, e.g. `404`.
    """
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
