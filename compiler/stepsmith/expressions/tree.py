"""What parsing gives: expressions and templates as data, and how to read Jinja2's tree of one.

Jinja2's nodes carry the offset of their token in place of a line, so that every part of an expression knows its place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from jinja2 import nodes

from stepsmith.expressions.places import Places
from stepsmith.source import Span


@dataclass(frozen=True)
class Expression:
    """The parsed inside of one `{{ }}`. Equal when written equally; where it stands is not part of its value."""

    source: str
    node: nodes.Expr = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)
    places: Places = field(compare=False, repr=False)
    tokens: tuple[tuple[int, int], ...] = field(compare=False, repr=False)

    @property
    def secret(self) -> str | None:
        """The name of the secret when the whole expression is just `secrets.NAME`."""
        match chain_of(self.node):
            case ("secrets", (str() as name,)):
                return name
        return None

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every read of a name in the expression, in the order written. Many stages ask for it."""
        found: list[Reference] = []
        pending: list[tuple[nodes.Node, bool]] = [(self.node, False)]
        while pending:
            node, under_guard = pending.pop()
            chain = chain_of(node)
            if chain is not None:
                found.append(Reference(chain[0], chain[1], under_guard, self, node))
                continue
            subject = guarded_subject(node)
            stays = under_guard and isinstance(node, nodes.Getattr | nodes.Getitem)
            for child in reversed(list(node.iter_child_nodes())):
                keeps = child is subject or (stays and child is getattr(node, "node", None))
                pending.append((child, keeps))
        return tuple(found)

    def span_of(self, node: nodes.Node) -> Span:
        """Where `node` is written: a reference as a whole, else the first word of it."""
        start = _leftmost(node).lineno
        last = node.lineno
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            return self.places.span(start, self._end_of_step(node))
        if isinstance(node, nodes.Filter | nodes.Test):
            start = last if isinstance(node, nodes.Filter) else self._after(last)
        return self.places.span(start, self._end_of_token(start))

    def step_span(self, node: nodes.Getattr | nodes.Getitem) -> Span:
        """Where the last step of a reference is written: `size` of `input.file.size`."""
        end = self._end_of_step(node)
        if isinstance(node, nodes.Getattr):
            return self.places.span(end - len(node.attr), end)
        return self.places.span(node.lineno, end)

    def text_of(self, node: nodes.Expr) -> str:
        """The source of a reference for messages, such as `input.file.size`."""
        end = self._end_of_token(node.lineno)
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            end = self._end_of_step(node)
        return self.source[_leftmost(node).lineno : end].strip()

    def _end_of_token(self, offset: int) -> int:
        at = bisect_left(self.tokens, (offset, 0))
        return self.tokens[at][1] if at < len(self.tokens) else len(self.source)

    def _after(self, offset: int) -> int:
        at = bisect_right(self.tokens, (offset, len(self.source)))
        return self.tokens[at][0] if at < len(self.tokens) else offset

    def _end_of_step(self, node: nodes.Getattr | nodes.Getitem) -> int:
        """The end of `.name` or `[…]`, which begins at the node's own offset."""
        at = bisect_left(self.tokens, (node.lineno, 0))
        if self.source[node.lineno : node.lineno + 1] != "[":
            return self.tokens[at + 1][1] if at + 1 < len(self.tokens) else len(self.source)
        depth = 0
        for start, end in self.tokens[at:]:
            depth += {"[": 1, "]": -1}.get(self.source[start:end], 0)
            if depth == 0:
                return end
        return len(self.source)


@dataclass(frozen=True)
class Template:
    """A field with expressions in it. `whole`: it is exactly one expression, and keeps the type of its value.

    `bare_words` says that the dialect compares with unquoted words (`severity == critical`).
    """

    parts: tuple[str | Expression, ...]
    whole: bool
    span: Span = field(compare=False, repr=False)
    bare_words: bool = False

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(part for part in self.parts if isinstance(part, Expression))

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every read of a name, in the order written."""
        return tuple(found for expression in self.expressions for found in expression.references)

    @property
    def secret(self) -> str | None:
        """The name of the secret when the whole field is just `{{ secrets.NAME }}`."""
        match self.parts:
            case (Expression() as only,) if self.whole:
                return only.secret
        return None


@dataclass(frozen=True, slots=True)
class Reference:
    """A read of a name: its root and the constant steps behind it. `guarded`: under `default` or `is defined`."""

    root: str
    path: tuple[str | int, ...]
    guarded: bool
    expression: Expression = field(compare=False, repr=False)
    node: nodes.Node = field(compare=False, repr=False)

    @property
    def span(self) -> Span:
        return self.expression.span_of(self.node)


def _leftmost(node: nodes.Node) -> nodes.Node:
    """The node with which the source of `node` begins."""
    while True:
        match node:
            case nodes.Getattr() | nodes.Getitem() | nodes.Call() | nodes.Test():
                node = node.node
            case nodes.Filter() if node.node is not None:
                node = node.node
            case nodes.BinExpr():
                node = node.left
            case nodes.Compare():
                node = node.expr
            case nodes.Concat():
                node = node.nodes[0]
            case nodes.CondExpr():
                node = node.expr1
            case _:
                return node


def chain_of(node: nodes.Node) -> tuple[str, tuple[str | int, ...]] | None:
    """Root and constant steps of a reference such as `a.b['c'][0]`; None for anything else."""
    steps: list[str | int] = []
    while True:
        match node:
            case nodes.Getattr():
                steps.append(node.attr)
                node = node.node
            case nodes.Getitem(arg=nodes.Const(value=str() | int() as key)) if not isinstance(key, bool):
                steps.append(key)
                node = node.node
            case nodes.Name():
                return node.name, tuple(reversed(steps))
            case _:
                return None


def guarded_subject(node: nodes.Node) -> nodes.Expr | None:
    """What a `default`, `is defined` or `is undefined` guards; None for another node."""
    match node:
        case nodes.Filter(name="default" | "d") | nodes.Test(name="defined" | "undefined"):
            return node.node
    return None
