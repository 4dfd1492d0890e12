"""`stepsmith test`: runs rehearsals, and shows what came out otherwise at the line that expected it."""

from __future__ import annotations

import argparse
import difflib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, duration, plural
from stepsmith.cli.covered import coverage_lines
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.project import Project, project_of, shown, workflow_files_in, write_atomically

if TYPE_CHECKING:
    from stepsmith.catalog import ActionCatalog
    from stepsmith.cli.explored import Explored
    from stepsmith.rehearsals.coverage import Coverage
    from stepsmith.rehearsals.model import Difference, Verdict
    from stepsmith.rehearsals.running import Rehearser

EXAMPLE: Final = """
    stepsmith test
    stepsmith test critical-threat-response -k kill
    stepsmith test workflows/rehearsals/order.happy-path.yaml --json
    stepsmith test --coverage --fail-under 100 --junit rehearsals.xml
    stepsmith test critical-threat-response --explore
"""
FOLDER: Final = "rehearsals"
_INDENT: Final = "    "


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="rehearsals, folders of them, or workflows (default: all of workflows/rehearsals/)",
    )
    parser.add_argument(
        "-k",
        dest="words",
        action="append",
        default=[],
        metavar="WORD",
        help="only rehearsals with this in their name; may be repeated",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="tell which edges no rehearsal took: steps, branches, loops, retries, handlers, timeouts, undos",
    )
    parser.add_argument(
        "--fail-under",
        type=_percent,
        metavar="PERCENT",
        help="exit 1 when fewer of a workflow's edges were taken; implies --coverage",
    )
    parser.add_argument(
        "--explore",
        action="store_true",
        help="write rehearsals for edges that none took, as NAME.explored-EDGE.yaml; PATH is a workflow",
    )
    parser.add_argument(
        "--runs",
        type=_runs,
        default=300,
        metavar="N",
        help="how many runs --explore tries of each workflow at most (default: %(default)s)",
    )
    parser.add_argument("--junit", metavar="FILE", help="write the results to this file as JUnit XML, for CI")
    parser.add_argument("--json", action="store_true", help="print the results as JSON and nothing else")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    from stepsmith.cli.workflows import load_catalog

    project, files = rehearsal_files(arguments.paths, may_lack=arguments.explore)
    meant = _workflows_meant(arguments.paths, project) if arguments.explore else []
    if arguments.words:
        words = [word.lower() for word in arguments.words]
        files = [path for path in files if any(word in path.stem.lower() for word in words)]
        if not files:
            raise CommandError(f"no rehearsal has {' or '.join(arguments.words)} in its name")
    catalog = load_catalog(project, console)
    rehearser = _rehearser(project, catalog)
    verdicts = _rehearse_all(rehearser, files, console, quiet=arguments.json)
    explored = _explore_all(rehearser, meant, verdicts, arguments.runs, console, quiet=arguments.json)
    verdicts += [verdict for made in explored for verdict in made.verdicts]
    covered, least = None, arguments.fail_under
    if arguments.coverage or arguments.explore or least is not None:
        whole = not arguments.paths and not arguments.words
        covered = coverage_of(verdicts, catalog, project if whole else None)
    if arguments.junit:
        _write_junit(Path(arguments.junit), verdicts, covered or (), least)
    if arguments.json:
        from stepsmith.rehearsals.report import as_json

        told = as_json(verdicts)
        if covered is not None:
            told["coverage"] = [item.to_json() for item in covered]
        if arguments.explore:
            told["explored"] = [made.to_json() for made in explored]
        console.print_json(told)
    elif covered is not None:
        for line in coverage_lines(covered, console, least):
            console.print(line)
    short = least is not None and any(item.all.percent < least for item in covered or ())
    return Exit.DONE if not short and all(item.outcome.value == "passed" for item in verdicts) else Exit.PROBLEMS


def rehearsal_files(arguments: Sequence[str], *, may_lack: bool = False) -> tuple[Project, list[Path]]:
    """The rehearsals that the arguments mean, and their project. Raises CommandError where there is none, unless they
    `may_lack`."""
    here = Path.cwd()
    first = Path(arguments[0]) if arguments else None
    project = project_of(first if first is not None and first.exists() else None, here)
    own = project.workflows_folder / FOLDER
    if not arguments:
        files = list(workflow_files_in(own))
        if not files and not may_lack:
            raise CommandError(
                f"there is no rehearsal in {shown(own, here)}",
                help=f"write one as {shown(own / 'WORKFLOW.CASE.yaml', here)}",
            )
        return project, files
    found: dict[Path, None] = {}
    for argument in arguments:
        found |= dict.fromkeys(_meant(argument, project, own, may_lack=may_lack))
    return project, list(found)


