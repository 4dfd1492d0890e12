"""What loading has to say of a document that YAML's syntax allows: one method a slug, and the limits.

The builder finds the problems; their words, their helps and when to stop are here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from stepsmith.diagnostics import Diagnostic, Diagnostics, Severity, did_you_mean
from stepsmith.document import Entry, MappingNode, Node, Scalar, ScalarNode, SequenceNode
from stepsmith.loading.limits import MAX_DEPTH, MAX_NODES, MAX_PROBLEMS
from stepsmith.loading.templates import quoted, report_unquoted
from stepsmith.source import Position, Span

_STANDARD_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = ("str", "int", "float", "bool", "null")


class TooMuchError(Exception):
    """A limit was passed and has been reported; the rest of the file stays unread."""


class Problems:
    """Reports problems of one file. While `muted` is above zero it reports none but the limits."""

    def __init__(self, path: str, diagnostics: Diagnostics) -> None:
        self._path = path
        self._diagnostics = diagnostics
        self.muted = 0

    def _report(self, slug: str, message: str, span: Span, help_text: str, *, warn: bool = False) -> None:
        if self.muted:
            return
        severity = Severity.WARNING if warn else Severity.ERROR
        self._diagnostics.add(Diagnostic(slug, message, span, help_text, severity))
        self._check_count(span)

    def _check_count(self, span: Span) -> None:
        if len(self._diagnostics) >= MAX_PROBLEMS:
            message = f"there are more than {MAX_PROBLEMS} problems; the rest of the file is not read"
            self._stop("too-many-problems", message, span, "mend those above first")

    def _stop(self, slug: str, message: str, span: Span, help_text: str) -> NoReturn:
        self._diagnostics.error(slug, message, span, help_text)
        raise TooMuchError

    # Limits

    def too_many_nodes(self, at: Position) -> NoReturn:
        self._stop(
            "too-many-nodes",
            f"the file holds more than {MAX_NODES:,} values; reading ends here",
            Span(self._path, at, at),
            "split it into several workflows, or keep large data in S3 and pass its place",
        )

    def too_deep(self, span: Span) -> NoReturn:
        self._stop(
            "too-deep",
            f"values are nested more than {MAX_DEPTH} levels deep; reading ends here",
            span,
            "move the inner steps to a workflow of their own and call it with `workflow:`",
        )

    def alias_bomb(self, span: Span) -> NoReturn:
        self._stop(
            "alias-bomb",
            f"with its aliases written out the file holds over {MAX_NODES:,} values; reading ends here",
            span,
            "repeat less by aliases; keep large data in S3 and pass its place",
        )

    # The file

    def empty(self) -> None:
        start = Position(1, 1)
        help_text = "a workflow begins with `name:` and has `steps:`"
        self._report("empty-file", "the file is empty", Span(self._path, start, start), help_text)

    def several_documents(self, start: Position) -> None:
        self._report(
            "several-documents",
            "a second document begins here, but a file holds one",
            Span(self._path, start, Position(start.line, start.column + 3)),
            "move what follows to a file of its own, or remove the `---`",
        )

    # Values

    def tag(self, tag: str, tagged_text: str, span: Span) -> None:
        standard = tag.removeprefix(_STANDARD_TAG) if tag.startswith(_STANDARD_TAG) else ""
        shown = shortened(f"!!{standard}" if standard else tag)
        if standard in _SCALAR_TAGS:
            help_text = 'remove it; quote a value to make it text, as in "1"'
        else:
            example = quoted(shortened(" ".join(tagged_text.split())))
            help_text = f"remove it; a text that begins with `!` is quoted: {example}"
        self._report("yaml-tag", f"tags such as `{shown}` have no meaning in a workflow", span, help_text)

    def no_json_number(self, text: str, span: Span) -> None:
        message = f"{shortened(text)} is no number that JSON has, so no state can hold it"
        self._report("not-a-json-number", message, span, "quote it to make it text, or write a number in digits")

    def leading_zero(self, text: str, value: Scalar, span: Span) -> None:
        self._report(
            "leading-zero",
            f"{shortened(text)} is read as the number {value}, without its leading zero",
            span,
            f"quote it to keep the zero: {quoted(shortened(text))}",
            warn=True,
        )

    def unquoted_template(self, text: str, span: Span) -> None:
        if not self.muted:
            report_unquoted(text, span, self._diagnostics)
            self._check_count(span)

    # Aliases

    def unknown_alias(self, name: str, known: Iterable[str], span: Span) -> None:
        otherwise = "an unquoted `*` begins an alias; quote a text that begins with it"
        message = f"no value before this is anchored as `&{shortened(name)}`"
        self._report("yaml-alias", message, span, did_you_mean(name, known, otherwise))

    def endless_alias(self, name: str, span: Span) -> None:
        message = f"`*{shortened(name)}` stands inside the value that it names, so it has no end"
        self._report("yaml-alias", message, span, "write the inner value out")

    def nothing_to_merge(self, span: Span) -> None:
        self._report(
            "merge-key",
            "`<<` merges mappings, but this is none",
            span,
            'give an alias of a mapping, as in `<<: *common`; quote a key "<<" that is meant as text',
        )

    # Keys

    def duplicate_key(self, first: Entry, span: Span) -> None:
        self._report(
            "duplicate-key",
            f'"{shortened(first.key)}" is already in this mapping, on line {first.key_span.start.line}',
            span,
            "keep one of the two",
        )

    def scalar_as_key(self, text: str, value: Scalar, span: Span) -> None:
        if not text:
            message = "the key before this colon is missing"
            self._report("key-not-text", message, span, "write a key, or quote a text that begins with a colon")
            return
        match value:
            case None:
                kind = "null"
            case bool():
                kind = "a boolean"
            case _:
                kind = "a number"
        message = f"a key is text, but {shortened(text)} is {kind}"
        self._report("key-not-text", message, span, f"quote it: {quoted(shortened(text))}")

    def node_as_key(self, node: Node, span: Span) -> None:
        match node:
            case ScalarNode():
                what = "this is none"
            case SequenceNode():
                what = "this is a list"
            case MappingNode():
                what = "this is a mapping"
        self._report("key-not-text", f"a key is text, but {what}", span, "write a text as the key")


def shortened(text: str, most: int = 60) -> str:
    """`text`, cut to `most` characters where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
