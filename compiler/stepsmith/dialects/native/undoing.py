"""Reads `rollback`: the one step that undoes another."""

from __future__ import annotations

from typing import Final

from stepsmith.diagnostics import did_you_mean
from stepsmith.dialects.native.policies import read_retry
from stepsmith.dialects.native.reading import Reader
from stepsmith.dialects.native.verbs import Common
from stepsmith.dialects.native.work import WORK_VERBS
from stepsmith.document import Entry, MappingNode, ScalarNode
from stepsmith.model.steps import UNDO, ActionStep, AwsStep, ChildStep, Undo

UNDO_VERBS: Final = ("action", "aws", "workflow")
UNDO_KEYS: Final = (*UNDO_VERBS, "params", "description", "timeout", "retry")


NOTHING: Final = "none"


def read_rollback(reader: Reader, entry: Entry, step_id: str) -> Common:
    """A mapping with one of three verbs, its params and a few modifiers; or `none`."""
    if isinstance(entry.value, ScalarNode) and entry.value.value == NOTHING:
        return {"stays": True}
    return {"rollback": _undo(reader, entry, step_id)}


def _undo(reader: Reader, entry: Entry, step_id: str) -> Undo | None:
    example = "write it as a mapping, such as rollback: {action: restore_file, params: {…}}"
    node = reader.mapping(entry.value, "rollback", example)
    if node is None:
        return None
    verbs = [each for each in node.entries if each.key in UNDO_VERBS]
    if len(verbs) != 1:
        slug, told = ("no-verb", "says nothing to do") if not verbs else ("several-verbs", "has more than one verb")
        strange = [each.key for each in node.entries if each.key not in UNDO_KEYS]
        near = next((text for key in strange if (text := did_you_mean(key, UNDO_VERBS))), "")
        reader.diagnostics.error(slug, f"this rollback {told}", node.span, near or "write one of action, aws, workflow")
        return None
    reader.known_keys(node, UNDO_KEYS, "rollback")
    step = WORK_VERBS[verbs[0].key].read(reader, node, verbs[0], _common(reader, node, entry, step_id))
    if isinstance(step, AwsStep) and step.waits:
        reader.diagnostics.error(
            "bad-call",
            "an undo can't wait for an answer",
            verbs[0].value.span,
            "leave .waitForTaskToken out, or write .sync to wait for the job's end",
        )
        return None
    return step if isinstance(step, ActionStep | ChildStep | AwsStep) else None


def _common(reader: Reader, node: MappingNode, entry: Entry, step_id: str) -> Common:
    given = {each.key: each for each in node.entries}
    return {
        "id": f"{step_id}{UNDO}",
        "id_span": entry.key_span,
        "span": entry.key_span,
        "description": (reader.text(given["description"].value, "description") or "") if "description" in given else "",
        "timeout": reader.duration(given["timeout"].value, "timeout") if "timeout" in given else None,
        "retry": read_retry(reader, given["retry"].value) if "retry" in given else None,
    }
