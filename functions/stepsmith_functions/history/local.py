"""`RunStore` over one SQLite file, for the runs of a laptop: `.stepsmith/history.db`.

It keeps the last runs, a hundred unless told otherwise, whatever their age. Several processes may use the
file at once. It needs the standard library only and keeps values of any size in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from stepsmith_functions.history.documents import run_from_json, run_to_json, step_from_json, step_to_json
from stepsmith_functions.history.items import run_started
from stepsmith_functions.history.records import RunRecord, RunStatus, RunSummary, StepRecord
from stepsmith_functions.history.store import (
    EVERY_RUN,
    HistoryUnavailableError,
    Page,
    RunNotFoundError,
    RunQuery,
    check_limit,
    decode_cursor,
    encode_cursor,
    question_of,
)
from stepsmith_functions.history.values import Json, StoredValue, from_stamp, from_text, to_stamp, to_text
from stepsmith_functions.runtime.control import Control

_BUSY_MS: Final = 10_000
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,
    started TEXT NOT NULL,
    started_at TEXT NOT NULL,
    version TEXT,
    ended_at TEXT,
    error_type TEXT,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started);
CREATE INDEX IF NOT EXISTS runs_by_workflow ON runs (workflow, started);
CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, started);
CREATE TABLE IF NOT EXISTS steps (
    run_id TEXT NOT NULL,
    path TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
"""


