"""Syntax errors in plain words: the slug, the place, the message and the help, with both parsers."""

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import plain
from stepsmith.loading.documents import load_document
from stepsmith.loading.events import PARSERS
from stepsmith.source import SourceFile

CASES = [
    # text, what is underlined and where, message, help
    ("a: b: c", "1:4 b: c", 'a text that holds ": " must be quoted', 'write "b: c"'),
    ("a: it's: b # c", "1:4 it's: b", 'a text that holds ": " must be quoted', 'write "it\'s: b"'),
    ('- k: say "x": y', '1:6 say "x": y', 'a text that holds ": " must be quoted', "write 'say \"x\": y'"),
    ("a:b\nc: d", "1:2 :", "a space is missing after this colon", "write a: b"),
    ("a: 1\nfoo:bar\nb: 2", "2:4 :", "a space is missing after this colon", "write foo: bar"),
    ("a: 1\nfoo\nb: 2", "2:1 foo", '"foo" stands where a key is expected, but has no colon after it', "key: value"),
    ("a\nb: c", "1:1 a", '"a" stands where a key is expected, but has no colon after it', "key: value"),
    ("a: b\n  c: d", "2:3 c: d", "this line is indented deeper than line 1", "indent it by 0 spaces like line 1"),
    (
        "steps:\n - a: 1\n   b: 2\n  c: 3",
        "4:3 c: 3",
        "this line is indented by 2 spaces, which fits no line above",
        "indent it by 3 spaces (line 3) or 1 space (line 2) or 0 spaces (line 1)",
    ),
    (
        "a:\n    b: 1\n # note\n\n  c: 2",
        "5:3 c: 2",
        "this line is indented by 2 spaces, which fits no line above",
        "indent it by 4 spaces (line 2) or 0 spaces (line 1)",
    ),
    ("a: b\n- c", "2:1 - c", "a list item stands among the keys of a mapping", "indent it deeper than the key"),
    ("a:\n  - b\n  c: d", "3:3 c: d", "a key stands among the items of a list", 'begin it with "- "'),
    ("a: - b", "1:4 - b", "a list cannot begin on the line of its key", "begin it on the next line"),
    ("a: 'b", "1:4 '", "this quote is never closed", "doubled, as in 'it''s'"),
    ('a: "b\nc: d', '1:4 "', "this quote is never closed", 'written \\"'),
    ('a: "b\n---\nc"', '1:4 "', "this quote is never closed", 'close the text with "'),
    (
        "a: 'x\n  y: z\nb: 'k'\n",
        "1:4 '",
        "the text that this quote opens ends only on line 3, where more follows",
        "close the text with ' on its own line",
    ),
    ("a: 'don't'", "1:9 t'", "text goes on after the closing quote", "double an apostrophe"),
    ('a: "x" and "y"', '1:8 and "y"', "text goes on after the closing quote", 'write \'"x" and "y"\''),
    ("a: [b]c", "1:7 c", 'text goes on after the closing "]"', 'write "[b]c"'),
    ("a: [1, 2\nb: c", "1:4 [", 'this "[" is never closed', 'close it with "]"'),
    ("{a: 1", "1:1 {", 'this "{" is never closed', 'close it with "}"'),
    ('{"a": 1,\n "b" 2}', "2:6 2}", 'a colon, a comma or "}" is expected here', "separate the parts by commas"),
    ('{"a": 1\n "b": 2}', "2:5 :", 'a ": " stands inside a text, or a comma is missing', "by commas"),
    ('{"a": 1,,}', "1:9 ,", '"," stands where a value is expected', "remove it"),
    ("a: }", "1:4 }", '"}" stands where a value is expected', "remove it"),
    ("a: @x y # z", "1:4 @x y", 'a text that begins with "@" must be quoted', 'write "@x y"'),
    ("a: `x`", "1:4 `x`", 'a text that begins with "`" must be quoted', 'write "`x`"'),
    ("- %x", "1:3 %x", 'a text that begins with "%" must be quoted', 'write "%x"'),
    ("a: * * *", "1:4 * * *", 'a text that begins with "*" must be quoted', 'write "* * *"'),
    ("a: & b", "1:4 & b", 'a text that begins with "&" must be quoted', 'write "& b"'),
    ("a: > 5", "1:4 > 5", 'a text that begins with ">" must be quoted', 'write "> 5"'),
    ("a: |x", "1:4 |x", 'a text that begins with "|" must be quoted', 'write "|x"'),
    ("a: |x\n b", "1:4 |x", 'text stands beside the "|" of a block text', "begin the text on the next line"),
    ("a: ? b", "1:4 ? b", 'a text that begins with "?" must be quoted', 'write "? b"'),
    ("a: !a!b c", "1:4 !a!b c", 'a text that begins with "!" must be quoted', 'write "!a!b c"'),
    ('a: "x\\q"', "1:6 \\q", "\\q is no escape that YAML knows", "write \\\\ for a backslash"),
    ('a: "\\x1"', "1:5 \\x1", "\\x1 is no escape that YAML knows", "write \\\\ for a backslash"),
    ('a: "\\ud83d"', "1:5 \\ud83d", "\\ud83d is no escape", "write the character itself"),
    ('a: "\\UFFFFFFFF"', "1:5 \\UFFFFFFFF", "\\UFFFFFFFF is no escape", "write the character itself"),
    ("a: b\n%c: d", "2:1 %c: d", "a line that begins with % is a YAML directive", "remove the line"),
    ("a: &x &y b", "1:7 &y", "this is no YAML here", ""),
]

