"""The text format, as a person reads it."""

import pytest

from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.reporting import render, summary
from stepsmith.source import Position, SourceFile, Span


def report(text, start, end, help_text="", *, message="wrong", severity=Severity.ERROR, colour=False):
    span = Span("w.yaml", Position(*start), Position(*end))
    diagnostic = Diagnostic("some-slug", message, span, help_text, severity)
    rendered = render([diagnostic], {"w.yaml": SourceFile("w.yaml", text)}, colour=colour)
    block, blank, last = rendered.rpartition("\n\n")
    assert blank
    assert last == f"1 {severity} in 1 file\n"
    return block


def test_the_line_the_carets_and_the_help():
    text = "\n" * 13 + "    action: http_requst\n"
    diagnostic = Diagnostic(
        "unknown-action",
        'no action is named "http_requst"',
        Span("workflows/order.yaml", Position(14, 13), Position(14, 24)),
        'did you mean "http_request"?',
    )
    path = "workflows/order.yaml"
    assert render([diagnostic], {path: SourceFile(path, text)}) == (
        'workflows/order.yaml:14:13: error: no action is named "http_requst" [unknown-action]\n'
        "   |\n"
        "14 |     action: http_requst\n"
        '   |             ^^^^^^^^^^^ did you mean "http_request"?\n'
        "\n"
        "1 error in 1 file\n"
    )


def test_without_a_help_nothing_follows_the_carets():
    assert report("a: b\n", (1, 4), (1, 5)) == "w.yaml:1:4: error: wrong [some-slug]\n  |\n1 | a: b\n  |    ^"


def test_a_span_over_lines_is_underlined_to_the_end_of_its_first():
    assert report("a:\n  - b\n  - c\n", (2, 3), (3, 6), "do better").splitlines()[1:] == [
        "  |",
        "2 |   - b",
        "  |   ^^^",
        "  = help: do better",
    ]


def test_a_long_help_gets_its_own_line_and_a_help_of_lines_keeps_them():
    long = "x" * 102
    assert report("a: b\n", (1, 4), (1, 5), long).splitlines()[3:] == ["  |    ^", f"  = help: {long}"]
    assert report("a: b\n", (1, 4), (1, 5), "one\n\ntwo").splitlines()[3:] == [
        "  |    ^",
        "  = help: one",
        "          two",
    ]


def test_an_empty_span_gets_one_caret():
    assert report("a:\n", (1, 3), (1, 3)).splitlines()[-1] == "  |   ^"


def test_a_span_past_the_line_s_end_is_cut():
    assert report("ab\n", (1, 2), (1, 9)).splitlines()[-1] == "  |  ^"
    assert report("ab\n", (1, 7), (1, 9)).splitlines()[-1] == "  |   ^"


@pytest.mark.parametrize(
    ("line", "start", "end", "shown", "carets"),
    [
        ("\ta:\tb", 5, 6, "    a:  b", "        ^"),
        ("\ta", 1, 2, "    a", "^^^^"),
        ("日本: 語", 5, 6, "日本: 語", "      ^^"),
        ("日本: 語", 1, 3, "日本: 語", "^^^^"),
        ("e\u0301: x", 5, 6, "e\u0301: x", "   ^"),
        ("😀: x", 4, 5, "😀: x", "    ^"),
        ("a\x1b[31m: x", 9, 10, "a\\x1b[31m: x", "           ^"),
        ("a\u202eb: x", 6, 7, "a\\u202eb: x", "          ^"),
    ],
)
def test_carets_stand_under_what_is_printed(line, start, end, shown, carets):
    rows = report(f"{line}\n", (1, start), (1, end)).splitlines()
    assert rows[2] == f"1 | {shown}"
    assert rows[3] == f"  | {carets}"


def test_of_a_huge_line_only_the_part_around_the_span_is_shown():
    text = "a" * 500_000 + "BAD" + "b" * 500_000
    rows = report(text, (1, 500_001), (1, 500_004)).splitlines()
    assert len(rows[2]) < 200
    at = rows[2].index("BAD")
    assert rows[3] == " " * 2 + "|" + " " * (at - 3) + "^^^"
    assert rows[2].startswith("1 | …")
    assert rows[2].endswith("…")


def test_a_file_without_its_text_is_reported_by_place_alone():
    diagnostic = Diagnostic("not-utf8", "bad byte", Span("x", Position(3, 1), Position(3, 2)), "save it as UTF-8")
    assert render([diagnostic], {}) == (
        "x:3:1: error: bad byte [not-utf8]\n  = help: save it as UTF-8\n\n1 error in 1 file\n"
    )


def test_what_a_file_says_cannot_steer_the_terminal():
    block = report("a\n", (1, 1), (1, 2), "try \x1b]0;x\x07", message="key \x1b[2J\r\nend\u2028")
    assert "\x1b" not in block
    assert "\x07" not in block
    assert "key \\x1b[2J end [some-slug]" in block
    assert "try \\x1b]0;x\\x07" in block


def test_a_message_is_cut_where_a_file_made_it_huge():
    assert len(report("a\n", (1, 1), (1, 2), "y" * 10_000, message="x" * 1_000_000)) < 2_200


def test_colours_change_nothing_but_colours():
    plain = report("a: b\n", (1, 4), (1, 5), "c", severity=Severity.WARNING)
    coloured = report("a: b\n", (1, 4), (1, 5), "c", severity=Severity.WARNING, colour=True)
    assert "\x1b[1;33m" in coloured
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[1;33m", "\x1b[1;34m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_the_summary_counts_severities_and_files():
    def at(path, severity, line):
        return Diagnostic("s", "m", Span(path, Position(line, 1), Position(line, 1)), "", severity)

    error, warning, hint = Severity
    found = [at("a", error, 1), at("a", error, 2), at("b", warning, 1), at("c", hint, 1), at("c", hint, 2)]
    assert summary(found) == "2 errors, 1 warning, 2 hints in 3 files"
    assert summary(found[2:3]) == "1 warning in 1 file"
    assert summary([]) == "no problems"
    assert render([], {}) == ""
