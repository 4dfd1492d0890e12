"""The collection of diagnostics, and the helps that name what is near."""

import pytest

from stepsmith.diagnostics import Diagnostic, Diagnostics, Severity, did_you_mean, one_of
from stepsmith.source import Position, Span


def at(line, column=1, path="w"):
    return Span(path, Position(line, column), Position(line, column))


def test_diagnostics_come_in_the_order_of_the_files():
    found = Diagnostics()
    found.hint("c", "third", at(2))
    found.error("b", "second", at(1, 9))
    found.warning("z", "first", at(1))
    found.error("a", "fourth", at(1, path="x"))
    assert [diagnostic.message for diagnostic in found] == ["first", "second", "third", "fourth"]


def test_the_same_thing_of_the_same_place_is_said_once():
    found = Diagnostics()
    found.error("a", "m", at(1), "h")
    found.extend([Diagnostic("a", "m", at(1), "h"), Diagnostic("a", "m", at(2), "h")])
    assert len(found) == 2


def test_only_errors_count_as_errors():
    found = Diagnostics()
    found.warning("a", "m", at(1))
    found.hint("b", "m", at(1))
    assert not found.has_errors
    found.add(Diagnostic("c", "m", at(1), severity=Severity.ERROR))
    assert found.has_errors


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("http_requst", "http_request"),
        ("HTTP-Request", "http_request"),
        ("timeuot", "timeout"),
        ("on-failure", "on_failure"),
    ],
)
def test_the_nearest_known_word_is_named(word, nearest):
    known = ["http_request", "timeout", "on_failure", "retry"]
    assert did_you_mean(word, known, "nothing") == f'did you mean "{nearest}"?'


def test_where_none_is_near_the_other_help_stands():
    assert did_you_mean("zzz", ["timeout", "retry"], "write a key") == "write a key"
    assert did_you_mean("zzz", [], "write a key") == "write a key"
    assert did_you_mean("timeout" * 100_000, ["timeout"], "write a key") == "write a key"


@pytest.mark.parametrize("word", ["stp-17x", "step_17", "tsep-17x", "step-17xy", "step-27x", "STEP-17X", "step_17x"])
def test_among_very_many_words_one_mistake_is_found(word):
    known = [f"other-{index}" for index in range(5_000)] + ["step-17x"]
    expected = "" if word == "step_17" else 'did you mean "step-17x"?'
    assert did_you_mean(word, known) == expected


def test_a_list_of_words_is_sorted_and_cut():
    assert one_of(["b", "a"]) == "a, b"
    assert one_of([f"w{index:02}" for index in range(15)], most=3) == "w00, w01, w02, … (12 more)"
