"""The conditions of `if:`, `while:`, `until:` and of other dialects: with or without braces, or a YAML boolean.

Spellings of other languages (`&&`, `!x`, `===`, `null`, braces in the middle) are rewritten into ours, never by
putting data into the text. A dialect that people already have gets a warning that shows our spelling, our own
language an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.expressions.parsing import parse_expression
from stepsmith.expressions.places import Places, places_of
from stepsmith.expressions.splitting import split
from stepsmith.expressions.tree import Template
from stepsmith.source import SourceFile

# A quoted text, an operator of another language, a word of another language.
_FOREIGN = re.compile(
    r"""(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
    r"|(?P<operator>&&|\|\||===|!==|<>|(?<![=!<>])=(?!=)|!(?!=))"
    r"|(?<![\w.])(?P<word>null|nil|undefined)(?![\w(])",
    re.DOTALL,
)
_OURS = {"&&": " and ", "||": " or ", "===": "==", "!==": "!=", "!": "not ", "<>": "!=", "=": "=="}
_NO_REWRITE = {"<>", "="}
_WORDS = {"null": "none", "nil": "none"}


@dataclass
class _Draft:
    """A text under construction that knows from which characters it was made."""

    text: str = ""
    origins: list[int] = field(default_factory=list)

    def add(self, text: str, start: int, end: int) -> None:
        """Adds `text`, which stands for the characters `start` to `end`; letter by letter where they are the same."""
        self.text += text
        if end - start == len(text):
            self.origins += range(start, end)
        else:
            self.origins += [start] * len(text)


def parse_condition(
    node: ScalarNode, source: SourceFile, diagnostics: Diagnostics, *, legacy: bool = False
) -> Template | None:
    """The condition that a field holds; None after reporting an error.

    `legacy`: spellings of other languages are accepted with a warning that shows the new one, and unquoted words
    beside a known name are taken for text when the condition is translated, and a name may have hyphens.
    """
    places = places_of(node, source)
    if isinstance(node.value, bool):
        return _template(node, str(node.value).lower(), Places(source, node.span), diagnostics, legacy)
    if not isinstance(node.value, str):
        diagnostics.error(
            "condition-type",
            "a condition is an expression, true or false",
            node.span,
            'such as "{{ input.count > 0 }}"',
        )
        return None
    text = node.value
    inside = _unbraced(text, places, diagnostics) if "{{" in text else _bare(text)
    if inside is None:
        return None
    draft, embedded = inside
    rewritten = _in_our_words(draft, places, diagnostics)
    if rewritten is None:
        return None
    foreign = rewritten.text != draft.text
    template = _template(node, rewritten.text, places.part(rewritten.origins), diagnostics, legacy)
    if template is None or not (embedded or foreign):
        return template
    message = "this condition is not written in the workflow language"
    spelling = f"write {{{{ {rewritten.text.strip()} }}}}"
    if legacy:
        diagnostics.warning("condition-spelling", message, node.span, spelling)
        return template
    diagnostics.error("condition-spelling", message, node.span, spelling)
    return None


def _template(node: ScalarNode, text: str, places: Places, diagnostics: Diagnostics, legacy: bool) -> Template | None:
    expression = parse_expression(text, places, diagnostics, hyphens=legacy)
    return Template((expression,), True, node.span, legacy) if expression else None


def _bare(text: str) -> tuple[_Draft, bool]:
    draft = _Draft()
    draft.add(text, 0, len(text))
    return draft, False


