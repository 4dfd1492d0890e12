"""Comparisons: chains, membership, and what other dialects write without quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from jinja2 import nodes

from stepsmith.diagnostics import did_you_mean
from stepsmith.expressions import jsonata as j
from stepsmith.expressions import values as v
from stepsmith.expressions.bare_words import as_bare_words
from stepsmith.expressions.calls import Use, row_of_filter, row_of_test
from stepsmith.expressions.names import binding_of
from stepsmith.expressions.tree import chain_of
from stepsmith.expressions.types import KINDS, TextType, describe, kinds
from stepsmith.expressions.values import Value

if TYPE_CHECKING:
    from stepsmith.expressions.translator import Translator

_ORDERS = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def compare(translator: Translator, node: nodes.Compare) -> Value:
    """The value of a comparison, which may be a chain (`a < b < c`)."""
    if (member := _name_in_namespace(translator, node)) is not None:
        return member
    operands = [node.expr, *(operand.expr for operand in node.ops)]
    names = as_bare_words(node, translator.scope) if translator.bare_words else {}
    found: list[Value] = []
    for at, operand in enumerate(operands):
        if at in names:
            found.append(_word(translator, names[at], operand))
        else:
            found.append(translator.value(operand))
    bindings: list[tuple[str, j.Code]] = []
    for at in range(1, len(found) - 1):
        if not found[at].simple:
            name = translator.fresh()
            bindings.append((name, found[at].code))
            found[at] = replace(found[at], code=j.variable(name), simple=True)
    results = [
        _comparison(translator, operand.op, left, right, node)
        for operand, (left, right) in zip(node.ops, pairwise(found), strict=True)
    ]
    _warn_of_no_order(translator, found, node)
    code = j.block(bindings, j.chain("and", [result.code for result in results]))
    return v.boolean(code, *results)


def _comparison(translator: Translator, op: str, left: Value, right: Value, node: nodes.Compare) -> Value:
    if op in ("eq", "ne", "in", "notin"):
        _warn_of_no_match(translator, left, right, node, within=op in ("in", "notin"))
    match op:
        case "eq" | "ne":
            return v.equal(left, right, negated=op == "ne")
        case "in":
            return v.contained(left, right)
        case "notin":
            return v.inverted(v.contained(left, right))
        case _:
            left, right = _as_numbers(translator, left, right, node)
            return v.ordered(_ORDERS[op], left, right)


def _warn_of_no_match(translator: Translator, left: Value, right: Value, node: nodes.Compare, *, within: bool) -> None:
    """A comparison that has the same outcome whatever the data: a misspelt choice, a number beside a text."""
    if within and not right.only("array"):
        return
    other = v.item(right) if within else right.type
    if not left.kinds & kinds(other):
        help_text = "convert one of them: `| string`, `| int`"
        if "null" in left.kinds | kinds(other):
            help_text = "ask whether it is there with `is defined`"
    elif isinstance(left.type, TextType) and isinstance(other, TextType):
        known, given = left.type.choices, other.choices
        if known is None or given is None or set(known) & set(given):
            return
        # The longer of the two is what a schema declares, the shorter what the author wrote.
        known, given = (known, given) if len(known) >= len(given) else (given, known)
        help_text = did_you_mean(given[0], known, f"it is {describe(TextType(known))}")
    else:
        return
    translator.warn("never-equal", f"{describe(left.type)} is never {describe(other)}", node, help_text)


def _warn_of_no_order(translator: Translator, operands: Sequence[Value], node: nodes.Compare) -> None:
    """A declared value that may also be of a kind without an order, as behind `default`. One that may be null is
    passed over: a condition before it often says that it is not."""
    for operand, (left, right) in zip(node.ops, pairwise(operands), strict=True):
        for side in (left, right) if operand.op in _ORDERS else ():
            if not side.kinds >= KINDS and side.may("boolean", "array", "object"):
                sign = _ORDERS[operand.op]
                message = f"this is {describe(side.type)}; `{sign}` fails for anything but numbers and texts"
                translator.warn("no-order", message, node, "compare a number with a number, a text with a text")
                return


def _as_numbers(translator: Translator, left: Value, right: Value, node: nodes.Compare) -> tuple[Value, Value]:
    """In other dialects a text beside a number is meant as a number; theirs compared what the texts spell."""
    if not translator.bare_words or {left.only("string"), right.only("string")} != {True, False}:
        return left, right
    if not (left.only("number") or right.only("number")):
        return left, right
    translator.warn("text-as-number", "a text is compared with a number", node, "write `| float` behind the text")
    row = row_of_filter("float")
    text = left if left.only("string") else right
    number = translator.written(Use(translator, row, "float", node, text, [], []), node)
    return (number, right) if text is left else (left, number)


def _word(translator: Translator, word: Value, node: nodes.Expr) -> Value:
    translator.warn("bare-word", "text in a condition is written without quotes", node, f"write {word.code.text}")
    return word


def _name_in_namespace(translator: Translator, node: nodes.Compare) -> Value | None:
    """`'name' in context` of a namespace: whether the member is there."""
    match node:
        case nodes.Compare(
            expr=nodes.Const(value=str()) as name, ops=[nodes.Operand(op="in" | "notin" as op, expr=space)]
        ) if is_namespace(translator, space):
            read = nodes.Getitem(space, name, "load", lineno=space.lineno)
            test = "defined" if op == "in" else "undefined"
            return translator.written(Use(translator, row_of_test(test), test, node, read, [], []), node)
    return None


def is_namespace(translator: Translator, node: nodes.Expr) -> bool:
    """Whether a node names something that has members and no value of its own."""
    if chain_of(node) is None:
        return False
    binding, _ = binding_of(translator.scope, node)
    return binding is not None and binding.is_namespace
