"""Decisions in place of people's: `{approve: {by, comment}}`, `{reject: {by, comment}}` or `{timeout: true}`.

They travel as people's do, so that the step gets the output or the error that it would get from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.document import Entry, Json, MappingNode, Node, ScalarNode, SequenceNode
from stepsmith.engine import TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith_functions.approvals.outcome import REJECTED, approved_output, rejection
from stepsmith_functions.history.values import shown_time

SLUG: Final = "invalid-mock"
SOMEBODY: Final = "mocked"
"""Who decides where a mock does not say."""
_KINDS: Final = ("approve", "reject", "timeout")
_DETAILS: Final = ("by", "comment")


@dataclass(frozen=True, slots=True)
class Decision:
    """What people decide; `approves` None: nothing in time."""

    approves: bool | None
    by: str = SOMEBODY
    comment: str = ""


def mocked_decision(decision: Decision, after: float, call: TaskCall) -> TaskOutcome:
    """The decision as the task's own answer; one that never comes leaves the state to its timeout."""
    if decision.approves is None:
        return TaskWaiting()
    if not decision.approves:
        return TaskFailed(REJECTED, rejection(decision.by, decision.comment), after)
    at = shown_time(call.execution.events[-1].timestamp + timedelta(seconds=after)) or ""
    output: dict[str, Json] = dict(approved_output(decision.by, decision.comment, at))
    return TaskSucceeded(output, after)


def read_decisions(node: Node, diagnostics: Diagnostics) -> Iterator[tuple[Decision, Entry | None]]:
    """The decisions of a mock, each with its `after` as written."""
    items = node.items if isinstance(node, SequenceNode) else (node,)
    if not items:
        diagnostics.error(SLUG, "a list of mocks needs at least one entry", node.span)
    for item in items:
        found = _decision(item, diagnostics)
        if found is not None and isinstance(item, MappingNode):
            yield found, item.entry("after")


def _decision(node: Node, diagnostics: Diagnostics) -> Decision | None:
    given = [entry for entry in node.entries if entry.key in _KINDS] if isinstance(node, MappingNode) else []
    if not isinstance(node, MappingNode) or len(given) != 1:
        help_ = "write {approve: {by: …, comment: …}}, {reject: {…}} or {timeout: true}"
        diagnostics.error(SLUG, "a mocked approval is approved, rejected or runs into its timeout", node.span, help_)
        return None
    for entry in node.entries:
        if entry.key not in (*_KINDS, "after"):
            near = did_you_mean(entry.key, (*_KINDS, "after"), f"a mocked approval has {one_of((*_KINDS, 'after'))}")
            diagnostics.error(SLUG, f'a mocked approval has no "{entry.key}"', entry.key_span, near)
    kind = given[0]
    if kind.key == "timeout":
        late = node.entry("after")
        if late is not None:
            diagnostics.error(SLUG, "a timeout comes when the approval's time is over", late.key_span, "leave it out")
        return Decision(None)
    texts = dict(_details(kind, diagnostics))
    return Decision(kind.key == "approve", texts.get("by", SOMEBODY), texts.get("comment", ""))


def _details(kind: Entry, diagnostics: Diagnostics) -> Iterator[tuple[str, str]]:
    if isinstance(kind.value, ScalarNode) and kind.value.value in (None, True):
        return
    if not isinstance(kind.value, MappingNode):
        help_ = f"write {kind.key}: {{by: …, comment: …}}"
        diagnostics.error(SLUG, f"{kind.key} says who decides and why", kind.value.span, help_)
        return
    for entry in kind.value.entries:
        value = entry.value.value if isinstance(entry.value, ScalarNode) else None
        if entry.key not in _DETAILS:
            near = did_you_mean(entry.key, _DETAILS, f"it has {one_of(_DETAILS)}")
            diagnostics.error(SLUG, f'a decision has no "{entry.key}"', entry.key_span, near)
        elif not isinstance(value, str):
            diagnostics.error(SLUG, f"`{entry.key}` of a decision is text", entry.value.span)
        else:
            yield entry.key, value
