"""Unquoted words in conditions of other dialects: `severity == critical` compares with the text "critical"."""

from __future__ import annotations

from jinja2 import nodes

from stepsmith.expressions import values as v
from stepsmith.expressions.scope import Scope
from stepsmith.expressions.types import TextType
from stepsmith.expressions.values import Refused, Value


def as_bare_words(node: nodes.Compare, scope: Scope) -> dict[int, Value]:
    """The operands of a comparison that are unknown names beside a known side, as the texts that they are meant to be.

    Operands count from 0. Raises Refused for a word with a hyphen, which the grammar reads as a subtraction.
    """
    operands = [node.expr, *(operand.expr for operand in node.ops)]
    found: dict[int, Value] = {}
    for at, operator in enumerate(node.ops):
        left, right = operands[at], operands[at + 1]
        if operator.op in ("eq", "ne"):
            for place, side, other in ((at, left, right), (at + 1, right, left)):
                word = _word(side, scope)
                if word is not None and _word(other, scope) is None:
                    found[place] = v.constant(word, TextType((word,)))
        elif operator.op in ("in", "notin") and isinstance(right, nodes.List | nodes.Tuple):
            words = [_word(item, scope) for item in right.items]
            if any(word is not None for word in words) and _word(left, scope) is None:
                constants = [_constant(item, word) for item, word in zip(right.items, words, strict=True)]
                if all(each is not None for each in constants):
                    found[at + 1] = v.list_of([each for each in constants if each is not None])
    return found


def _word(node: nodes.Expr, scope: Scope) -> str | None:
    match node:
        case nodes.Name() if node.name not in scope.names:
            return node.name
        case nodes.Sub(left=nodes.Name() as left, right=nodes.Name() as right):
            if left.name not in scope.names and right.name not in scope.names:
                text = f"{left.name}-{right.name}"
                raise Refused("bare-word", f"text with a hyphen must be quoted: {text}", f"write '{text}'")
    return None


def _constant(node: nodes.Expr, word: str | None) -> Value | None:
    if word is not None:
        return v.constant(word, TextType((word,)))
    match node:
        case nodes.Const(value=str() as text):
            return v.constant(text, TextType((text,)))
    return None
