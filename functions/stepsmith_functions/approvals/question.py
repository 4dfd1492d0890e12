"""What the machine sends to have people asked, read into an approval. Refuses what nobody could decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from stepsmith_functions.approvals.records import Approval
from stepsmith_functions.history.values import Json
from stepsmith_functions.runtime.errors import InvalidParams

LONGEST_MESSAGE: Final = 5_000
MOST_RECIPIENTS: Final = 20


def read_question(event: Mapping[str, Json], asked_at: datetime) -> tuple[Approval, tuple[str, ...]]:
    """The approval, without links, and who else is to be told. Raises InvalidParams."""
    params, run, step = (_mapping(event, name) for name in ("params", "run", "step"))
    token, timeout = event.get("token"), _number(params, "timeout")
    if not isinstance(token, str) or not token or timeout is None or timeout < 1:
        raise InvalidParams("the event asks for no approval")
    message = params.get("message")
    if not isinstance(message, str) or not message.strip():
        raise InvalidParams("message: says nothing to decide")
    if len(message) > LONGEST_MESSAGE:
        raise InvalidParams(f"message: has {len(message):,} characters, {LONGEST_MESSAGE:,} are allowed")
    approvers = _recipients(params, "approvers")
    quorum = _number(params, "quorum") or 1
    if approvers and quorum > len(approvers):
        raise InvalidParams(f"approvers: {quorum} must approve, and {len(approvers)} are asked")
    control = run.get("control")
    parents = control.get("parents") if isinstance(control, Mapping) else None
    approval = Approval(
        run_id=_text(run, "id"),
        path=_text(step, "path"),
        step_id=_text(step, "id"),
        workflow=_text(run, "workflow"),
        message=message,
        asked_at=asked_at,
        deadline=asked_at + timedelta(seconds=timeout),
        version=_text(run, "version") if "version" in run else None,
        line=_number(step, "line"),
        attempt=_number(step, "attempt") or 0,
        approvers=approvers,
        quorum=quorum,
        remind=_number(params, "remind"),
        token=token,
        params=dict(params),
        controlled=isinstance(control, Mapping),
        parents=tuple(each for each in parents if isinstance(each, str)) if isinstance(parents, list) else (),
    )
    return approval, _recipients(params, "notify")


def _recipients(params: Mapping[str, Json], name: str) -> tuple[str, ...]:
    """Each recipient once; a single one may stand without a list, an empty text is none."""
    given = params.get(name)
    items = given if isinstance(given, list) else [] if given is None else [given]
    if not all(isinstance(item, str) for item in items):
        raise InvalidParams(f"{name}: are texts")
    found = tuple(dict.fromkeys(str(item).strip() for item in items if str(item).strip()))
    if len(found) > MOST_RECIPIENTS:
        raise InvalidParams(f"{name}: {len(found)} are more than the {MOST_RECIPIENTS} that are told at once")
    return found


def _mapping(event: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = event.get(name)
    if not isinstance(value, Mapping):
        raise InvalidParams(f"the event has no {name}")
    return value


def _text(source: Mapping[str, Json], name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidParams(f"the event has no {name}")
    return value


def _number(source: Mapping[str, Json], name: str) -> int | None:
    value = source.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
