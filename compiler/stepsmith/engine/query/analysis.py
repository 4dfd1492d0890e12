"""What can be said of an expression without evaluating it: what it reads, and what Step Functions refuses in it.

Data is reached through ``$states`` and variables only: a bare name, ``$`` or ``$$`` at the top of an expression is
refused, while inside a path, a predicate or a function body they mean something (documented and measured).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonata.parser import Parser


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expression reads: names free in it (variables and functions), members of ``$states`` by plain path, and
    references that are refused."""

    variables: frozenset[str]
    states: frozenset[tuple[str, ...]]
    forbidden: tuple[str, ...]


def reads(ast: Any) -> Reads:
    """The reads of a parsed expression."""
    walker = _Walker()
    walker.walk(ast, frozenset(), True)
    return Reads(frozenset(walker.variables), frozenset(walker.states), tuple(walker.forbidden))


class _Walker:
    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.states: set[tuple[str, ...]] = set()
        self.forbidden: list[str] = []

    def walk(self, node: Any, local: frozenset[str], top: bool) -> None:
        """Visit a node; `local` names are bound inside the expression, `top` says that the context is the root."""
        if not isinstance(node, Parser.Symbol):
            return
        match node.type:
            case "path":
                self._path(node, local, top)
            case "name":
                if top:
                    self.forbidden.append(str(node.value))
            case "wildcard" | "descendant":
                if top:
                    self.forbidden.append("*" if node.type == "wildcard" else "**")
            case "variable":
                self._variable(node, local, top)
            case "lambda":
                names = frozenset(str(argument.value) for argument in node.arguments)
                self.walk(node.body, local | names, False)
            case "block":
                self._block(node, local, top)
            case "bind":
                self.walk(node.rhs, local, top)
            case "transform":
                for part in (node.pattern, node.update, node.delete):
                    self.walk(part, local, False)
            case "sort":
                for term in node.terms:
                    self.walk(term.expression, local, False)
            case _:
                for child in _children(node):
                    self.walk(child, local, top)
        self._attached(node, local)

    def _path(self, node: Any, local: frozenset[str], top: bool) -> None:
        first, *rest = node.steps
        self.walk(first, local, top)
        if first.type == "variable" and first.value == "states" and "states" not in local:
            names: list[str] = []
            for step in rest:
                if step.type != "name":
                    break
                names.append(str(step.value))
            self.states.add(tuple(names))
        inner = local
        for step in node.steps:
            inner |= {str(name) for name in (step.focus, step.index) if isinstance(name, str)}
        for step in rest:
            self.walk(step, inner, False)

    def _variable(self, node: Any, local: frozenset[str], top: bool) -> None:
        name = str(node.value)
        if name in ("", "$"):
            if top or name == "$":
                self.forbidden.append("$" + name)
        elif name not in local:
            self.variables.add(name)

    def _block(self, node: Any, local: frozenset[str], top: bool) -> None:
        inner = local
        for child in node.expressions:
            if isinstance(child, Parser.Symbol) and child.type == "bind":
                if child.rhs is not None and child.rhs.type == "lambda":
                    inner |= {str(child.lhs.value)}
                self.walk(child, inner, top)
                inner |= {str(child.lhs.value)}
            else:
                self.walk(child, inner, top)

    def _attached(self, node: Any, local: frozenset[str]) -> None:
        """Predicates, stages and groupings, which are evaluated for the items of what they stand behind."""
        for attached in (node.predicate, node.stages):
            for item in attached or ():
                self.walk(item.expr if item.expr is not None else item, local, False)
        if node.group is not None:
            for pair in node.group.lhs_object or ():
                for part in pair:
                    self.walk(part, local, False)


def _children(node: Any) -> Iterator[Any]:
    for name in ("lhs", "rhs", "expression", "procedure", "condition", "then", "_else"):
        child = getattr(node, name, None)
        if isinstance(child, Parser.Symbol):
            yield child
    for name in ("expressions", "arguments"):
        yield from getattr(node, name, None) or ()
    for pair in getattr(node, "lhs_object", None) or ():
        yield from pair
