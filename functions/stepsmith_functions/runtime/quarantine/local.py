"""Quarantine of local files: into a folder under an allowed root, and back.

`<root>/.quarantine/` holds the manifests and, unless another folder is asked for, the contents. A file is
moved by an atomic rename; where that is impossible (another file system, several hard links) it is copied,
verified and then removed. At any moment the file is in its place or in quarantine, and a repeated call
carries on where one ended.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from stepsmith_functions.runtime import files
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.files import FileChanged, FileMissing, PathNotAllowed, Place
from stepsmith_functions.runtime.quarantine.manifest import (
    AlreadyQuarantined,
    FileManifest,
    QuarantineDamaged,
    QuarantineMissing,
    digest_of,
    quarantine_id,
)

LEDGER = (".quarantine",)
ORIGINS = (*LEDGER, "origins")
"""Which id each quarantined path has, by the digest of the path."""
LOCKED = 0o400
"""Mode of a file in quarantine: its owner may read it, nobody may run or change it."""


def put(place: Place, directory: str | None, context: ActionContext) -> FileManifest:
    """Takes the file at `place` into quarantine; `directory` is where to, under the file's root or absolute.

    Raises FileMissing, PathNotAllowed, AlreadyQuarantined (by another step), FileChanged.
    """
    store = _store(place, directory, context)
    if place.parts[:1] == LEDGER or (place.root == store.root and place.folder == store.parts):
        raise AlreadyQuarantined("the path is inside the quarantine")
    identity = quarantine_id("file", place.path, context)
    with (
        files.writing(),
        files.folder(place.root, LEDGER, create=True) as ledger,
        files.folder(store.root, store.parts, create=True) as kept,
    ):
        own = FileManifest.read(files.read_small(ledger, f"{identity}.json"))
        if own and not own.restored_at and _exists(kept, identity):
            _finish(place, own, kept)
            return own
        try:
            with (
                files.folder(place.root, place.folder) as parent,
                files.regular_file(parent, place.name) as source,
            ):
                manifest = _described(place, store, identity, source, context)
                files.write_atomically(ledger, f"{identity}.json", manifest.written())
                moved = _move(parent, place.name, source, kept, identity)
                manifest = _verified(manifest, source, ledger) if moved else manifest
        except FileMissing:
            if own is None:
                _drop(ledger, f"{identity}.json")
            _refuse_quarantined(place, ledger)
            raise
        _remember(place, identity)
    return manifest


def take_back(identity: str, context: ActionContext) -> FileManifest:
    """Puts the file `identity` back where it came from, with its mode and time.

    Raises QuarantineMissing, QuarantineDamaged, FileExists, PathNotAllowed, and FileMissing where the folder of the
    content or the origin's root is not there, such as a mount. A second call by the same step finds the file restored
    and says so.
    """
    for root in map(os.path.realpath, context.settings.file_roots):
        manifest = _manifest(root, identity)
        if manifest:
            with files.folder(root, LEDGER) as ledger:
                return _taken_back(manifest, ledger, context)
    raise QuarantineMissing(f"nothing is in quarantine as {identity}")


def _manifest(root: str, identity: str) -> FileManifest | None:
    with suppress(FileMissing), files.folder(root, LEDGER) as ledger:
        return FileManifest.read(files.read_small(ledger, f"{identity}.json"))
    return None


def _taken_back(manifest: FileManifest, ledger: int, context: ActionContext) -> FileManifest:
    operation = context.operation_id()
    if manifest.restored_at:
        if manifest.restored_by == operation and context.run_id:
            return manifest
        raise QuarantineMissing(f"{manifest.quarantine_id} has been restored already")
    place = files.place_of(manifest.origin, context.settings.file_roots)
    files.place_of(os.path.join(manifest.store_root, *manifest.store_parts, "x"), context.settings.file_roots)
    with (
        files.writing(),
        files.folder(manifest.store_root, manifest.store_parts) as kept,
        files.folder(place.root, place.folder, create=True) as parent,
    ):
        try:
            with files.regular_file(kept, manifest.quarantine_id) as content:
                if files.sha256_of(content) != manifest.sha256:
                    raise QuarantineDamaged(f"{manifest.quarantine_id} is not what was put there")
                _return(kept, content, parent, place.name, manifest)
        except FileMissing:
            # A first try may have ended between putting the file back and writing that down.
            if not _is_back(parent, place.name, manifest):
                raise QuarantineMissing(f"the content of {manifest.quarantine_id} is gone") from None
        back = manifest.model_copy(update={"restored_at": context.clock.now().isoformat(), "restored_by": operation})
        files.write_atomically(ledger, f"{manifest.quarantine_id}.json", back.written())
    with files.folder(place.root, ORIGINS, create=True) as origins:
        _drop(origins, digest_of(place.path))
    return back


class _Store:
    """The folder that holds contents."""

    def __init__(self, root: str, parts: tuple[str, ...]) -> None:
        self.root, self.parts = root, parts


def _store(place: Place, directory: str | None, context: ActionContext) -> _Store:
    if directory is None:
        return _Store(place.root, LEDGER)
    roots = context.settings.file_roots
    found = files.place_of(directory, roots if os.path.isabs(directory) else (place.root,))
    return _Store(found.root, found.parts)


def _described(place: Place, store: _Store, identity: str, source: int, context: ActionContext) -> FileManifest:
    info = os.fstat(source)
    return FileManifest(
        quarantine_id=identity,
        origin=place.path,
        kept_at=os.path.join(store.root, *store.parts, identity),
        sha256=files.sha256_of(source),
        size=info.st_size,
        quarantined_at=context.clock.now().isoformat(),
        run_id=context.run_id,
        step_path=context.step_path,
        store_root=store.root,
        store_parts=store.parts,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        mtime_ns=info.st_mtime_ns,
        device=info.st_dev,
        inode=info.st_ino,
    )


def _move(parent: int, name: str, source: int, kept: int, identity: str) -> bool:
    """Moves the open file; True when the very inode moved, False when a copy of it did."""
    info = os.fstat(source)
    if info.st_nlink == 1 and os.geteuid() in (0, info.st_uid):
        try:
            os.rename(name, identity, src_dir_fd=parent, dst_dir_fd=kept)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FileMissing(f"there is no {name!r}") from None
            if error.errno != errno.EXDEV:
                raise PathNotAllowed(f"the file cannot be moved ({error.strerror})") from None
        else:
            if not files.same(os.stat(identity, dir_fd=kept, follow_symlinks=False), info):
                files.put_back(kept, identity, parent, name)
                raise FileChanged("the file was replaced while it was quarantined")
            os.fchmod(source, LOCKED)
            os.fsync(kept)
            os.fsync(parent)
            return True
    # A further hard link would keep the inode reachable, and locking it would lock the other name as well;
    # a file of another owner cannot be locked at all.
    _copy(source, kept, identity, LOCKED)
    files.remove(parent, name, info)
    return False


def _copy(source: int, folder: int, name: str, mode: int, manifest: FileManifest | None = None) -> None:
    """Writes the open file `source` as `name`, complete or not at all; with `manifest`, its owner and time
    too.
    """
    partial = f".{name}.partial"
    _drop(folder, partial)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(partial, flags, 0o600, dir_fd=folder)
    try:
        written = files.copy_content(source, target)
        if files.sha256_of(target) != written:
            raise QuarantineDamaged("the copy differs from what was written")
        if manifest:
            with suppress(PermissionError):
                os.fchown(target, manifest.uid, manifest.gid)
        os.fchmod(target, mode)
        if manifest:
            os.utime(target, ns=(manifest.mtime_ns, manifest.mtime_ns))
    finally:
        os.close(target)
    files.give_name(folder, partial, folder, name)


def _verified(manifest: FileManifest, source: int, ledger: int) -> FileManifest:
    """The manifest of what was moved, even if somebody wrote to it until the move."""
    info = os.fstat(source)
    if (info.st_size, info.st_mtime_ns) == (manifest.size, manifest.mtime_ns):
        return manifest
    facts = {"sha256": files.sha256_of(source), "size": info.st_size, "mtime_ns": info.st_mtime_ns}
    manifest = manifest.model_copy(update=facts)
    files.write_atomically(ledger, f"{manifest.quarantine_id}.json", manifest.written())
    return manifest


def _finish(place: Place, own: FileManifest, kept: int) -> None:
    """What a first try that was cut off may have left undone: the lock, the index and a copied file's
    removal.
    """
    with files.regular_file(kept, own.quarantine_id) as content:
        os.fchmod(content, LOCKED)
        copied = os.fstat(content).st_ino != own.inode
    if copied:
        with suppress(FileMissing), files.folder(place.root, place.folder) as parent:
            with files.regular_file(parent, place.name) as source:
                info = os.fstat(source)
            if (info.st_dev, info.st_ino) == (own.device, own.inode):
                files.remove(parent, place.name, info)
    _remember(place, own.quarantine_id)


def _return(kept: int, content: int, parent: int, name: str, manifest: FileManifest) -> None:
    info = os.fstat(content)
    if info.st_dev != os.fstat(parent).st_dev:
        _copy(content, parent, name, manifest.mode, manifest)
        os.unlink(manifest.quarantine_id, dir_fd=kept)
        return
    files.give_name(kept, manifest.quarantine_id, parent, name)
    if info.st_ino != manifest.inode:
        with suppress(PermissionError):
            os.fchown(content, manifest.uid, manifest.gid)
    os.fchmod(content, manifest.mode)
    os.utime(content, ns=(manifest.mtime_ns, manifest.mtime_ns))


def _is_back(parent: int, name: str, manifest: FileManifest) -> bool:
    try:
        with files.regular_file(parent, name) as found:
            if files.sha256_of(found) != manifest.sha256:
                return False
            os.fchmod(found, manifest.mode)
            os.utime(found, ns=(manifest.mtime_ns, manifest.mtime_ns))
            return True
    except FileMissing:
        return False


def _refuse_quarantined(place: Place, ledger: int) -> None:
    with suppress(FileMissing), files.folder(place.root, ORIGINS) as origins:
        found = files.read_small(origins, digest_of(place.path))
        if found is None:
            return
        manifest = FileManifest.read(files.read_small(ledger, f"{found.decode()}.json"))
        if manifest and not manifest.restored_at:
            raise AlreadyQuarantined(f"the file is in quarantine as {manifest.quarantine_id}")


def _remember(place: Place, identity: str) -> None:
    with files.folder(place.root, ORIGINS, create=True) as origins:
        files.write_atomically(origins, digest_of(place.path), identity.encode())


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _drop(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