def _meant(argument: str, project: Project, own: Path, *, may_lack: bool) -> list[Path]:
    """The rehearsals in a folder, one rehearsal, or those of a workflow."""
    path = Path(argument)
    if path.is_dir():
        candidates = (path / "workflows" / FOLDER, path / FOLDER, path)
        files = list(workflow_files_in(next(folder for folder in candidates if folder.is_dir())))
        if not files:
            raise CommandError(f"there is no rehearsal in {argument}")
        return files
    if path.is_file() and path.resolve() not in [file.resolve() for file in project.workflow_files()]:
        return [path]
    return _of_workflow(path.stem if path.is_file() else argument, project, own, may_lack=may_lack)


def _of_workflow(word: str, project: Project, own: Path, *, may_lack: bool) -> list[Path]:
    from stepsmith.project import UnreadablePathError
    from stepsmith.rehearsals.running import rehearses

    try:
        wanted = project.find_workflow(word)
    except UnreadablePathError as error:
        if "/" in word or Path(word).suffix:
            raise CommandError(f"{word} cannot be opened: there is no such file") from error
        raise CommandError(f'there is no rehearsal and no workflow "{word}"', help=error.help) from error

    def is_meant(path: Path) -> bool:
        try:
            return project.find_workflow(rehearses(path) or "") == wanted
        except UnreadablePathError:
            return False

    files = [path for path in workflow_files_in(own) if is_meant(path)]
    if not files and not may_lack:
        example = shown(own / f"{word}.happy-path.yaml", Path.cwd())
        raise CommandError(f"{word} has no rehearsal", help=f"write one as {example}")
    return files


def coverage_of(verdicts: Sequence[Verdict], catalog: ActionCatalog, project: Project | None) -> list[Coverage]:
    """Which edges of each workflow the rehearsals have taken; given the project, of those with no rehearsal too."""
    from stepsmith.cli.workflows import compile_file
    from stepsmith.rehearsals.coverage import coverage

    here, others = Path.cwd(), []
    if project is not None:
        rehearsed = {item.compiled.source.path for item in verdicts if item.compiled and item.compiled.source}
        for path in project.workflow_files():
            if shown(path, here) not in rehearsed:
                compiled = compile_file(path, shown(path, here), catalog, project)
                others += [compiled.workflow] if compiled.workflow is not None else []
    return coverage(verdicts, catalog, others)


def _workflows_meant(arguments: Sequence[str], project: Project) -> list[Path]:
    """The files of the workflows to explore: those named, else all. Raises CommandError for what is none."""
    from stepsmith.project import UnreadablePathError

    if not arguments:
        return list(project.workflow_files())
    files = {file.resolve(): file for file in project.workflow_files()}
    found = []
    for argument in arguments:
        path = files.get(Path(argument).resolve())
        try:
            found.append(path or project.find_workflow(argument))
        except UnreadablePathError as error:
            raise CommandError(f"{argument} is no workflow: nothing else can be explored", help=error.help) from error
    return found


def _explore_all(
    rehearser: Rehearser,
    paths: Sequence[Path],
    verdicts: Sequence[Verdict],
    most: int,
    console: Console,
    *,
    quiet: bool,
) -> list[Explored]:
    from stepsmith.cli.explored import explore_workflow, explored_lines

    found = []
    for path in paths:
        compiled = rehearser.compile_(path)
        if compiled.workflow is None or compiled.asl is None:
            raise CommandError(f"{shown(path, Path.cwd())} has problems", help="stepsmith check shows them")
        own = [verdict for verdict in verdicts if verdict.workflow == compiled.workflow.name]
        folder = rehearser.project.workflows_folder / FOLDER
        made = explore_workflow(compiled, own, rehearser, folder, most, console)
        found.append(made)
        if not quiet:
            for line in explored_lines(made, console):
                console.print(line)
            console.out.flush()
    return found


def _rehearser(project: Project, catalog: ActionCatalog) -> Rehearser:
    from stepsmith.cli.workflows import compile_file
    from stepsmith.rehearsals.running import Rehearser

    here = Path.cwd()
    return Rehearser(project, catalog, lambda path: compile_file(path, shown(path, here), catalog, project))


