"""`stepsmith run`: checks and compiles a workflow, then runs it here with its real handlers on an emulated AWS."""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.inputs import read_input
from stepsmith.cli.workflows import (
    children_of,
    compile_file,
    find_workflow,
    load_catalog,
    program_of,
    read_bytes,
    report,
    sources_of,
)
from stepsmith.diagnostics import Diagnostics
from stepsmith.project import shown

if TYPE_CHECKING:
    from stepsmith.catalog import ActionCatalog
    from stepsmith.cli.live import LiveTree, PlainLines
    from stepsmith.engine import Evaluation
    from stepsmith.local.mocks import Mocks
    from stepsmith.local.runner import RunReport
    from stepsmith.pipeline import Compilation
    from stepsmith.project import Project
    from stepsmith_functions.runtime.control import Control

ANSWERABLE: Final = "$states.context.Task.Token"
EXAMPLE: Final = """
    stepsmith run critical-threat-response -p file_path=samples/bad.bin
    stepsmith run order --input events/order.json --json
    echo '{"order": 7}' | stepsmith run order --input - --mock mocks.yaml
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", metavar="WORKFLOW", help="its name or its file")
    parser.add_argument("--input", metavar="FILE|JSON|-", help="the input: a file, JSON text, or - for standard input")
    parser.add_argument(
        "-p",
        dest="properties",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a property of the input; wins over --input, may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    parser.add_argument("--mock", metavar="FILE", help="mocks by step id or action name, or a rehearsal with them")
    parser.add_argument(
        "--approve", action="append", default=[], metavar="STEP", help="approve this approval, may be repeated"
    )
    parser.add_argument(
        "--reject", action="append", default=[], metavar="STEP", help="reject this approval, may be repeated"
    )
    parser.add_argument(
        "--trace", action="store_true", help="show the params, every evaluated expression and what handlers log"
    )
    parser.add_argument("--real-time", action="store_true", help="wait for waits and back-off instead of skipping them")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    project, path = find_workflow(arguments.workflow)
    catalog = load_catalog(project, console)
    compiled = compile_file(path, shown(path, Path.cwd()), catalog, project)
    report(list(compiled.diagnostics), sources_of(compiled), console, to_stderr=True)
    if compiled.workflow is None or compiled.asl is None or compiled.origins is None:
        return Exit.PROBLEMS
    data = read_input(arguments.input, arguments.properties, compiled.workflow)

    # Only now is it worth its time to load the emulated AWS.
    with console.working("starting the local AWS"):
        from stepsmith.cli.desk import person_at
        from stepsmith.cli.live import LiveTree, PlainLines
        from stepsmith.local.mocks import Mocks
        from stepsmith.local.runner import RunOptions, run_workflow
        from stepsmith.local.sam import TemplateError

    mocks = mocks_in(arguments.mock, compiled, catalog, project, console) if arguments.mock else Mocks()
    if mocks is None:
        return Exit.PROBLEMS
    _add_decisions(mocks, arguments, compiled)
    program = program_of(compiled, catalog, project)
    view = None if arguments.json else (LiveTree if console.live else PlainLines)(console)
    if view is not None:
        console.print(" ".join(filter(None, (console.style(program.name, "bold"), program.version))))
    run_id = str(uuid.uuid4())
    evaluations: list[Evaluation] = []
    options = RunOptions(
        mocks=mocks,
        real_time=arguments.real_time,
        working_folder=Path.cwd(),
        progress=view,
        held=told_of(run_id, console, view),
        run_id=run_id,
        person=person_at(console, view),
        trace=evaluations.append if arguments.trace else None,
    )
    try:
        ran = run_workflow(program, data, project, catalog, options)
    except TemplateError as error:
        raise CommandError(f"template.yaml: {error}", status=Exit.PROBLEMS) from error
    if view is None:
        console.print_json(ran.result)
    else:
        view.finish(ran.result["steps"])  # type: ignore[arg-type]
    if arguments.trace:
        _print_trace(evaluations, ran, compiled, console.note if arguments.json else console.print)
    if view is not None:
        print_outcome(ran, compiled, console, virtual=not arguments.real_time)
    if ran.history_problem:
        console.note(f"the run could not be kept in the history: {ran.history_problem}")
    return exit_status(ran)


def _add_decisions(mocks: Mocks, arguments: argparse.Namespace, compiled: Compilation) -> None:
    """Decides approvals as the command line says. Raises CommandError for what is none of the workflow's."""
    from stepsmith.cli.deciding import login
    from stepsmith.diagnostics import did_you_mean
    from stepsmith.local.approvals.mocking import Decision
    from stepsmith.local.mocks import Mock
    from stepsmith.model.steps import ApprovalStep

    assert compiled.workflow is not None
    known = [step.id for step in compiled.workflow.every_step() if isinstance(step, ApprovalStep)]
    for approves, names in ((True, arguments.approve), (False, arguments.reject)):
        for name in names:
            if name not in known:
                near = did_you_mean(name, known, f"its approvals: {', '.join(known)}" if known else "it has none")
                raise CommandError(f'{compiled.workflow.name} has no approval "{name}"', help=near)
            mocks.answers = {**mocks.answers, name: (Mock(decision=Decision(approves, login())),)}


