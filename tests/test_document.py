"""Document nodes as data: equality without places, lookup, plain values."""

import pytest

from stepsmith.document import Entry, MappingNode, ScalarNode, SequenceNode, plain
from stepsmith.source import Position, Span


def span(line):
    return Span("w", Position(line, 1), Position(line, 2))


def mapping(line, **values):
    return MappingNode(
        tuple(Entry(key, span(line), ScalarNode(value, span(line))) for key, value in values.items()), span(line)
    )


def test_a_node_s_place_is_not_part_of_its_value():
    assert mapping(1, a=1) == mapping(7, a=1)
    assert hash(mapping(1, a=1)) == hash(mapping(7, a=1))
    assert mapping(1, a=1) != mapping(1, a=2)
    assert "Span" not in repr(mapping(1, a=1))


def test_entries_are_looked_up_by_key():
    node = mapping(1, a=1, b=None)
    assert node.keys() == ("a", "b")
    assert node.get("a") == ScalarNode(1, span(1))
    assert node.get("c") is None
    entry = node.entry("b")
    assert entry is not None
    assert entry.value == ScalarNode(None, span(1))


def test_plain_data_is_json():
    node = SequenceNode((mapping(1, a="x"), ScalarNode(2.5, span(2)), SequenceNode((), span(3))), span(1))
    assert plain(node) == [{"a": "x"}, 2.5, []]
    assert list(node) == list(node.items)


def test_nodes_cannot_be_changed():
    with pytest.raises(AttributeError):
        mapping(1).entries = ()
