"""Has a run of a deployed stack go on there: what `stepsmith resume --stack` does to one that is over.

Where the workflow is what the run ran and a redrive serves, the execution itself is redriven: the run goes on under its
id. Else a version of the workflow's machine NAME.resume is published, which begins at the step, and started as a run of
its own. Nothing is started that could not be proven to find what it reads. It waits for nothing: the stack's recorder
keeps what becomes of the run.
"""

from __future__ import annotations

import argparse
import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stepsmith.cli import continuing
from stepsmith.cli.console import Console
from stepsmith.cli.continuing import Earlier
from stepsmith.cli.deployed import DAYS, StackHistories
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import unavailable
from stepsmith.cli.redriving import redrive_serves
from stepsmith.cli.stack_machines import Described, StackMachines
from stepsmith.cli.workflows import report, sources_of
from stepsmith.document import Json
from stepsmith.model.policies import Then
from stepsmith_functions.history.executions import RESUME_SUFFIX, Executions
from stepsmith_functions.history.origins import with_source_map
from stepsmith_functions.history.records import RunRecord, RunStatus, StepStatus
from stepsmith_functions.history.store import HistoryError, RunNotFoundError

if TYPE_CHECKING:
    from stepsmith.local.continuing import Plan

_FROM_OUTSIDE = ("ABORTED", "TIMED_OUT")


@dataclass(frozen=True, slots=True)
class _Begun:
    """The run that goes on, as it is told."""

    run_id: str
    execution_arn: str
    plan: Plan | None = None
    """None for a redrive, which is the same run."""

    def to_json(self, workflow: str) -> dict[str, Json]:
        told: dict[str, Json] = {
            "run_id": self.run_id,
            "workflow": workflow,
            "status": RunStatus.RUNNING.value,
            "execution_arn": self.execution_arn,
            "redriven": self.plan is None,
        }
        if self.plan is not None and self.plan.continued is not None:
            link = self.plan.continued.link
            told["continues"] = {"run_id": link.run_id, "step": link.step, "first": link.first}
        return told


def execute(arguments: argparse.Namespace, console: Console, place: StackHistories, run: RunRecord) -> int:
    """Has `run`, which is over, go on in its stack. Raises CommandError where that cannot be."""
    for flag, given in (("--mock", arguments.mock), ("--real-time", arguments.real_time)):
        if given:
            raise CommandError(f"{flag} is for runs of this machine, not for those of a stack")
    continuing.check(replace(run, continued_by=None))
    machines = StackMachines.of(place, run.workflow)
    name = _name(machines, run)
    execution = machines.describe(run.execution_arn) if run.execution_arn else None
    earlier = continuing.earlier_run(console, place.store, run)
    if earlier is None:
        return Exit.PROBLEMS
    _check_execution(run, earlier, execution)
    try:
        begun: _Begun | None
        if arguments.begin is None and execution is not None and _is_redrivable(machines, run, earlier, execution):
            begun = _redriven(machines, run, execution)
        else:
            begun = _continued(arguments.begin, console, machines, run, earlier, name)
    except HistoryError as error:
        raise unavailable(error) from error
    if begun is None:
        return Exit.PROBLEMS
    if arguments.json:
        console.print_json(begun.to_json(run.workflow))
    else:
        short = begun.run_id[:8]
        if begun.plan is None or begun.plan.continued is None:
            console.print(f"run {short} of {run.workflow} goes on where it ended, by a redrive")
        else:
            continuing.tell(console, begun.plan, begun.plan.continued)
        console.print(f"stepsmith show {short}{place.flags} shows how it goes")
    return Exit.DONE


# -- may it go on? --------------------------------------------------------------------------------


def _name(machines: StackMachines, run: RunRecord) -> str:
    """The id of the run that will go on from `run`: a fresh one, or that of one which was announced and never started.

    Raises CommandError where another run goes on from it. Step Functions starts one execution of a name, whoever of two
    comes first.
    """
    if run.continued_by is None:
        return str(uuid.uuid4())
    try:
        machines.place.store.run(run.continued_by)
    except RunNotFoundError:
        if machines.describe(machines.execution(run.continued_by)) is None:
            return run.continued_by
    except HistoryError as error:
        raise unavailable(error) from error
    continuing.check(run)
    raise AssertionError("unreachable")


