"""Builds a `Document` from YAML events, bottom up and without recursion.

Finds what YAML allows but a workflow may not hold. Reading goes on after a problem wherever the events do, so
that one run shows all of them. Only a syntax error or a limit ends it; then there is no document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TypeAlias

from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Document, Entry, MappingNode, Node, Scalar, ScalarNode, SequenceNode
from stepsmith.garbage import uncollected
from stepsmith.loading.events import PARSERS, Mark, ParserFactory, end_of, start_of
from stepsmith.loading.limits import MAX_DEPTH, MAX_NODES
from stepsmith.loading.marks import ParserText
from stepsmith.loading.problems import Problems, TooMuchError
from stepsmith.loading.scalars import loses_leading_zero, resolve
from stepsmith.loading.syntax import report_syntax_error
from stepsmith.source import Position, SourceFile, Span

_MERGE_KEY = "<<"


def load_document(source: SourceFile, diagnostics: Diagnostics, parser: ParserFactory = PARSERS[0]) -> Document | None:
    """The document in `source`, or None when it cannot be read to its end.

    A document is returned beside errors that leave its shape clear (a duplicate key, a tag), so that later
    stages can report theirs in the same run. `parser` is the reader of the YAML syntax.
    """
    text = ParserText.of(source, diagnostics)
    if text is None:
        return None
    found, broken = Diagnostics(), Diagnostics()
    root: Node | None = None
    try:
        with uncollected():
            root = _Builder(text, Problems(source.path, found)).read(parser)
    except TooMuchError:
        pass
    except (YAMLError, ValueError, OverflowError) as error:
        # The pure parser lets an escape such as "\UFFFFFFFF" reach chr().
        report_syntax_error(error, source, text, broken)
    # What the syntax error says of a place says more than what the events before it did: `{{ a }} > 1`.
    said = {(diagnostic.slug, diagnostic.span.start) for diagnostic in broken}
    diagnostics.extend(diagnostic for diagnostic in found if (diagnostic.slug, diagnostic.span.start) not in said)
    diagnostics.extend(broken)
    return Document(root, source) if root is not None else None


@dataclass(slots=True)
class _Sequence:
    """A list whose end has not come yet."""

    start: Mark
    flow: bool
    anchor: str | None
    count_before: int
    items: list[Node] = field(default_factory=list)
    dashes: list[Span] = field(default_factory=list)
    height: int = 1


@dataclass(slots=True)
class _Mapping:
    """A mapping whose end has not come yet. `key` is None while a key is awaited."""

    start: Mark
    flow: bool
    anchor: str | None
    count_before: int
    template: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    key: _Key | None = None
    height: int = 1


@dataclass(slots=True)
class _Key:
    """A key whose value has not come yet; `kept` is false where the entry is dropped after a problem."""

    text: str
    span: Span
    kept: bool = True
    merges: bool = False


_Open: TypeAlias = _Sequence | _Mapping


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an alias stands for, with the nodes and levels that it adds."""

    node: Node
    count: int
    height: int


