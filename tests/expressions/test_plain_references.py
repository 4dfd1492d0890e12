"""A plain reference is read without Jinja2's parser, and gives exactly what that would give."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions import parsing
from stepsmith.expressions.parsing import parse_expression
from stepsmith.expressions.places import Places
from stepsmith.expressions.tree import Expression
from stepsmith.source import Position, SourceFile, Span

WORD = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,8}\Z") | st.sampled_from(
    ["input", "steps", "none", "true", "not", "if", "is", "and", "None", "False", "or", "in", "else", "items"]
)
SPACE = st.sampled_from(["", " ", "  ", "\t"])


def _parsed(fragment: str) -> tuple[Expression | None, list[str]]:
    source = SourceFile("x.yaml", fragment)
    whole = Span("x.yaml", Position(1, 1), Position(1, len(fragment) + 1))
    diagnostics = Diagnostics()
    found = parse_expression(fragment, Places(source, whole, range(len(fragment))), diagnostics)
    return found, [f"{item.span} {item.message}" for item in diagnostics]


def _nodes(node: nodes.Node) -> Iterator[tuple[object, ...]]:
    yield type(node), node.lineno, *(node.iter_fields(only=("name", "attr", "ctx", "value")))
    for child in node.iter_child_nodes():
        yield from _nodes(child)


@given(SPACE, WORD, st.lists(WORD, max_size=5), SPACE)
def test_a_plain_reference_is_what_jinja2_makes_of_it(before: str, root: str, path: list[str], behind: str) -> None:
    """Equal trees, places, tokens, references and problems on both ways."""
    fragment = before + ".".join([root, *path]) + behind
    quick, quick_problems = _parsed(fragment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_WORDS", frozenset([root]))
        slow, slow_problems = _parsed(fragment)
    assert quick_problems == slow_problems
    assert (quick is None) == (slow is None)
    if quick is not None and slow is not None:
        assert list(_nodes(quick.node)) == list(_nodes(slow.node))
        assert quick.tokens == slow.tokens
        assert [(item, item.span) for item in quick.references] == [(item, item.span) for item in slow.references]
