"""A project on disk: where its root is, what workflows it has, and the catalogue of its actions.

The catalogue is data: an up-to-date project is read without importing an action. Only when the actions have
changed since `stepsmith build` are they imported, through the runtime's own registry.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.document import Json

if TYPE_CHECKING:
    from stepsmith.catalog import ActionCatalog
    from stepsmith.model.signature import Siblings, WorkflowSignature

TEMPLATE: Final = "template.yaml"
WORKFLOWS: Final = "workflows"
STATE_FOLDER: Final = ".stepsmith"
SUFFIXES: Final = (".yaml", ".yml")

_PACKAGE: Final = "stepsmith_functions"
_CONTRACT_FOLDERS: Final = (f"{_PACKAGE}/actions", f"{_PACKAGE}/runtime")
"""What the contracts are made of: the actions, and the errors and models that they share."""
_NAME: Final = re.compile(r"""^name:\s*["']?([\w-]+)["']?\s*(?:#.*)?$""", re.MULTILINE)


class ProjectError(Exception):
    """Something that a command needs is not in the project; `help` says what to do."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.help = help


class UnreadablePathError(ProjectError):
    """A path that was named cannot be opened, or a name that nothing has."""


@dataclass(frozen=True)
class Project:
    """The folder that holds `template.yaml`, `workflows/` and `functions/`; each of them may be missing."""

    root: Path

    @property
    def template(self) -> Path:
        return self.root / TEMPLATE

    @property
    def workflows_folder(self) -> Path:
        return self.root / WORKFLOWS

    @property
    def asl_folder(self) -> Path:
        return self.workflows_folder / "asl"

    @property
    def history(self) -> Path:
        return self.root / STATE_FOLDER / "history.db"

    @cached_property
    def functions_folder(self) -> Path:
        """The source root of the functions: the project's own, else the installed package's."""
        own = self.root / "functions"
        if (own / _PACKAGE / "actions").is_dir():
            return own
        installed = importlib.import_module(_PACKAGE).__file__
        assert installed is not None
        return Path(installed).parents[1]

    @property
    def has_own_functions(self) -> bool:
        return self.functions_folder.parent == self.root

    @property
    def catalog_file(self) -> Path:
        return self.functions_folder / "catalog.json"

    @property
    def action_page(self) -> Path:
        """The reference of the project's actions, kept where the project has a folder for documents."""
        return self.root / "docs" / "actions.md"

    def workflow_files(self) -> tuple[Path, ...]:
        """The project's workflows, by file name."""
        return workflow_files_in(self.workflows_folder)

    def find_workflow(self, name: str) -> Path:
        """The file of the workflow called `name`. Raises UnreadablePathError with what there is instead."""
        files = self.workflow_files()
        named = next((path for path in files if path.stem == name), None)
        named = named or next((path for path in files if declared_name(path) == name), None)
        if named is None:
            known = [path.stem for path in files]
            there_are = f"there are: {one_of(known)}" if known else f"{self.workflows_folder} holds no workflow"
            raise UnreadablePathError(f'no workflow is named "{name}"', did_you_mean(name, known, there_are))
        return named

    def siblings(self, catalog: ActionCatalog) -> Siblings:
        """The project's workflows as they know each other; a file is read when it is asked for."""
        return _Siblings(self, catalog)

    def relative(self, path: Path) -> str:
        """`path` from the project's root, with slashes: the same on every machine."""
        for place in (path.absolute(), path.resolve()):
            with contextlib.suppress(ValueError):
                return place.relative_to(self.root).as_posix()
        return path.as_posix()

    def catalog(self) -> ActionCatalog:
        """What the project's actions declare. Raises ProjectError if an action cannot be imported."""
        digests = self.contract_digests()
        for path in (self.catalog_file, self._catalog_cache):
            fresh = _fresh_catalog(path, digests)
            if fresh is not None:
                return fresh
        from stepsmith.catalog import read_catalog

        text = self.catalog_text(digests)
        self._remember(text)
        return read_catalog(text)

    def catalog_text(self, digests: Mapping[str, str] | None = None) -> str:
        """The catalogue file as `stepsmith build` writes it, made from the actions themselves."""
        from stepsmith.catalog import CATALOG_VERSION

        sources: dict[str, Json] = dict(digests if digests is not None else self.contract_digests())
        document: dict[str, Json] = {
            "version": CATALOG_VERSION,
            "sources": sources,
            "actions": list(self._contracts()),
        }
        return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=False) + "\n"

    def contract_digests(self) -> dict[str, str]:
        """The SHA-256 of each file that a contract is made of, by its path below the functions' folder."""
        root = self.functions_folder
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.contract_files()
        }

    def contract_files(self) -> tuple[Path, ...]:
        """The files that the actions' contracts are made of, in order."""
        root = self.functions_folder
        return tuple(sorted(path for folder in _CONTRACT_FOLDERS for path in (root / folder).rglob("*.py")))

    @property
    def _catalog_cache(self) -> Path:
        return self.root / STATE_FOLDER / "catalog.json"

    def _remember(self, text: str) -> None:
        """Keeps a rebuilt catalogue so that the next command need not import the actions again."""
        with contextlib.suppress(OSError):
            self._catalog_cache.parent.mkdir(exist_ok=True)
            write_atomically(self._catalog_cache, text.encode())

    def _contracts(self) -> list[Json]:
        from stepsmith_functions.runtime.registry import PACKAGE, RegistryError, contracts

        folder = self.functions_folder / _PACKAGE / "actions"
        for path in sorted(folder.glob("[!_]*.py")):
            name = f"{PACKAGE}.{path.stem}"
            # What this process imported before may be what the file said before.
            sys.modules.pop(name, None)
            # The registry tells what is wrong with a module that cannot be imported.
            with contextlib.suppress(Exception):
                import_from(name, self.functions_folder)
        try:
            found = contracts(folder)
        except RegistryError as error:
            raise ProjectError(str(error), "every module in actions/ declares one action") from error
        plain: list[Json] = json.loads(json.dumps(found))
        return plain