class _Builder:
    def __init__(self, text: ParserText, problems: Problems) -> None:
        self._text = text
        self._position = text.position
        self._path = text.source.path
        self._problems = problems
        self._stack: list[_Open] = []
        self._root: Node | None = None
        # None while the value that has the anchor is still open.
        self._anchors: dict[str, _Anchored | None] = {}
        self._count = 0
        self._end = Position(1, 1)

    def read(self, parser: ParserFactory) -> Node | None:
        """The root of the only document; raises `YAMLError` on bad syntax and `TooMuchError` at a limit."""
        events = parser(self._text.text)
        documents = 0
        while (event := events.get_event()) is not None:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._open(event)
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                self._close(event)
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._problems.several_documents(self._position(start_of(event)))
                    break
        if self._root is None or _is_nothing(self._root):
            if documents < 2:
                self._problems.empty()
            return None
        return self._root

    # Events

    def _scalar(self, event: ScalarEvent) -> None:
        start_mark, end_mark = start_of(event), end_of(event)
        self._count_node(start_mark)
        start, style = self._position(start_mark), event.style
        if style in ("|", ">"):
            self._end = self._text.end_of_block(start_mark, end_mark)
        else:
            self._end = self._position(end_mark)
        span = Span(self._path, start, self._end)
        if event.tag is not None:
            self._tag(event, event.tag)
        text, plain = event.value, not style
        top = self._stack[-1] if self._stack else None
        if isinstance(top, _Mapping) and top.key is None:
            self._scalar_key(top, text, span, plain=plain)
            node = ScalarNode(text, span, plain)
        else:
            node = ScalarNode(self._resolved(text, span) if plain else text, span, plain)
            self._attach(node, start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, 1, 0)

    def _resolved(self, text: str, span: Span) -> Scalar:
        value = resolve(text)
        if isinstance(value, str):
            return value
        if isinstance(value, float) and not isfinite(value):
            self._problems.no_json_number(text, span)
            return text
        if loses_leading_zero(text):
            self._problems.leading_zero(text, value, span)
        return value

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        start = start_of(event)
        self._count_node(start)
        self._check_depth(1, event)
        if event.tag is not None:
            self._tag(event, event.tag)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        flow = bool(event.flow_style)
        if isinstance(event, SequenceStartEvent):
            self._stack.append(_Sequence(start, flow, anchor, self._count))
            return
        template = flow and self._text.at(start, 2) == "{{"
        # Inside the braces of a template nothing else is worth saying.
        self._problems.muted += template
        self._stack.append(_Mapping(start, flow, anchor, self._count, template))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        closed = self._stack.pop()
        if closed.flow:
            self._end = self._position(end_of(event))
        # The end mark of a block collection lies where the next token begins, past blank lines and comments.
        span = Span(self._path, self._position(closed.start), self._end)
        node: Node
        if isinstance(closed, _Sequence):
            node = SequenceNode(tuple(closed.items), span, tuple(closed.dashes))
        else:
            node = MappingNode(tuple(closed.entries.values()), span)
            if closed.template:
                self._problems.muted -= 1
                node = self._template_or(node, closed, event)
        if self._stack:
            parent = self._stack[-1]
            parent.height = max(parent.height, closed.height + 1)
        if closed.anchor is not None:
            self._anchors[closed.anchor] = _Anchored(node, self._count - closed.count_before + 1, closed.height)
        self._attach(node, closed.start)

    def _template_or(self, node: MappingNode, closed: _Mapping, event: Event) -> Node:
        """For `{{ … }}` its text, so that later stages read on as if it were quoted; else `node`."""
        written = self._text.between(closed.start, end_of(event))
        if not written.endswith("}}"):
            # `{{a: b}: c}`: its complaint about the key was muted.
            self._problems.node_as_key(node, node.span)
            return node
        self._problems.unquoted_template(written, node.span)
        return ScalarNode(written, node.span, plain=True)

    def _alias(self, event: AliasEvent) -> None:
        start = start_of(event)
        self._count_node(start)
        name = event.anchor or ""
        span = Span(self._path, self._position(start), self._position(end_of(event)))
        self._end = span.end
        anchored = self._anchors.get(name)
        if anchored is None:
            if name in self._anchors:
                self._problems.endless_alias(name, span)
            else:
                self._problems.unknown_alias(name, self._anchors, span)
            self._attach(ScalarNode(None, span), start)
            return
        self._check_depth(anchored.height, event)
        self._count += anchored.count - 1
        if self._count > MAX_NODES:
            self._problems.alias_bomb(span)
        if self._stack:
            parent = self._stack[-1]
            parent.height = max(parent.height, anchored.height + 1)
        self._attach(anchored.node, start, span)

    def _tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, tag: str) -> None:
        start = start_of(event)
        written = self._text.between(start, end_of(event))
        self._problems.tag(tag, written[max(written.find("!"), 0) :], self._text.tag_span(start))

    def _count_node(self, start: Mark) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self._problems.too_many_nodes(self._position(start))

    def _check_depth(self, height: int, event: Event) -> None:
        if len(self._stack) + height > MAX_DEPTH:
            start, end = self._position(start_of(event)), self._position(end_of(event))
            self._problems.too_deep(Span(self._path, start, end))

    # Into the collection that is open

    def _attach(self, node: Node, start: Mark, span: Span | None = None) -> None:
        """Puts a finished node where it belongs; `span` is its place here where an alias brought it."""
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        if isinstance(top, _Sequence):
            top.items.append(node)
            top.dashes.append((span or node.span) if top.flow else self._text.dash(start))
            return
        key, top.key = top.key, None
        if key is None:
            self._node_key(top, node, span or node.span)
        elif key.merges:
            self._merge(top, key, node)
        elif key.kept:
            top.entries[key.text] = Entry(key.text, key.span, node)

    def _scalar_key(self, top: _Mapping, text: str, span: Span, *, plain: bool) -> None:
        key = top.key = _Key(text, span)
        if plain:
            if text == _MERGE_KEY:
                key.merges = True
                return
            value = resolve(text)
            if not isinstance(value, str):
                self._problems.scalar_as_key(text, value, span)
        first = top.entries.get(text)
        if first is None:
            return
        if text in top.merged:
            # What is written in the mapping wins over what is merged into it.
            top.merged.discard(text)
            return
        key.kept = False
        self._problems.duplicate_key(first, span)

    def _node_key(self, top: _Mapping, node: Node, span: Span) -> None:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            self._scalar_key(top, node.value, span, plain=False)
            return
        top.key = _Key("", span, kept=False)
        self._problems.node_as_key(node, span)

    def _merge(self, top: _Mapping, key: _Key, node: Node) -> None:
        for merged in node.items if isinstance(node, SequenceNode) else (node,):
            # Nothing to merge; an alias of nothing has been reported.
            if isinstance(merged, ScalarNode) and merged.value is None:
                continue
            if not isinstance(merged, MappingNode):
                self._problems.nothing_to_merge(key.span)
                return
            for entry in merged.entries:
                if entry.key not in top.entries:
                    top.entries[entry.key] = entry
                    top.merged.add(entry.key)


def _is_nothing(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value is None and root.span.start == root.span.end
