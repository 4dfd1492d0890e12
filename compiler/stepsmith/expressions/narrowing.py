"""What a condition proves: on the branch where `x is defined` holds, `x` can be read without a guard."""

from __future__ import annotations

from jinja2 import nodes

from stepsmith.expressions.scope import Path, Scope
from stepsmith.expressions.tree import Template, chain_of


def narrow(scope: Scope, condition: Template, truth: bool) -> Scope:
    """The scope where `condition` came out as `truth`."""
    for expression in condition.expressions if condition.whole else ():
        scope = narrow_by(scope, expression.node, truth)
    return scope


def narrow_by(scope: Scope, node: nodes.Expr, truth: bool) -> Scope:
    """`narrow` for a part of an expression."""
    return scope.proving(*_proven(node, truth))


def _proven(root: nodes.Expr, wanted: bool) -> list[Path]:
    paths: list[Path] = []
    pending = [(root, wanted)]
    while pending:
        node, truth = pending.pop()
        match node:
            case nodes.Not():
                pending.append((node.node, not truth))
            case nodes.And() if truth:
                pending += [(node.left, True), (node.right, True)]
            case nodes.Or() if not truth:
                pending += [(node.left, False), (node.right, False)]
            case nodes.Test(name="defined") if truth:
                paths += _path(node.node)
            case nodes.Test(name="undefined") if not truth:
                paths += _path(node.node)
            case nodes.Filter(name="default" | "d", args=[nodes.Const(value=instead), *_]) if truth and not instead:
                paths += _path(node.node)
            case nodes.Getattr() | nodes.Getitem() | nodes.Name():
                # Reading it at all has failed where it was missing.
                paths += _path(node)
    return paths


def _path(node: nodes.Expr | None) -> list[Path]:
    chain = chain_of(node) if node is not None else None
    return [(chain[0], *chain[1])] if chain else []
