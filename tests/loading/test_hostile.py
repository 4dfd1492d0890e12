"""Files made to hurt: every one ends in a document or in diagnostics, and what is kept of it is bounded.

The bounds are on what is built, not on seconds. That the time stays linear is a matter of the benchmarks.
"""

import sys

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import MappingNode, SequenceNode, plain
from stepsmith.loading import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, load_document, read_source
from stepsmith.loading.documents import load_document as load_with
from stepsmith.loading.events import PARSERS
from stepsmith.reporting import render
from stepsmith.source import SourceFile

both_parsers = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)


def load(text, parser=PARSERS[0]):
    diagnostics = Diagnostics()
    source = SourceFile("w.yaml", text)
    document = load_with(source, diagnostics, parser)
    report = render(diagnostics, {"w.yaml": source})
    assert len(report) < 2_500 * max(1, len(diagnostics))
    return document, [diagnostic.slug for diagnostic in diagnostics]


def written_out(node):
    """How many nodes and keys `node` has with its aliases written out, without recursion."""
    count, todo = 0, [node]
    while todo:
        node = todo.pop()
        count += 1
        match node:
            case SequenceNode():
                todo.extend(node.items)
            case MappingNode():
                count += len(node.entries)
                todo.extend(entry.value for entry in node.entries)
    return count


@both_parsers
@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000 + "]" * 10_000,
        "[" * 10_000,
        "{a: " * 10_000 + "}" * 10_000,
        '{"a": ' * 10_000,
        "- " * 10_000 + "x",
        "? " * 10_000 + "x",
        "".join(" " * level + "a:\n" for level in range(1_000)),
        "".join(" " * level + "-\n" for level in range(1_000)),
    ],
)
def test_nesting_ends_at_the_limit(text, parser):
    assert load(text, parser) == (None, ["too-deep"])


@both_parsers
def test_nesting_at_the_limit_is_read_and_can_be_walked(parser):
    document, found = load("[" * MAX_DEPTH + "]" * MAX_DEPTH, parser)
    assert found == []
    assert document is not None
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(limit // 2)
        plain(document.root)
        hash(document)
        repr(document)
    finally:
        sys.setrecursionlimit(limit)
    assert load("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), parser) == (None, ["too-deep"])


@both_parsers
def test_aliases_add_their_levels(parser):
    levels = MAX_DEPTH // 2
    text = "a: &a " + "[" * levels + "]" * levels + "\nb: " + "[" * {0: levels - 1, 1: levels}[0] + "*a"
    ok = text + "]" * (levels - 1)
    assert load(ok, parser)[1] == []
    deep = "a: &a " + "[" * levels + "]" * levels + "\nb: " + "[" * levels + "*a" + "]" * levels
    assert load(deep, parser) == (None, ["too-deep"])


def bomb(width, levels, item="x"):
    rows = [f"a0: &a0 [{', '.join([item] * width)}]"]
    rows += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(rows)


@both_parsers
def test_an_alias_bomb_is_not_built(parser):
    assert load(bomb(10, 9), parser) == (None, ["alias-bomb"])
    assert load(bomb(2, 64), parser) == (None, ["alias-bomb"])


@both_parsers
def test_a_bomb_of_merge_keys_is_not_built(parser):
    keys = ", ".join(f"k{index}: 1" for index in range(500))
    text = f"a: &a {{{keys}}}\n" + "".join(f"b{index}: {{<<: *a}}\n" for index in range(300))
    assert load(text, parser) == (None, ["alias-bomb"])
    assert load("a: &a {k: &b [*b, *a]}\nc: {<<: [*a, *a]}", parser)[1] == ["yaml-alias", "yaml-alias"]


def test_aliases_are_counted_as_if_written_out():
    document, found = load(bomb(10, 4))
    assert found == []
    assert document is not None
    assert written_out(document.root) <= MAX_NODES
    assert written_out(document.root) > 11_110


@pytest.mark.parametrize(
    "text",
    [
        "[" + "1," * (MAX_NODES + 1) + "]",
        "".join(f"k{index}: v\n" for index in range(MAX_NODES // 2 + 1)),
    ],
)
def test_values_end_at_the_limit(text):
    assert load(text) == (None, ["too-many-nodes"])


@pytest.mark.parametrize("row", ["- !t x\n", "1: x\n", "a: x\n", "- {{ x }}\n", "- .inf\n", "- 007\n", "- *a\n"])
def test_problems_end_at_the_limit(row):
    document, found = load(row * 100_000)
    assert document is None
    assert found.count("too-many-problems") == 1
    assert len(found) == MAX_PROBLEMS + 1


@pytest.mark.parametrize(
    "unit",
    [
        *"[{'\"|>&*!%@`#:,?-\t \n\\",
        "- ",
        ": ",
        "? ",
        "&a ",
        "!a ",
        "a:\n",
        "a: b\n",
        "{{ ",
        "- |\n",
        "\u2028",
        "😀",
        "---\n",
        "...\n",
    ],
)
def test_a_long_run_of_one_kind(unit):
    load(f"a: {unit * (300_000 // len(unit))}")
    load(unit * (300_000 // len(unit)))


def test_one_huge_value_of_every_kind_is_read():
    for value in ("x" * MAX_BYTES, "9" * 1_000_000, "0x" + "f" * 1_000_000, "'" + "x" * 1_000_000 + "'"):
        document, _ = load(f"a: {value}")
        assert document is not None


def test_fifty_megabytes_are_refused_unread():
    diagnostics = Diagnostics()
    assert read_source("w.yaml", b"a: b\n" * 10_000_000, diagnostics) is None
    assert [diagnostic.slug for diagnostic in diagnostics] == ["file-too-large"]


def test_the_collector_is_left_as_it_was():
    import gc

    assert gc.isenabled()
    load_document(SourceFile("w", "a: [1"), Diagnostics())
    assert gc.isenabled()
    gc.disable()
    try:
        load_document(SourceFile("w", "a: 1"), Diagnostics())
        assert not gc.isenabled()
    finally:
        gc.enable()
