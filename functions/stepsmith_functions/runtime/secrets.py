"""Secrets of a step: fetched inside the handler, put into the params, masked wherever they could come out.

The event names places, never values: `{"at": ["headers", "authorization"], "parts": ["Bearer ", {"secret":
"TOKEN"}]}` says that the param at that path is the joined parts. Because the machine writes the places, no
text that comes in with a run's data can ask for a secret. Values come from Secrets Manager, or under an id that begins
with `ssm:` from the SecureStrings of the SSM Parameter Store, and are kept for five minutes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import JsonValue

from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import InvalidParams, SecretUnavailable

MASK = "***"
PARAMETER_STORE = "ssm:"
"""Begins the ids of secrets that are SecureStrings of the SSM Parameter Store: `ssm:/stepsmith/NAME`."""
SHORTEST = 4
"""Characters of the shortest secret: masking a shorter text would blot out ordinary words."""
MAX_AGE = 300
"""Seconds for which a fetched value is kept."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_hidden: ContextVar[tuple[str, ...]] = ContextVar("hidden", default=())
_providers: dict[str, Any] = {}


class SecretStore(Protocol):
    """Fetches a secret's text by its name or ARN in Secrets Manager, or `ssm:` and its name in the Parameter Store.

    Raises SecretUnavailable.
    """

    def fetch(self, secret_id: str) -> str: ...


class AwsSecrets:
    """Secrets Manager and the SSM Parameter Store through Powertools, which caches what it fetched."""

    def __init__(self, given: clients.Clients) -> None:
        self._clients = given

    def fetch(self, secret_id: str) -> str:
        try:
            value = self._value(secret_id)
        except Exception as error:
            raise SecretUnavailable(f"the secret {secret_id!r} cannot be read ({type(error).__name__})") from None
        text = value.decode() if isinstance(value, bytes) else str(value)
        if len(text) < SHORTEST:
            raise SecretUnavailable(f"the secret {secret_id!r} has fewer than {SHORTEST} characters")
        return text

    def _value(self, secret_id: str) -> object:
        from aws_lambda_powertools.utilities import parameters

        if secret_id.startswith(PARAMETER_STORE):
            if "ssm" not in _providers:
                _providers["ssm"] = parameters.SSMProvider(boto3_client=self._clients.get("ssm"))
            name = secret_id.removeprefix(PARAMETER_STORE)
            return _providers["ssm"].get(name, max_age=MAX_AGE, decrypt=True)
        if "secretsmanager" not in _providers:
            client = self._clients.get("secretsmanager")
            _providers["secretsmanager"] = parameters.SecretsProvider(boto3_client=client)
        return _providers["secretsmanager"].get(secret_id, max_age=MAX_AGE)


clients.on_reset(_providers.clear)


def masked(text: str) -> str:
    """`text` with every secret that is in use now replaced, as it is or as JSON, URLs and base64 spell it."""
    for value in _hidden.get():
        text = text.replace(value, MASK)
    return text


def masked_json(value: JsonValue) -> JsonValue:
    """The same for every text and key inside `value`."""
    if not _hidden.get():
        return value
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [masked_json(item) for item in value]
    if isinstance(value, dict):
        return {masked(key): masked_json(item) for key, item in value.items()}
    return value


@contextmanager
def hiding() -> Iterator[None]:
    """A scope: what `hide()` adds inside it is masked until it ends."""
    token = _hidden.set(())
    try:
        yield
    finally:
        _hidden.reset(token)


def hide(value: str) -> str:
    """Masks `value` until the scope that is open now ends; returns it."""
    _hidden.set((*_hidden.get(), *_spellings(value)))
    return value


def filled(params: JsonValue, references: JsonValue, fetch: Callable[[str], str]) -> JsonValue:
    """The params with the secrets that `fetch` gives by name in their places.

    `references` is the event's list of places (see the module's head); None means none.
    Raises InvalidParams for a reference that is malformed or points nowhere.
    """
    for reference in references if isinstance(references, list) else []:
        at = reference.get("at") if isinstance(reference, dict) else None
        parts = reference.get("parts") if isinstance(reference, dict) else None
        if not isinstance(at, list) or not at or not isinstance(parts, list):
            raise InvalidParams("a secret's place is not {at, parts}")
        params = _put(params, at, "".join(_part(part, fetch) for part in parts))
    return params


def _part(part: JsonValue, fetch: Callable[[str], str]) -> str:
    if isinstance(part, str):
        return part
    name = part.get("secret") if isinstance(part, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidParams("a part of a secret's place is neither a text nor {secret: NAME}")
    return fetch(name)


def _put(value: JsonValue, at: Sequence[JsonValue], text: str) -> JsonValue:
    if not at:
        return text
    head, rest = at[0], at[1:]
    if isinstance(value, dict) and isinstance(head, str):
        return {**value, head: _put(value.get(head), rest, text)}
    if isinstance(value, list) and isinstance(head, int) and 0 <= head < len(value):
        return [*value[:head], _put(value[head], rest, text), *value[head + 1 :]]
    raise InvalidParams("a secret's place is not among the params")


def _spellings(value: str) -> tuple[str, ...]:
    quoted = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    coded = {quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")}
    return tuple(sorted({value} | quoted | coded, key=len, reverse=True))
