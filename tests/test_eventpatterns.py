"""Event patterns that EventBridge takes and patterns that it refuses or that could never match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import plain
from stepsmith.eventpatterns import check_pattern
from stepsmith.loading import load_document
from stepsmith.source import SourceFile

ACCEPTED = [
    "{source: [aws.guardduty], detail-type: [GuardDuty Finding], detail: {severity: [{numeric: ['>=', 7]}]}}",
    "{detail: {a: [1, x, true, null, '']}}",
    "{detail: {a: {b: {c: [{exists: false}]}}}}",
    "{detail: {a: [{prefix: us-}, {suffix: .png}, {prefix: {equals-ignore-case: Ab}}]}}",
    "{detail: {a: [{equals-ignore-case: AliCe}, {wildcard: 'dir/*.png'}, {wildcard: 'a\\*\\\\*'}]}}",
    "{detail: {a: [{anything-but: x}, {anything-but: [x, y]}, {anything-but: 1}, {anything-but: [1, 2.5]}]}}",
    "{detail: {a: [{anything-but: {prefix: x}}, {anything-but: {suffix: [x, y]}}]}}",
    "{detail: {a: [{anything-but: {wildcard: '*/lib/*'}}, {anything-but: {equals-ignore-case: [a]}}]}}",
    "{detail: {a: [{numeric: ['=', 3.018e2]}, {numeric: ['>', 0, '<=', 5]}, {numeric: ['<', -5000000000]}]}}",
    "{detail: {a: [{cidr: 10.0.0.0/24}, {cidr: '2001:db8::/32'}, {cidr: 10.0.0.7/24}]}}",
    "{$or: [{source: [a]}, {detail: {b: [c]}}], account: ['1']}",
    "{detail: {$or: [{a: [1]}, {$or: [{b: [2]}, {c: [3]}]}]}}",
    "{resources: [{prefix: 'arn:'}], time: [{prefix: '2026'}], region: [eu-west-1], version: ['0'], id: [x]}",
    "{replay-name: [{exists: false}], source: [x]}",
]

REFUSED = [
    # pattern, path, a part of the message, a part of the help
    ("[]", (), "is a mapping of fields", "field: [value"),
    ("text", (), "is a mapping of fields", "field: [value"),
    ("{}", (), "empty", "name a field"),
    ("{detail: {}}", ("detail",), "empty", "name a field"),
    ("{source: []}", ("source",), "empty", "give the values"),
    ("{source: aws.s3}", ("source",), "stand in a list", 'write ["aws.s3"]'),
    ("{detail: {a: {b: null}}}", ("detail", "a", "b"), "stand in a list", "write [null]"),
    ("{detail_type: [x]}", ("detail_type",), 'no field "detail_type"', 'did you mean "detail-type"?'),
    ("{severity: [high]}", ("severity",), 'no field "severity"', "fields of your own stand under detail"),
    ("{source: [[a]]}", ("source", 0), "no other list", "one list"),
    ("{source: [{}]}", ("source", 0), "one key, and this has none", "one mapping for each"),
    ("{source: [a, {prefix: a, suffix: b}]}", ("source", 1), "one key, and this has 2", "one mapping for each"),
    ("{source: [{prefx: a}]}", ("source", 0, "prefx"), '"prefx" is no operator', 'did you mean "prefix"?'),
    ("{source: [{regex: a}]}", ("source", 0, "regex"), '"regex" is no operator', "write one of anything-but, cidr"),
    ("{source: {prefix: a}}", ("source",), "prefix stands in a list", "write [{prefix: …}]"),
    ("{source: [{prefix: 1}]}", ("source", 0, "prefix"), "takes a text", "equals-ignore-case"),
    ("{source: [{suffix: {prefix: a}}]}", ("source", 0, "suffix"), "takes a text", "equals-ignore-case"),
    ("{source: [{equals-ignore-case: [a]}]}", ("source", 0, "equals-ignore-case"), "takes a text", "TEXT"),
    ("{source: [{wildcard: 1}]}", ("source", 0, "wildcard"), "takes a text", "dir/*.png"),
    ("{source: [{wildcard: 'a**'}]}", ("source", 0, "wildcard"), "no two *", "one *"),
    ("{source: [{wildcard: 'a\\b'}]}", ("source", 0, "wildcard"), "a backslash stands before", "\\\\"),
    ("{source: [{wildcard: 'a\\'}]}", ("source", 0, "wildcard"), "a backslash stands before", "\\\\"),
    ("{source: [{anything-but: []}]}", ("source", 0, "anything-but"), "empty", "give the values"),
    ("{source: [{anything-but: [a, 1]}]}", ("source", 0, "anything-but"), "not both", '["a", "b"]'),
    ("{source: [{anything-but: null}]}", ("source", 0, "anything-but"), "texts or numbers", "write"),
    ("{source: [{anything-but: true}]}", ("source", 0, "anything-but"), "texts or numbers", "write"),
    ("{source: [{anything-but: {numeric: ['=', 1]}}]}", ("source", 0, "anything-but"), "does not take", "prefix"),
    ("{source: [{anything-but: {prefix: ''}}]}", ("source", 0, "anything-but"), "takes a text", "prefix"),
    ("{source: [{anything-but: {}}]}", ("source", 0, "anything-but"), "one operator", "prefix"),
    ("{source: [{anything-but: {wildcard: [a, 'b**']}}]}", ("source", 0, "anything-but"), "no two *", "one *"),
    ("{detail: {a: [{numeric: 7}]}}", ("detail", "a", 0, "numeric"), "a comparison and a number", '[">", 0'),
    ("{detail: {a: [{numeric: ['>']}]}}", ("detail", "a", 0, "numeric"), "a comparison and a number", '[">", 0'),
    ("{detail: {a: [{numeric: ['!=', 1]}]}}", ("detail", "a", 0, "numeric"), '"!=" is no comparison', "= < <="),
    ("{detail: {a: [{numeric: ['>', '1']}]}}", ("detail", "a", 0, "numeric"), 'a number, not "1"', "numeric:"),
    ("{detail: {a: [{numeric: ['>', true]}]}}", ("detail", "a", 0, "numeric"), "a number, not true", "numeric:"),
    ("{detail: {a: [{numeric: ['>', 6e9]}]}}", ("detail", "a", 0, "numeric"), "5,000,000,000", "range"),
    ("{detail: {a: [{numeric: ['<', 1, '>', 0]}]}}", ("detail", "a", 0, "numeric"), "lower end first", "numeric:"),
    ("{detail: {a: [{numeric: ['=', 1, '<', 2]}]}}", ("detail", "a", 0, "numeric"), "lower end first", "numeric:"),
    ("{detail: {a: [{numeric: ['>', 5, '<', 5]}]}}", ("detail", "a", 0, "numeric"), "not below", "numeric:"),
    ("{detail: {a: [{exists: 'true'}]}}", ("detail", "a", 0, "exists"), "true or false", "exists: true"),
    ("{detail: {a: [{cidr: 10.0.0.1}]}}", ("detail", "a", 0, "cidr"), "range of IP addresses", "10.0.0.0/24"),
    ("{detail: {a: [{cidr: 10.0.0.0/33}]}}", ("detail", "a", 0, "cidr"), "range of IP addresses", "10.0.0.0/24"),
    ("{detail: {$or: [{a: [1]}]}}", ("detail", "$or"), "two patterns or more", "$or: ["),
    ("{$or: {source: [a]}}", ("$or",), "two patterns or more", "$or: ["),
    ("{$or: [{source: [a]}, {sauce: [b]}]}", ("$or", 1, "sauce"), 'no field "sauce"', 'did you mean "source"?'),
    ("{detail: {$or: [{a: []}, {b: [1]}]}}", ("detail", "$or", 0, "a"), "empty", "give the values"),
    ("{detail: {$or: [{a: [1]}, 5]}}", ("detail", "$or", 1), "is a mapping of fields", "field: [value"),
]


def pattern(text):
    diagnostics = Diagnostics()
    document = load_document(SourceFile("w.yaml", text), diagnostics)
    assert document is not None
    assert len(diagnostics) == 0
    return plain(document.root)


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_eventbridge_takes_is_accepted(text):
    assert check_pattern(pattern(text)) == []


@pytest.mark.parametrize(("text", "path", "message", "help_text"), REFUSED)
def test_what_eventbridge_refuses_is_explained_at_its_place(text, path, message, help_text):
    [problem] = check_pattern(pattern(text))
    assert problem.path == path
    assert message in problem.message
    assert help_text in problem.help


def test_all_problems_are_found_in_the_order_written():
    found = check_pattern(pattern("{sorce: [], detail: {a: 1, b: [{exists: 1}, [x]]}}"))
    assert [problem.path for problem in found] == [
        ("sorce",),
        ("sorce",),
        ("detail", "a"),
        ("detail", "b", 0, "exists"),
        ("detail", "b", 1),
    ]


def test_the_size_that_eventbridge_takes():
    longest = 4096 - len('{"source":[""]}')
    assert check_pattern({"source": ["x" * longest]}) == []
    [problem] = check_pattern({"source": ["x" * (longest + 1)]})
    assert "4,096 characters" in problem.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["source", "detail", "$or", "prefix", "anything-but", "numeric", "wildcard", "exists", "cidr"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_any_json_is_a_pattern_or_has_problems_at_places_that_exist(value):
    for problem in check_pattern(value):
        assert problem.message
        assert problem.help
        node = value
        for part in problem.path:
            node = node[part]
