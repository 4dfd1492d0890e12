"""Says in plain words why a text is no YAML: PyYAML's problem becomes a diagnostic with a help.

Both of PyYAML's parsers word their problems in their own way, so a problem is told by what both texts
share and by the source around it. Nothing is recovered: a file has one syntax error, its first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.error import MarkedYAMLError

from stepsmith.diagnostics import Diagnostics
from stepsmith.loading.events import Mark
from stepsmith.loading.marks import ParserText
from stepsmith.loading.templates import find_unquoted, quote_help, report_unquoted
from stepsmith.source import Position, SourceFile

_SLUG = "yaml-syntax"
_HUGE_ESCAPE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}", re.ASCII)
_KEY_WITHOUT_SPACE = re.compile(r"([A-Za-z_][\w-]*):(?=[^\s/:])")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,4}|U[0-9a-fA-F]{0,8}|x[0-9a-fA-F]{0,2}|.)", re.ASCII | re.DOTALL)
_WORD = re.compile(r"\S+")


def report_syntax_error(error: Exception, source: SourceFile, text: ParserText, diagnostics: Diagnostics) -> None:
    """Reports the error that a YAML parser raised while it read `text`."""
    _Reporter(_Problem.of(error, source, text), source, diagnostics).report()


@dataclass(frozen=True, slots=True)
class _Problem:
    """What the parser said and the offsets in the source of which it said it."""

    said: str
    context: str
    at: int
    context_at: int | None

    @classmethod
    def of(cls, error: Exception, source: SourceFile, text: ParserText) -> _Problem:
        if isinstance(error, MarkedYAMLError):
            at = _offset(error.problem_mark or error.context_mark, text)
            context_at = _offset(error.context_mark, text)
            at = at if at is not None else context_at or 0
            return cls(error.problem or "", error.context or "", min(at, len(source.text)), context_at)
        huge = _HUGE_ESCAPE.search(source.text)
        return cls("found invalid Unicode character escape code", "", huge.start() if huge else 0, None)


def _offset(mark: Mark | None, text: ParserText) -> int | None:
    return text.written(mark.index) if mark is not None else None


class _Reporter:
    def __init__(self, problem: _Problem, source: SourceFile, diagnostics: Diagnostics) -> None:
        self._problem = problem
        self._source = source
        self._diagnostics = diagnostics
        self._place = source.position(problem.at)
        self._line = source.line(self._place.line)
        self._before = self._line[: self._place.column - 1]
        self._after = self._line[self._place.column - 1 :]

    def report(self) -> None:
        """Tries the explanations in turn, the surest first."""
        for explain in (
            self._unquoted_template,
            self._tab,
            self._unclosed_quote,
            self._escape,
            self._alias_or_anchor,
            self._block_header,
            self._impossible_first_character,
            self._colon_in_text,
            self._missing_colon,
            self._item_or_key_out_of_place,
            self._flow_collection,
            self._text_after_value,
            self._indentation,
            self._document_or_directive,
        ):
            if explain():
                return
        self._error(f"this is no YAML here: {self._problem.said}", self._problem.at, self._word_end(), "")

    # Places

    def _error(self, message: str, start: int, end: int, help_text: str, slug: str = _SLUG) -> bool:
        self._diagnostics.error(slug, message, self._source.span(start, max(end, start)), help_text)
        return True

    def _word_end(self) -> int:
        word = _WORD.match(self._after)
        return self._problem.at + (word.end() if word else min(1, len(self._after)))

    def _line_end(self) -> int:
        return self._problem.at + len(self._after.rstrip())

    def _char(self) -> str:
        return self._after[:1]

    def _line_above(self) -> tuple[int, str]:
        """The number and text of the last line above that has something in it, or 0 and nothing."""
        for number in range(self._place.line - 1, 0, -1):
            line = self._source.line(number)
            if line.strip() and not line.lstrip().startswith("#"):
                return number, line
        return 0, ""

    def _value_start(self) -> int:
        """The offset at which the value begins on the problem's line: after the first `: ` or the dashes."""
        value = re.match(r"\s*(?:-\s+)*(?:[^\s'\"\[{#][^:#]*:\s+)?", self._line)
        return self._problem.at - len(self._before) + (value.end() if value else 0)

    def _value_from(self, start: int) -> str:
        """The source from `start` to the end of its line, without a comment."""
        line_end = self._problem.at + len(self._after)
        value = self._source.text[start:line_end]
        comment = value.find(" #")
        return (value[:comment] if comment >= 0 else value).rstrip()

    # Explanations: each reports and says so, or leaves the problem to the next

    def _unquoted_template(self) -> bool:
        places = [self._place.line]
        context = self._problem.context
        if self._problem.context_at is not None and ("flow" in context or "quoted" in context):
            places.append(self._source.position(self._problem.context_at).line)
        above, _ = self._line_above()
        places.append(above)
        for number in dict.fromkeys(places):
            # The line above is to blame only when its value runs on into this one.
            if not number or (number == above and number not in places[:-1] and not self._goes_on_from(above)):
                continue
            start_of_line = self._source.offset(Position(number, 1))
            found = [
                self._source.span(start_of_line + start, start_of_line + end)
                for start, end in find_unquoted(self._source.line(number))
                if start_of_line + start <= self._problem.at
            ]
            for span in found:
                report_unquoted(self._source.between(span), span, self._diagnostics)
            if found:
                return True
        return False

    def _goes_on_from(self, number: int) -> bool:
        return _indent(self._line) > _indent(self._source.line(number)) or "flow" in self._problem.context

    def _tab(self) -> bool:
        indentation = self._line[: len(self._line) - len(self._line.lstrip())]
        in_indentation = "\t" in indentation and len(self._before) <= len(indentation)
        if not in_indentation and "tab character" not in self._problem.said and self._char() != "\t":
            return False
        column = indentation.index("\t") if in_indentation else len(self._before)
        start = self._problem.at - len(self._before) + column
        width = len(self._line) - column - len(self._line[column:].lstrip("\t"))
        return self._error(
            "a tab cannot indent in YAML",
            start,
            start + width,
            "indent with spaces; most editors can turn the tabs of a file into spaces",
            "tab-indentation",
        )

    def _unclosed_quote(self) -> bool:
        said = self._problem.said
        ended = "end of stream" in said or "document indicator" in said or "document separator" in said
        if not ended or "quoted" not in self._problem.context or self._problem.context_at is None:
            return False
        start = self._problem.context_at
        quote = self._source.text[start]
        other = "doubled, as in 'it''s'" if quote == "'" else 'written \\"'
        return self._error(
            "this quote is never closed",
            start,
            start + 1,
            f"close the text with {quote}; inside it the same quote is {other}",
        )

    def _escape(self) -> bool:
        said = self._problem.said
        if not any(word in said for word in ("escape", "hexdecimal", "hexadecimal")):
            return False
        start = self._source.text.rfind("\\", 0, self._problem.at + 1)
        if start < 0:
            return False
        escape = _ESCAPE.match(self._source.text, start)
        if escape is None:
            return False
        if escape.group()[1:2] in ("u", "U"):
            help_text = r"write the character itself, or \U and the eight hexadecimal digits of its code point"
        else:
            help_text = r"write \\ for a backslash in double quotes, or use single quotes"
        return self._error(f"{escape.group()} is no escape that YAML knows", start, escape.end(), help_text)

    def _alias_or_anchor(self) -> bool:
        if not any(word in self._problem.context for word in ("alias", "anchor")):
            return False
        start = self._problem.context_at if self._problem.context_at is not None else self._problem.at
        return self._cannot_begin(start)

    def _block_header(self) -> bool:
        if "block scalar" not in self._problem.context or self._problem.context_at is None:
            return False
        start = self._problem.context_at
        number = self._source.position(start).line
        if _indent(self._source.line(number + 1)) > _indent(self._source.line(number)):
            written = self._value_from(start)
            return self._error(
                f'text stands beside the "{written[:1]}" of a block text',
                start,
                start + len(written),
                "begin the text on the next line",
            )
        return self._cannot_begin(start)

    def _impossible_first_character(self) -> bool:
        return "cannot start any token" in self._problem.said and self._cannot_begin(self._problem.at)

    def _cannot_begin(self, start: int) -> bool:
        value = self._value_from(start)
        return self._error(
            f'a text that begins with "{value[:1]}" must be quoted',
            start,
            start + max(len(value), 1),
            quote_help(value),
        )

    def _colon_in_text(self) -> bool:
        if "mapping values are not allowed" not in self._problem.said:
            return False
        start = self._value_start()
        if start < self._problem.at and start > self._problem.at - len(self._before.lstrip()):
            value = self._value_from(start)
            if not value.startswith(("'", '"')):
                return self._error(
                    'a text that holds ": " must be quoted', start, start + len(value), quote_help(value)
                )
        number, above = self._line_above()
        if number and (joined := _KEY_WITHOUT_SPACE.match(above.lstrip().removeprefix("- "))):
            return self._space_after_colon(number, above, joined)
        level = _key_indent(above)
        if number and _indent(self._line) > _indent(above):
            return self._error(
                f"this line is indented deeper than line {number}, which has a value already",
                self._problem.at - len(self._before) + _indent(self._line),
                self._line_end(),
                f"indent it by {_spaces(level)} like line {number}, or end that line after its colon",
            )
        if number:
            return self._no_key(self._source.offset(Position(number, _indent(above) + 1)), above.strip())
        return self._error("a key is not possible here", self._problem.at, self._word_end(), "quote the text before it")

    def _space_after_colon(self, number: int, line: str, joined: re.Match[str]) -> bool:
        at = line.index(joined.group()) + joined.end() - 1
        start = self._source.offset(Position(number, at + 1))
        return self._error(
            "a space is missing after this colon",
            start,
            start + 1,
            f"write {joined.group()} {line[at + 1 :].split()[0]}"[:100],
        )

    def _missing_colon(self) -> bool:
        if "could not find expected ':'" not in self._problem.said or self._problem.context_at is None:
            return False
        start = self._problem.context_at
        place = self._source.position(start)
        line = self._source.line(place.line)
        if joined := _KEY_WITHOUT_SPACE.match(line[place.column - 1 :]):
            return self._space_after_colon(place.line, line, joined)
        return self._no_key(start, line[place.column - 1 :].strip())

    def _no_key(self, start: int, text: str) -> bool:
        text = text.split(" #", 1)[0].rstrip()
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        return self._error(
            f'"{shown}" stands where a key is expected, but has no colon after it',
            start,
            start + len(text),
            "write it as `key: value`, or indent it deeper to make it part of the value above",
        )

    def _item_or_key_out_of_place(self) -> bool:
        said = self._problem.said
        if "sequence entries are not allowed" in said:
            return self._error(
                "a list cannot begin on the line of its key",
                self._problem.at,
                self._line_end(),
                'begin it on the next line, one "- " an item; quote it if it is meant as text',
            )
        if "mapping keys are not allowed" in said:
            return self._cannot_begin(self._problem.at)
        return False

    def _flow_collection(self) -> bool:
        context, start = self._problem.context, self._problem.context_at
        if "flow" not in context and self._char() not in ("]", "}", ","):
            return False
        if "node content" in self._problem.said or start is None or "flow" not in context:
            char = self._char()
            if not char:
                return self._error("the file ends where a value is expected", self._problem.at, self._problem.at, "")
            return self._error(
                f'"{char}" stands where a value is expected',
                self._problem.at,
                self._problem.at + 1,
                "remove it, or quote a text that begins with it",
            )
        opener, closer = ("[", "]") if "sequence" in context else ("{", "}")
        opened_on = self._source.position(start).line
        elsewhere = opened_on != self._place.line
        deeper = _indent(self._line) > _indent(self._source.line(opened_on))
        if not self._char() or (elsewhere and not deeper):
            return self._error(
                f'this "{opener}" is never closed',
                start,
                start + 1,
                f'close it with "{closer}"; the parts between are separated by commas',
            )
        if self._char() == ":":
            return self._error(
                'a ": " stands inside a text, or a comma is missing before it',
                self._problem.at,
                self._problem.at + 1,
                "separate the parts by commas; quote a text that holds a colon",
            )
        expected = f'a comma or "{closer}"' if closer == "]" else f'a colon, a comma or "{closer}"'
        return self._error(
            f"{expected} is expected here",
            self._problem.at,
            self._word_end(),
            "separate the parts by commas; quote a text that holds one of , [ ] { }",
        )

    def _text_after_value(self) -> bool:
        before = self._before.rstrip()
        if (
            not before
            or before.endswith((":", "-"))
            or before[-1] not in "\"']}"
            or "expected" not in self._problem.said
        ):
            return False
        if before[-1] in "\"'" and (opened := self._quote_opened_above(before)):
            return self._error(
                f"the text that this quote opens ends only on line {self._place.line}, where more follows",
                opened,
                opened + 1,
                f"close the text with {before[-1]} on its own line",
            )
        start = self._value_start()
        value = self._value_from(start)
        what = "closing quote" if before[-1] in "\"'" else f'closing "{before[-1]}"'
        if before[-1] == "'" and "'" in self._after:
            help_text = "double an apostrophe inside single quotes, as in 'it''s', or use double quotes"
        else:
            help_text = quote_help(value)
        return self._error(f"text goes on after the {what}", self._problem.at, self._line_end(), help_text)

    def _quote_opened_above(self, before: str) -> int | None:
        """The offset of the quote on an earlier line that the last quote of `before` closes by mistake."""
        quote = before[-1]
        if before.count(quote) % 2 == 0:
            return None
        for number in range(self._place.line - 1, max(0, self._place.line - 50), -1):
            line = self._source.line(number)
            if line.count(quote) % 2:
                return self._source.offset(Position(number, line.rindex(quote) + 1))
        return None

    def _indentation(self) -> bool:
        said = self._problem.said
        if not any(word in said for word in ("block end", "expected key", "expected '-' indicator")):
            return False
        if self._before.strip():
            return False
        here = len(self._before)
        possible = self._open_indents()
        if here in possible and self._char() == "-":
            message = "a list item stands among the keys of a mapping"
            help_text = "indent it deeper than the key that it belongs to"
        elif here in possible:
            message = "a key stands among the items of a list"
            help_text = 'begin it with "- ", or indent it as deep as the key above the list'
        else:
            message = f"this line is indented by {_spaces(here)}, which fits no line above"
            ways = [f"{_spaces(indent)} (line {number})" for indent, number in sorted(possible.items(), reverse=True)]
            help_text = f"indent it by {' or '.join(ways[:3])}" if ways else ""
        return self._error(message, self._problem.at, self._line_end(), help_text)

    def _open_indents(self) -> dict[int, int]:
        """The columns at which a line above could go on, each with the last line that begins there."""
        possible: dict[int, int] = {}
        least = -1
        for number in range(self._place.line - 1, 0, -1):
            line = self._source.line(number)
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            # A line `- key:` opens two columns: the dash's and the key's.
            for indent in {_indent(line), _key_indent(line)}:
                if least < 0 or indent <= least:
                    possible.setdefault(indent, number)
            least = _indent(line) if least < 0 else min(least, _indent(line))
            if least == 0:
                break
        return possible

    def _document_or_directive(self) -> bool:
        said = f"{self._problem.context} {self._problem.said}"
        if "directive" in said or "YAML document" in said:
            return self._error(
                "a line that begins with % is a YAML directive, and this one is none that is known",
                self._problem.at - len(self._before),
                self._line_end(),
                "remove the line, or quote the key",
            )
        if "document start" in said:
            return self._error(
                "the document has ended before this line",
                self._problem.at,
                self._line_end(),
                "remove the `...` or the directive above it",
            )
        if "tag" in said:
            return self._cannot_begin(self._problem.context_at or self._problem.at)
        if "node content" in said:
            return self._error("a value is expected here", self._problem.at, self._word_end(), "")
        return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _key_indent(line: str) -> int:
    """The column at which the first key or text of `line` begins, past any dashes."""
    dashes = re.match(r" *(?:- +)*", line)
    return dashes.end() if dashes else 0


def _spaces(count: int) -> str:
    return "1 space" if count == 1 else f"{count} spaces"
