"""Bytes to text: size, encoding and what is no text at all. Opens no file; the path is only shown."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

from stepsmith.diagnostics import Diagnostics
from stepsmith.loading.limits import MAX_BYTES
from stepsmith.source import Position, SourceFile, Span

_SAVE_AS_UTF8 = "save the file as UTF-8"

# The marks of UTF-32 come first: the one of UTF-16 LE begins the one of UTF-32 LE.
_BYTE_ORDER_MARKS = (
    (BOM_UTF32_LE, "UTF-32"),
    (BOM_UTF32_BE, "UTF-32"),
    (BOM_UTF16_LE, "UTF-16"),
    (BOM_UTF16_BE, "UTF-16"),
)

_SAMPLE = 1024


def read_source(path_shown: str, data: bytes, diagnostics: Diagnostics) -> SourceFile | None:
    """The text of a file, or None and one diagnostic when `data` is too large or no UTF-8 text.

    A byte order mark of UTF-8 is accepted and is not part of the text.
    """
    start = Position(1, 1)
    whole = Span(path_shown, start, start)
    if len(data) > MAX_BYTES:
        diagnostics.error(
            "file-too-large",
            f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB, so it is not read",
            whole,
            "split the workflow and call the parts with `workflow:`; AWS takes definitions of 1 MiB at most",
        )
        return None
    if foreign := _foreign_encoding(data):
        diagnostics.error("not-utf8", f"the file is {foreign}, not UTF-8", whole, _SAVE_AS_UTF8)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _report_undecodable(path_shown, data, error, diagnostics)
        return None
    if "\0" in text:
        at = SourceFile(path_shown, text).position(text.index("\0"))
        diagnostics.error(
            "binary-file",
            "the file holds a NUL character, so it is no text",
            Span(path_shown, at, Position(at.line, at.column + 1)),
            "give a workflow in YAML or JSON, saved as UTF-8 text",
        )
        return None
    return SourceFile(path_shown, text)


def _foreign_encoding(data: bytes) -> str:
    """The name of the encoding when it is plainly UTF-16 or UTF-32, else the empty text."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    sample = data[:_SAMPLE]
    if len(sample) < 4:
        return ""
    # Text in Latin letters has a NUL in every other byte of UTF-16; its other bytes have none.
    for with_nul, without in ((sample[1::2], sample[::2]), (sample[::2], sample[1::2])):
        if with_nul.count(0) > 0.6 * len(with_nul) and without.count(0) == 0:
            return "UTF-16"
    return ""


def _report_undecodable(path: str, data: bytes, error: UnicodeDecodeError, diagnostics: Diagnostics) -> None:
    # "utf-8-sig" counts its offsets after the mark, plain "utf-8" does not.
    body = data.removeprefix(BOM_UTF8)
    before = body[: error.start].decode("utf-8", errors="replace")
    at = SourceFile(path, before).position(len(before))
    byte = body[error.start]
    span = Span(path, at, Position(at.line, at.column + 1))
    if b"\0" in data:
        message = "the file holds bytes that are no text"
        diagnostics.error("binary-file", message, span, "give a workflow in YAML or JSON, saved as UTF-8 text")
        return
    help_text = _SAVE_AS_UTF8
    guess = bytes([byte]).decode("cp1252", errors="replace")
    if guess.isprintable() and guess != "\N{REPLACEMENT CHARACTER}":
        help_text = f'{_SAVE_AS_UTF8}; in Windows-1252 or Latin-1 this byte would be "{guess}"'
    diagnostics.error("not-utf8", f"the byte 0x{byte:02X} is not valid UTF-8", span, help_text)
