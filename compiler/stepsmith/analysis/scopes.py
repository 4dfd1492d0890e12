"""Builds the scope of an expression from what is known at its place.

The codes (how JSONata spells each thing) come from the caller: checks need none that work, lowering gives its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from stepsmith.analysis.facts import Analysis, Facet, Point, StepFact, never
from stepsmith.expressions.scope import Binding, Presence, Scope
from stepsmith.expressions.types import INTEGER, TEXT, ObjectType, Property, TextType, Type, from_schema
from stepsmith.model.workflow import Workflow

STATUS = TextType(("succeeded", "failed", "skipped"))
ERROR = ObjectType({"type": Property(TEXT), "message": Property(TEXT), "step": Property(TEXT)}, closed=True)


class Codes(Protocol):
    """JSONata for the things that expressions may read."""

    def input(self) -> str: ...

    def step(self, step_id: str, facet: Facet) -> str: ...

    def variable(self, name: str) -> str: ...

    def run(self, member: str) -> str: ...

    def error(self, step_id: str) -> str: ...

    def loop(self, loop_id: str, *, index: bool) -> str: ...

    def environment(self, name: str) -> str: ...


class NoCodes:
    """Codes for checks, which never evaluate what they translate."""

    def input(self) -> str:
        return "$input"

    def step(self, step_id: str, facet: Facet) -> str:
        del step_id
        return f"$step.{facet}"

    def variable(self, name: str) -> str:
        del name
        return "$variable"

    def run(self, member: str) -> str:
        return f"$run.{member}"

    def error(self, step_id: str) -> str:
        del step_id
        return "$error"

    def loop(self, loop_id: str, *, index: bool) -> str:
        del loop_id
        return "$index" if index else "$item"

    def environment(self, name: str) -> str:
        del name
        return "$environment"


def input_type(workflow: Workflow) -> ObjectType:
    """The type of the input once its defaults are in and its schema has been enforced."""
    declared = workflow.input or ()
    return ObjectType(
        {
            item.name: Property(from_schema(dict(item.schema)), required=item.required or item.has_default)
            for item in declared
        },
        closed=True,
    )


def build_scope(analysis: Analysis, point: Point, codes: Codes, extra: Mapping[str, Binding] | None = None) -> Scope:
    """The names that an expression at `point` may read. `extra` holds those of its own place, such as `output`."""
    names = {
        "input": Binding(type=analysis.input, code=codes.input(), strict=False, noun="input property"),
        "steps": Binding(members=_Lazy(analysis.order, lambda name: _step(name, analysis, point, codes)), noun="step"),
        "vars": Binding(members=_Lazy(point.variables, lambda name: _variable(name, point, codes)), noun="variable"),
        "run": Binding(
            members=_Lazy(RUN_MEMBERS, lambda name: _run(name, point, codes)),
            noun="property of run",
        ),
        "env": Binding(
            open_member=lambda name: Binding(type=TEXT, code=codes.environment(name)), noun="value of the environment"
        ),
        **(extra or {}),
    }
    for name, loop in point.loops.items():
        names[name] = Binding(type=loop.type, code=codes.loop(loop.loop, index=loop.index))
    if point.failed is not None:
        names["error"] = Binding(type=ERROR, code=codes.error(point.failed))
    return Scope(names, point.proven)


TASK_TOKEN = "task_token"  # noqa: S105 - a name, no secret
RUN_MEMBERS: Mapping[str, Type] = {
    "id": TEXT,
    "workflow": TEXT,
    "started_at": TEXT,
    "attempt": INTEGER,
    TASK_TOKEN: TEXT,
}


class _Lazy(Mapping[str, Binding]):
    """Members that are made when they are asked for: a workflow may have thousands of steps, an expression reads few,
    and some cannot be spelled everywhere."""

    def __init__(self, names: Collection[str], make: Callable[[str], Binding]) -> None:
        self._names = names
        self._make = make
        self._made: dict[str, Binding] = {}

    def __getitem__(self, name: str) -> Binding:
        made = self._made.get(name)
        if made is None:
            if name not in self._names:
                raise KeyError(name)
            made = self._made[name] = self._make(name)
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _step(name: str, analysis: Analysis, point: Point, codes: Codes) -> Binding:
    fact = point.steps.get(name)
    if fact is None:
        absent = never(f"step '{name}' has not run where this stands")
        fact = StepFact(absent, absent, absent)
    types: Mapping[Facet, Type] = {Facet.OUTPUT: analysis.output_of(name), Facet.STATUS: STATUS, Facet.ERROR: ERROR}

    def facet(word: str) -> Binding:
        each = Facet(word)
        return _value(types[each], codes.step(name, each), fact.of(each).presence, fact.of(each).reason)

    return Binding(members=_Lazy([each.value for each in Facet], facet), noun="property of a step")


def _run(name: str, point: Point, codes: Codes) -> Binding:
    if name == TASK_TOKEN and not point.answerable:
        reason = "only the params of a step that ends in .waitForTaskToken have a token"
        return Binding(type=TEXT, code="$token", presence=Presence.NEVER, absent=reason)
    return Binding(type=RUN_MEMBERS[name], code=codes.run(name))


def _variable(name: str, point: Point, codes: Codes) -> Binding:
    fact = point.variables[name]
    return _value(fact.type, codes.variable(name), fact.availability.presence, fact.availability.reason)


def _value(type_: Type, code: str, presence: Presence, reason: str) -> Binding:
    return Binding(type=type_, code=code, presence=presence, absent=reason)
