"""Puts a random workflow and its input together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.semantics.programs.blocks import Blocks
from tests.semantics.programs.expressions import Place


@dataclass
class Generator(Blocks):
    rolls_back: bool = False
    """Whether every program can undo what it does, and most are rolled back."""
    called_as: str = "random"
    """The workflow's name."""

    def workflow(self) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "name": self.called_as,
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
        whole["steps"] = self.block(Place(0))
        if self.rolls_back:
            whole["steps"] += self.undone(whole["steps"])
        if self.pick.chance(75):
            whole["output"] = {f"o{n}": self.value(Place(0)) for n in range(self.pick.number(1, 4))}
        if self.pick.chance(25):
            whole["finally"] = self.block(Place(2, last_resort=True))
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
