"""Generated steps that call something, and how each attempt ends."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stepsmith.model.signature import WorkflowSignature
from tests.semantics.programs.expressions import ALWAYS, Expressions, Place
from tests.semantics.programs.settling import Hole

DECLARED = {"fetch": ["HttpClientError", "HttpServerError"], "store": ["StoreFull"], "ping": ["Unreachable"]}
THROTTLED, UNAVAILABLE, CRASHED, TIMED_OUT = (
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
)
LONGEST = {"fetch": 30, "store": 30, "ping": 10}
"""Seconds after which Lambda ends the function (`tests/golden/catalog.json`)."""
QUICK = 6
"""Seconds that an attempt takes at most by itself (`Program.script`)."""
CAUGHT = ["HttpError", "HttpServerError", "StoreFull", "Unreachable", "States.Timeout", "States.TaskFailed", "Mine"]
CAUGHT += ["ApprovalRejected"]
SEEN_OF_CHILDREN = ["States.Timeout", "States.TaskFailed"]
"""What a retry can tell of another workflow's failure."""


@dataclass
class Calls(Expressions):
    """Writes `action`, `workflow` and `approval` steps with their modifiers."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    children: Mapping[str, WorkflowSignature] = field(default_factory=dict)
    """The workflows that steps can run."""
    undoing: int = 0
    """The chance that an action can be undone, in per cent; with it comes that a failure begins a rollback."""
    failing: int = 30
    """The chance that an attempt fails, in per cent."""

    @abstractmethod
    def on_failure(self, place: Place) -> Any: ...

    def action(self, place: Place, name: str) -> dict[str, Any]:
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

    def approval(self, place: Place, name: str) -> dict[str, Any]:
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

    def child(self, place: Place, name: str) -> dict[str, Any]:
        """A step that runs another workflow, whose input is like that of every generated one."""
        step = self.started(place)
        if self.pick.chance(15):
            step["wait"] = False
        if self.pick.chance(25):
            step["timeout"] = self.pick.number(1, 12)
        if self.pick.chance(30):
            step["retry"] = self.retry(SEEN_OF_CHILDREN)
        if self.pick.chance(40):
            step["on_failure"] = self.on_failure(place)
        if self.pick.chance(25):
            kept = [Hole("{{ output.o0 }}", "{{ output }}"), Hole("{{ output.o0 | default(1) }}", "{{ output }}")]
            # Not called `size`: null, which a workflow may put out, has no order.
            step["output"] = self.pick.choice([None, "{{ output }}", {"kept": self.pick.choice(kept)}])
        if not place.last_resort and self.pick.chance(self.undoing):
            step["rollback"] = self.undo(place, name, "child")
        return step

    def started(self, place: Place) -> dict[str, Any]:
        params: dict[str, Any] = {"name": self.text(place), "items": self.items(place), "nested": [[1], []]}
        if self.pick.chance(50):
            params["flag"] = self.condition(place)
        if self.pick.chance(50):
            params["n"] = self.number(place)
        if place.loops and self.pick.chance(70):
            # Those that start at one moment are told apart by what they are given.
            params["name"] = Hole(f"<{{{{ {place.loops[-1][1]} }}}}>", ALWAYS["text"])
        if self.pick.chance(40):
            params["opt"] = self.number(place)
        return {"workflow": self.pick.choice(sorted(self.children)), "params": params}

    def undo(self, place: Place, name: str, action: str) -> Any:
        if self.pick.chance(5):
            return "none"
        if self.children and self.pick.chance(20):
            return self.started(place)
        field_ = {"fetch": "size", "store": "version", "ping": "ok", "child": "o0"}[action]
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
        """One way in which an attempt ends; now and then after more time than its step or its siblings have."""
        slow = {"slow": self.pick.number(1, LONGEST[action] - QUICK)} if self.pick.chance(8) else {}
        if self.pick.chance(self.failing):
            kinds = [*DECLARED[action], *DECLARED[action], THROTTLED, UNAVAILABLE, CRASHED, TIMED_OUT, "ValueError"]
            error = self.pick.choice(kinds)
            slow = {"slow": LONGEST[action]} if error == TIMED_OUT else slow
            return {"error": error, "message": self.pick.choice(["", "it broke", 'a "b"']), **slow}
        result: dict[str, Any]
        match action:
            case "fetch":
                items = [self.pick.choice(["x", "", "yy"]) for _ in range(self.pick.number(0, 2))]
                result = {"body": self.pick.choice(["", "text"]), "size": self.pick.number(0, 3), "items": items}
            case "store":
                result = {"version": self.pick.number(0, 3), **({"note": "n"} if self.pick.chance(50) else {})}
            case _:
                result = {"ok": self.pick.chance(50), **({"ms": 1.5} if self.pick.chance(50) else {})}
        return {"result": result, **slow}

    def reshaped(self, place: Place, action: str) -> Any:
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

    def retry(self, names: Sequence[str] = tuple(CAUGHT)) -> Any:
        rule = {"max_retries": self.pick.number(1, 2), "delay": self.pick.number(1, 3)}
        if self.pick.chance(30):
            rule |= {"backoff": self.pick.choice([1, 1.5, 3]), "max_delay": 4}
        if self.pick.chance(40):
            rule["on"] = [self.pick.choice(names)]
        return self.pick.choice([0, 1, 2, rule, [rule, {"max_retries": 1}]])
