"""Random well-formed workflows with every verb and modifier, and random outcomes for each attempt of an action.

An expression is written without regard to whether it may stand where it stands; `settle` then replaces those that the
checks refuse, so that what is left is just what the checks accept, and must work whatever happens in a run.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from stepsmith.pipeline import Compilation, compile_bytes
from tests.semantics.attempts import Answer
from tests.support.machines import CATALOG

T = TypeVar("T")
MILLISECOND = 1000
ALWAYS = {
    "first": "{{ input.flag }}",
    "text": "{{ input.name }}",
    "number": "{{ input.n }}",
    "list": "{{ input.items }}",
}
ERRORS = {
    "fetch": ["HttpClientError", "HttpServerError", "Lambda.TooManyRequestsException", "Sandbox.Timedout"],
    "store": ["StoreFull", "Lambda.ServiceException", "Lambda.Unknown"],
    "ping": ["Unreachable", "Lambda.Unknown"],
}
CAUGHT = ["HttpError", "HttpServerError", "StoreFull", "Unreachable", "States.Timeout", "States.TaskFailed", "Mine"]
CAUGHT += ["ApprovalRejected"]


class Chooser(Protocol):
    """Where the random choices come from."""

    def number(self, least: int, most: int) -> int: ...

    def choice(self, options: Sequence[T]) -> T: ...

    def chance(self, percent: int) -> bool: ...


class Dice:
    """Choices of a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def choice(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent


class Drawn:
    """Choices of Hypothesis, which it can make smaller."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def number(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def choice(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.number(0, 99) >= 100 - percent


@dataclass(frozen=True)
class Hole:
    """An expression, to be replaced by a harmless one if it may not stand where it does."""

    text: str
    otherwise: str


@dataclass
class Program:
    """A workflow as text, its input, and what its actions answer."""

    text: str
    given: dict[str, Any]
    answers: dict[str, list[dict[str, Any]]]
    compilation: Compilation

    def script(self, step: str, path: str, attempt: int) -> Answer:
        """The answer to an attempt; each takes a time of its own, so that no two things happen at one moment."""
        kinds = self.answers[step]
        at = attempt + sum(int(part) for part in _numbers(path))
        chosen = kinds[at % len(kinds)]
        if chosen.get("late"):
            return Answer(10**15)
        after = (zlib.crc32(f"{path}#{attempt}".encode()) % 5987 + 1) * MILLISECOND + 7
        return Answer(after, chosen.get("result"), chosen.get("error"), chosen.get("message", ""))

    def describe(self) -> str:
        return f"{self.text}\ninput: {self.given}\nanswers: {self.answers}\n"


def _ends(steps: list[dict[str, Any]]) -> bool:
    """Whether nothing can follow the steps."""
    return any("if" not in step and ("stop" in step or "fail" in step) for step in steps)


def _numbers(path: str) -> list[str]:
    return [part.split("]")[0] for part in path.split("[")[1:]]


@dataclass
class _Place:
    depth: int
    loops: tuple[tuple[str, str], ...] = ()
    """Names of items and indexes."""
    private: bool = False
    """Inside a branch or iteration, which may not stop the run."""
    branch: str = ""
    """Makes the names of variables of a branch or iteration its own."""
    last_resort: bool = False
    """Inside a `finally`."""
    graph: bool = False
    """Inside a step of a graph, which may set no variable."""


@dataclass
class Generator:
    pick: Chooser
    deepest: int = 3
    rolls_back: bool = False
    """Whether every program can undo what it does, and most are rolled back."""
    ids: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    size: int = 0
    undoing: int = 0
    """The chance that an action can be undone, in per cent; with it comes that a failure begins a rollback."""
    failing: int = 30
    """The chance that an attempt fails, in per cent."""

    # -- the whole --------------------------------------------------------------------------------

    def workflow(self) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "name": "random",
            "input": {
                "flag": {"type": "boolean", "default": True},
                "name": {"type": "string"},
                "n": {"type": "integer", "default": 2},
                "items": {"type": "array", "items": {"type": "string"}},
                "nested": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
                "opt": {"type": "integer", "required": False},
            },
        }
        if self.pick.chance(20):
            whole["retry"] = self.retry()
        if self.pick.chance(10 if self.rolls_back else 35):
            whole["timeout"] = self.pick.number(1, 25)
        if self.rolls_back:
            self.undoing, self.failing = self.pick.choice([80, 100]), self.pick.choice([20, 10, 5])
        elif self.pick.chance(50):
            self.undoing = self.pick.choice([20, 50, 90])
        if self.undoing and self.pick.chance(70):
            whole["on_failure"] = "rollback"
        whole["steps"] = self.block(_Place(0))
        if self.rolls_back:
            whole["steps"] += self.undone(whole["steps"])
        if self.pick.chance(75):
            whole["output"] = {f"o{n}": self.value(_Place(0)) for n in range(self.pick.number(1, 4))}
        if self.pick.chance(25):
            whole["finally"] = self.block(_Place(2, last_resort=True))
        return whole

    def given(self) -> dict[str, Any]:
        texts = ["", "a", "bb", "a", 'it\'s "x"', "{% 1 %}"]
        given: dict[str, Any] = {
            "name": self.pick.choice(texts),
            "items": [self.pick.choice(texts) for _ in range(self.pick.number(0, 3))],
            "nested": [
                [self.pick.number(0, 3) for _ in range(self.pick.number(0, 2))] for _ in range(self.pick.number(0, 2))
            ],
        }
        if self.pick.chance(50):
            given["flag"] = self.pick.chance(50)
        if self.pick.chance(50):
            given["n"] = self.pick.number(0, 4)
        if self.pick.chance(50):
            given["opt"] = self.pick.number(0, 4)
        return given

    # -- steps ------------------------------------------------------------------------------------

    def block(self, place: _Place) -> list[dict[str, Any]]:
        if place.depth < self.deepest and self.size < 20 and self.pick.chance(15):
            return self.graph(place)
        return self.sequence(place)

    def sequence(self, place: _Place) -> list[dict[str, Any]]:
        most = 4 if place.depth == 0 else 3 if place.depth == 1 else 2
        steps: list[dict[str, Any]] = []
        for _ in range(self.pick.number(1, most)):
            step = self.step(place)
            steps.append(step)
            if _ends(steps):
                break
        return steps

    def graph(self, place: _Place) -> list[dict[str, Any]]:
        """Steps that need some of those before them, written in any order."""
        inner = replace(place, depth=place.depth + 1, private=True, graph=True)
        steps: list[dict[str, Any]] = []
        for _ in range(self.pick.number(2, 6 if place.depth < 2 else 4)):
            step = self.step(inner)
            if "fail" in step and "if" not in step:
                step["if"] = self.condition(place)
            needs = [other["id"] for other in steps if self.pick.chance(35)]
            if needs or not steps:
                step["needs"] = needs
            steps.insert(self.pick.number(0, len(steps)), step)
        return steps

    def undone(self, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Steps with which a run is likely to be rolled back after much was done."""
        if _ends(before) or any("needs" in step for step in before):
            return []
        steps = self.sequence(_Place(0))
        if _ends(steps):
            return steps
        if self.pick.chance(60):
            name = self.name("p")
            self.ids.append(name)
            block: dict[str, Any] = {"id": name, **self.racing()}
            if self.pick.chance(50):
                block["retry"] = {"max_retries": self.pick.number(1, 2), "delay": 1}
            steps.append(block)
        name = self.name("f")
        self.ids.append(name)
        return [*steps, {"id": name, **self.fail(_Place(0), name)}]

    def racing(self) -> dict[str, Any]:
        """A parallel of which one branch is likely to fail while another is at work."""
        branches: dict[str, Any] = {}
        for at in range(self.pick.number(2, 3)):
            place = self.branch(_Place(0), f"x{at}")
            branches[f"b{at}"] = [self.called(place) for _ in range(self.pick.number(1, 2))] + self.sequence(place)
        if not _ends(branches["b0"]):
            name = self.name("f")
            self.ids.append(name)
            branches["b0"].append({"id": name, **self.fail(_Place(0), name)})
        return {"parallel": branches}

    def called(self, place: _Place) -> dict[str, Any]:
        name = self.name("a")
        self.ids.append(name)
        return {"id": name, **self.action(place, name)}

    def step(self, place: _Place) -> dict[str, Any]:
        self.size += 1
        kinds: list[tuple[str, Callable[[_Place, str], dict[str, Any]]]] = [("a", self.action)] * 6
        kinds += [("w", self.wait), ("ok", self.approval)] + ([] if place.graph else [("s", self.set_step)] * 3)
        # Where several steps run at once, a failure that takes no time is a tie more often than not.
        if self.pick.chance(20 if place.graph else 100 if place.depth > 0 else 30):
            kinds.append(("f", self.fail))
            if not place.private and not place.last_resort:
                kinds.append(("stop", self.stop))
        if place.depth < self.deepest and self.size < 25:
            kinds += [("sw", self.switch)] * 2 + [("t", self.try_step)] * 3 + [("p", self.parallel)] * 2
            kinds += [("e", self.for_each)] * 2 + [("r", self.repeat)] * 2
        prefix, make = self.pick.choice(kinds)
        name = self.name(prefix)
        self.ids.append(name)
        step: dict[str, Any] = {"id": name}
        if self.pick.chance(25) or (prefix in ("f", "stop") and self.pick.chance(60)):
            step["if"] = self.condition(place)
        step |= make(place, name)
        if prefix in ("p", "e"):
            step |= self.block_modifiers(place, step)
        return step

    def name(self, prefix: str) -> str:
        odd = {"a": ["count", "string", "map", "a-b", "item", "v0", "input", "states", "error", "sum-1", "index"]}
        free = [name for name in odd.get(prefix, []) if name not in self.ids]
        if free and self.pick.chance(25):
            return self.pick.choice(free)
        number = sum(1 for name in self.ids if name.startswith(prefix))
        while f"{prefix}{number}" in self.ids:
            number += 1
        return f"{prefix}{number}"

    def action(self, place: _Place, name: str) -> dict[str, Any]:
        action = self.pick.choice(["fetch", "store", "ping"])
        params: dict[str, Any] = {}
        match action:
            case "fetch":
                params["url"] = self.text(place)
                if self.pick.chance(40):
                    params["count"] = self.number(place)
                if self.pick.chance(30):
                    params["tags"] = self.items(place)
            case "store":
                params = {"key": self.text(place), "value": self.value(place)}
            case _:
                if self.pick.chance(50):
                    params["host"] = self.text(place)
        step: dict[str, Any] = {"action": action, "params": params}
        self.answers[name] = [self.answer(action) for _ in range(self.pick.number(1, 3))]
        if self.pick.chance(20):
            step["timeout"] = self.pick.number(1, 5)
        if self.pick.chance(30):
            step["retry"] = self.retry()
        if self.pick.chance(40):
            step["on_failure"] = self.on_failure(place)
        if self.pick.chance(25):
            step["output"] = self.reshaped(place, action)
        if not place.last_resort and self.pick.chance(self.undoing):
            step["rollback"] = self.undo(place, name, action)
        return step

    def approval(self, place: _Place, name: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"message": self.text(place), "timeout": self.pick.number(1, 5)}
        if self.pick.chance(60):
            asked["approvers"] = self.pick.choice([["a@example.com", "b@example.com"], [self.text(place)]])
        if self.pick.chance(60):
            asked["on_timeout"] = self.pick.choice(["fail", "approve", "reject"])
        step: dict[str, Any] = {"approval": asked}
        self.answers[name] = [self.decision() for _ in range(self.pick.number(1, 2))]
        if self.pick.chance(50):
            step["on_failure"] = self.on_failure(place)
        if self.pick.chance(25):
            step["output"] = self.pick.choice([None, "{{ output.by }}", {"size": "{{ output.approved }}"}])
        return step

    def decision(self) -> dict[str, Any]:
        if self.pick.chance(15):
            return {"late": True}
        if self.pick.chance(35):
            return {"error": "ApprovalRejected", "message": self.pick.choice(["a: no", 'a: "no"'])}
        return {"result": {"approved": True, "by": "a", "comment": self.pick.choice(["", "yes"]), "at": "then"}}

    def undo(self, place: _Place, name: str, action: str) -> Any:
        if self.pick.chance(5):
            return "none"
        field_ = {"fetch": "size", "store": "version", "ping": "ok"}[action]
        values = [
            Hole(f"{{{{ output.{field_} }}}}", "{{ output }}"),
            Hole("{{ output }}", ALWAYS["number"]),
            Hole(f"{{{{ output.{field_} | default('nothing') }}}}", "{{ output }}"),
            Hole("{{ output.size | default(output) }}", "{{ output }}"),
            Hole("{{ output.items | default([]) }}", "{{ output }}"),
        ]
        params = {"key": self.text(place), "value": {"of": self.pick.choice(values), "with": self.value(place)}}
        if self.pick.chance(30):
            params["value"] = self.pick.choice(values)
        undo: dict[str, Any] = {"action": "store", "params": params}
        if self.pick.chance(15):
            undo["timeout"] = self.pick.number(1, 5)
        if self.pick.chance(30):
            undo["retry"] = self.retry()
        self.answers[f"{name}.rollback"] = [self.answer("store") for _ in range(self.pick.number(1, 3))]
        return undo

    def answer(self, action: str) -> dict[str, Any]:
        if self.pick.chance(self.failing):
            return {"error": self.pick.choice(ERRORS[action]), "message": self.pick.choice(["", "it broke", 'a "b"'])}
        result: dict[str, Any]
        match action:
            case "fetch":
                items = [self.pick.choice(["x", "", "yy"]) for _ in range(self.pick.number(0, 2))]
                result = {"body": self.pick.choice(["", "text"]), "size": self.pick.number(0, 3), "items": items}
            case "store":
                result = {"version": self.pick.number(0, 3), **({"note": "n"} if self.pick.chance(50) else {})}
            case _:
                result = {"ok": self.pick.chance(50), **({"ms": 1.5} if self.pick.chance(50) else {})}
        return {"result": result}

    def reshaped(self, place: _Place, action: str) -> Any:
        field_ = {"fetch": "size", "store": "version", "ping": "ok"}[action]
        return self.pick.choice(
            [
                None,
                "{{ output }}",
                f"{{{{ output.{field_} }}}}",
                {
                    # A boolean has no order, which the checks cannot see behind a default of another type.
                    "ok" if field_ == "ok" else "size": f"{{{{ output.{field_} }}}}",
                    "also": self.value(place),
                },
                [f"{{{{ output.{field_} }}}}", 1],
            ]
        )

    def retry(self) -> Any:
        rule = {"max_retries": self.pick.number(1, 2), "delay": self.pick.number(1, 3)}
        if self.pick.chance(30):
            rule |= {"backoff": self.pick.choice([1, 1.5, 3]), "max_delay": 4}
        if self.pick.chance(40):
            rule["on"] = [self.pick.choice(CAUGHT)]
        return self.pick.choice([0, 1, 2, rule, [rule, {"max_retries": 1}]])

    def on_failure(self, place: _Place) -> Any:
        if place.depth >= self.deepest or self.pick.chance(30):
            rolls_back = ["rollback"] * 2 if self.undoing and not place.last_resort else []
            return self.pick.choice(["fail", "continue", *rolls_back])
        return self.handlers(place)

    def handlers(self, place: _Place) -> list[dict[str, Any]]:
        handlers: list[dict[str, Any]] = []
        for _ in range(self.pick.number(0, 2)):
            handlers.append(self.handler(place, [self.pick.choice(CAUGHT)]))
        if self.pick.chance(60) or not handlers:
            handlers.append(self.handler(place, None))
        return handlers

    def handler(self, place: _Place, errors: list[str] | None) -> dict[str, Any]:
        handler: dict[str, Any] = {} if errors is None else {"errors": errors}
        if self.pick.chance(70):
            handler["steps"] = self.block(self.inner(place))
        rolls_back = ["rollback"] if self.undoing and not place.last_resort else []
        handler["then"] = self.pick.choice(["continue", "continue", "fail", *rolls_back])
        return handler

    def block_modifiers(self, place: _Place, step: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.pick.chance(20) and "tolerate" not in step.get("for_each", {}):
            found["retry"] = {"max_retries": 1, "delay": self.pick.number(1, 3)}
        if self.pick.chance(40):
            found["on_failure"] = self.on_failure(place)
        if self.pick.chance(15):
            found["output"] = self.pick.choice(["{{ output }}", {"all": "{{ output }}"}, None])
        return found

    def set_step(self, place: _Place, name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for _ in range(self.pick.number(1, 2)):
            variable = f"{self.pick.choice(['v0', 'v1', 'count', 'item2'])}{place.branch}"
            if variable not in self.variables:
                self.variables.append(variable)
            values[variable] = self.value(place)
        return {"set": values}

    def wait(self, place: _Place, name: str) -> dict[str, Any]:
        if self.pick.chance(20):
            return {"wait": Hole("{{ input.n }}", "{{ input.n }}")}
        return {"wait": self.pick.choice(["1s", "2s", "1m"])}

    def stop(self, place: _Place, name: str) -> dict[str, Any]:
        return {"stop": {"output": self.value(place)} if self.pick.chance(70) else {}}

    def fail(self, place: _Place, name: str) -> dict[str, Any]:
        cause = self.text(place) if self.pick.chance(50) else "why"
        return {"fail": {"error": self.pick.choice(["Mine", "Other"]), "cause": cause}}

    def switch(self, place: _Place, name: str) -> dict[str, Any]:
        inner = self.inner(place)
        cases: list[dict[str, Any]] = [
            {"if": self.condition(place), "steps": self.block(inner)} for _ in range(self.pick.number(1, 2))
        ]
        if self.pick.chance(50):
            cases.append({"else": self.block(inner)})
        return {"switch": cases}

    def try_step(self, place: _Place, name: str) -> dict[str, Any]:
        inner = self.inner(place)
        step: dict[str, Any] = {"try": self.block(inner)}
        if self.pick.chance(75):
            step["catch"] = self.handlers(place)
        if self.pick.chance(45) or "catch" not in step:
            step["finally"] = self.block(replace(inner, depth=inner.depth + 1, last_resort=True))
        return step

    def parallel(self, place: _Place, name: str) -> dict[str, Any]:
        if self.pick.chance(25):
            number = len(self.ids)
            steps = [
                self.step(self.branch(place, f"{place.branch}l{number}x{at}")) for at in range(self.pick.number(1, 3))
            ]
            return {"parallel": steps}
        branches = [f"b{len(self.ids)}-{at}" for at in range(self.pick.number(1, 3))]
        return {
            "parallel": {
                each: self.block(self.branch(place, place.branch + each.replace("-", "x"))) for each in branches
            }
        }

    def branch(self, place: _Place, variables: str) -> _Place:
        return _Place(place.depth + 1, place.loops, True, variables, place.last_resort)

    def for_each(self, place: _Place, name: str) -> dict[str, Any]:
        number = len(self.ids)
        item = self.pick.choice(["item", "one", "count", "name", f"item{number}"])
        loop: dict[str, Any] = {"in": self.items(place), "as": item}
        names = [item]
        if self.pick.chance(50):
            loop["index_as"] = self.pick.choice([f"index{number}", "at", "index"])
            names.append(loop["index_as"])
        if self.pick.chance(40):
            loop["concurrency"] = self.pick.number(1, 3)
        if self.pick.chance(30):
            loop["tolerate"] = self.pick.choice([1, 2, "50%", "100%"])
        loops = (*place.loops, (names[0], names[-1]))
        loop["steps"] = self.block(_Place(place.depth + 1, loops, True, f"{place.branch}e{number}", place.last_resort))
        return {"for_each": loop}

    def repeat(self, place: _Place, name: str) -> dict[str, Any]:
        loop: dict[str, Any] = {"max": self.pick.number(1, 3)}
        kind = self.pick.choice(["until", "while"])
        loop[kind] = self.condition(place)
        if self.pick.chance(50):
            loop["delay"] = self.pick.number(0, 5)
        loop["steps"] = self.block(self.inner(place))
        return {"repeat": loop}

    def inner(self, place: _Place) -> _Place:
        return replace(place, depth=place.depth + 1)

    # -- expressions ------------------------------------------------------------------------------

    def condition(self, place: _Place) -> Hole:
        step, variable = self.some_step(), self.some_variable()
        options = [
            "input.flag",
            "not input.flag",
            "input.n > 1",
            "input.opt is defined",
            "input.opt is defined and input.opt > 1",
            "input.items",
            f"{step}.output is defined",
            f"{step}.output.size is defined and {step}.output.size > 1",
            f"{step}.output.size | default(0) > 1",
            f"{step}.status == 'succeeded'",
            f"{step}.status | default('') == 'failed'",
            f"{step}.status is defined",
            f"{step}.error is defined",
            f"{variable} is defined",
            f"{variable} | default(0) == 2",
            f"{variable}",
            *([f"{place.loops[-1][0]} == 'a'", f"{place.loops[-1][1]} == 1"] if place.loops else []),
            "error.type == 'Mine'",
        ]
        return Hole(f"{{{{ {self.pick.choice(options)} }}}}", ALWAYS["first"])

    def read(self, place: _Place) -> str:
        step, variable = self.some_step(), self.some_variable()
        options = [
            "input.name",
            "input.n",
            "input.opt | default(9)",
            "input.opt",
            "run.id",
            f"{step}.output",
            f"{step}.output | default('none')",
            f"{step}.output.size",
            f"{step}.output.size | default(7)",
            f"{step}.output.note | default('n')",
            f"{step}.output.items | default([]) | length",
            f"{step}.output.version + 1",
            f"({step}.output | default({{}})) == none",
            f"{step}.status",
            f"{step}.status | default('no status')",
            f"{step}.error.type",
            f"{step}.error.type | default('no error')",
            f"{step}.error | default('no error')",
            f"{step}.error.step | default('no error')",
            f"{step}.output is defined",
            f"{variable}",
            f"{variable} | default('unset')",
            f"[{variable} | default(1), {step}.output | default(2)]",
            "error.type",
            "error.message",
            "error.step",
            "error.type ~ ' in ' ~ error.step",
            *(f"{name}" for pair in place.loops for name in pair),
        ]
        return self.pick.choice(options)

    def value(self, place: _Place) -> Any:
        roll = self.pick.number(0, 9)
        if roll == 0:
            return self.pick.choice([1, None, "text", True, [], {}, "{% 1 %}", [1, [2]]])
        if roll == 1:
            return {"x": self.value(place), "y": [self.value(place)]}
        if roll == 2:
            return self.text(place)
        return Hole(f"{{{{ {self.read(place)} }}}}", ALWAYS["number"])

    def text(self, place: _Place) -> Hole:
        return Hole(f"<{{{{ {self.read(place)} }}}}>", ALWAYS["text"])

    def number(self, place: _Place) -> Hole:
        return Hole(f"{{{{ {self.read(place)} }}}}", ALWAYS["number"])

    def items(self, place: _Place) -> Any:
        options = [
            "input.items",
            "input.items",
            f"{self.some_step()}.output.items | default([])",
            f"{self.some_step()}.output.items",
            f"{self.some_variable()}",
            "input.nested",
            *(pair[0] for pair in place.loops),
        ]
        return Hole(f"{{{{ {self.pick.choice(options)} }}}}", ALWAYS["list"])

    def some_step(self) -> str:
        if not self.ids or self.pick.chance(4):
            return "steps.a9"
        name = self.pick.choice(self.ids[-8:])
        return f"steps['{name}']" if "-" in name else f"steps.{name}"

    def some_variable(self) -> str:
        return f"vars.{self.pick.choice(self.variables[-4:])}" if self.variables else "vars.v0"


# -- settling ---------------------------------------------------------------------------------------

REFUSALS = {
    "maybe-missing",
    "never-available",
    "unknown-step",
    "unknown-variable",
    "unknown-name",
    "unknown-property",
    "type-mismatch",
    "no-order",
    "wrong-param",
    "condition-type",
    "outer-variable",
    "unknown-input",
    "wrong-type",
    "maybe-wrong-type",
}
ILL_MADE = {"unreachable-step", "stop-not-here", "needs-cycle"}
"""Mistakes that the generator makes now and then, since it does not follow the flow."""


class Refused(Exception):  # noqa: N818
    """The checks refuse the workflow for something other than an expression."""


class IllMade(Exception):  # noqa: N818
    """The workflow has a mistake of the kind that the generator does not avoid."""


def settle(tree: dict[str, Any]) -> tuple[str, Compilation]:
    """The workflow's text with every refused expression replaced by a harmless one, and its compilation."""
    holes: list[Hole] = []
    marked = _marked(tree, holes)
    texts = [hole.text for hole in holes]
    lines = yaml.safe_dump(marked, sort_keys=False, width=100_000, allow_unicode=True).splitlines()
    where = {number: _hole_in(line) for number, line in enumerate(lines, 1)}
    for _ in range(len(holes) + 1):
        source = "".join(
            f"{line if where[number] is None else _filled(line, texts[where[number] or 0])}\n"
            for number, line in enumerate(lines, 1)
        )
        compilation = compile_bytes("random.yaml", source.encode(), CATALOG)
        errors = [item for item in compilation.diagnostics if item.severity == "error" or item.slug in REFUSALS]
        if not errors:
            return source, compilation
        if any(item.slug in ILL_MADE for item in errors):
            raise IllMade
        tried = list(texts)
        for error in errors:
            at = where.get(error.span.start.line)
            if at is None or error.slug not in REFUSALS or tried[at] == holes[at].otherwise:
                raise Refused(f"{error.span}: {error.message} [{error.slug}]\n{source}")
            texts[at] = holes[at].otherwise
    raise Refused("does not settle")


def _marked(tree: Any, holes: list[Hole]) -> Any:
    match tree:
        case Hole():
            holes.append(tree)
            return f"@@{len(holes) - 1}@@"
        case dict():
            return {key: _marked(value, holes) for key, value in tree.items()}
        case list():
            return [_marked(value, holes) for value in tree]
    return tree


def _hole_in(line: str) -> int | None:
    parts = line.split("@@")
    return int(parts[1]) if len(parts) == 3 else None


def _filled(line: str, text: str) -> str:
    before, _, after = line.split("@@")
    written = yaml.safe_dump(text, default_style='"', width=100_000, allow_unicode=True).strip()
    return f"{before.rstrip(chr(39))}{written}{after.lstrip(chr(39))}"


def program(pick: Chooser, deepest: int = 3, *, rolls_back: bool = False) -> Program:
    """A random workflow that compiles, with an input and answers. Raises Refused."""
    generator = Generator(pick, deepest, rolls_back)
    tree = generator.workflow()
    text, compilation = settle(tree)
    return Program(text, generator.given(), generator.answers, compilation)


@st.composite
def programs(draw: DrawFn, deepest: int = 3) -> Program | None:
    """`program` as a strategy; None for one that is ill made."""
    try:
        return program(Drawn(draw), deepest)
    except IllMade:
        return None
