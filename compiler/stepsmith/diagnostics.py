"""What the compiler tells people: problems as values, collected, so that one run shows them all.

A user's mistake is a `Diagnostic`; an exception means a broken environment or a bug of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from stepsmith.source import Span


class Severity(StrEnum):
    """How much a diagnostic matters. Only errors stop a workflow from compiling."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell an author.

    `slug` names the kind everywhere (module, docs, golden folder); `message` says what is wrong and `help`
    what to write instead.
    """

    slug: str
    message: str
    span: Span
    help: str = ""
    severity: Severity = Severity.ERROR


class Diagnostics:
    """Collects diagnostics while stages run; iterates over them in the order of the file."""

    def __init__(self) -> None:
        self._items: dict[Diagnostic, None] = {}

    def error(self, slug: str, message: str, span: Span, help: str = "") -> None:  # noqa: A002
        self.add(Diagnostic(slug, message, span, help))

    def warning(self, slug: str, message: str, span: Span, help: str = "") -> None:  # noqa: A002
        self.add(Diagnostic(slug, message, span, help, Severity.WARNING))

    def hint(self, slug: str, message: str, span: Span, help: str = "") -> None:  # noqa: A002
        self.add(Diagnostic(slug, message, span, help, Severity.HINT))

    def add(self, diagnostic: Diagnostic) -> None:
        """Keeps `diagnostic`; saying the same thing of the same place twice keeps it once."""
        self._items.setdefault(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    @property
    def has_errors(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self._items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._items, key=lambda d: (d.span, d.slug, d.message)))

    def __len__(self) -> int:
        return len(self._items)


# Comparing with every word takes some microseconds each: fine for the keys of a step, too long for the ids of
# thousands of steps, each misspelt somewhere.
_MOST_COMPARED = 700
_LONGEST_WORD = 100
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A help text that names the known word nearest to `word`, or `otherwise` when none is near.

    Among very many known words only those at one typing mistake count as near.
    """
    if len(word) > _LONGEST_WORD:
        return otherwise
    candidates = set(known)
    if len(candidates) > _MOST_COMPARED:
        nearest = min(candidates.intersection(_one_mistake_from(word)), default=None)
    else:
        folded = {_folded(candidate): candidate for candidate in sorted(candidates)}
        near = get_close_matches(_folded(word), folded, n=1, cutoff=0.6)
        nearest = folded[near[0]] if near else None
    return otherwise if nearest is None else f'did you mean "{nearest}"?'


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")


def _one_mistake_from(word: str) -> Iterator[str]:
    """The words that `word` becomes when one letter is dropped, added, changed or swapped with the next."""
    yield from {word.lower(), word.replace("-", "_"), word.replace("_", "-")} - {word}
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in _LETTERS:
            yield before + letter + after
            yield before + letter + after[1:]


def one_of(words: Iterable[str], most: int = 12) -> str:
    """The words as a readable list, cut after `most` of them."""
    ordered = sorted(words)
    shown = ", ".join(ordered[:most])
    return f"{shown}, … ({len(ordered) - most} more)" if len(ordered) > most else shown
