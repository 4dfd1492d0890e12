"""Records as JSON documents, for the stores that keep text; and back.

This is the form within a store. What people and programs are shown is the business of `result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stepsmith_functions.history.records import (
    Continues,
    RunError,
    RunRecord,
    RunStatus,
    StepError,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.values import Json, Recorded, StoredValue, from_stamp, stored_value, to_stamp
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.recording import StepProgress


def run_to_json(run: RunRecord) -> dict[str, Json]:
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "status": run.status.value,
        "started_at": to_stamp(run.started_at),
        "version": run.version,
        **_value_to_json("input", run.input),
        **_value_to_json("output", run.output),
        "error": run.error.to_json() if run.error else None,
        "ended_at": _stamp(run.ended_at),
        "transitions": run.transitions,
        "execution_arn": run.execution_arn,
        "parent_run_id": run.parent_run_id,
        "redrive_count": run.redrive_count,
        "complete": run.complete,
        "control": control_to_json(run.control) if run.control else None,
        "continues": run.continues.to_json() if run.continues else None,
        "continued_by": run.continued_by,
        "file": run.file,
    }


def run_from_json(value: Json) -> RunRecord:
    """The run that `run_to_json` wrote. Raises ValueError for anything else."""
    document = _mapping(value)
    error, control = document.get("error"), document.get("control")
    started_at = _moment(document, "started_at")
    if started_at is None:
        raise ValueError("a run of the history without a start")
    return RunRecord(
        run_id=_text(document, "run_id"),
        workflow=_text(document, "workflow"),
        status=RunStatus(_text(document, "status")),
        started_at=started_at,
        version=_maybe_text(document, "version"),
        input=_value(document, "input"),
        output=_value(document, "output"),
        error=run_error(error) if isinstance(error, Mapping) else None,
        ended_at=_moment(document, "ended_at"),
        transitions=_maybe_number(document, "transitions"),
        execution_arn=_maybe_text(document, "execution_arn"),
        parent_run_id=_maybe_text(document, "parent_run_id"),
        redrive_count=_maybe_number(document, "redrive_count") or 0,
        complete=document.get("complete") is True,
        control=control_from_json(control) if isinstance(control, Mapping) else None,
        continues=run_continues(document.get("continues")),
        continued_by=_maybe_text(document, "continued_by"),
        file=_maybe_text(document, "file"),
    )


def control_to_json(control: Control) -> dict[str, Json]:
    return {"order": control.order.value, "by": control.by, "at": to_stamp(control.at), "why": control.why}


def control_from_json(value: Mapping[str, Json]) -> Control:
    """The order that `control_to_json` wrote. Raises ValueError for anything else."""
    at = _moment(value, "at")
    if at is None:
        raise ValueError("an order of the history without its time")
    return Control(Order(_text(value, "order")), _text(value, "by"), at, _maybe_text(value, "why") or "")


def step_to_json(step: StepRecord) -> dict[str, Json]:
    return {
        "run_id": step.run_id,
        "step_id": step.step_id,
        "path": step.path,
        "status": step.status.value,
        "attempts": step.attempts,
        "line": step.line,
        "action": step.action,
        **_value_to_json("params", step.params),
        **_value_to_json("output", step.output),
        "error": step.error.to_json() if step.error else None,
        "started_at": _stamp(step.started_at),
        "ended_at": _stamp(step.ended_at),
        "sequence": step.sequence,
        "undoes": step.undoes,
        "child_run_id": step.child_run_id,
        **_value_to_json("handed", step.handed),
        **_value_to_json("result", step.result),
        "attempt_started": _stamp(step.attempt_started),
        "progress": progress_to_json(step.progress) if step.progress else None,
        "kept_from": step.kept_from,
    }


def step_from_json(value: Json) -> StepRecord:
    """The step that `step_to_json` wrote. Raises ValueError for anything else."""
    document = _mapping(value)
    error, progress = document.get("error"), document.get("progress")
    return StepRecord(
        run_id=_text(document, "run_id"),
        step_id=_text(document, "step_id"),
        path=_text(document, "path"),
        status=StepStatus(_text(document, "status")),
        attempts=_maybe_number(document, "attempts") or 0,
        line=_maybe_number(document, "line"),
        action=_maybe_text(document, "action"),
        params=_value(document, "params"),
        output=_value(document, "output"),
        error=step_error(error) if isinstance(error, Mapping) else None,
        started_at=_moment(document, "started_at"),
        ended_at=_moment(document, "ended_at"),
        sequence=_maybe_number(document, "sequence") or 0,
        undoes=_maybe_text(document, "undoes"),
        child_run_id=_maybe_text(document, "child_run_id"),
        handed=_value(document, "handed"),
        result=_value(document, "result"),
        attempt_started=_moment(document, "attempt_started"),
        progress=progress_from_json(progress) if isinstance(progress, Mapping) else None,
        kept_from=_maybe_text(document, "kept_from"),
    )


def progress_to_json(progress: StepProgress) -> dict[str, Json]:
    return {"percent": progress.percent, "message": progress.message, "item": progress.item}


def progress_from_json(value: Mapping[str, Json]) -> StepProgress:
    """The progress that `progress_to_json` wrote."""
    percent = value.get("percent")
    number = float(percent) if isinstance(percent, int | float) else None
    return StepProgress(number, _maybe_text(value, "message"), _maybe_text(value, "item"))


def run_error(value: Mapping[str, Json]) -> RunError:
    """The error that `RunError.to_json` wrote."""
    return RunError(
        str(value.get("type")),
        str(value.get("message")),
        _maybe_text(value, "step"),
        _maybe_number(value, "line"),
    )


def run_continues(value: Json) -> Continues | None:
    """What `Continues.to_json` wrote; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    run_id = _text(value, "run_id")
    return Continues(run_id, _maybe_text(value, "step"), _maybe_text(value, "first") or run_id)


def step_error(value: Mapping[str, Json]) -> StepError:
    """The error that `StepError.to_json` wrote."""
    return StepError(str(value.get("type")), str(value.get("message")))


def _value_to_json(name: str, value: Recorded) -> dict[str, Json]:
    """A value under its own name, a reference under another: no value of a user's is taken for a
    reference.
    """
    return {f"{name}_at": value.to_json()} if isinstance(value, StoredValue) else {name: value}


def _value(document: Mapping[str, Json], name: str) -> Recorded:
    reference = document.get(f"{name}_at")
    return stored_value(reference) if reference is not None else document.get(name)


def _stamp(moment: datetime | None) -> str | None:
    return to_stamp(moment) if moment else None


def _mapping(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise ValueError("a document of the history is a mapping")
    return value


def _text(document: Mapping[str, Json], name: str) -> str:
    text = document.get(name)
    if not isinstance(text, str):
        raise ValueError(f"a document of the history without {name!r}")
    return text


def _maybe_text(document: Mapping[str, Json], name: str) -> str | None:
    text = document.get(name)
    return text if isinstance(text, str) else None


def _maybe_number(document: Mapping[str, Json], name: str) -> int | None:
    number = document.get(name)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _moment(document: Mapping[str, Json], name: str) -> datetime | None:
    text = _maybe_text(document, name)
    return from_stamp(text) if text else None