def find_project(start: Path) -> Project | None:
    """The nearest folder at or above `start` that holds `template.yaml` or `workflows/`."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / TEMPLATE).is_file() or (candidate / WORKFLOWS).is_dir():
            return Project(candidate)
    return None


def project_of(path: Path | None, here: Path) -> Project:
    """The project that a command works on: that of `path` if it has a template, else that around `here`.

    A workflow outside any project is a project of its own, with the installed actions.
    """
    around = find_project(path.parent) if path else None
    if around is not None and around.template.is_file():
        return around
    return find_project(here) or around or Project((path.parent if path else here).resolve())


def workflow_files_in(folder: Path) -> tuple[Path, ...]:
    """The YAML files that lie directly in `folder`, by name."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file()))


def shown(path: Path, here: Path) -> str:
    """`path` as people see it: from `here` if it lies below, else in full."""
    for place in (path.absolute(), path.resolve()):
        with contextlib.suppress(ValueError):
            return place.relative_to(here.resolve()).as_posix()
    return str(path)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` beside `path` and renames it into place: nobody ever reads half a file. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def import_from(name: str, code: Path) -> ModuleType:
    """The module `name` as it stands under `code`, whatever other copy this process has imported.

    In Lambda `code` is all there is. Here a package of that name may be loaded from an installation already,
    so the folder is put first on the path of each package on the way down.
    """
    root = str(code)
    if root not in sys.path:
        sys.path.insert(0, root)
    importlib.invalidate_caches()
    folder = code
    for package_name in _packages_of(name):
        folder = folder / package_name.rpartition(".")[2]
        package = importlib.import_module(package_name)
        paths = getattr(package, "__path__", None)
        if folder.is_dir() and isinstance(paths, list) and str(folder) not in paths:
            paths.insert(0, str(folder))
    wanted = code.joinpath(*name.split(".")).with_suffix(".py")
    loaded = sys.modules.get(name)
    if loaded is not None and wanted.is_file() and not _same_file(getattr(loaded, "__file__", None), wanted):
        del sys.modules[name]
    return importlib.import_module(name)


def _packages_of(name: str) -> Iterator[str]:
    parts = name.split(".")
    for end in range(1, len(parts)):
        yield ".".join(parts[:end])


def _same_file(loaded: str | None, wanted: Path) -> bool:
    return loaded is not None and Path(loaded).resolve() == wanted.resolve()


def _fresh_catalog(path: Path, digests: Mapping[str, str]) -> ActionCatalog | None:
    """The catalogue in `path`, if it was made from the actions as they are now."""
    # The catalogue brings the types of expressions along, which `runs` and `show` do without.
    from stepsmith.catalog import CatalogError, read_catalog

    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("sources") != digests:
            return None
        return read_catalog(text)
    except (OSError, ValueError, CatalogError):
        return None


class _Siblings(Mapping[str, "WorkflowSignature"]):
    """The signatures of a project's workflows by name. A file of which too little can be read has none."""

    def __init__(self, project: Project, catalog: ActionCatalog) -> None:
        self._project = project
        self._catalog = catalog
        self._read: dict[str, WorkflowSignature | None] = {}

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return {declared_name(path) or path.stem: path for path in self._project.workflow_files()}

    def __getitem__(self, name: str) -> WorkflowSignature:
        if name not in self._read:
            self._read[name] = self._signature(name)
        found = self._read[name]
        if found is None:
            raise KeyError(name)
        return found

    def _signature(self, name: str) -> WorkflowSignature | None:
        from stepsmith.pipeline import read_signature

        path = self._paths.get(name)
        if path is None:
            return None
        try:
            return read_signature(self._project.relative(path), path.read_bytes(), self._catalog)
        except OSError:
            return None

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def declared_name(path: Path) -> str | None:
    """The name that a workflow's file gives it; None for one that cannot be read or gives none."""
    try:
        match = _NAME.search(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return match.group(1) if match else None
