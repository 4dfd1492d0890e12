"""Reads the verb `approval`: what is asked, of whom, and what follows when nobody answers."""

from __future__ import annotations

from typing import Final

from stepsmith.dialects.native.reading import Reader
from stepsmith.dialects.native.verbs import Common
from stepsmith.document import Entry, MappingNode
from stepsmith.model.steps import ApprovalStep, OnTimeout, Step
from stepsmith.model.values import Field, ListValue, Literal, ObjectValue, Value

APPROVAL_KEYS: Final = ("message", "approvers", "notify", "quorum", "timeout", "on_timeout", "remind")
DEFAULT_TIMEOUT: Final = 7 * 86_400
"""Seconds. A state without a limit would wait for a year."""
SHORTEST_REMINDER: Final = 300
"""Seconds: as often as the deployment looks for reminders that are due."""
MOST_APPROVERS: Final = 20


def read_approval(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    mapping = reader.mapping(verb.value, "approval", "write approval: {message: May I?, approvers: [name@example.com]}")
    if mapping is None:
        return None
    reader.known_keys(mapping, APPROVAL_KEYS, "approval")
    if mapping.get("message") is None:
        reader.diagnostics.error(
            "missing-key", "approval needs `message`", mapping.span, "write message: and what is to be decided"
        )
    timeout = reader.duration(node_, "timeout") if (node_ := mapping.get("timeout")) is not None else None
    timeout = timeout or DEFAULT_TIMEOUT
    remind = None
    if (node_ := mapping.get("remind")) is not None:
        remind = reader.duration(node_, "remind", least=SHORTEST_REMINDER)
        if remind is not None and remind >= timeout:
            reader.diagnostics.error(
                "bad-duration",
                "remind must be shorter than the approval's timeout",
                node_.span,
                "shorten it, or leave it out",
            )
    quorum = reader.whole(node_, "quorum", 1, MOST_APPROVERS) if (node_ := mapping.get("quorum")) is not None else 1
    choice = (
        reader.choice(node_, "on_timeout", tuple(OnTimeout))
        if (node_ := mapping.get("on_timeout")) is not None
        else None
    )
    fields = [
        Field(entry.key, entry.key_span, _as_list(reader.value(entry.value), entry.key))
        for entry in mapping.entries
        if entry.key in ("message", "approvers", "notify")
    ]
    if mapping.get("message") is None:
        return None
    return ApprovalStep(
        request=ObjectValue(tuple(fields), mapping.span),
        quorum=quorum or 1,
        remind=remind,
        on_timeout=OnTimeout(choice or OnTimeout.FAIL),
        **{**common, "timeout": timeout},
    )


def _as_list(value: Value, key: str) -> Value:
    """A single recipient may be written without a list."""
    alone = key != "message" and isinstance(value, Literal) and isinstance(value.value, str)
    return ListValue((value,), value.span) if alone else value
