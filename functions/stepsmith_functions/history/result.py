"""The result of a run as people and programs see it: one shape for `run --json`, `show`, the API and reports.

Pure but for `result_of`, which reads a store. Nothing is decided here: what a status means was settled when
the record was written, save that a step whose undo has ended is shown as undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from stepsmith_functions.history.documents import progress_to_json
from stepsmith_functions.history.records import (
    RunError,
    RunRecord,
    RunStatus,
    RunSummary,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.store import RunNotFoundError, RunStore, all_steps
from stepsmith_functions.history.values import Json, Recorded, StoredValue, shown_time

Load: TypeAlias = Callable[[StoredValue], Json]
"""Fetches a value that a record refers to."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_DEEPEST_CHILD: Final = 16
"""Runs within runs that `result_of` follows; a workflow that starts itself would go on for ever."""


def run_result(
    run: RunRecord,
    steps: Iterable[StepRecord],
    *,
    children: Mapping[str, Sequence[StepRecord]] | None = None,
    load: Load | None = None,
    details: bool = False,
) -> dict[str, Json]:
    """`{"run_id", "workflow", "version", "status", "output", "error", "started_at", "ended_at", "elapsed_s",
    "transitions", "steps"}`; times are ISO 8601 in UTC, `elapsed_s` is in seconds and null before the end.

    `children` holds the steps of runs that a step waited for, by the path of that step. `load` fetches values
    that lie apart; without it the result shows where they lie. `details` adds `action` and `params` to each
    step and `input` to the run. Only of a run that goes on from another one there is `continues`, `{"run_id", "step",
    "first"}`, and `from_run` at each step that it took over; of one that was gone on from there is `continued_by`.
    """
    every = with_children(steps, children or {})
    error = located(run.error, every) if run.error else None
    ended = run.ended_at
    result: dict[str, Json] = {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "version": run.version,
        "status": run.status.value,
        "output": _shown(run.output, load) if run.status is RunStatus.SUCCEEDED else None,
        "error": error.to_json() if error else None,
        "started_at": shown_time(run.started_at),
        "ended_at": shown_time(ended),
        "elapsed_s": round((ended - run.started_at).total_seconds(), 3) if ended else None,
        "transitions": run.transitions,
        "steps": [_step(step, load, details) for step in undone(every)],
    }
    if run.continues is not None:
        result["continues"] = run.continues.to_json()
    if run.continued_by is not None:
        result["continued_by"] = run.continued_by
    if details:
        result["input"] = _shown(run.input, load)
    return result


def result_of(store: RunStore, run_id: str, *, details: bool = False, load_values: bool = True) -> dict[str, Json]:
    """The result of a run that `store` keeps, its children's steps included.

    Raises RunNotFoundError for an unknown run and HistoryError when the store fails.
    """
    run = store.run(run_id)
    steps = all_steps(store, run_id)
    return run_result(
        run,
        steps,
        children=_children(store, steps, _DEEPEST_CHILD),
        load=store.load if load_values else None,
        details=details,
    )


def run_summary(run: RunSummary) -> dict[str, Json]:
    """A run in a list of runs."""
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "version": run.version,
        "status": run.status.value,
        "error_type": run.error_type,
        "started_at": shown_time(run.started_at),
        "ended_at": shown_time(run.ended_at),
        **({"continues": run.continues} if run.continues is not None else {}),
    }


def steps_in_order(steps: Iterable[StepRecord]) -> list[StepRecord]:
    """The steps in the order in which they started; a block stands before the steps in it."""
    return sorted(steps, key=lambda step: (step.started_at or _NEVER, step.sequence, step.path.count("."), step.path))


def with_children(steps: Iterable[StepRecord], children: Mapping[str, Sequence[StepRecord]]) -> list[StepRecord]:
    """The steps and those of children, under the paths of the steps that waited for them (`child.step`), in the order
    in which they started; of those that started at once, a child's stand right after the step that waited for it."""
    placed: list[tuple[tuple[datetime, int, int], StepRecord]] = []
    for place, step in enumerate(steps_in_order(steps)):
        placed.append(((step.started_at or _NEVER, place, 0), step))
        below = steps_in_order(_children_steps({step.path: children.get(step.path, ())}))
        placed += [((kid.started_at or _NEVER, place, rank), kid) for rank, kid in enumerate(below, 1)]
    return [step for _, step in sorted(placed, key=lambda entry: entry[0])]


