"""The languages that workflows are written in: each reads a document into the one model."""

from __future__ import annotations

from typing import Protocol

from stepsmith.diagnostics import Diagnostics
from stepsmith.dialects.native.workflow import NativeDialect
from stepsmith.document import Document
from stepsmith.model.workflow import Workflow


class Dialect(Protocol):
    """A front end: tells whether a document is its own, and reads it."""

    name: str

    def recognises(self, document: Document) -> bool: ...

    def read(self, document: Document, diagnostics: Diagnostics) -> Workflow | None: ...


DIALECTS: tuple[Dialect, ...] = (NativeDialect(),)
"""In the order in which they are asked; the native one takes what no other wants."""


def read_workflow(document: Document, diagnostics: Diagnostics) -> Workflow | None:
    """The workflow that the document describes, or None when too little of it could be read."""
    dialect = next((item for item in DIALECTS if item.recognises(document)), DIALECTS[-1])
    return dialect.read(document, diagnostics)
