"""Undoes a run after its end on this machine, as the machine that a deployment has for it would.

A run that has failed, was stopped or ran out of time is undone by an execution of its own: its workflow's rollback,
which asks the ledger what the run has completed. In the process of the run itself the execution's history is there; in
a later one only what the local history keeps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepsmith.asl.names import ROLLBACK_SUFFIX
from stepsmith.catalog import ActionCatalog
from stepsmith.engine import Status
from stepsmith.local.aws import LocalAws
from stepsmith.local.functions import ACCOUNT, REGION
from stepsmith.local.machines import create_machines, functions_of
from stepsmith.local.mocked_steps import MockedSteps
from stepsmith.local.mocks import Mocks
from stepsmith.local.program import Program
from stepsmith.local.rebuilding import merged, not_before, rebuilt
from stepsmith.local.sam import SamTemplate, read_template
from stepsmith.local.stack import STACK
from stepsmith.project import STATE_FOLDER, Project
from stepsmith_functions.history.executions import rollback_name
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord
from stepsmith_functions.history.result import steps_in_order
from stepsmith_functions.history.store import all_steps


class NothingToUndoError(Exception):
    """The workflow has no step that says how it is undone."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it: the run as it is now, with all its steps."""

    run: RunRecord
    steps: tuple[StepRecord, ...]


def undo(
    program: Program, aws: LocalAws, run: RunRecord, steps: Sequence[StepRecord], *, attempt: int = 1
) -> tuple[RunRecord, list[StepRecord]]:
    """Undoes `run`, of which `aws` knows the execution or at least the steps. Raises NothingToUndoError."""
    if program.rollback is None:
        raise NothingToUndoError(program.name)
    machine = f"{STACK}_{program.name}"[: 80 - len(ROLLBACK_SUFFIX)] + ROLLBACK_SUFFIX
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}"
    given = {"run": {"id": run.run_id, "execution": run.execution_arn}}
    undoing = aws.start_execution(arn, json.dumps(given), rollback_name(run.run_id, attempt))
    try:
        aws.engine.run(until=undoing)
    except KeyboardInterrupt:
        aws.engine.stop(undoing, "Cancelled", "stopped from the keyboard")
    told = aws.history.steps(run.run_id)
    status = RunStatus.ROLLED_BACK if undoing.status is Status.SUCCEEDED else RunStatus.ROLLBACK_FAILED
    undos = merged(rebuilt(program.rollback, undoing, run.run_id), told)
    known = {step.path: step for step in (*steps, *undos)}
    return replace(run, status=status), steps_in_order(known.values())


def undo_kept_run(
    program: Program,
    run_id: str,
    project: Project,
    catalog: ActionCatalog,
    *,
    mocks: Mocks | None = None,
    real_time: bool = False,
) -> Undone:
    """Undoes a run that the project's local history keeps, and keeps what came of it.

    Raises NothingToUndoError, HistoryError when the history cannot be read or written, and sam.TemplateError.
    """
    store = LocalRunStore(project.history)
    run, steps = store.run(run_id), all_steps(store, run_id)
    template = read_template(project.template) if project.template.is_file() else SamTemplate(project.root)
    functions = functions_of(template, project, catalog)
    kept = project.root / STATE_FOLDER / "s3"
    start = not_before(run)
    answers = MockedSteps(mocks, program) if mocks is not None else None
    with LocalAws(
        template, functions, project.root, real_time=real_time, start=start, kept_objects=kept, mocks=answers
    ) as aws:
        create_machines(program, aws, functions)
        aws.history.remember(steps)
        attempt = 1 + sum(step.undoes is not None for step in steps)
        run, every = undo(program, aws, run, steps, attempt=attempt)
    store.put_run(run)
    store.put_steps(every)
    return Undone(run, tuple(every))
