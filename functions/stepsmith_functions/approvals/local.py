"""`ApprovalStore` over the SQLite file of a laptop's history, `.stepsmith/history.db`.

The process of the run and the one in which somebody decides meet here. Who may read the file may decide.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from stepsmith_functions.approvals.documents import approval_from_text, approval_to_text
from stepsmith_functions.approvals.records import Approval
from stepsmith_functions.history.store import HistoryUnavailableError
from stepsmith_functions.history.values import to_stamp

_BUSY_SECONDS: Final = 10.0
_KEEP: Final = 500
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS approvals (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    due TEXT,
    revision INTEGER NOT NULL,
    token TEXT NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
"""


class LocalApprovalStore:
    """Approvals in the file `path`, beside the runs; the last 500 stay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute(_SCHEMA)
                yield connection
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise HistoryUnavailableError(f"{self._path}: {error}") from error

    def ask(self, approval: Approval) -> bool:
        with self._connected() as connection:
            row = connection.execute("SELECT token FROM approvals WHERE id = ?", (approval.id,)).fetchone()
            if row is not None and row[0] == approval.token:
                return False
            connection.execute("INSERT OR REPLACE INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?)", _row(approval))
            connection.execute(
                "DELETE FROM approvals WHERE due IS NULL AND id NOT IN "
                "(SELECT id FROM approvals ORDER BY asked_at DESC LIMIT ?)",
                (_KEEP,),
            )
            return True

    def find(self, approval_id: str) -> Approval | None:
        return next(iter(self._read("WHERE id = ?", approval_id)), None)

    def of_run(self, run_id: str) -> Sequence[Approval]:
        return self._read("WHERE run_id = ? ORDER BY asked_at, id", run_id)

    def due(self, until: datetime | None = None, *, limit: int = 100) -> Sequence[Approval]:
        condition = "WHERE due IS NOT NULL" + (" AND due <= ?" if until is not None else "")
        values = () if until is None else (to_stamp(until),)
        return self._read(f"{condition} ORDER BY due LIMIT ?", *values, limit)

    def replace(self, known: Approval, approval: Approval) -> bool:
        written = replace(approval, revision=known.revision + 1)
        with self._connected() as connection:
            cursor = connection.execute(
                "UPDATE approvals SET due = ?, revision = ?, document = ? WHERE id = ? AND revision = ? AND token = ?",
                (*_row(written)[3:5], _row(written)[6], known.id, known.revision, known.token),
            )
            return cursor.rowcount == 1

    def _read(self, rest: str, *values: object) -> list[Approval]:
        if not self._path.exists():
            return []
        with self._connected() as connection:
            rows = connection.execute(f"SELECT document, token FROM approvals {rest}", values).fetchall()  # noqa: S608
        return [approval_from_text(document, token) for document, token in rows]


def _row(approval: Approval) -> tuple[object, ...]:
    return (
        approval.id,
        approval.run_id,
        to_stamp(approval.asked_at),
        to_stamp(approval.due) if approval.due else None,
        approval.revision,
        approval.token,
        approval_to_text(approval),
    )
