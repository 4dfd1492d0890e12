"""What all of lowering works with: the workflow, what is known of it, the names, and the states made so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from stepsmith.analysis.facts import Analysis, Facet, Point
from stepsmith.analysis.scopes import Codes, build_scope
from stepsmith.asl.states import State, SubMachine, ways_out
from stepsmith.catalog import ActionCatalog, Permission
from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.scope import Binding
from stepsmith.expressions.syntax import Template, references
from stepsmith.expressions.translate import Translation, translate, translate_condition
from stepsmith.expressions.types import kinds
from stepsmith.lowering.codes import ENTRY, LONGEST_INLINE, Place, PlaceCodes
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.frames import Finally, Frame, Guard
from stepsmith.lowering.names import Names
from stepsmith.model.steps import Block, ForEachStep, Step, TryStep, walk
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value, templates
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog


class LoweringError(Exception):
    """A checked workflow could not be lowered: a bug of ours."""


@dataclass(frozen=True, slots=True)
class Written:
    """A value as the content of an ASL field; `total` says that evaluating it cannot fail."""

    json: Json
    total: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Another way to read what expressions name, and the names that are there besides."""

    codes: Codes
    extra: Mapping[str, Binding] = field(default_factory=dict)


@dataclass
class Context:
    """The state of lowering one workflow."""

    workflow: Workflow
    analysis: Analysis
    catalog: ActionCatalog
    names: Names
    lower: Callable[[Context, Block, Edge], Edge]
    """Lowers a block; steps and blocks hold each other, so each finds the other here."""
    functions: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    services: ServiceCatalog | None = None
    permissions: list[Permission] = field(default_factory=list)
    """What the machine's role must allow for calls of AWS."""
    labels: list[str] = field(default_factory=list)
    """Of distributed loops."""
    frame: Frame = field(default_factory=lambda: Frame(is_outermost=True))
    reading: Reading | None = None
    """What expressions read in place of the machine's variables, while an undo is lowered."""
    deadline: int | None = None
    """Seconds after its start at which the run must be done, where what is being lowered does not outlive that."""

    def begin_another(self) -> None:
        """Goes on with another machine, whose names are those of this one."""
        self.frame = Frame(is_outermost=True)
        self.functions, self.machines, self.permissions = set(), set(), []

    @property
    def environment_read(self) -> Iterator[str]:
        """The names of the values that are set at deployment and that undos read."""
        for step in self.workflow.undoable:
            for template in templates(step.rollback.params if step.rollback is not None else None):
                for reference in references(template):
                    if reference.root == "env" and reference.path and isinstance(reference.path[0], str):
                        yield reference.path[0]

    def block(self, block: Block, edge: Edge) -> Edge:
        """The edge that enters `block`, which then goes on along `edge`."""
        return self.lower(self, block, edge)

    def add(self, state: State) -> str:
        """Keeps a finished state and gives its name."""
        if state.name in self.frame.states:
            raise LoweringError(f"two states are named {state.name}")
        self.frame.states[state.name] = state
        return state.name

    @contextmanager
    def reading_by(self, reading: Reading) -> Iterator[None]:
        """Lowers expressions inside that read in another way."""
        outer, self.reading = self.reading, reading
        try:
            yield
        finally:
            self.reading = outer

    @contextmanager
    def guarded(self, guards: tuple[Guard, ...], finallies: tuple[Finally, ...] | None = None) -> Iterator[None]:
        """Lowers what is inside with other handlers around it."""
        before = self.frame.guards, self.frame.finallies
        self.frame.guards = guards
        self.frame.finallies = before[1] if finallies is None else finallies
        try:
            yield
        finally:
            self.frame.guards, self.frame.finallies = before

    @contextmanager
    def outliving(self) -> Iterator[None]:
        """Lowers what is inside, handlers and the like, so that it runs even when the deadline has passed."""
        before, self.deadline = self.deadline, None
        try:
            yield
        finally:
            self.deadline = before

    def sub_machine(self, frame: Frame, lower: Callable[[], str]) -> SubMachine:
        """The states that `lower` makes in a frame of their own; it gives the name of the first."""
        outer, self.frame = self.frame, frame
        try:
            start = lower()
            return SubMachine(start, tuple(in_order(self.frame.states, start)))
        finally:
            self.frame = outer

    # -- expressions ------------------------------------------------------------------------------

    def entry(self, state: str) -> Place:
        """How things read in the arguments and conditions of the state `state`."""
        first = self.frame.first
        return ENTRY if first is None or first[0] != state else self.item_place(first[1])

    def item_place(self, loop: ForEachStep) -> Place:
        """How the item and the index read in a state that gets them as its input."""
        return Place(loops={(loop.id, False): "$states.input.item", (loop.id, True): "$states.input.index"})

    def entry_assign(self, state: str) -> dict[str, Json]:
        """What the first state of an iteration keeps of its input for the states after it."""
        first = self.frame.first
        if first is None or first[0] != state or len(self.frame.states) == 0:
            return {}
        return self.item_variables(first[1])

    def item_variables(self, loop: ForEachStep) -> dict[str, Json]:
        """The loop's item and index as variables, read from the iteration's input."""
        assign: dict[str, Json] = {}
        if (loop.id, False) in self.analysis.loop_names_read:
            assign[self.names.loop(loop.id, index=False, wanted="item")] = "{% $states.input.item %}"
        assign[self.names.loop(loop.id, index=True, wanted="index")] = "{% $states.input.index %}"
        return assign

    def translated(
        self, template: Template, point: Point, place: Place, extra: Mapping[str, Binding] | None = None
    ) -> Translation:
        return self._checked(template, point, place, extra or {}, condition=False)

    def condition(self, template: Template, point: Point, place: Place = ENTRY) -> str:
        """A condition as JSONata that yields true or false."""
        return self._checked(template, point, place, {}, condition=True).code

    def codes(self, place: Place) -> Codes:
        """How things read at `place`."""
        frame = self.frame
        if self.reading is not None:
            return self.reading.codes
        return PlaceCodes(self.analysis, self.names, place, frame.chain, self.workflow.name, frame.captures)

    def run_id(self) -> Json:
        """The id of the run as a field; the executions of a distributed loop have names of their own."""
        return jsonata.field(self.run("id"))

    def run(self, member: str) -> str:
        """What is known of the run, as JSONata that reads the same everywhere in this map of states."""
        return self.codes(ENTRY).run(member)

    def run_parents(self, *, own: bool = False) -> Json:
        """The ids of the runs that wait for this one, the nearest first, as a field; with `own` this run's before
        them."""
        codes = self.codes(ENTRY)
        # JSONata puts the members of a list, or nothing, into the list that is being made.
        runs = [codes.run(member) for member in (("id", "parents") if own else ("parents",))]
        return jsonata.field(jsonata.array([jsonata.verbatim(code) for code in runs]).text)

    @cached_property
    def sheltered(self) -> frozenset[str]:
        """The steps that run even if the run is cancelled: those of `finally` blocks, whatever they stand in, and
        undos."""
        blocks = [self.workflow.finally_steps]
        blocks += [step.finally_steps for step in self.workflow.every_step() if isinstance(step, TryStep)]
        undos = [step.rollback.id for step in self.workflow.undoable if step.rollback is not None]
        return frozenset((*undos, *(inner.id for block in blocks for inner in walk(block))))

    def _checked(
        self, template: Template, point: Point, place: Place, extra: Mapping[str, Binding], *, condition: bool
    ) -> Translation:
        names = {**self.reading.extra, **extra} if self.reading is not None else extra
        scope = build_scope(self.analysis, point, self.codes(place), names)
        diagnostics = Diagnostics()
        translation = (translate_condition if condition else translate)(template, scope, diagnostics)
        if translation is None:
            problems = "; ".join(item.message for item in diagnostics)
            raise LoweringError(f"{template.span}: a checked expression was refused: {problems}")
        return translation

    def write(
        self, value: Value, point: Point, place: Place = ENTRY, extra: Mapping[str, Binding] | None = None
    ) -> Written:
        """`value` as an ASL field. Raises CannotFold if it reads what cannot be read at `place`."""
        match value:
            case Literal():
                return Written(jsonata.literal(value.value), total=True)
            case Templated():
                translation = self.translated(value.template, point, place, extra)
                return Written(jsonata.field(translation.code), translation.total)
            case ObjectValue():
                parts = {item.key: self.write(item.value, point, place, extra) for item in value.fields}
                return Written({key: part.json for key, part in parts.items()}, all(p.total for p in parts.values()))
            case ListValue():
                items = [self.write(item, point, place, extra) for item in value.items]
                return Written([item.json for item in items], all(item.total for item in items))

    def inline(
        self, value: Value, point: Point, place: Place, extra: Mapping[str, Binding] | None = None
    ) -> str | None:
        """`value` as JSONata to stand inside another expression, or None when it must not be repeated there."""
        match value:
            case Literal():
                return jsonata.literal_code(value.value)
            case Templated():
                translation = self.translated(value.template, point, place, extra)
                return translation.code if translation.total else None
            case ObjectValue():
                parts = [(item.key, self.inline(item.value, point, place, extra)) for item in value.fields]
                pairs = [(jsonata.constant(key), jsonata.verbatim(code)) for key, code in parts if code is not None]
                made = jsonata.obj(pairs).text
                return made if len(pairs) == len(parts) and len(made) <= LONGEST_INLINE else None
            case ListValue():
                return None

    def as_code(self, value: Value, point: Point, extra: Mapping[str, Binding] | None = None) -> str:
        """`value` as one expression, whatever it holds; what is missing inside of it is left out."""
        match value:
            case Literal():
                return jsonata.literal_code(value.value)
            case Templated():
                return self.translated(value.template, point, ENTRY, extra).code
            case ObjectValue():
                pairs = [(item.key, self.as_code(item.value, point, extra)) for item in value.fields]
                return jsonata.obj([(jsonata.constant(key), jsonata.verbatim(code)) for key, code in pairs]).text
            case ListValue():
                return jsonata.array([self._item_code(item, point, extra) for item in value.items]).text

    def _item_code(self, value: Value, point: Point, extra: Mapping[str, Binding] | None) -> Code:
        """An item of a list constructor, which would splice an item that is a list itself."""
        code = jsonata.verbatim(self.as_code(value, point, extra))
        match value:
            case Templated():
                possible = kinds(self.translated(value.template, point, ENTRY, extra).type)
            case Literal():
                possible = frozenset({"array"} if isinstance(value.value, list) else ())
            case ListValue():
                possible = frozenset({"array"})
            case ObjectValue():
                possible = frozenset()
        if "array" not in possible:
            return code
        return jsonata.nested(code) if possible == {"array"} else jsonata.nested_if_array(code)

    # -- step variables ---------------------------------------------------------------------------

    def record(self, step: Step, facets: Mapping[Facet, Json]) -> dict[str, Json]:
        """The Assign entry that keeps what later steps read of `step`; empty when nothing is."""
        read = self.analysis.read.get(step.id)
        if read is None:
            return {}
        name = self.names.step(step.id, self.frame.chain)
        if step.id not in self.analysis.records:
            return {name: facets[Facet.OUTPUT]} if Facet.OUTPUT in facets else {}
        return {name: {facet.value: facets[facet] for facet in Facet if facet in read and facet in facets}}

    def unrun(self, steps: Iterable[Step]) -> dict[str, Json]:
        """Assign entries for steps that this way passes by, so that reading them later finds nothing, not a failure."""
        return {self.names.step(name, self.frame.chain): {} for name in self.passed(steps)}

    def passed(self, steps: Iterable[Step]) -> list[str]:
        """Those of `steps` for which `unrun` has an entry."""
        records, chain = self.analysis.records, self.frame.chain
        return [step.id for step in steps if step.id in records and self.names.is_seen_from(step.id, chain)]


def in_order(states: Mapping[str, State], start: str) -> Iterator[State]:
    """The states in the order in which a reader follows them: each before what it leads to."""
    waiting, seen = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            yield states[name]
            waiting += reversed(ways_out(states[name]))
