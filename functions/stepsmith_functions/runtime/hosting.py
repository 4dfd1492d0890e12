"""The world's ends as handlers find them: clients, clock, ids, the history. A local run or a test hands in its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeVar

from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.context import Clock, Ids, RandomIds, SystemClock
from stepsmith_functions.runtime.control import ControlReader
from stepsmith_functions.runtime.recording import RunReader, StepRecorder
from stepsmith_functions.runtime.secrets import SecretStore
from stepsmith_functions.runtime.settings import Settings

if TYPE_CHECKING:
    from stepsmith_functions.history.records import StepRecord
    from stepsmith_functions.history.values import Json, StoredValue
    from stepsmith_functions.runtime.limits import SharedState

T = TypeVar("T")


class HistoryAccess(Protocol):
    """Opens the history for a handler; None where the deployment keeps none."""

    def recorder(self, settings: Settings) -> StepRecorder | None: ...

    def reader(self, settings: Settings) -> RunReader | None: ...

    def control(self, settings: Settings) -> ControlReader | None: ...

    def shared(self, settings: Settings) -> SharedState | None: ...

    def ledger(self, settings: Settings) -> LedgerSource | None: ...


class LedgerSource(Protocol):
    """What the steps of a run told, for its rollback. Raises HistoryError when it cannot be read."""

    def told(self, run_id: str) -> Mapping[str, StepRecord]: ...

    def load(self, value: StoredValue) -> Json: ...


class TableHistory:
    """The history in DynamoDB, opened once per process and table, only when a step needs it."""

    def __init__(self) -> None:
        self._recorders: dict[str, StepRecorder] = {}
        self._readers: dict[str, RunReader] = {}
        self._controls: dict[str, ControlReader] = {}
        self._shared: dict[str, SharedState] = {}
        for kept in (self._recorders, self._readers, self._controls, self._shared):
            clients.on_reset(kept.clear)

    def recorder(self, settings: Settings) -> StepRecorder | None:
        return _kept(self._recorders, settings, lambda: _history().recorder_for_steps())

    def reader(self, settings: Settings) -> RunReader | None:
        return _kept(self._readers, settings, lambda: _history().reader_for_steps())

    def control(self, settings: Settings) -> ControlReader | None:
        return _kept(self._controls, settings, lambda: _history().controls_for_steps())

    def shared(self, settings: Settings) -> SharedState | None:
        return _kept(self._shared, settings, lambda: _history().shared_for_steps())

    def ledger(self, settings: Settings) -> LedgerSource | None:
        return None if settings.history_table is None else _history().ledger_for_rollback()


def _kept(kept: dict[str, T], settings: Settings, open_history: Callable[[], T]) -> T | None:
    table = settings.history_table
    if table is None:
        return None
    if table not in kept:
        kept[table] = open_history()
    return kept[table]


def _history() -> ModuleType:
    """Imported by the first step that needs it."""
    from stepsmith_functions import history

    return history


@dataclass(frozen=True, kw_only=True)
class Host:
    """The world's ends as a handler of this process finds them. A local run or a test hands in its own."""

    clients: clients.Clients = field(default_factory=clients.of_process)
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    history: HistoryAccess = field(default_factory=TableHistory)
    secrets: SecretStore | None = None
    """None: the account's."""
    environment: Mapping[str, str] | None = None
    """None: the process's own."""


_host: ContextVar[Host] = ContextVar("host", default=Host())  # noqa: B039 - a Host is frozen


def host() -> Host:
    """The host of the handler that is running."""
    return _host.get()


@contextmanager
def hosted(host: Host) -> Iterator[None]:
    """Handlers called inside the block find `host`."""
    token = _host.set(host)
    try:
        yield
    finally:
        _host.reset(token)
