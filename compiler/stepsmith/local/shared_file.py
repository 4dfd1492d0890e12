"""What the runs of all processes on one project share, in the file of its history: for runs on the wall clock.

A write is one transaction that holds the file's write lock from its beginning; a process that is killed leaves it whole
or undone. A place counts only while the process that holds it lives. It decides nothing: the rules are in
`runtime.limits` and `runtime.places`. Runs in virtual time have a clock of their own and share nothing here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from stepsmith.local.alive import is_held
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.store import HistoryUnavailableError
from stepsmith_functions.history.values import from_text, to_text
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.limits import Kept, RateLimit, Subject

if TYPE_CHECKING:
    from pydantic import JsonValue

_BUSY_SECONDS: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS shared (
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    revision INTEGER NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (subject, key)
) WITHOUT ROWID;
"""
_RATE: Final = "rate"
_PLACE: Final = "place"
"""Of a run: the key under which it holds a place, and the run whose process it is in."""
_ORDER: Final = "order"
"""Of a run that the history does not know while it is under way: one that another run has started."""
_UNDER_WAY: Final = (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.WAITING_APPROVAL)


class FileSharedState:
    """A `shared.LocalSharedState` in the file `history`. Its methods raise HistoryError, also where it is made and
    the file cannot be written.

    `root` is the run that this process belongs to. What has expired by the clock `now` is forgotten with any write.
    """

    def __init__(self, history: Path, root: str, now: Callable[[], datetime]) -> None:
        self._path = history
        self._root = root
        self._now = now
        with self._writing():
            pass

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute(_SCHEMA)
                yield connection
            finally:
                connection.close()  # rolls back what was not committed
        except (sqlite3.Error, OSError) as error:
            raise HistoryUnavailableError(f"{self._path}: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM shared WHERE until < ?", (self._now().timestamp(),))
            yield connection
            connection.execute("COMMIT")

    def take(self, rate: RateLimit, now: datetime) -> bool:
        begin = rate.window(now)
        until = begin + timedelta(seconds=rate.per)
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO shared VALUES (?, ?, 'null', 1, ?) ON CONFLICT DO UPDATE SET revision = revision + 1 "
                "WHERE revision < ?",
                (_RATE, f"{rate.per} {int(begin.timestamp())} {rate.key}", until.timestamp(), rate.limit),
            )
        return cursor.rowcount == 1

    def read(self, key: str, subject: Subject = Subject.CIRCUIT) -> Kept:
        with self._connected() as connection:
            kept = _read(connection, subject, key)
            if subject is not Subject.PLACES or not isinstance(kept.value, dict):
                return kept
            holders = {run_id: _read(connection, _PLACE, run_id).value for run_id in kept.value}
        return Kept(
            {run_id: kept.value[run_id] for run_id in kept.value if self._lives(holders[run_id])}, kept.revision
        )

    def _lives(self, holder: JsonValue) -> bool:
        """Whether the process of a run lives; one that waits for its first place has told nothing of it."""
        root = holder.get("root") if isinstance(holder, dict) else None
        return not isinstance(root, str) or root == self._root or is_held(self._path, root)

    def replace(
        self, key: str, kept: Kept, value: JsonValue, until: datetime, subject: Subject = Subject.CIRCUIT
    ) -> bool:
        with self._writing() as connection:
            found = _read(connection, subject, key).revision == kept.revision
            if found:
                _write(connection, subject, key, Kept(value, kept.revision + 1), until)
        return found

    def remember_place(self, run_id: str, key: str, until: datetime) -> None:
        with self._writing() as connection:
            _write(connection, _PLACE, run_id, Kept({"key": key, "root": self._root}, 1), until)

    def place_of(self, run_id: str) -> str | None:
        with self._connected() as connection:
            value = _read(connection, _PLACE, run_id).value
        key = value.get("key") if isinstance(value, dict) else None
        return key if isinstance(key, str) else None

    def forget(self, run_id: str) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM shared WHERE subject IN (?, ?) AND key = ?", (_PLACE, _ORDER, run_id))

    def cancel(self, run_id: str, control: Control) -> None:
        if LocalRunStore(self._path).order(run_id, control, _UNDER_WAY, RunStatus.CANCELLING):
            return
        told: JsonValue = {"by": control.by, "at": control.at.isoformat(), "why": control.why}
        with self._writing() as connection:
            known = connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if known is None and not _read(connection, _ORDER, run_id).revision:
                _write(connection, _ORDER, run_id, Kept(told, 1), control.at + timedelta(days=366))

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        with self._connected() as connection:
            told = [_read(connection, _ORDER, run_id).value for run_id in run_ids]
        return [
            Control(Order.CANCEL, str(each["by"]), datetime.fromisoformat(str(each["at"])), str(each["why"]))
            for each in told
            if isinstance(each, dict)
        ]


def _read(connection: sqlite3.Connection, subject: str, key: str) -> Kept:
    row = connection.execute(
        "SELECT value, revision FROM shared WHERE subject = ? AND key = ?", (subject, key)
    ).fetchone()
    return Kept(cast("JsonValue", from_text(row[0])), row[1]) if row is not None else Kept()


def _write(connection: sqlite3.Connection, subject: str, key: str, kept: Kept, until: datetime) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO shared VALUES (?, ?, ?, ?, ?)",
        (subject, key, to_text(kept.value), kept.revision, until.timestamp()),
    )