def undone(steps: Sequence[StepRecord]) -> list[StepRecord]:
    """The steps, each one whose undo has ended as `rolled_back` or `rollback_failed`.

    That holds for a step, too, that was given up when a sibling failed: it is undone where it took effect all the same.
    """
    fates: dict[str, StepStatus] = {}
    for step in steps:
        if step.undoes is not None:
            match step.status:
                case StepStatus.SUCCEEDED:
                    fates[step.undoes] = StepStatus.ROLLED_BACK
                case StepStatus.FAILED | StepStatus.CANCELLED:
                    fates[step.undoes] = StepStatus.ROLLBACK_FAILED
                case _:
                    pass
    took_effect = (StepStatus.SUCCEEDED, StepStatus.CANCELLED)
    return [
        replace(step, status=fates[step.path]) if step.path in fates and step.status in took_effect else step
        for step in steps
    ]


def located(error: RunError, steps: Iterable[StepRecord]) -> RunError:
    """The error with the innermost step that failed with it; of a run that was cancelled, the step that was to begin
    then.

    Where the error names a step, what failed inside of it is meant, or that step itself. Of several steps with the
    error's type the last one to end is, and of a block and a step in it the step. An error that no step had (a refused
    input, a time limit of the workflow) stays without.
    """
    every = list(steps)
    around = [step.path for step in every if step.step_id == error.step] if error.step is not None else None
    suspects = [
        step
        for step in every
        if step.status in (StepStatus.FAILED, StepStatus.CANCELLED)
        and step.error is not None
        and step.error.type == error.type
        and (around is None or (step.error.message == error.message and any(_within(step.path, at) for at in around)))
    ]
    if not suspects:
        return error
    culprit = max(
        suspects,
        key=lambda step: (
            not any(_within(other.path, step.path) for other in suspects),
            step.ended_at or step.started_at or _NEVER,
            step.sequence,
        ),
    )
    return replace(error, step=culprit.step_id, line=culprit.line)


def _within(inner: str, outer: str) -> bool:
    return inner.startswith((f"{outer}.", f"{outer}["))


def _children(store: RunStore, steps: Iterable[StepRecord], depth: int) -> dict[str, Sequence[StepRecord]]:
    """The steps of the runs that `steps` waited for, by the path of the step that did."""
    found: dict[str, Sequence[StepRecord]] = {}
    for step in steps:
        if step.child_run_id is None or depth == 0:
            continue
        try:
            own = all_steps(store, store.run(step.child_run_id).run_id)
        except RunNotFoundError:  # it has expired, or belongs to another deployment
            continue
        found[step.path] = with_children(own, _children(store, own, depth - 1))
    return found


def _children_steps(children: Mapping[str, Sequence[StepRecord]]) -> list[StepRecord]:
    """The steps of children under the paths of the steps that waited for them: `child.step`."""
    return [
        replace(
            step,
            path=f"{path}.{step.path}",
            undoes=f"{path}.{step.undoes}" if step.undoes is not None else None,
        )
        for path, steps in children.items()
        for step in steps
    ]


def _step(step: StepRecord, load: Load | None, details: bool) -> dict[str, Json]:
    entry: dict[str, Json] = {
        "id": step.step_id,
        "path": step.path,
        "status": step.status.value,
        "attempts": step.attempts,
        "output": _shown(step.output, load),
        "error": step.error.to_json() if step.error else None,
        "started_at": shown_time(step.started_at),
        "ended_at": shown_time(step.ended_at),
        "line": step.line,
    }
    if step.progress is not None and not step.status.is_final:
        entry["progress"] = progress_to_json(step.progress)
    if step.kept_from is not None:
        entry["from_run"] = step.kept_from
    if details:
        entry["action"] = step.action
        entry["params"] = _shown(step.params, load)
    return entry


def _shown(value: Recorded, load: Load | None) -> Json:
    if isinstance(value, StoredValue):
        return load(value) if load else value.to_json()
    return value
