"""What a report says, as data: one shape for each type, whatever the format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

from pydantic import JsonValue

from stepsmith_functions.runtime.recording import RecordedStep

ReportType: TypeAlias = Literal["incident", "compliance", "summary"]
Document: TypeAlias = dict[str, JsonValue]

_ENDED_WELL = "succeeded"
_ENDED_BADLY = frozenset({"failed", "cancelled", "timed_out", "rollback_failed"})


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run as a report sees it. `steps` are those that had started when it was written, the report's own excepted."""

    type: ReportType
    title: str
    generated_at: datetime
    workflow: str | None
    run_id: str | None
    steps: Sequence[RecordedStep]
    data: JsonValue
    notes: Sequence[str] = field(default=())

    def document(self) -> Document:
        """The whole report as plain JSON: head, summary, the type's own part, the author's data, notes."""
        document: Document = {
            "report": {
                "type": self.type,
                "title": self.title,
                "generated_at": _stamp(self.generated_at),
                "workflow": self.workflow,
                "run_id": self.run_id,
            },
            "summary": self._summary(),
        }
        match self.type:
            case "incident":
                document["timeline"] = [_event(step) for step in self.steps]
            case "compliance":
                document["compliant"] = self._compliant()
                document["controls"] = [_control(step) for step in self.steps]
            case "summary":
                document["steps"] = [_line(step) for step in self.steps]
            case _:
                assert_never(self.type)
        document["data"] = self.data
        document["notes"] = list(self.notes)
        return document

    def _summary(self) -> Document:
        counts: dict[str, int] = {}
        for step in self.steps:
            counts[step.status] = counts.get(step.status, 0) + 1
        started = [step.started_at for step in self.steps if step.started_at]
        ended = [step.ended_at for step in self.steps if step.ended_at]
        return {
            "steps": len(self.steps),
            "by_status": dict(sorted(counts.items())),
            "started_at": _stamp(min(started)) if started else None,
            "elapsed_s": _seconds(min(started), max(ended)) if started and ended else None,
        }

    def _compliant(self) -> bool | None:
        """None where nothing was assessed."""
        results = [_control_result(step) for step in self.steps]
        return "fail" not in results if any(result != "not assessed" for result in results) else None


def _event(step: RecordedStep) -> Document:
    return {
        "at": _stamp(step.started_at),
        "step": step.path,
        "action": step.action,
        "status": step.status,
        "attempts": step.attempts,
        "duration_s": _seconds(step.started_at, step.ended_at),
        "error": _error(step),
        "output": step.output,
    }


def _control(step: RecordedStep) -> Document:
    return {
        "control": step.path,
        "check": step.action,
        "result": _control_result(step),
        "assessed_at": _stamp(step.ended_at),
        "finding": _error(step),
        "evidence_sha256": _digest(step.output),
    }


def _line(step: RecordedStep) -> Document:
    return {
        "step": step.path,
        "action": step.action,
        "status": step.status,
        "attempts": step.attempts,
        "duration_s": _seconds(step.started_at, step.ended_at),
        "error": _error(step),
    }


def _control_result(step: RecordedStep) -> str:
    if step.status == _ENDED_WELL:
        return "pass"
    return "fail" if step.status in _ENDED_BADLY else "not assessed"


def _digest(output: JsonValue) -> str | None:
    """The SHA-256 of an output in one fixed spelling (sorted keys, no blanks), so that evidence can be checked."""
    if output is None:
        return None
    text = json.dumps(output, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _error(step: RecordedStep) -> JsonValue:
    return {"type": step.error.type, "message": step.error.message} if step.error else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


def _stamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
