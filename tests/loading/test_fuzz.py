"""Random input: loading never raises, its places lie in the file, and JSON comes back as it was."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import MappingNode, ScalarNode, SequenceNode, plain
from stepsmith.loading import MAX_NODES, read_source
from stepsmith.loading.documents import load_document
from stepsmith.loading.events import PARSERS
from stepsmith.reporting import Format, render
from stepsmith.source import SourceFile

ORDER = Path(__file__).with_name("order.yaml").read_text()

PIECES = [
    *["a", "b:", "c: ", "- ", "-", "  ", "    ", "\n", "\n\n", "\n  ", "\n    ", "\t", "\r\n", "\r", " # x", "#"],
    *["[", "]", "{", "}", ",", ", ", ": ", "? ", "'", '"', "''", '\\"', "|", ">", "|-\n", ">+2\n", "|9\n"],
    *["&x ", "*x", "<<: ", "!t ", "!!str ", "!<y> ", "---\n", "...\n", "%YAML 1.1\n", "@", "`", "%"],
    *["{{ x }}", "{{", "}}", "{%", "1", "007", "0x1F", ".inf", "-1e999", "true", "~", "null", "on"],
    *["😀", "é", "\u2028", "\x85", "\ufeff", "\x00", "\x01", "\\ud83d\\ude00", '"\\ud83d"', '"\\UFFFFFFFF"', '"\\x4"'],
]

yamlish = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

both_parsers = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)


def spans(node):
    todo = [node]
    while todo:
        node = todo.pop()
        yield node.span
        match node:
            case SequenceNode():
                assert len(node.dashes) == len(node.items)
                yield from node.dashes
                todo.extend(node.items)
            case MappingNode():
                assert len(set(node.keys())) == len(node.entries)
                yield from (entry.key_span for entry in node.entries)
                todo.extend(entry.value for entry in node.entries)


def check(data, parser):
    diagnostics = Diagnostics()
    source = read_source("w.yaml", data, diagnostics)
    document = load_document(source, diagnostics, parser) if source else None
    assert document is not None or diagnostics.has_errors
    found = list(diagnostics)
    assert all(d.message and d.slug == d.slug.lower() for d in found)
    for format_ in Format:
        render(found, {"w.yaml": source} if source else {}, format_)
    if source is None:
        return
    lines = SourceFile("w.yaml", source.text)
    for span in [d.span for d in found] + (list(spans(document.root)) if document else []):
        assert span.start <= span.end
        for position in (span.start, span.end):
            length = lines.line_length(position.line)
            # A place may be just past a line's text, and the first line of nothing is a place.
            assert length is not None
            assert 1 <= position.column <= length + 2
    if document:
        assert sum(1 for _ in spans(document.root)) <= 3 * MAX_NODES


@both_parsers
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(parser, data):
    check(data, parser)


@both_parsers
@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=100))
def test_any_text(parser, text):
    check(text.encode("utf-8", "surrogatepass"), parser)


@both_parsers
@settings(max_examples=400, deadline=None)
@given(text=yamlish)
def test_anything_like_yaml(parser, text):
    check(text.encode(), parser)


@both_parsers
@settings(max_examples=250, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(ORDER)), st.integers(0, 12), st.sampled_from(["", *PIECES])),
        min_size=1,
        max_size=4,
    )
)
def test_a_workflow_with_random_cuts_and_insertions(parser, cuts):
    text = ORDER
    for at, length, piece in cuts:
        text = text[:at] + piece + text[at + length :]
    check(text.encode(), parser)


@both_parsers
@settings(max_examples=200, deadline=None)
@given(value=json_values, indent=st.sampled_from([None, 1, "\t"]), ascii_only=st.booleans())
def test_json_comes_back_as_it_was_with_every_place(parser, value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    source = SourceFile("w.json", text)
    diagnostics = Diagnostics()
    document = load_document(source, diagnostics, parser)
    # YAML refuses or folds some characters that JSON may hold unescaped.
    if not diagnostics.has_errors and not any(char in text for char in "\x85\u2028\u2029\ufeff"):
        assert document is not None
        assert plain(document.root) == value
        todo = [document.root]
        while todo:
            node = todo.pop()
            assert json.loads(source.between(node.span)) == plain(node)
            match node:
                case SequenceNode():
                    todo.extend(node.items)
                case MappingNode():
                    todo.extend(entry.value for entry in node.entries)
                    assert all(json.loads(source.between(entry.key_span)) == entry.key for entry in node.entries)
                case ScalarNode():
                    pass
    else:
        assert not ascii_only or "\\ud" in text
