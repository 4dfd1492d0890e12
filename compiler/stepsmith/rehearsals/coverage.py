"""What of a workflow its rehearsals have tried: which of its edges some run took.

It counts what happened in runs, not what was expected of them: a rehearsal may pass through a step and say nothing of
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.model.workflow import Workflow
from stepsmith.rehearsals.edges import Edge, Kind, edges_of
from stepsmith.rehearsals.model import Verdict
from stepsmith.rehearsals.passage import Passage, passage


@dataclass(frozen=True, slots=True)
class Share:
    """How many edges were taken, of how many there are."""

    taken: int
    total: int

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means all; 100 also where there is none."""
        return 100 * self.taken // self.total if self.total else 100


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which edges of a workflow rehearsals have taken."""

    workflow: str
    file: str
    kinds: Mapping[Kind, Share]
    """Of each kind that the workflow has an edge of."""
    gaps: tuple[Edge, ...]
    """The edges that none took, in the order of the file; of a step that never ran, only that it did not."""

    @property
    def all(self) -> Share:
        return Share(sum(share.taken for share in self.kinds.values()), sum(s.total for s in self.kinds.values()))

    def to_json(self) -> dict[str, Json]:
        """`{"workflow", "file", "taken", "total", "percent", "kinds": {KIND: {"taken", "total"}}, "gaps": [{"kind",
        "edge", "step", "line", "column", "what"}]}`."""
        gaps: list[Json] = [
            {
                "kind": gap.kind.value,
                "edge": gap.name,
                "step": gap.step or None,
                "line": gap.span.start.line,
                "column": gap.span.start.column,
                "what": gap.never,
            }
            for gap in self.gaps
        ]
        return {
            "workflow": self.workflow,
            "file": self.file,
            "taken": self.all.taken,
            "total": self.all.total,
            "percent": self.all.percent,
            "kinds": {kind.value: {"taken": share.taken, "total": share.total} for kind, share in self.kinds.items()},
            "gaps": gaps,
        }


def coverage(
    verdicts: Iterable[Verdict], catalog: ActionCatalog, unrehearsed: Sequence[Workflow] = ()
) -> list[Coverage]:
    """The coverage of every workflow that was rehearsed, and of those that were not, in that order."""
    workflows: dict[str, Workflow] = {}
    runs: dict[str, list[Passage]] = {}
    for verdict in verdicts:
        if verdict.report is None or verdict.compiled is None or verdict.compiled.workflow is None:
            continue
        workflow = verdict.compiled.workflow
        workflows[workflow.name] = workflow
        runs.setdefault(workflow.name, []).append(passage(verdict.report))
    for workflow in unrehearsed:
        workflows.setdefault(workflow.name, workflow)
    return [coverage_of_runs(workflow, runs.get(name, []), catalog) for name, workflow in workflows.items()]


def coverage_of_runs(workflow: Workflow, runs: Sequence[Passage], catalog: ActionCatalog) -> Coverage:
    """Which edges of the workflow these runs of it took."""
    edges = edges_of(workflow, catalog)
    missing = [edge for edge in edges if not any(edge.taken(run) for run in runs)]
    shares = {}
    for kind in Kind:
        total = sum(edge.kind is kind for edge in edges)
        if total:
            shares[kind] = Share(total - sum(edge.kind is kind for edge in missing), total)
    idle = {edge.step for edge in missing if _is_first(edge)}
    told = [edge for edge in missing if edge.step not in idle or _is_first(edge)]
    told.sort(key=lambda edge: (edge.span.start, edge.never))
    return Coverage(workflow.name, workflow.span.path, shares, tuple(told))


def _is_first(edge: Edge) -> bool:
    """Whether it says that the step itself never ran, or never undid anything."""
    return edge.kind is Kind.STEP or (edge.kind is Kind.UNDO and edge.name.endswith("-undone"))