def _unbraced(text: str, places: Places, diagnostics: Diagnostics) -> tuple[_Draft, bool] | None:
    """The condition without its braces, and whether they stood in the middle of it.

    Inside of quotes `{{ e }}` means its text: `'{{ e }}'` is `(e | string)`, `'a-{{ e }}'` is `('a-' ~ (e))`.
    """
    pieces = split(text, places, diagnostics)
    if pieces is None:
        return None
    if len([piece for piece in pieces if not isinstance(piece, str) or piece.strip()]) == 1:
        start, end = next(piece for piece in pieces if not isinstance(piece, str))
        draft = _Draft()
        draft.add(text[start:end], start, end)
        return draft, False
    draft, quoted, at = _Draft(), None, 0
    for piece in pieces:
        if isinstance(piece, str):
            at = text.find(piece, at)
            for char, here in _with_marks(piece, at):
                if quoted is not None and char == quoted.mark:
                    quoted.write(draft, here)
                    quoted = None
                elif quoted is not None:
                    quoted.literal(char, here)
                elif char in "'\"":
                    quoted = _Quoted(char, here)
                else:
                    draft.add(char, here, here + len(char))
            at += len(piece)
            continue
        start, end = piece
        inside = text[start:end].strip()
        offset = start + text[start:end].find(inside) if inside else start
        if quoted is not None:
            quoted.parts.append((f"({inside})", offset))
        else:
            draft.add("(", start, start)
            draft.add(inside, offset, offset + len(inside))
            draft.add(")", end, end)
        at = end + 2
    if quoted is not None:
        quoted.write(draft, len(text) - 1)
    return draft, True


@dataclass
class _Quoted:
    """A quoted text in a condition, which may have expressions in it: there the quotes meant "as text"."""

    mark: str
    start: int
    parts: list[tuple[str, int]] = field(default_factory=list)

    def literal(self, char: str, here: int) -> None:
        """Adds a character; a run of them makes one part, in its quotes."""
        if self.parts and self.parts[-1][0].startswith(self.mark):
            text, start = self.parts[-1]
            self.parts[-1] = (f"{text[:-1]}{char}{self.mark}", start)
        else:
            self.parts.append((f"{self.mark}{char}{self.mark}", here))

    def write(self, draft: _Draft, end: int) -> None:
        """Writes the text, or the expression that joins its parts."""
        parts = self.parts or [(self.mark * 2, self.start)]
        if len(parts) == 1 and parts[0][0].startswith(self.mark):
            draft.add(parts[0][0], self.start, end + 1)
            return
        joined = " ~ ".join(text for text, _ in parts)
        draft.add(f"({joined} | string)" if len(parts) == 1 else f"({joined})", self.start, self.start)


def _with_marks(piece: str, start: int) -> Iterator[tuple[str, int]]:
    """The characters of a literal piece with their positions, a backslash together with what it escapes."""
    for found in re.finditer(r"\\.|.", piece, re.DOTALL):
        yield found[0], start + found.start()


def _in_our_words(draft: _Draft, places: Places, diagnostics: Diagnostics) -> _Draft | None:
    """Operators and words of other languages outside of quotes, in ours."""
    result, at = _Draft(), 0
    text, origins = draft.text, draft.origins
    for found in _FOREIGN.finditer(text):
        for index in range(at, found.start()):
            result.add(text[index], origins[index], origins[index] + 1)
        at = found.end()
        start = origins[found.start()]
        operator, word = found["operator"], found["word"]
        if operator == "=" and _is_keyword(text, found.start()):
            operator = None
        if operator in _NO_REWRITE:
            diagnostics.error(
                "condition-spelling",
                f"`{operator}` does not compare",
                places.span(start, start + len(operator)),
                f"write `{_OURS[operator]}`",
            )
            return None
        if operator is not None:
            result.add(_OURS[operator], start, start)
        elif word in _WORDS:
            result.add(_WORDS[word], start, start)
        else:
            for index in range(found.start(), found.end()):
                result.add(text[index], origins[index], origins[index] + 1)
    for index in range(at, len(text)):
        result.add(text[index], origins[index], origins[index] + 1)
    return result


def _is_keyword(text: str, at: int) -> bool:
    """Whether the `=` at this place gives an argument by name: it stands inside of parentheses behind a name."""
    before = text[:at]
    return before.count("(") > before.count(")") and bool(re.search(r"[(,]\s*\w+\s*$", before))
