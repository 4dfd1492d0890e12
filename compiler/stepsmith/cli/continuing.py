"""Goes on with a run that ended without success: what `stepsmith resume` does to one that is over.

What is the same wherever the run was: the workflow as it is now, the run's records, and the plan that is made of both.
A run of this machine goes on in this process; `continuing_deployed` has one of an account go on there.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import unavailable
from stepsmith.cli.inputs import input_problems
from stepsmith.cli.workflows import (
    SERVICES,
    compile_file,
    load_catalog,
    program_of,
    report,
    sources_of,
    workflow_of,
)
from stepsmith.project import Project, shown
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord
from stepsmith_functions.history.store import HistoryError, RunStore, all_steps
from stepsmith_functions.history.values import StoredValue

if TYPE_CHECKING:
    from stepsmith.catalog import ActionCatalog
    from stepsmith.local.continuing import Continued, Plan
    from stepsmith.pipeline import Compilation

_REFUSED: Final = {
    RunStatus.SUCCEEDED: "it is over: succeeded",
    RunStatus.ROLLED_BACK: "what it had done is undone; stepsmith run begins anew",
    RunStatus.ROLLBACK_FAILED: "some of what it had done is undone; stepsmith run begins anew",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="begin", metavar="STEP", help="the step of the main sequence to begin with")
    parser.add_argument("--mock", metavar="FILE", help="mocks by step id or action name, or a rehearsal with them")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    parser.add_argument("--real-time", action="store_true", help="wait for waits and back-off instead of skipping them")


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that is over, with its steps, and its workflow as it is in its file now, which takes the run's input."""

    run: RunRecord
    """Its input is at hand, even if it lies apart."""
    steps: list[StepRecord]
    """With their outputs at hand."""
    compiled: Compilation
    catalog: ActionCatalog
    project: Project

    def plan(self, begin: str | None, environment: Mapping[str, str]) -> Plan:
        """How it goes on, from the step `begin` or from where it failed; `environment` has what `env.NAME` is.

        Raises CommandError for a step that it cannot go on from.
        """
        from stepsmith.local.continuing import CannotContinueError, place_of, plan

        assert self.compiled.workflow is not None
        try:
            place = place_of(self.compiled.workflow, self.run, self.steps, begin)
        except CannotContinueError as error:
            status = Exit.WRONG_CALL if begin is not None else Exit.PROBLEMS
            raise CommandError(error.message, help=error.help, status=status) from error
        return plan(self.compiled, self.catalog, SERVICES, self.run, self.steps, place, environment)


def execute(arguments: argparse.Namespace, console: Console, store: RunStore, run: RunRecord) -> int:
    """Goes on with `run`, which is over, on this machine. Raises CommandError where that cannot be."""
    check(run)
    earlier = earlier_run(console, store, run)
    if earlier is None:
        return Exit.PROBLEMS
    run, compiled, catalog, project = earlier.run, earlier.compiled, earlier.catalog, earlier.project
    with console.working("starting the local AWS"):
        from stepsmith.cli.desk import person_at
        from stepsmith.cli.live import LiveTree, PlainLines
        from stepsmith.cli.run import exit_status, mocks_in, print_outcome, told_of
        from stepsmith.local.mocks import Mocks
        from stepsmith.local.runner import AlreadyContinuedError, RunOptions, run_workflow
        from stepsmith.local.sam import TemplateError
    plan = earlier.plan(arguments.begin, _environment(compiled, project))
    report(list(plan.diagnostics), sources_of(compiled), console, to_stderr=True)
    if plan.compiled is None or plan.continued is None:
        return Exit.PROBLEMS
    mocks = mocks_in(arguments.mock, compiled, catalog, project, console) if arguments.mock else Mocks()
    if mocks is None:
        return Exit.PROBLEMS
    program = program_of(plan.compiled, catalog, project)
    view = None if arguments.json else (LiveTree if console.live else PlainLines)(console)
    if view is not None:
        tell(console, plan, plan.continued)
    run_id = str(uuid.uuid4())
    options = RunOptions(
        mocks=mocks,
        real_time=arguments.real_time,
        working_folder=Path.cwd(),
        progress=view,
        held=told_of(run_id, console, view),
        run_id=run_id,
        person=person_at(console, view),
        continues=plan.continued,
    )
    try:
        ran = run_workflow(program, plan.continued.input, project, catalog, options)
    except TemplateError as error:
        raise CommandError(f"template.yaml: {error}", status=Exit.PROBLEMS) from error
    except AlreadyContinuedError as error:
        raise already_continued(run) from error
    if view is None:
        console.print_json(ran.result)
    else:
        view.finish(ran.result["steps"])  # type: ignore[arg-type]
        print_outcome(ran, compiled, console, virtual=not arguments.real_time)
    if ran.history_problem:
        console.note(f"the run could not be kept in the history: {ran.history_problem}")
    return exit_status(ran)