def told_of(run_id: str, console: Console, view: LiveTree | PlainLines | None) -> Callable[[Control | None], None]:
    """Tells a person when the run begins to wait because it was paused, and when it goes on."""
    say = console.note if view is None else view.say

    def held(control: Control | None) -> None:
        if control is None:
            say(console.style("the run goes on", "dim"))
        else:
            say(console.style(f"{control.sentence()}: stepsmith resume {run_id[:8]} lets it go on", "yellow"))

    return held


def mocks_in(
    name: str, compiled: Compilation, catalog: ActionCatalog, project: Project, console: Console
) -> Mocks | None:
    """The mocks in a file; None if it has problems, which are then printed."""
    from stepsmith.loading import load_document, read_source
    from stepsmith.local.mocks import read_mocks

    diagnostics = Diagnostics()
    source = read_source(name, read_bytes(Path(name)), diagnostics)
    document = load_document(source, diagnostics) if source else None
    mocks = None
    if document is not None and compiled.workflow is not None:
        children = children_of(compiled, catalog, project)
        mocks = read_mocks(document.root, compiled.workflow, catalog, diagnostics, children=children)
    report(list(diagnostics), {name: source} if source else {}, console, to_stderr=True)
    return None if diagnostics.has_errors else mocks


def print_outcome(ran: RunReport, compiled: Compilation, console: Console, *, virtual: bool) -> None:
    from stepsmith.cli.failure import failure_lines
    from stepsmith.cli.outcome import output_lines, summary_line

    console.print(summary_line(ran.result, console, virtual=virtual))
    for line in failure_lines(compiled, ran.run, ran.steps, ran.failure, console):
        console.print(line)
    for line in output_lines(ran.result, console):
        console.print(line)
    if ran.objects is not None:
        where = shown(ran.objects, Path.cwd())
        console.print(console.style(f"the emulated s3:// is kept in {where}", "dim"))
    if not ran.history_problem:
        for line in _what_next(ran, compiled):
            console.print(console.style(line, "dim"))


def _what_next(ran: RunReport, compiled: Compilation) -> Iterator[str]:
    """What can be done with a run that is over."""
    run = ran.run.run_id[:8]
    yield f"stepsmith show {run} shows it again"
    if ran.run.status.value in ("failed", "timed_out", "cancelled") and ran.steps:
        yield f"stepsmith resume {run} goes on with it, in the file as it is then"
        if compiled.rollback is not None:
            yield f"stepsmith rollback {run} undoes what it has done"


def _print_trace(
    evaluations: list[Evaluation], ran: RunReport, compiled: Compilation, write: Callable[[str], None]
) -> None:
    """The params of each step, each expression in the order of its evaluation, and what the handlers printed."""
    from stepsmith.cli.failure import step_of_state

    write("trace")
    for step in ran.steps:
        if step.params is not None:
            write(f"  {step.path} params: {json.dumps(step.params, ensure_ascii=False, default=str)}")
    for item in evaluations:
        if item.expression.strip() == ANSWERABLE:
            continue  # who has it may answer for everybody
        value = f"failed: {item.error}" if item.error else json.dumps(item.value, ensure_ascii=False, default=str)
        write(f"  {step_of_state(compiled.origins, item.state)} {item.field}: {item.expression.strip()} = {value}")
    for line in ran.log.splitlines():
        write(f"  log: {line}")


def exit_status(ran: RunReport) -> int:
    match ran.run.status.value:
        case "succeeded":
            return Exit.DONE
        case "cancelled":
            return Exit.CANCELLED
        case _:
            return Exit.PROBLEMS
