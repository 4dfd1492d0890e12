"""YAML events with marks, from libyaml's parser where PyYAML has it and from PyYAML's own where it has not.

Only events are used: no constructor runs, so no tag ever makes an object.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from yaml.events import Event, ScalarEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

_SURROGATE = re.compile("[\ud800-\udfff]")


class Mark(Protocol):
    """A place in the parser's text. All count from 0; `index` and `column` count characters."""

    @property
    def index(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class EventParser(Protocol):
    """Gives one event a call and None after the last; raises `yaml.YAMLError` at the first syntax error."""

    def get_event(self) -> Event | None: ...


class ParserFactory(Protocol):
    """Makes a parser of a text."""

    def __call__(self, text: str, /) -> EventParser: ...


class PurePythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser, brought to libyaml's reading of tabs between tokens and of impossible escapes."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        # libyaml takes tabs for blanks wherever they are no indentation; JSON indents with them.
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            self.forward()
            super().scan_to_next_token()

    def get_event(self) -> Event | None:
        event: Event | None = super().get_event()  # type: ignore[no-untyped-call]
        if isinstance(event, ScalarEvent) and event.style == '"' and _SURROGATE.search(event.value):
            problem = "found invalid Unicode character escape code"
            raise ScannerError("while parsing a quoted scalar", None, problem, event.end_mark)  # type: ignore[arg-type]
        return event


try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML was built without libyaml
    _FAST: tuple[ParserFactory, ...] = ()
else:
    _FAST = (CParser,)

PARSERS: Final[tuple[ParserFactory, ...]] = (*_FAST, PurePythonParser)
"""The parsers that are here, the fastest first."""


def start_of(event: Event) -> Mark:
    """Where a parsed event begins. Only an event that no parser made lacks its marks."""
    mark = event.start_mark
    assert mark is not None
    return mark


def end_of(event: Event) -> Mark:
    """Where a parsed event ends."""
    mark = event.end_mark
    assert mark is not None
    return mark