def _check_execution(run: RunRecord, earlier: Earlier, execution: Described | None) -> None:
    """Raises CommandError where the run's execution is not over, or is about to be undone."""
    short = run.run_id[:8]
    if execution is None:
        return
    if execution.status not in ("FAILED", "ABORTED", "TIMED_OUT"):
        raise CommandError(
            f"run {short} cannot go on: its execution is {execution.status.lower()}, and the history does not know yet",
            status=Exit.PROBLEMS,
        )
    assert earlier.compiled.workflow is not None
    if execution.status in _FROM_OUTSIDE and earlier.compiled.workflow.on_failure is Then.ROLLBACK:
        raise CommandError(
            f"run {short} cannot go on: it was ended from outside, and {run.workflow} undoes such a run",
            help="stepsmith run begins anew once it is rolled back",
            status=Exit.PROBLEMS,
        )


# -- a redrive ------------------------------------------------------------------------------------


def _is_redrivable(machines: StackMachines, run: RunRecord, earlier: Earlier, execution: Described) -> bool:
    """Whether the execution ran the workflow as it is now, and a redrive of it does what is asked.

    Not where a run was announced that goes on from it: that one may yet be started.
    """
    arn = run.execution_arn or ""
    if not execution.redrivable or run.continued_by is not None or arn.rpartition(":")[0].endswith(RESUME_SUFFIX):
        return False
    workflow, machine, asl = earlier.compiled.workflow, earlier.compiled.machine, earlier.compiled.asl
    assert workflow is not None
    assert machine is not None
    assert asl is not None
    if machines.lacks(machine) or machines.definition_of(arn) != json.loads(machines.filled(machine, asl)):
        return False
    history = Executions(machines.place.states()).ended_history(arn)
    done = {step.path for step in earlier.steps if step.status is StepStatus.SUCCEEDED}
    return redrive_serves(history, workflow, earlier.compiled.origins or {}, done)


def _redriven(machines: StackMachines, run: RunRecord, execution: Described) -> _Begun:
    """Redrives the execution. Raises CommandError when AWS refuses, or another one was faster.

    The record says so first, without the order under which the run ended: the first handler would heed it.
    """
    arn = run.execution_arn or ""
    again = replace(
        run,
        status=RunStatus.RUNNING,
        redrive_count=execution.redrive_count + 1,
        error=None,
        ended_at=None,
        transitions=None,
        complete=False,
        control=None,
    )
    store = machines.place.store
    if not store.replace_run(run, again):
        raise continuing.already_continued(run)
    try:
        machines.redrive(arn)
    except CommandError:
        store.replace_run(again, run)
        raise
    return _Begun(run.run_id, arn)


# -- a run that goes on from it -------------------------------------------------------------------


def _continued(
    begin: str | None, console: Console, machines: StackMachines, run: RunRecord, earlier: Earlier, name: str
) -> _Begun | None:
    """Starts the run `name`; None where its workflow's problems were reported. Raises CommandError and HistoryError."""
    assert earlier.compiled.machine is not None
    plan = earlier.plan(begin, machines.environment(earlier.compiled.machine.environment))
    report(list(plan.diagnostics), sources_of(earlier.compiled), console, to_stderr=True)
    if plan.compiled is None or plan.continued is None:
        return None
    assert plan.compiled.machine is not None
    assert plan.compiled.asl is not None
    definition = machines.filled(plan.compiled.machine, plan.compiled.asl)
    if missing := machines.not_allowed(definition):
        raise CommandError(
            f"{run.workflow} calls what the deployed one does not, so that its role does not allow it:",
            details=tuple(missing),
            help="stepsmith build and sam deploy bring it there",
            status=Exit.PROBLEMS,
        )
    carried = with_source_map(json.loads(definition), plan.compiled.origins or {})
    version = machines.publish(json.dumps(carried, ensure_ascii=False), f"goes on with run {run.run_id}"[:256])
    place = machines.place
    store = place.writer(machines.parameters.get(DAYS, ""))
    if not store.hand_on(run.run_id, name):
        raise continuing.already_continued(run)
    store.put_steps([replace(step, run_id=name) for step in plan.continued.records])
    started = machines.start(version, name, plan.continued.given)
    if started is None:
        raise continuing.already_continued(run)
    arn = machines.execution(name)
    begun = RunRecord(
        name,
        run.workflow,
        RunStatus.RUNNING,
        started,
        input=plan.continued.input,
        execution_arn=arn,
        continues=plan.continued.link,
    )
    try:
        store.put_run(begun)
    except HistoryError as error:
        # The recorder writes the same when Step Functions tells it.
        console.note(f"run {name[:8]} goes on, and the history will know of it later: {error}")
    try:
        machines.forget_versions()
    except CommandError as error:
        console.note(error.message)
    return _Begun(name, arn, plan)
