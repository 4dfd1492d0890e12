"""A bundle of YARA rules: one text, or a .zip or .tar.gz archive of .yar and .yara files.

It may come from anywhere, so it is read in memory only and within limits: no name in an archive ever becomes a path,
and nothing is unpacked further than the limits allow. Whether the rules mean anything is not decided here.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from stepsmith_functions.runtime.errors import PermanentError

Sources: TypeAlias = Mapping[str, str]
"""The texts of rules by the names of their files."""

PACKAGED: Final = Path(__file__).parents[2] / "rules"
LARGEST_BUNDLE: Final = 16 << 20
"""Bytes, packed."""
LARGEST_CONTENT: Final = 64 << 20
"""Bytes, unpacked and all files together."""
MOST_FILES: Final = 5000
_SUFFIXES: Final = (".yar", ".yara")


class RulesInvalid(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The rules cannot be read, are not whole or do not compile within the limits."""


def sources_of(bundle: bytes) -> Sources:
    """The rules in `bundle`. Raises RulesInvalid for what is no bundle, exceeds a limit or names a hostile path."""
    if len(bundle) > LARGEST_BUNDLE:
        raise RulesInvalid(f"the bundle is larger than {LARGEST_BUNDLE} bytes")
    if bundle[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        members = _zipped(bundle)
    elif bundle[:2] == b"\x1f\x8b":
        members = _tarred(_unpacked(bundle))
    else:
        members = iter([("rules.yar", bundle)])
    found: dict[str, str] = {}
    for name, content in members:
        if name in found:
            raise RulesInvalid(f"the archive holds {name!r} twice")
        found[name] = _text(name, content)
    if not found:
        raise RulesInvalid("the archive holds no .yar or .yara file")
    return found


def packaged(folder: Path = PACKAGED) -> bytes:
    """The rules that ship with the code as a bundle: the same bytes for the same rules."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.glob("*.yar")):
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return packed.getvalue()


def _text(name: str, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise RulesInvalid(f"{name} is no text in UTF-8") from None
    if "\0" in text:
        raise RulesInvalid(f"{name} holds a NUL")
    return text


def _zipped(bundle: bytes) -> Iterator[tuple[str, bytes]]:
    left = LARGEST_CONTENT
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            members = archive.infolist()
            _check_count(len(members))
            for member in members:
                # The upper half of the attributes is the Unix mode: a link or a device is refused.
                kind = member.external_attr >> 28
                _check_name(member.filename)
                if member.is_dir() or not member.filename.endswith(_SUFFIXES):
                    continue
                if kind not in (0, 0o10) or member.flag_bits & 1:
                    raise RulesInvalid(f"the archive's {member.filename!r} is encrypted or no regular file")
                # Only these can be unpacked up to a limit: zipfile hands bzip2 and LZMA whole blocks.
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise RulesInvalid(f"the archive's {member.filename!r} is packed by something else than deflate")
                with archive.open(member) as file:
                    # What the member says of its size is not to be trusted.
                    content = file.read(left + 1)
                left -= len(content)
                _check_left(left)
                yield member.filename, content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise RulesInvalid(f"the archive cannot be read ({type(error).__name__})") from None


def _tarred(content: bytes) -> Iterator[tuple[str, bytes]]:
    left = LARGEST_CONTENT
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for count, member in enumerate(archive, 1):
                _check_count(count)
                _check_name(member.name)
                if member.isdir() or not member.name.endswith(_SUFFIXES):
                    continue
                # A sparse file is regular to tarfile and may claim any size.
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if file is None:
                    raise RulesInvalid(f"the archive's {member.name!r} is no regular file")
                with file:
                    text = file.read(left + 1)
                left -= len(text)
                _check_left(left)
                yield member.name, text
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise RulesInvalid(f"the archive cannot be read ({type(error).__name__})") from None


def _unpacked(bundle: bytes) -> bytes:
    """The content of a gzip stream, which is refused as soon as it exceeds the limit."""
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    # Headers of an archive come on top of its files.
    most = LARGEST_CONTENT + MOST_FILES * 1024
    try:
        content = stream.decompress(bundle, most + 1)
    except zlib.error:
        raise RulesInvalid("the archive cannot be read (zlib.error)") from None
    if len(content) > most:
        raise RulesInvalid(f"the archive unpacks to more than {LARGEST_CONTENT} bytes")
    if not stream.eof:
        raise RulesInvalid("the archive ends too early")
    return content


def _check_count(count: int) -> None:
    if count > MOST_FILES:
        raise RulesInvalid(f"the archive holds more than {MOST_FILES} files")


def _check_left(left: int) -> None:
    if left < 0:
        raise RulesInvalid(f"the archive unpacks to more than {LARGEST_CONTENT} bytes")


def _check_name(name: str) -> None:
    """Nothing is written under these names; an archive that holds such a one is hostile all the same."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", name) or not name.isprintable() or len(name) > 500:
        raise RulesInvalid(f"the archive holds a path that leads elsewhere: {name[:100]!r}")
