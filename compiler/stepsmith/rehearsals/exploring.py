"""Looks for runs that take the edges that no rehearsal took, and makes each as small as it gets.

The search is bounded and always the same: it changes one choice at a time, and goes on from every run that took a set
of edges not seen before, at first with what the missing edges are about. It proves nothing of an edge that it does not
reach.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stepsmith.local.mocks import Mock
from stepsmith.local.runner import RunReport
from stepsmith.rehearsals.choices import Choices, Scenario
from stepsmith.rehearsals.edges import Edge, Kind
from stepsmith.rehearsals.model import Rehearsal
from stepsmith.rehearsals.passage import Passage, passage

Run = Callable[[Scenario], RunReport]


@dataclass(frozen=True, slots=True)
class Find:
    """A run that takes edges which no rehearsal took. The first one names it."""

    edges: tuple[Edge, ...]
    scenario: Scenario
    report: RunReport = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreached:
    """An edge that the search did not reach, and what it knows of the reason."""

    edge: Edge
    why: str


@dataclass(frozen=True, slots=True)
class Exploration:
    """What came of a search."""

    finds: tuple[Find, ...]
    unreached: tuple[Unreached, ...]
    runs: int


def explore(
    edges: Sequence[Edge], taken: Iterable[str], choices: Choices, seeds: Sequence[Rehearsal], run: Run, most: int
) -> Exploration:
    """Searches with at most `most` runs, besides those that make a find smaller. `taken` names the edges that need
    none; `seeds` are rehearsals to begin with, whose values a person has chosen. Raises NoSampleError."""
    return _Search(edges, set(taken), choices, run, most).explore(seeds)


@dataclass
class _Search:
    edges: Sequence[Edge]
    taken: set[str]
    choices: Choices
    run: Run
    most: int
    runs: int = 0
    finds: list[Find] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    """Ids of the steps that some run reached."""
    signatures: set[frozenset[str]] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    queue: list[tuple[int, int, Scenario, frozenset[str]]] = field(default_factory=list)
    """Scenarios to go on from, with the steps that ran in them; each twice: at first only what a missing edge is about
    is changed, and what it reads, then all."""

    def explore(self, seeds: Sequence[Rehearsal]) -> Exploration:
        for scenario in (*(self.completed(seed) for seed in seeds), self.choices.base):
            self.try_(scenario)
        while self.queue and self.missing() and self.runs < self.most:
            level, _, scenario, ran = heapq.heappop(self.queue)
            for about, other in self.choices.varied(scenario, ran):
                if self.runs >= self.most or not self.missing():
                    break
                if level or about in self.wanted():
                    self.try_(other)
        return Exploration(tuple(self.finds), tuple(self.unreached()), self.runs)

    def wanted(self) -> set[str]:
        """What the missing edges are about, the workflow's own excepted: any task may take too long."""
        return {each for edge in self.missing() for each in self.choices.about(edge.step)}

    def missing(self) -> list[Edge]:
        return [edge for edge in self.edges if edge.name not in self.taken]

    def completed(self, seed: Rehearsal) -> Scenario:
        """The rehearsal with an answer for all that it does not mock, so that nothing real is done."""
        given = seed.input if isinstance(seed.input, dict) else {}
        mocks: dict[str, tuple[Mock, ...]] = dict(self.choices.base.mocks)
        for name, step in self.choices.tasks.items():
            answers = seed.mocks.get(name) or seed.mocks.get(getattr(step, "action", name))
            mocks[name] = answers or mocks[name]
        return Scenario(given, mocks)

    def try_(self, scenario: Scenario) -> None:
        if scenario.key in self.tried:
            return
        self.tried.add(scenario.key)
        self.runs += 1
        report = self.run(scenario)
        seen = passage(report)
        self.reached |= {step for step in seen.records if seen.ran(step)}
        signature = self.signature(seen)
        new = [edge for edge in self.missing() if edge.name in signature]
        if new:
            self.finds.append(self.smaller(Find(tuple(new), scenario, report)))
            self.taken |= {edge.name for edge in self.finds[-1].edges}
        if signature not in self.signatures:
            self.signatures.add(signature)
            ran = frozenset(step for step in seen.records if seen.ran(step))
            heapq.heappush(self.queue, (0, self.runs, scenario, ran))
            heapq.heappush(self.queue, (1, self.runs, scenario, ran))

    def signature(self, seen: Passage) -> frozenset[str]:
        return frozenset(edge.name for edge in self.edges if edge.taken(seen))

    def smaller(self, find: Find) -> Find:
        """The find with every choice given up that its edges do not need."""
        base = self.choices.base
        for name in list(find.scenario.input):
            if name not in base.input:
                find = self.kept(find, find.scenario.without_input(name))
            elif base.input[name] != find.scenario.input[name]:
                find = self.kept(find, find.scenario.with_input(name, base.input[name]))
        for name, mocks in base.mocks.items():
            if find.scenario.mocks[name] != mocks:
                find = self.kept(find, find.scenario.with_mock(name, *mocks))
        return find

    def kept(self, find: Find, simpler: Scenario) -> Find:
        report = self.run(simpler)
        signature = self.signature(passage(report))
        return Find(find.edges, simpler, report) if {edge.name for edge in find.edges} <= signature else find

    def unreached(self) -> Iterable[Unreached]:
        bounded = self.runs >= self.most
        for edge in self.missing():
            if edge.step and edge.step not in self.reached and edge.kind not in (Kind.STEP, Kind.SKIP):
                why = f"{edge.step} never ran"
            elif bounded:
                why = f"not in the {self.runs} runs that were asked for"
            elif edge.kind in (Kind.SKIP, Kind.BRANCH, Kind.STEP):
                why = "no value that was tried makes the condition come out so"
            else:
                why = "no answer that was tried leads there"
            yield Unreached(edge, why)


def called(report: RunReport, mocks: Mapping[str, tuple[Mock, ...]]) -> dict[str, tuple[Mock, ...]]:
    """The mocks of the steps that the run called."""
    ran = {record.step_id for record in (*report.steps, *report.apart) if record.attempts > 0}
    return {name: answers for name, answers in mocks.items() if name in ran}