class LocalRunStore:
    """Runs and steps in the file `path`, made with its folder when the first run is kept."""

    def __init__(self, path: Path, *, keep: int = 100) -> None:
        """`keep`: how many runs stay when a new one is kept, at least 1."""
        if keep < 1:
            raise ValueError(f"a history keeps at least one run, not {keep}")
        self._path = path
        self._keep = keep

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection, or None while there is no file: reading makes none."""
        if not self._path.exists():
            yield None
            return
        with self._connected() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction that holds the write lock from its beginning.

        A transaction that takes the lock later fails at once when another process wrote in between.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HistoryUnavailableError(f"{self._path.parent} cannot be made: {error}") from error
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: nothing to close later, and none is shared by threads or
        forks.
        """
        try:
            connection = sqlite3.connect(self._path, timeout=_BUSY_MS / 1000, isolation_level=None)
            try:
                self._prepare(connection)
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise HistoryUnavailableError(f"{self._path}: {error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == _SCHEMA_VERSION:
            return
        if version > _SCHEMA_VERSION:
            raise HistoryUnavailableError(f"{self._path} was written by a later version of Stepsmith; move it away")
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {_SCHEMA_VERSION};COMMIT;")

    def put_run(self, run: RunRecord) -> bool:
        with self._writing() as connection:
            kept = _read_run(connection, run.run_id)
            if kept is not None:
                completes = run.status.is_final and run.complete and not kept.complete
                if kept.progress > run.progress or (kept.progress == run.progress and not completes):
                    return False
                run = replace(
                    run,
                    version=run.version or kept.version,
                    input=kept.input if run.input is None else run.input,
                    execution_arn=run.execution_arn or kept.execution_arn,
                    parent_run_id=run.parent_run_id or kept.parent_run_id,
                    control=run.control or (None if run.begins_again else kept.control),
                    continues=run.continues or kept.continues,
                    continued_by=run.continued_by or kept.continued_by,
                    file=run.file or kept.file,
                )
            _write_run(connection, run)
            if kept is None:
                self._prune(connection)
            return True

    def _prune(self, connection: sqlite3.Connection) -> None:
        """Drops the runs past the last `keep`, the earliest start first, with their steps."""
        dropped = connection.execute(
            "SELECT run_id FROM runs ORDER BY started DESC LIMIT -1 OFFSET ?", (self._keep,)
        ).fetchall()
        connection.executemany("DELETE FROM steps WHERE run_id = ?", dropped)
        connection.executemany("DELETE FROM runs WHERE run_id = ?", dropped)

    def move_run(self, run_id: str, expected: Collection[RunStatus], status: RunStatus) -> bool:
        if status.is_final or any(before.is_final for before in expected):
            raise ValueError("the end of a run comes from its execution, by put_run")
        with self._writing() as connection:
            kept = _read_run(connection, run_id)
            if kept is None or kept.status not in expected:
                return False
            _write_run(connection, replace(kept, status=status))
            return True

    def order(self, run_id: str, control: Control | None, expected: Collection[RunStatus], status: RunStatus) -> bool:
        if status.is_final or any(before.is_final for before in expected):
            raise ValueError("the end of a run comes from its execution, by put_run")
        with self._writing() as connection:
            kept = _read_run(connection, run_id)
            if kept is None or kept.status not in expected:
                return False
            _write_run(connection, replace(kept, status=status, control=control))
            return True

    def replace_run(self, known: RunRecord, run: RunRecord) -> bool:
        with self._writing() as connection:
            kept = _read_run(connection, run.run_id)
            if kept is None or _state(kept) != _state(known):
                return False
            _write_run(connection, run)
            return True

    def hand_on(self, run_id: str, by: str) -> bool:
        with self._writing() as connection:
            kept = _read_run(connection, run_id)
            if kept is None or not kept.status.is_final or kept.continued_by not in (None, by):
                return False
            _write_run(connection, replace(kept, continued_by=by))
            return True

    def put_steps(self, steps: Iterable[StepRecord]) -> None:
        rows = [(step.run_id, step.path, to_text(step_to_json(step))) for step in steps]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?)", rows)

    def replace_step(self, known: StepRecord, step: StepRecord) -> bool:
        with self._writing() as connection:
            row = connection.execute(
                "SELECT document FROM steps WHERE run_id = ? AND path = ?", (step.run_id, step.path)
            ).fetchone()
            if row is None:
                return False
            kept = step_from_json(from_text(row[0]))
            if (kept.status, kept.attempts, kept.ended_at) != (known.status, known.attempts, known.ended_at):
                return False
            connection.execute(
                "INSERT OR REPLACE INTO steps VALUES (?, ?, ?)",
                (step.run_id, step.path, to_text(step_to_json(step))),
            )
            return True

    def run(self, run_id: str) -> RunRecord:
        with self._reading() as connection:
            kept = _read_run(connection, run_id) if connection else None
        if kept is None:
            raise RunNotFoundError(run_id)
        return kept

    def runs(self, query: RunQuery = EVERY_RUN, *, limit: int = 50, cursor: str | None = None) -> Page[RunSummary]:
        check_limit(limit)
        question = question_of(query)
        wanted: list[tuple[str, str]] = []
        if query.workflow is not None:
            wanted.append(("workflow = ?", query.workflow))
        if query.status is not None:
            wanted.append(("status = ?", query.status.value))
        if query.since is not None:
            wanted.append(("started >= ?", to_stamp(query.since)))
        if query.until is not None:
            wanted.append(("started < ?", to_stamp(query.until)))
        if cursor is not None:
            wanted.append(("started < ?", decode_cursor(question, cursor)))
        where = " AND ".join(condition for condition, _ in wanted) or "TRUE"
        with self._reading() as connection:
            rows = (
                connection.execute(
                    f"SELECT {_SUMMARY} FROM runs WHERE {where} ORDER BY started DESC LIMIT ?",  # noqa: S608
                    (*(value for _, value in wanted), limit + 1),
                ).fetchall()
                if connection
                else []
            )
        found = [_summary(*row) for row in rows]
        more = len(found) > limit
        found = found[:limit]
        position = run_started(found[-1].started_at, found[-1].run_id) if more else ""
        return Page(tuple(found), encode_cursor(question, position) if more else None)

    def steps(self, run_id: str, *, limit: int = 500, cursor: str | None = None) -> Page[StepRecord]:
        check_limit(limit)
        question = f"steps {run_id}"
        after = decode_cursor(question, cursor) if cursor is not None else ""
        with self._reading() as connection:
            rows = (
                connection.execute(
                    "SELECT document FROM steps WHERE run_id = ? AND path > ? ORDER BY path LIMIT ?",
                    (run_id, after, limit + 1),
                ).fetchall()
                if connection
                else []
            )
        steps = tuple(step_from_json(from_text(document)) for (document,) in rows)
        more = len(steps) > limit
        steps = steps[:limit]
        return Page(steps, encode_cursor(question, steps[-1].path) if more else None)

    def load(self, value: StoredValue) -> Json:
        raise HistoryUnavailableError(f"{value.uri} lies in S3, which the local history does not read")


def _read_run(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    row = connection.execute("SELECT document FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return run_from_json(from_text(row[0])) if row else None


def _write_run(connection: sqlite3.Connection, run: RunRecord) -> None:
    summary = run.summary()
    connection.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run_id,
            run.workflow,
            run.status.value,
            run_started(run.started_at, run.run_id),
            to_stamp(run.started_at),
            run.version,
            to_stamp(run.ended_at) if run.ended_at else None,
            summary.error_type,
            to_text(run_to_json(run)),
        ),
    )


_SUMMARY: Final = (
    "run_id, workflow, status, started_at, version, ended_at, error_type, json_extract(document, '$.continues.run_id')"
)


def _summary(
    run_id: str,
    workflow: str,
    status: str,
    started_at: str,
    version: str | None,
    ended_at: str | None,
    error_type: str | None,
    continues: str | None,
) -> RunSummary:
    """The summary of a row with the columns of `_SUMMARY`: a list of runs does not read their values."""
    return RunSummary(
        run_id,
        workflow,
        RunStatus(status),
        from_stamp(started_at),
        version,
        from_stamp(ended_at) if ended_at else None,
        error_type,
        continues,
    )


def _state(run: RunRecord) -> tuple[object, ...]:
    """What tells whether a run is still as it was read."""
    return run.status, run.redrive_count, run.continued_by
