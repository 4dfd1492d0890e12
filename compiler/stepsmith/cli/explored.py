"""`stepsmith test --explore`: rehearsals for the edges that none took, written beside those that people wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, plural
from stepsmith.cli.failures import CommandError
from stepsmith.project import shown, write_atomically

if TYPE_CHECKING:
    from stepsmith.document import Json
    from stepsmith.local.runner import RunReport
    from stepsmith.pipeline import Compilation
    from stepsmith.rehearsals.exploring import Find, Unreached
    from stepsmith.rehearsals.model import Verdict
    from stepsmith.rehearsals.running import Rehearser

_INDENT: Final = "    "
_MOST_NAMES: Final = 1000


@dataclass
class Explored:
    """What came of a workflow's exploration."""

    workflow: str
    runs: int = 0
    written: list[tuple[str, Find]] = field(default_factory=list)
    """The file of each find, as people know it."""
    unreached: tuple[Unreached, ...] = ()
    refused: str = ""
    """Why nothing was tried."""
    verdicts: list[Verdict] = field(default_factory=list)
    """Of what was written."""

    def to_json(self) -> dict[str, Json]:
        """`{"workflow", "runs", "written": [{"file", "edges"}], "unreached": [{"edge", "line", "why"}], "refused"}`."""
        return {
            "workflow": self.workflow,
            "runs": self.runs,
            "written": [{"file": file, "edges": [edge.name for edge in find.edges]} for file, find in self.written],
            "unreached": [
                {"edge": each.edge.name, "line": each.edge.span.start.line, "why": each.why} for each in self.unreached
            ],
            "refused": self.refused or None,
        }


def explore_workflow(
    compiled: Compilation,
    verdicts: Sequence[Verdict],
    rehearser: Rehearser,
    folder: Path,
    most: int,
    console: Console,
) -> Explored:
    """Searches for what `verdicts`, the rehearsals of the workflow, have not taken; writes what it finds to `folder`.

    Raises CommandError where a file cannot be written.
    """
    from stepsmith.cli.workflows import SERVICES
    from stepsmith.model.steps import ChildStep
    from stepsmith.rehearsals.choices import Choices, Scenario
    from stepsmith.rehearsals.edges import edges_of
    from stepsmith.rehearsals.exploring import explore
    from stepsmith.rehearsals.model import Expectation, Outcome, Rehearsal
    from stepsmith.rehearsals.passage import passage
    from stepsmith.rehearsals.samples import NoSampleError

    workflow = compiled.workflow
    assert workflow is not None
    made = Explored(workflow.name)
    child = next((step for step in workflow.every_step() if isinstance(step, ChildStep)), None)
    if child is not None:
        made.refused = f"{child.id} runs another workflow, which no mock stands in for"
        return made
    edges = edges_of(workflow, rehearser.catalog)
    passages = [passage(verdict.report) for verdict in verdicts if verdict.report is not None]
    taken = {edge.name for edge in edges if any(edge.taken(run) for run in passages)}
    passed = (verdict for verdict in verdicts if verdict.outcome is Outcome.PASSED)
    seeds = [verdict.rehearsal for verdict in passed if verdict.rehearsal is not None]

    def run(scenario: Scenario) -> RunReport:
        rehearsal = Rehearsal("explored", workflow.name, dict(scenario.input), Expectation(), scenario.mocks)
        return rehearser.run(rehearsal, compiled)

    choices = Choices(workflow, rehearser.catalog, SERVICES)
    try:
        with console.working(f"exploring {workflow.name}"):
            found = explore(edges, taken, choices, seeds, run, most)
    except NoSampleError as error:
        made.refused = f"{error}; write a rehearsal that gives it one"
        return made
    made.runs, made.unreached = found.runs, found.unreached
    for find in found.finds:
        path = _write(find, workflow.name, folder)
        made.written.append((shown(path, Path.cwd()), find))
        made.verdicts.append(rehearser.rehearse(path))
    return made


def _write(find: Find, workflow: str, folder: Path) -> Path:
    """Writes the find to a file that is not there yet."""
    from stepsmith.rehearsals.writing import rehearsal_text

    name = f"{workflow}.explored-{find.edges[0].name}"
    numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, _MOST_NAMES))
    path = next(path for path in (folder / f"{each}.yaml" for each in numbered) if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, rehearsal_text(find, workflow).encode())
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def explored_lines(made: Explored, console: Console) -> Iterator[str]:
    """What was written, and what was not reached."""
    if made.refused:
        yield f"{made.workflow}: {console.style('not explored', 'yellow')}: {made.refused}"
        return
    yield f"{made.workflow}: explored in {plural(made.runs, 'run')}, {plural(len(made.written), 'rehearsal')} written"
    for file, find in made.written:
        yield f"{_INDENT}{console.style(file, 'bold')}"
        yield from (f"{_INDENT}  until now {edge.never}" for edge in find.edges)
    for each in made.unreached:
        yield f"{_INDENT}{console.style(f'{each.edge.span}:', 'bold')} {each.edge.never}: {each.why}"
