"""Nodes and their places, with libyaml's parser and with PyYAML's own."""

from pathlib import Path

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import MappingNode, ScalarNode, SequenceNode, plain
from stepsmith.loading.documents import load_document
from stepsmith.loading.events import PARSERS
from stepsmith.source import SourceFile

pytestmark = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)


def load(text, parser):
    diagnostics = Diagnostics()
    document = load_document(SourceFile("w.yaml", text), diagnostics, parser)
    return document, [(d.slug, str(d.span.start)) for d in diagnostics]


def root(text, parser):
    document, found = load(text, parser)
    assert found == []
    assert document is not None
    return document.root


def places(node):
    """Every node and key as `(what, start, end)` in the order written."""
    match node:
        case ScalarNode():
            return [(node.value, str(node.span.start), str(node.span.end))]
        case SequenceNode():
            inner = [place for item in node.items for place in places(item)]
            return [("[]", str(node.span.start), str(node.span.end)), *inner]
        case MappingNode():
            inner = [
                place
                for entry in node.entries
                for place in [
                    (f"{entry.key}:", str(entry.key_span.start), str(entry.key_span.end)),
                    *places(entry.value),
                ]
            ]
            return [("{}", str(node.span.start), str(node.span.end)), *inner]


def test_block_and_flow_collections_have_their_places(parser):
    text = "a:  # note\n  - x: [1, two]\n    y:\n\n# end\nb: 'q'\n"
    assert places(root(text, parser)) == [
        ("{}", "1:1", "6:7"),
        ("a:", "1:1", "1:2"),
        ("[]", "2:3", "3:7"),
        ("{}", "2:5", "3:7"),
        ("x:", "2:5", "2:6"),
        ("[]", "2:8", "2:16"),
        (1, "2:9", "2:10"),
        ("two", "2:12", "2:15"),
        ("y:", "3:5", "3:6"),
        (None, "3:7", "3:7"),
        ("b:", "6:1", "6:2"),
        ("q", "6:4", "6:7"),
    ]