def tell(console: Console, plan: Plan, continued: Continued) -> None:
    """Says where it goes on, and what it passes over."""
    where = continued.link.step
    begins = f"from step {where}" if where is not None else "behind the last step"
    name = console.style(continued.run.workflow, "bold")
    console.print(f"{name} goes on with run {continued.run.run_id[:8]} {begins}")
    if plan.passed_over:
        console.print(console.style(f"not run, and not read: {', '.join(plan.passed_over)}", "dim"))


def already_continued(run: RunRecord) -> CommandError:
    return CommandError(f"another run goes on from run {run.run_id[:8]} already", status=Exit.PROBLEMS)


def check(run: RunRecord) -> None:
    """Raises CommandError for a run that nothing can go on from."""
    short = run.run_id[:8]
    if run.status in _REFUSED:
        raise CommandError(f"run {short} cannot go on: {_REFUSED[run.status]}", status=Exit.PROBLEMS)
    if run.continued_by is not None:
        raise CommandError(
            f"run {short} was continued by run {run.continued_by[:8]}",
            help=f"stepsmith resume {run.continued_by[:8]} goes on with that one",
            status=Exit.PROBLEMS,
        )
    if run.parent_run_id is not None:
        raise CommandError(
            f"run {short} is part of run {run.parent_run_id[:8]}",
            help=f"stepsmith resume {run.parent_run_id[:8]} begins its step again",
            status=Exit.PROBLEMS,
        )


def earlier_run(console: Console, store: RunStore, run: RunRecord) -> Earlier | None:
    """The run with what is needed to plan how it goes on; None where its workflow has problems, which are reported.

    Raises CommandError for an input that the workflow refuses now.
    """
    project, path = workflow_of(run)
    catalog = load_catalog(project, console)
    compiled = compile_file(path, shown(path, Path.cwd()), catalog, project)
    report(list(compiled.diagnostics), sources_of(compiled), console, to_stderr=True)
    if compiled.workflow is None or compiled.asl is None:
        return None
    try:
        run, steps = _loaded(store, run)
    except HistoryError as error:
        raise unavailable(error) from error
    problems = input_problems(run.input, compiled.workflow)  # type: ignore[arg-type]
    if problems:
        raise CommandError(
            f"{run.workflow} refuses the input of run {run.run_id[:8]} now:",
            details=tuple(problems),
            status=Exit.PROBLEMS,
        )
    return Earlier(run, steps, compiled, catalog, project)


def _loaded(store: RunStore, run: RunRecord) -> tuple[RunRecord, list[StepRecord]]:
    """The run and its steps with the values that lie apart. Raises HistoryError."""
    steps = all_steps(store, run.run_id)
    whole = [
        replace(step, output=store.load(step.output)) if isinstance(step.output, StoredValue) else step
        for step in steps
    ]
    if isinstance(run.input, StoredValue):
        run = replace(run, input=store.load(run.input))
    return run, whole


def _environment(compiled: Compilation, project: Project) -> dict[str, str]:
    from stepsmith.local.machines import value_of
    from stepsmith.local.sam import SamTemplate, TemplateError, read_template

    assert compiled.machine is not None
    try:
        template = read_template(project.template) if project.template.is_file() else SamTemplate(project.root)
    except TemplateError as error:
        raise CommandError(f"template.yaml: {error}", status=Exit.PROBLEMS) from error
    return {name: value_of(name, template) for name in compiled.machine.environment}