TABS = [
    ("\ta: b", "1:1 \t"),
    ("a:\n\t- b", "2:1 \t"),
    ("a:\n  b: 1\n\tc: 2", "3:1 \t"),
    ("a:\n  \t b: 1", "2:3 \t"),
    ("a: >\n\tb", "2:1 \t"),
    ("-\tb", "1:2 \t"),
]

TEMPLATES = [
    ("if: {{ a }} > 1", ["1:5 {{ a }} > 1"], 'write "{{ a }} > 1"'),
    ("if: {{ a }} and {{b}} # c", ["1:5 {{ a }} and {{b}}"], 'write "{{ a }} and {{b}}"'),
    ("- {{ a }} is in", ["1:3 {{ a }} is in"], 'write "{{ a }} is in"'),
    ("a: {{x['y']}}", ["1:4 {{x['y']}}"], "write \"{{x['y']}}\""),
    ("a: {{ x | join(', ') }}\nb: 1", ["1:4 {{ x | join(', ') }}"], "write \"{{ x | join(', ') }}\""),
    ("a: {{ x[0] }} \"'", ["1:4 {{ x[0] }} \"'"], 'write "{{ x[0] }} \\"\'"'),
    ("[a, {{ b[0] }}]", ["1:5 {{ b[0] }}"], 'write "{{ b[0] }}"'),
    ("{m: Hello {{ b }} you, n: '{{'}", ["1:5 Hello {{ b }}"], 'write "Hello {{ b }}"'),
    ("a: {{ x }}\n  b", ["1:4 {{ x }}"], 'write "{{ x }}"'),
    ("[{{ a }}, {{ b[0] }}]", ["1:2 {{ a }}", "1:11 {{ b[0] }}"], ""),
    ("a: {{ x[0] }}" + " and more" * 20, ["1:4 {{ x[0] }}" + " and more" * 20], "put it in quotes"),
]

both_parsers = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)


def problems(text, parser):
    diagnostics = Diagnostics()
    source = SourceFile("w.yaml", text)
    assert load_document(source, diagnostics, parser) is None
    return [(d.slug, f"{d.span.start} {source.between(d.span)}", d.message, d.help) for d in diagnostics]


@both_parsers
@pytest.mark.parametrize(("text", "place", "message", "help_text"), CASES)
def test_a_syntax_error_says_what_to_write_instead(text, place, message, help_text, parser):
    [found] = problems(text, parser)
    assert found[:2] == ("yaml-syntax", place)
    assert message in found[2]
    assert help_text in found[3]


@both_parsers
@pytest.mark.parametrize(("text", "place"), TABS)
def test_tabs_that_indent_are_underlined(text, place, parser):
    [found] = problems(text, parser)
    assert found[:3] == ("tab-indentation", place, "a tab cannot indent in YAML")


@both_parsers
@pytest.mark.parametrize(("text", "places", "help_text"), TEMPLATES)
def test_an_unquoted_template_is_told_from_other_syntax_errors(text, places, help_text, parser):
    found = problems(text, parser)
    assert [(slug, place) for slug, place, _, _ in found] == [("unquoted-template", place) for place in places]
    assert help_text in found[0][3]


@both_parsers
@pytest.mark.parametrize("text", ['a: "{{ x }}" y', "a: '{{ x }}\nb: c", "a: b {{ x }}: c", "a: |\n {{ x }}\nb: - c"])
def test_a_quoted_or_block_template_is_not_blamed(text, parser):
    [(slug, _, _, _)] = problems(text, parser)
    assert slug == "yaml-syntax"


@pytest.mark.parametrize(
    ("char", "escape"), [("\x01", "\\x01"), ("\x7f", "\\x7f"), ("\ufffe", "\\ufffe"), ("\ud800", "")]
)
def test_characters_that_yaml_refuses(char, escape):
    diagnostics = Diagnostics()
    assert load_document(SourceFile("w.yaml", f"a: b\nc: 😀{char}"), diagnostics) is None
    [found] = diagnostics
    assert (found.slug, str(found.span.start)) == ("control-character", "2:5")
    assert escape in found.help


def test_what_a_help_tells_to_write_works():
    """Every help of the form `write X` is followed, and the result is read."""
    followed = 0
    for text, place, _, help_text in CASES:
        if not help_text.startswith("write ") or help_text.startswith(("write \\", "write the")):
            continue
        fix = help_text.removeprefix("write ")
        if place.endswith(" :"):
            replaced = fix.replace(": ", ":")
        else:
            quoted = load_document(SourceFile("fix", fix), Diagnostics())
            assert quoted is not None
            replaced = str(plain(quoted.root))
        assert text.count(replaced) == 1
        diagnostics = Diagnostics()
        assert load_document(SourceFile("w.yaml", text.replace(replaced, fix)), diagnostics) is not None
        assert not diagnostics.has_errors
        followed += 1
    assert followed > 15
