"""Which files a scan leaves out, by what `add_exclusion` keeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stepsmith_functions.runtime import files, register
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.files import PathNotAllowed
from stepsmith_functions.runtime.register import Entry
from stepsmith_functions.runtime.scanning.targets import shown


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Excluded contents, paths, and contents at paths. A path that ends in `/` stands for all below it."""

    contents: frozenset[str]
    paths: frozenset[str]
    folders: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    """Path and digest."""

    def by_name(self, name: str) -> bool:
        """Whether the file of this name is excluded whatever it holds."""
        return name in self.paths or name.startswith(self.folders)

    @property
    def need_digest(self) -> bool:
        """Whether some exclusion is about a content."""
        return bool(self.contents or self.pairs)

    def by_content(self, name: str, sha256: str) -> bool:
        """Whether this content is excluded, everywhere or in the file of this name."""
        return sha256 in self.contents or any(
            digest == sha256 and (name.startswith(path) if path.endswith("/") else name == path)
            for path, digest in self.pairs
        )


def exclusions_of(context: ActionContext) -> Exclusions:
    """The deployment's exclusions, none where it keeps no register."""
    if context.settings.history_table is None:
        return collected(())
    roots = context.settings.file_roots
    entries = register.register_of(context).entries("exclusion")
    return collected((_named(entry.file_path, roots), entry) for entry in entries)


def collected(entries: Iterable[tuple[str | None, Entry]]) -> Exclusions:
    """The exclusions of these entries, each with its path as a scan spells it."""
    contents, paths, pairs = set(), set(), []
    for path, entry in entries:
        if entry.file_path is None:
            contents |= {entry.sha256} - {None}
        elif path is not None and entry.sha256 is not None:
            pairs.append((path, entry.sha256))
        elif path is not None:
            paths.add(path)
    folders = tuple(sorted(path for path in paths if path.endswith("/")))
    return Exclusions(frozenset(filter(None, contents)), frozenset(paths), folders, tuple(pairs))


def _named(path: str | None, roots: tuple[str, ...]) -> str | None:
    """The path as a scan spells it; None for one that no scan reaches."""
    if path is None or path.startswith("s3://"):
        return path
    try:
        found = shown(files.place_of(path, roots, or_root=True).path)
    except PathNotAllowed:
        return None
    return found.rstrip("/") + "/" if path.endswith("/") else found
