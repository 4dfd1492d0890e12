"""Files under the deployment's allowed roots, reached so that no path and no symlink leads outside.

Every component is opened from the folder before it and never through a symlink (`openat` with O_NOFOLLOW),
so that swapping a folder for a link between the check and the use gains nothing. It refuses what is no
regular file.
"""
# ruff: noqa: N818 - these names are part of the contract with workflows

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from stepsmith_functions.runtime.errors import PermanentError, TransientError

CHUNK = 1 << 20

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileMissing(PermanentError):
    """There is no such file or object."""


class PathNotAllowed(PermanentError):
    """The path is outside the allowed roots, leads through a symlink or is no regular file."""


class FileExists(PermanentError):
    """Something else stands where the file should go."""


class FileChanged(TransientError):
    """The file was replaced or written to while the action worked on it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path below an allowed root: `parts` are plain names, the last one the file's."""

    root: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        return os.path.join(self.root, *self.parts)

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def folder(self) -> tuple[str, ...]:
        return self.parts[:-1]


def place_of(path: str, roots: tuple[str, ...], *, or_root: bool = False) -> Place:
    """Where `path` stands below one of `roots`; a relative path stands below the first. Touches no file.

    With `or_root` the path may be a root itself, which is a place without parts. Raises PathNotAllowed for a path
    outside, one with `..`, and where no root is configured.
    """
    if not roots:
        raise PathNotAllowed("this deployment allows no files (FILE_ROOTS is empty)")
    if "\0" in path or any(part == ".." for part in path.split("/")):
        raise PathNotAllowed("the path holds '..' or a NUL")
    for root in roots:
        for spelling in (os.path.abspath(root), os.path.realpath(root)):
            inside = os.path.join(spelling, path) if root == roots[0] else path
            parts = _below(inside, spelling)
            if parts or (or_root and parts is not None):
                return Place(os.path.realpath(root), parts)
    raise PathNotAllowed("the path is outside the allowed roots")


def _below(path: str, root: str) -> tuple[str, ...] | None:
    """The names between `root` and `path`, none for the root itself; None for a path outside."""
    prefix = root.rstrip("/") + "/"
    if not (path + "/").startswith(prefix):
        return None
    return tuple(part for part in path[len(prefix) :].split("/") if part not in ("", "."))


@contextmanager
def folder(root: str, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder `parts` below `root`; `create` makes what is missing, for its owner only.

    Raises PathNotAllowed where a component is a symlink or no folder, FileMissing where it does not exist.
    """
    descriptor = -1
    try:
        try:
            descriptor = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                inner = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
        except OSError as error:
            raise _refusal(error, "/".join(parts) or root) from None
        yield descriptor
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def regular_file(parent: int, name: str) -> Iterator[int]:
    """A descriptor for reading the regular file `name` in the folder `parent`.

    Raises FileMissing, or PathNotAllowed for a symlink, folder, device or pipe.
    """
    try:
        descriptor = os.open(name, _FILE, dir_fd=parent)
    except OSError as error:
        raise _refusal(error, name) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PathNotAllowed(f"{name!r} is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def _refusal(error: OSError, name: str) -> PathNotAllowed | FileMissing:
    if error.errno == errno.ENOENT:
        return FileMissing(f"there is no {name!r}")
    if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
        return PathNotAllowed(f"{name!r} is or leads through a symlink or a file")
    return PathNotAllowed(f"{name!r} cannot be opened ({errno.errorcode.get(error.errno or 0, 'unknown')})")


@contextmanager
def writing() -> Iterator[None]:
    """A block that changes folders. Raises PathNotAllowed where the function's user may not."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise PathNotAllowed(f"the folder cannot be written ({errno.errorcode[error.errno]})") from None


def sha256_of(descriptor: int) -> str:
    """The SHA-256 of a file's content from its beginning, in hexadecimal."""
    digest = hashlib.sha256()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while chunk := os.read(descriptor, CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def copy_content(source: int, target: int) -> str:
    """Writes `source` from its beginning to `target`, down to the disk; returns the SHA-256 of what was
    written.
    """
    digest = hashlib.sha256()
    os.lseek(source, 0, os.SEEK_SET)
    while chunk := os.read(source, CHUNK):
        digest.update(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(target, rest) :]
    os.fsync(target)
    return digest.hexdigest()


def write_atomically(parent: int, name: str, content: bytes, mode: int = 0o600) -> None:
    """Puts `content` under `name` in the folder `parent`: the old file or the new one, never a part."""
    partial = f".{name}.{os.getpid()}.partial"
    descriptor = os.open(
        partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent
    )
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
    os.fsync(parent)


def read_small(parent: int, name: str, limit: int = 1 << 20) -> bytes | None:
    """The content of a small regular file in the folder `parent`, None if there is none."""
    try:
        with regular_file(parent, name) as descriptor:
            return os.read(descriptor, limit)
    except FileMissing:
        return None


def give_name(source: int, old: str, target: int, new: str) -> None:
    """Renames without ever replacing. Raises FileExists where something stands already."""
    try:
        os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        raise FileExists("something else stands there") from None
    os.unlink(old, dir_fd=source)
    os.fsync(target)


def remove(parent: int, name: str, expected: os.stat_result) -> None:
    """Removes `name` if it still is the file of `expected`; raises FileChanged, and keeps it, otherwise."""
    aside = f".{name[:200]}.{os.getpid()}.removing"
    try:
        os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=parent)
    except FileNotFoundError:
        return
    found = os.stat(aside, dir_fd=parent, follow_symlinks=False)
    if not same(found, expected) or (found.st_size, found.st_mtime_ns) != (
        expected.st_size,
        expected.st_mtime_ns,
    ):
        put_back(parent, aside, parent, name)
        raise FileChanged("the file was replaced or written to")
    os.unlink(aside, dir_fd=parent)
    os.fsync(parent)


def put_back(source: int, old: str, target: int, new: str) -> None:
    """Renames unless something stands there by now."""
    with suppress(FileExists):
        give_name(source, old, target, new)


def same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether both are the same file under whatever name."""
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
