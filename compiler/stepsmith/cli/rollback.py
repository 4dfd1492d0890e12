"""`stepsmith rollback`: undoes what a run has done that failed, was stopped or ran out of time."""

from __future__ import annotations

import argparse
import json
from typing import Final

from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import add_place, find_run, histories, unavailable
from stepsmith.cli.outcome import step_lines, summary_line, title_line
from stepsmith.cli.workflows import compile_file, load_catalog, program_of, report, sources_of, workflow_of
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.result import run_result
from stepsmith_functions.history.store import HistoryError

EXAMPLE: Final = """
    stepsmith rollback latest
    stepsmith rollback 3f2a91c0 --json
    stepsmith rollback 3f2a91c0 --stack security
"""
_REASONS: Final = {
    RunStatus.ROLLED_BACK: "it is rolled back already",
    RunStatus.SUCCEEDED: "it has succeeded; --succeeded undoes it all the same",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, its beginning, or latest")
    parser.add_argument("--succeeded", action="store_true", help="undo a run that has succeeded, too")
    parser.add_argument("--mock", metavar="FILE", help="mocks by step id or action name, or a rehearsal with them")
    parser.add_argument("--json", action="store_true", help="print the run as it is then, as JSON")
    parser.add_argument("--real-time", action="store_true", help="wait for back-off instead of skipping it")
    add_place(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    place = histories(arguments)
    try:
        run = place.store.run(find_run(place.store, arguments.run))
    except HistoryError as error:
        raise unavailable(error) from error
    _check(run, place.flags, also_succeeded=arguments.succeeded)
    if place.deployed:
        from stepsmith.cli import undoing_deployed
        from stepsmith.cli.deployed import StackHistories

        assert isinstance(place, StackHistories)
        if arguments.mock:
            raise CommandError("--mock is for runs of this machine, not for those of a stack")
        return undoing_deployed.execute(arguments, console, place, run)
    project, path = workflow_of(run)
    catalog = load_catalog(project, console)
    compiled = compile_file(path, project.relative(path), catalog, project)
    if compiled.asl is None:
        report(list(compiled.diagnostics), sources_of(compiled), console, to_stderr=True)
        return Exit.PROBLEMS
    if compiled.rollback is None:
        raise CommandError(
            f"no step of {run.workflow} says how it is undone", help="write rollback: {action: …, params: {…}} on it"
        )
    with console.working("starting the local AWS"):
        from stepsmith.local.sam import TemplateError
        from stepsmith.local.undoing import undo_kept_run
    mocks = None
    if arguments.mock:
        from stepsmith.cli.run import mocks_in

        mocks = mocks_in(arguments.mock, compiled, catalog, project, console)
        if mocks is None:
            return Exit.PROBLEMS
    program = program_of(compiled, catalog, project)
    try:
        undone = undo_kept_run(program, run.run_id, project, catalog, mocks=mocks, real_time=arguments.real_time)
    except HistoryError as error:
        raise unavailable(error) from error
    except TemplateError as error:
        raise CommandError(f"template.yaml: {error}", status=Exit.PROBLEMS) from error
    result = json.loads(json.dumps(run_result(undone.run, undone.steps)))
    if arguments.json:
        console.print_json(result)
    else:
        console.print(title_line(result, console))
        for line in step_lines(result["steps"], console):
            console.print(line)
        console.print(summary_line(result, console, virtual=False))
    return Exit.DONE if undone.run.status is RunStatus.ROLLED_BACK else Exit.PROBLEMS


def _check(run: RunRecord, flags: str, *, also_succeeded: bool) -> None:
    """Raises CommandError for a run that is not to be undone now."""
    short = run.run_id[:8]
    if not run.status.is_final:
        raise CommandError(f"run {short} is not over: it is {run.status.replace('_', ' ')}", status=Exit.PROBLEMS)
    if run.continued_by is not None:
        raise CommandError(
            f"run {short} can't be undone: run {run.continued_by[:8]} goes on from it",
            help=f"stepsmith rollback {run.continued_by[:8]}{flags} undoes what both have done",
            status=Exit.PROBLEMS,
        )
    if run.status in _REASONS and not (also_succeeded and run.status is RunStatus.SUCCEEDED):
        raise CommandError(f"run {short} can't be undone: {_REASONS[run.status]}", status=Exit.PROBLEMS)
