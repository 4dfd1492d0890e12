"""Generated steps that hold others, and the lists of steps inside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.semantics.programs.calls import CAUGHT, Calls
from tests.semantics.programs.expressions import Place
from tests.semantics.programs.settling import Hole


def ends(steps: list[dict[str, Any]]) -> bool:
    """Whether nothing can follow the steps."""
    return any("if" not in step and ("stop" in step or "fail" in step) for step in steps)


@dataclass
class Blocks(Calls):
    """Writes lists of steps with everything that can stand in them."""

    size: int = 0

    def block(self, place: Place) -> list[dict[str, Any]]:
        if place.depth < self.deepest and self.size < 20 and self.pick.chance(15):
            return self.graph(place)
        return self.sequence(place)

    def sequence(self, place: Place) -> list[dict[str, Any]]:
        most = 4 if place.depth == 0 else 3 if place.depth == 1 else 2
        steps: list[dict[str, Any]] = []
        for _ in range(self.pick.number(1, most)):
            step = self.step(place)
            steps.append(step)
            if ends(steps):
                break
        return steps

    def graph(self, place: Place) -> list[dict[str, Any]]:
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
        if ends(before) or any("needs" in step for step in before):
            return []
        steps = self.sequence(Place(0))
        if ends(steps):
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
        return [*steps, {"id": name, **self.fail(Place(0), name)}]

    def racing(self) -> dict[str, Any]:
        """A parallel of which one branch is likely to fail while another is at work."""
        branches: dict[str, Any] = {}
        for at in range(self.pick.number(2, 3)):
            place = self.branch(Place(0), f"x{at}")
            branches[f"b{at}"] = [self.called(place) for _ in range(self.pick.number(1, 2))] + self.sequence(place)
        if not ends(branches["b0"]):
            name = self.name("f")
            self.ids.append(name)
            branches["b0"].append({"id": name, **self.fail(Place(0), name)})
        return {"parallel": branches}

    def called(self, place: Place) -> dict[str, Any]:
        name = self.name("a")
        self.ids.append(name)
        return {"id": name, **self.action(place, name)}

    def step(self, place: Place) -> dict[str, Any]:
        self.size += 1
        kinds: list[tuple[str, Callable[[Place, str], dict[str, Any]]]] = [("a", self.action)] * 6
        kinds += [("c", self.child)] * 6 if self.children else []
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

    def on_failure(self, place: Place) -> Any:
        if place.depth >= self.deepest or self.pick.chance(30):
            rolls_back = ["rollback"] * 2 if self.undoing and not place.last_resort else []
            return self.pick.choice(["fail", "continue", *rolls_back])
        return self.handlers(place)

    def handlers(self, place: Place) -> list[dict[str, Any]]:
        handlers: list[dict[str, Any]] = []
        for _ in range(self.pick.number(0, 2)):
            handlers.append(self.handler(place, [self.pick.choice(CAUGHT)]))
        if self.pick.chance(60) or not handlers:
            handlers.append(self.handler(place, None))
        return handlers

    def handler(self, place: Place, errors: list[str] | None) -> dict[str, Any]:
        handler: dict[str, Any] = {} if errors is None else {"errors": errors}
        if self.pick.chance(70):
            handler["steps"] = self.block(self.inner(place))
        rolls_back = ["rollback"] if self.undoing and not place.last_resort else []
        handler["then"] = self.pick.choice(["continue", "continue", "fail", *rolls_back])
        return handler

    def block_modifiers(self, place: Place, step: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.pick.chance(20) and "tolerate" not in step.get("for_each", {}):
            found["retry"] = {"max_retries": 1, "delay": self.pick.number(1, 3)}
        if self.pick.chance(40):
            found["on_failure"] = self.on_failure(place)
        if self.pick.chance(15):
            found["output"] = self.pick.choice(["{{ output }}", {"all": "{{ output }}"}, None])
        return found

    def set_step(self, place: Place, name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for _ in range(self.pick.number(1, 2)):
            variable = f"{self.pick.choice(['v0', 'v1', 'count', 'item2'])}{place.branch}"
            if variable not in self.variables:
                self.variables.append(variable)
            values[variable] = self.value(place)
        return {"set": values}

    def wait(self, place: Place, name: str) -> dict[str, Any]:
        if self.pick.chance(20):
            return {"wait": Hole("{{ input.n }}", "{{ input.n }}")}
        return {"wait": self.pick.choice(["1s", "2s", "1m"])}

    def stop(self, place: Place, name: str) -> dict[str, Any]:
        return {"stop": {"output": self.value(place)} if self.pick.chance(70) else {}}

    def fail(self, place: Place, name: str) -> dict[str, Any]:
        cause = self.text(place) if self.pick.chance(50) else "why"
        return {"fail": {"error": self.pick.choice(["Mine", "Other"]), "cause": cause}}

    def switch(self, place: Place, name: str) -> dict[str, Any]:
        inner = self.inner(place)
        cases: list[dict[str, Any]] = [
            {"if": self.condition(place), "steps": self.block(inner)} for _ in range(self.pick.number(1, 2))
        ]
        if self.pick.chance(50):
            cases.append({"else": self.block(inner)})
        return {"switch": cases}

    def try_step(self, place: Place, name: str) -> dict[str, Any]:
        inner = self.inner(place)
        step: dict[str, Any] = {"try": self.block(inner)}
        if self.pick.chance(75):
            step["catch"] = self.handlers(place)
        if self.pick.chance(45) or "catch" not in step:
            step["finally"] = self.block(replace(inner, depth=inner.depth + 1, last_resort=True))
        return step

    def parallel(self, place: Place, name: str) -> dict[str, Any]:
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

    def branch(self, place: Place, variables: str) -> Place:
        return Place(place.depth + 1, place.loops, True, variables, place.last_resort)

    def for_each(self, place: Place, name: str) -> dict[str, Any]:
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
        loop["steps"] = self.block(Place(place.depth + 1, loops, True, f"{place.branch}e{number}", place.last_resort))
        return {"for_each": loop}

    def repeat(self, place: Place, name: str) -> dict[str, Any]:
        loop: dict[str, Any] = {"max": self.pick.number(1, 3)}
        kind = self.pick.choice(["until", "while"])
        loop[kind] = self.condition(place)
        if self.pick.chance(50):
            loop["delay"] = self.pick.number(0, 5)
        loop["steps"] = self.block(self.inner(place))
        return {"repeat": loop}

    def inner(self, place: Place) -> Place:
        return replace(place, depth=place.depth + 1)