def _rehearse_all(rehearser: Rehearser, files: Sequence[Path], console: Console, *, quiet: bool) -> list[Verdict]:
    from stepsmith.local.sam import TemplateError

    began = time.perf_counter()
    width = max((len(path.stem) for path in files), default=0)
    verdicts = []
    for number, path in enumerate(files, 1):
        try:
            with console.working(f"{path.stem} ({number} of {len(files)})"):
                verdict = rehearser.rehearse(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be opened: {error.strerror or error}") from error
        except TemplateError as error:
            raise CommandError(f"template.yaml: {error}", status=Exit.PROBLEMS) from error
        verdicts.append(verdict)
        if not quiet:
            for line in verdict_lines(verdict, width, console):
                console.print(line)
            console.out.flush()
    if not quiet and files:
        console.print(_summary(verdicts, time.perf_counter() - began, console))
    return verdicts


def verdict_lines(verdict: Verdict, width: int, console: Console) -> Iterator[str]:
    """A rehearsal for a person: one line when it passed, else all that is wrong, each with its place."""
    passed = verdict.outcome.value == "passed"
    mark = console.style(console.symbol("succeeded" if passed else "failed"), "green" if passed else "red")
    name = verdict.name if passed else console.style(verdict.name, "bold")
    took = console.style(_took(verdict), "dim")
    yield f"{mark} {name}{' ' * (width - len(verdict.name))}  {took}".rstrip()
    for difference in verdict.differences:
        for line in difference_lines(difference, console):
            yield _INDENT + line
    if verdict.differences:
        yield from _how_it_failed(verdict, console)
    if verdict.diagnostics:
        from stepsmith.reporting import render

        text = render(list(verdict.diagnostics), verdict.sources, "text", colour=console.colour)
        for line in text.splitlines():
            yield (_INDENT + line).rstrip()


def _took(verdict: Verdict) -> str:
    if verdict.report is None:
        return "has mistakes"
    elapsed = verdict.report.result["elapsed_s"]
    virtual = f", {duration(float(elapsed))} virtual" if isinstance(elapsed, int | float) and elapsed else ""
    return f"{plural(len(verdict.report.steps), 'step')}{virtual}"


def difference_lines(difference: Difference, console: Console) -> Iterator[str]:
    """Where something was expected, then what was (`-`) and what came (`+`)."""
    from stepsmith.rehearsals.report import written

    place = console.style(f"{difference.span}:", "bold")
    if difference.note:
        yield f"{place} {difference.what}: {difference.note}"
        return
    yield f"{place} {difference.what}"
    expected, actual = difference.expected, difference.actual
    if isinstance(expected, str) and isinstance(actual, str) and ("\n" in expected or "\n" in actual):
        lines = list(difflib.ndiff(expected.splitlines(), actual.splitlines()))
        for line in lines:
            if not line.startswith("?"):
                yield console.style(f"  {line}", *_STYLES.get(line[:1], ()))
        return
    room = max(console.width - len(_INDENT) - 14, 40)
    yield "  " + console.style(f"- expected {console.cut(written(expected), room)}", "red")
    yield "  " + console.style(f"+ got      {console.cut(written(actual), room)}", "green")


_STYLES: Final = {"-": ("red",), "+": ("green",)}


def _how_it_failed(verdict: Verdict, console: Console) -> Iterator[str]:
    """The error of a run that was not expected to fail, at the line of the workflow."""
    from stepsmith.cli.failure import failure_lines

    report, compiled = verdict.report, verdict.compiled
    if report is None or compiled is None or report.run.error is None:
        return
    if not any(difference.what in ("status", "error") for difference in verdict.differences):
        return
    yield f"{_INDENT}how the run failed:"
    for line in failure_lines(compiled, report.run, report.steps, report.failure, console):
        yield f"{_INDENT}  {line}"


def _summary(verdicts: Sequence[Verdict], seconds: float, console: Console) -> str:
    counts = {name: sum(item.outcome.value == name for item in verdicts) for name in ("passed", "failed", "invalid")}
    styles = {"passed": "green", "failed": "red", "invalid": "red"}
    words = {"passed": "passed", "failed": "failed", "invalid": "with mistakes"}
    parts = [console.style(f"{count} {words[name]}", styles[name]) for name, count in counts.items() if count]
    return f"{', '.join(parts)} in {duration(seconds)}"


def _write_junit(path: Path, verdicts: Sequence[Verdict], covered: Sequence[Coverage], least: int | None) -> None:
    from stepsmith.rehearsals.report import junit

    try:
        write_atomically(path, junit(verdicts, covered, least).encode())
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from error


def _percent(text: str) -> int:
    try:
        value = int(text.removesuffix("%"))
    except ValueError:
        value = -1
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: write a whole number from 0 to 100")
    return value


def _runs(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: write a whole number from 1 on")
    return value