def test_columns_count_characters_beyond_the_basic_plane_once(parser):
    assert places(root("😀é: [😀, {a😀: b}]", parser)) == [
        ("{}", "1:1", "1:17"),
        ("😀é:", "1:1", "1:3"),
        ("[]", "1:5", "1:17"),
        ("😀", "1:6", "1:7"),
        ("{}", "1:9", "1:16"),
        ("a😀:", "1:10", "1:12"),
        ("b", "1:14", "1:15"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_once(parser, end):
    text = end.join(["a: 1", "", "b:", "  - c", ""])
    assert places(root(text, parser))[-2:] == [("[]", "4:3", "4:6"), ("c", "4:5", "4:6")]


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_what_yaml_1_2_calls_no_line_end_moves_no_place(parser, char):
    assert places(root(f'a: "x{char}y"  # {char}\nb: c', parser))[-2:] == [
        ("b:", "2:1", "2:2"),
        ("c", "2:4", "2:5"),
    ]


def test_a_byte_order_mark_that_is_still_in_the_text_counts_as_its_first_character(parser):
    assert places(root("\ufeffa: b\nc: d", parser))[1:] == [
        ("a:", "1:2", "1:3"),
        ("b", "1:5", "1:6"),
        ("c:", "2:1", "2:2"),
        ("d", "2:4", "2:5"),
    ]


def test_block_scalars_end_with_their_last_line(parser):
    node = root("a: |\n  x\n\n  y\n\n\nb: >-\n  z\n", parser)
    assert places(node)[2] == ("x\n\ny\n", "1:4", "4:4")
    assert places(node)[4] == ("z", "7:4", "8:4")


def test_dashes_have_their_places(parser):
    text = "- a\n-   b: 1\n-\n  # - a comment -\n\n  c\n- - d\n  -\n- &x e\n-\n"
    node = root(text, parser)
    assert isinstance(node, SequenceNode)
    assert [str(dash.start) for dash in node.dashes] == ["1:1", "2:1", "3:1", "7:1", "9:1", "10:1"]
    inner = node.items[3]
    assert isinstance(inner, SequenceNode)
    assert [str(dash.start) for dash in inner.dashes] == ["7:3", "8:3"]


def test_dashes_under_an_anchor_and_at_the_key_s_own_column(parser):
    node = root("k: &x\n- a\n- b\n", parser)
    assert isinstance(node, MappingNode)
    value = node.get("k")
    assert isinstance(value, SequenceNode)
    assert [str(dash.start) for dash in value.dashes] == ["2:1", "3:1"]


def test_in_flow_style_the_item_stands_for_its_dash(parser):
    node = root("[a, bc]", parser)
    assert isinstance(node, SequenceNode)
    assert node.dashes == tuple(item.span for item in node.items)


def test_plain_tells_unquoted_from_quoted_and_block_scalars(parser):
    node = root("a: 1\nb: '1'\nc: \"1\"\nd: |\n  1\n", parser)
    assert isinstance(node, MappingNode)
    values = [entry.value for entry in node.entries]
    assert [(value.value, value.plain) for value in values if isinstance(value, ScalarNode)] == [
        (1, True),
        ("1", False),
        ("1", False),
        ("1\n", False),
    ]


def test_words_of_yaml_1_1_are_keys_and_texts(parser):
    assert plain(root("on: yes\nno: 2020-01-01\n12:30:00: off", parser)) == {
        "on": "yes",
        "no": "2020-01-01",
        "12:30:00": "off",
    }


def test_aliases_repeat_a_value_at_its_own_place(parser):
    node = root("a: &x {k: [1]}\nb: *x\nc: [*x, *x]\n", parser)
    assert plain(node) == {"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}, {"k": [1]}]}
    assert isinstance(node, MappingNode)
    assert node.get("a") is node.get("b")
    last = node.get("c")
    assert isinstance(last, SequenceNode)
    assert [str(dash) for dash in last.dashes] == ["w.yaml:3:5", "w.yaml:3:9"]


def test_an_alias_of_a_text_may_be_a_key(parser):
    assert plain(root("a: &x k\n*x : 1\n&y l: *y\n", parser)) == {"a": "k", "k": 1, "l": "l"}


def test_merge_keys_take_what_the_mapping_does_not_say_itself(parser):
    text = """
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
first: {<<: *base, b: own}
last: {b: own, <<: [*base, *more]}
text: {"<<": 1}
nothing: {<<: }
"""
    assert plain(root(text, parser)) == {
        "base": {"a": 1, "b": 2},
        "more": {"b": 3, "c": 4},
        "first": {"a": 1, "b": "own"},
        "last": {"b": "own", "a": 1, "c": 4},
        "text": {"<<": 1},
        "nothing": {},
    }


def test_json_is_read_with_tabs_and_surrogate_escapes(parser):
    text = '{\n\t"a": "\\ud83d\\ude00 \\\\ud83d\\\\ude00",\t"b": [1, 2.5e1, null],\n\t"c": "x"\n}'
    node = root(text, parser)
    assert plain(node) == {"a": "😀 \\ud83d\\ude00", "b": [1, 25.0, None], "c": "x"}
    assert places(node)[1:3] == [("a:", "2:2", "2:5"), ("😀 \\ud83d\\ude00", "2:7", "2:36")]
    assert places(node)[3] == ("b:", "2:38", "2:41")
    assert places(node)[-1] == ("x", "3:7", "3:10")


def test_reading_goes_on_past_problems_that_leave_the_shape_clear(parser):
    text = """
a: 1
b: !secret x
a: 2
3: c
? [k]
: v
d: .inf
e: {{ input.x }}
f: *nowhere
g: 007
h: &h [*h]
<<: 5
true: {i: 1, i: 2}
"""
    document, found = load(text, parser)
    assert found == [
        ("yaml-tag", "3:4"),
        ("duplicate-key", "4:1"),
        ("key-not-text", "5:1"),
        ("key-not-text", "6:3"),
        ("not-a-json-number", "8:4"),
        ("unquoted-template", "9:4"),
        ("yaml-alias", "10:4"),
        ("leading-zero", "11:4"),
        ("yaml-alias", "12:8"),
        ("merge-key", "13:1"),
        ("key-not-text", "14:1"),
        ("duplicate-key", "14:14"),
    ]
    assert document is not None
    assert plain(document.root) == {
        "a": 1,
        "b": "x",
        "3": "c",
        "d": ".inf",
        "e": "{{ input.x }}",
        "f": None,
        "g": 7,
        "h": [None],
        "true": {"i": 1},
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n# nothing\n"])
def test_an_empty_file_says_so(parser, text):
    document, found = load(text, parser)
    assert document is None
    assert found == [("empty-file", "1:1")]


def test_an_explicit_null_is_a_document(parser):
    assert root("~", parser) == ScalarNode(None, root("~", parser).span)


def test_a_second_document_is_an_error_and_the_first_is_kept(parser):
    document, found = load("a: 1\n---\na: 2\n", parser)
    assert found == [("several-documents", "2:1")]
    assert document is not None
    assert plain(document.root) == {"a": 1}


def test_markers_around_one_document_are_fine(parser):
    assert plain(root("%YAML 1.2\n---\na: 1\n...\n", parser)) == {"a": 1}


def test_a_template_as_key_and_value_is_read_as_if_quoted(parser):
    document, found = load("- {{ a }}: {{ b | upper }}\n- [{{ c }}]\n- {{a: b}: c}\n", parser)
    assert found == [
        ("unquoted-template", "1:3"),
        ("unquoted-template", "1:12"),
        ("unquoted-template", "2:4"),
        ("key-not-text", "3:3"),
    ]
    assert document is not None
    assert plain(document.root) == [{"{{ a }}": "{{ b | upper }}"}, ["{{ c }}"], {}]


def test_equal_content_in_other_places_is_equal(parser):
    assert root("a: [1]\n", parser) == root("\n\n{a:   [1]}", parser)


def test_the_shipped_places_of_a_workflow(parser):
    text = Path(__file__).with_name("order.yaml").read_text()
    lines = text.splitlines()
    for what, start, end in places(root(text, parser)):
        line, column = map(int, start.split(":"))
        if isinstance(what, str) and what.endswith(":") and len(what) > 1:
            assert lines[line - 1][column - 1 :].startswith(what.removesuffix(":"))
        assert tuple(map(int, end.split(":"))) >= (line, column)
