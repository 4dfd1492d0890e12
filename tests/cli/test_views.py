"""What a person sees of a run: the live tree, the plain lines, the cut results and the humanised times."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepsmith.cli.console import _ASCII_SYMBOLS, _UNICODE_SYMBOLS, Console, duration, seen
from stepsmith.cli.live import LiveTree, PlainLines
from stepsmith.cli.outcome import output_lines, step_lines, summary_line
from stepsmith_functions.history.records import StepError, StepRecord, StepStatus

START = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Console(io.StringIO(), io.StringIO(), colour=False, live=True, symbols=_UNICODE_SYMBOLS)


def step(path: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": path.rpartition(".")[2],
        "path": path,
        "status": status,
        "attempts": 1,
        "output": None,
        "error": None,
        "started_at": "2026-05-04T12:00:00.000Z",
        "ended_at": "2026-05-04T12:00:00.000Z",
        **more,
    }


def test_steps_are_a_tree_with_aligned_columns(console: Console) -> None:
    lines = step_lines(
        [
            step("quarantine", "succeeded", output={"quarantine_id": "q-1"}, ended_at="2026-05-04T12:00:03.500Z"),
            step("scan_all", "succeeded"),
            step("scan_all[0].scan", "succeeded", attempts=3, output={"threats": 1}),
            step("scan_all[1].scan", "failed", error={"type": "FileMissing", "message": "no such\nfile"}),
            step("kill", "skipped", attempts=0),
            step("tell", "running", ended_at=None),
        ],
        console,
    )
    assert lines == [
        '  ✓ quarantine                3.5 s  {"quarantine_id": "q-1"}',
        "  ✓ scan_all",
        '    ✓ [0].scan  ↻ 3 attempts         {"threats": 1}',
        "    ✗ [1].scan                       FileMissing: no such file",
        "  ○ kill                             skipped",
        "  ▸ tell                             running",
    ]


def test_a_long_result_is_cut_to_the_width(console: Console) -> None:
    (line,) = step_lines([step("a", "succeeded", output={"text": "x" * 500})], console)
    assert len(line) <= 80
    assert line.endswith("…")


def test_ascii_marks_where_the_encoding_has_no_ticks(console: Console) -> None:
    plain = replace(console, symbols=_ASCII_SYMBOLS)
    lines = step_lines([step("a", "succeeded", attempts=2), step("b", "failed"), step("c", "skipped")], plain)
    assert [line.split()[0] for line in lines] == ["+", "x", "o"]
    "\n".join(lines).encode("ascii")


def test_colours_do_not_disturb_the_columns(console: Console) -> None:
    steps = [step("a", "succeeded", output=1), step("longer", "failed", error={"type": "E", "message": "m"})]
    coloured = step_lines(steps, replace(console, colour=True))
    assert [seen(line) for line in coloured] == [len(line) for line in step_lines(steps, console)]
    assert "\x1b[32m✓\x1b[0m" in coloured[0]


def test_a_long_output_is_cut_with_a_hint(console: Console) -> None:
    lines = output_lines({"output": list(range(100))}, console)
    assert len(lines) == 25
    assert lines[-1] == "… 78 more lines: --json shows all of it"
    assert output_lines({"output": None}, console) == []


def test_how_a_run_ended_is_one_line(console: Console) -> None:
    result = {"status": "timed_out", "elapsed_s": 3600.0, "transitions": 9}
    assert summary_line(result, console, virtual=True) == "✗ timed out in 1h 00m of virtual time, 9 transitions"
    assert summary_line({"status": "running"}, console, virtual=False) == "▸ running"
    once = {"status": "succeeded", "transitions": 1}
    assert summary_line(once, console, virtual=True) == "✓ succeeded, 1 transition"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.012, "12 ms"),
        (3.44, "3.4 s"),
        (5, "5 s"),
        (59, "59 s"),
        (65, "1m 05s"),
        (3600, "1h 00m"),
        (90_000, "1d 01h"),
    ],
)
def test_times_are_humanised(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Running:
    """A run under way, as the views see it."""

    run_id, workflow, elapsed, step_changed = "run-1", "w", 12.0, True

    def __init__(self) -> None:
        self.ended = 0

    def steps(self) -> list[StepRecord]:
        def record(at: int) -> StepRecord:
            over = at < self.ended
            started = START + timedelta(seconds=at)
            status = StepStatus.SUCCEEDED if over else StepStatus.RUNNING
            return StepRecord(
                "run-1", f"step_{at}", f"step_{at}", status, started_at=started, ended_at=started if over else None
            )

        return [record(at) for at in range(self.ended + 1)]


class Ticking:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_live_tree_is_redrawn_in_place_but_not_for_every_event(console: Console) -> None:
    clock, running = Ticking(), Running()
    view = LiveTree(console, clock)
    out = console.out
    assert isinstance(out, io.StringIO)
    view(running)  # type: ignore[arg-type]
    assert out.getvalue() == ""
    clock.now = 1
    view(running)  # type: ignore[arg-type]
    assert out.getvalue() == "  ▸ step_0  running\x1b[K\n  ▸ 12 s\x1b[K\n"
    running.ended = 1
    clock.now = 1.01
    view(running)  # type: ignore[arg-type]
    assert "step_1" not in out.getvalue()
    clock.now = 2
    view(running)  # type: ignore[arg-type]
    assert "\x1b[2A\x1b[J  ✓ step_0\x1b[K\n  ▸ step_1  running\x1b[K\n" in out.getvalue()
    view.finish([step("step_0", "succeeded"), step("step_1", "succeeded")])
    assert out.getvalue().endswith("\x1b[3A\x1b[J  ✓ step_0\n  ✓ step_1\n")


def test_plain_lines_are_added_as_steps_end(console: Console) -> None:
    clock, running = Ticking(), Running()
    view = PlainLines(console, clock)
    out = console.out
    assert isinstance(out, io.StringIO)
    running.ended, clock.now = 2, 1
    view(running)  # type: ignore[arg-type]
    assert out.getvalue() == "  ✓ step_0\n  ✓ step_1\n"
    view.finish([step(f"step_{at}", "succeeded") for at in range(3)])
    assert out.getvalue() == "  ✓ step_0\n  ✓ step_1\n  ✓ step_2\n"


def test_an_error_of_a_step_is_shown_in_its_line(console: Console) -> None:
    record = StepRecord("r", "a", "a", StepStatus.FAILED, error=StepError("Boom", "no luck"))
    assert record.error is not None
    (line,) = step_lines([step("a", "failed", error=dict(record.error.to_json()))], console)
    assert line == "  ✗ a  Boom: no luck"
