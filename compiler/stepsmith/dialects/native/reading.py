"""What every reader of the native language needs: the diagnostics, typed access to mappings, values with templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.document import Entry, MappingNode, Node, ScalarNode, SequenceNode
from stepsmith.durations import DurationError, parse_duration
from stepsmith.expressions.syntax import Template, parse_condition, parse_template
from stepsmith.model.values import Field, ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.source import SourceFile, Span

IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
ROOTS: Final = ("input", "steps", "vars", "run", "env", "secrets", "error", "output", "event")
"""What an expression may read; no variable or loop name may hide one."""


@dataclass
class Reader:
    """The state of reading one document."""

    source: SourceFile
    diagnostics: Diagnostics
    ids: dict[str, Span] = field(default_factory=dict)
    """Every id given so far, and where."""
    reserved: frozenset[str] = frozenset()
    """Ids that authors wrote themselves anywhere in the file: defaults keep clear of them."""
    numbers: dict[str, int] = field(default_factory=dict)
    """By the stem of default ids: the last number given."""

    # -- mappings ---------------------------------------------------------------------------------

    def mapping(self, node: Node, noun: str, help: str = "") -> MappingNode | None:  # noqa: A002
        if isinstance(node, MappingNode):
            return node
        self.wrong_shape(node, noun, "a mapping", help)
        return None

    def known_keys(self, node: MappingNode, known: Iterable[str], noun: str) -> None:
        """Reports the keys of `node` that `noun` does not have."""
        names = tuple(known)
        for entry in node.entries:
            if entry.key not in names:
                self.diagnostics.error(
                    "unknown-key",
                    f'{noun} has no key "{entry.key}"',
                    entry.key_span,
                    _cut_text(entry) or did_you_mean(entry.key, names, f"known keys: {one_of(names, 30)}"),
                )

    def wrong_shape(self, node: Node, noun: str, wanted: str, help: str = "") -> None:  # noqa: A002
        self.diagnostics.error("wrong-shape", f"{noun} must be {wanted}, not {describe(node)}", node.span, help)

    # -- scalars ----------------------------------------------------------------------------------

    def text(self, node: Node, noun: str) -> str | None:
        """A text that may not hold a template."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            quoted = isinstance(node, ScalarNode) and node.value is not None
            self.wrong_shape(node, noun, "text", f'write it in quotes: "{node.value}"' if quoted else "")  # type: ignore[union-attr]
            return None
        return None if self.refuse_template(node, noun) else node.value

    def whole(self, node: Node, noun: str, least: int, most: int | None = None) -> int | None:
        """A whole number of at least `least` (and at most `most`)."""
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong_shape(node, noun, "a whole number")
            return None
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            nearest = least if value < least or most is None else most
            message = f"{noun} must be {limits}, not {value}"
            self.diagnostics.error("bad-number", message, node.span, f"write {nearest}")
            return None
        return value

    def duration(self, node: Node, noun: str, least: int = 1, most: int = 99_999_999) -> int | None:
        """A duration in whole seconds."""
        if isinstance(node, ScalarNode) and self.refuse_template(node, noun):
            return None
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong_shape(node, noun, "a duration such as 30s or 1h30m")
            return None
        try:
            seconds = parse_duration(value)
        except DurationError as error:
            self.diagnostics.error("bad-duration", f"{noun}: {error.message}", node.span, error.help)
            return None
        if not least <= seconds <= most:
            self.diagnostics.error(
                "bad-duration", f"{noun} must be from {least} to {most} seconds, not {seconds}", node.span
            )
            return None
        return seconds

    def choice(self, node: Node, noun: str, allowed: Iterable[str]) -> str | None:
        """One of some words."""
        words = tuple(allowed)
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, str) and value in words:
            return value
        help = did_you_mean(value, words, f"write one of {one_of(words)}") if isinstance(value, str) else ""  # noqa: A001
        shown = f'"{value}"' if isinstance(value, str) else describe(node)
        self.diagnostics.error(
            "bad-choice",
            f"{noun} must be {' or '.join(words)}, not {shown}",
            node.span,
            help or f"write one of {one_of(words)}",
        )
        return None

    def refuse_template(self, node: ScalarNode, noun: str) -> bool:
        """Reports a template where only a constant may stand."""
        if isinstance(node.value, str) and "{{" in node.value:
            self.diagnostics.error(
                "constant-only",
                f"{noun} can't hold an expression",
                node.span,
                "write the value itself: Step Functions takes only constants here",
            )
            return True
        return False

    def texts(self, node: Node, noun: str) -> tuple[tuple[str, Span], ...]:
        """A list of texts, or a single one."""
        items = node.items if isinstance(node, SequenceNode) else (node,)
        found: list[tuple[str, Span]] = []
        for item in items:
            value = self.text(item, noun)
            if value is not None:
                found.append((value, item.span))
        return tuple(found)

    # -- values -----------------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """Data in which any text may hold templates."""
        match node:
            case ScalarNode():
                template = parse_template(node, self.source, self.diagnostics) if isinstance(node.value, str) else None
                return Templated(template) if template is not None else Literal(node.value, node.span)
            case SequenceNode():
                return ListValue(tuple(self.value(item) for item in node.items), node.span)
            case MappingNode():
                return self.object_value(node)

    def object_value(self, node: MappingNode) -> ObjectValue:
        fields: list[Field] = []
        for entry in node.entries:
            if "{{" in entry.key:
                self.diagnostics.error(
                    "template-key",
                    "a key can't hold an expression",
                    entry.key_span,
                    "Step Functions never evaluates keys; build the object inside one {{ … }}: {{ {name: value} }}",
                )
            fields.append(Field(entry.key, entry.key_span, self.value(entry.value)))
        return ObjectValue(tuple(fields), node.span)

    def condition(self, entry: Entry, noun: str) -> Template | None:
        if not isinstance(entry.value, ScalarNode):
            self.wrong_shape(entry.value, noun, 'a condition such as "{{ input.count > 0 }}"', "quote the template")
            return None
        return parse_condition(entry.value, self.source, self.diagnostics)

    # -- ids --------------------------------------------------------------------------------------

    def explicit_id(self, node: Node) -> str | None:
        """The `id` that an author wrote, checked and registered."""
        value = self.text(node, "id")
        if value is None:
            return None
        if not IDENTIFIER.fullmatch(value):
            self.diagnostics.error(
                "bad-id",
                f'"{value}" is no id: a lower-case letter, then at most 62 lower-case letters, digits, "_" or "-"',
                node.span,
                f'write "{slug(value)}"' if slug(value) else "",
            )
            return None
        if value in self.ids:
            first = self.ids[value].start.line
            self.diagnostics.error(
                "duplicate-id",
                f'the id "{value}" is taken by the step in line {first}',
                node.span,
                "give one of them another id",
            )
            return None
        self.ids[value] = node.span
        return value

    def default_id(self, base: str, span: Span) -> str:
        """An id for a step without one: `base`, with `_2`, `_3` … when taken."""
        stem = slug(base) or "step"
        name, number = stem, self.numbers.get(stem, 1)
        while name in self.ids or name in self.reserved:
            number += 1
            name = f"{stem[: 62 - len(str(number))]}_{number}"
        self.numbers[stem] = number
        self.ids[name] = span
        return name


def _cut_text(entry: Entry) -> str:
    """What to say of a "key" that is the rest of a text with a comma in it."""
    empty = isinstance(entry.value, ScalarNode) and entry.value.value is None
    if not empty or " " not in entry.key.strip():
        return ""
    return "inside { } a comma ends a value: put the whole text in quotes"


def slug(text: str) -> str:
    """`text` as an id: lower case, other characters as `_`; empty when nothing is left."""
    cleaned = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")
    return re.sub(r"^[^a-z]+", "", cleaned)[:63]


def describe(node: Node) -> str:
    """What a node is, in words for a message."""
    match node:
        case MappingNode():
            return "a mapping"
        case SequenceNode():
            return "a list"
        case ScalarNode(value=None):
            return "nothing"
        case ScalarNode(value=bool()):
            return "true or false"
        case ScalarNode(value=int() | float()):
            return f"the number {node.value}"
        case ScalarNode():
            shown = str(node.value)
            return f'"{shown}"' if len(shown) <= 40 else "text"
