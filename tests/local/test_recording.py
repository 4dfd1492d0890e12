"""What the desk's history keeps of what handlers tell."""

from datetime import UTC, datetime

from stepsmith.local.recording import MemoryHistory
from stepsmith_functions.history.records import StepStatus
from stepsmith_functions.runtime.recording import StepEnd, StepError

NOON = datetime(2026, 7, 12, 12, tzinfo=UTC)


def test_a_step_that_a_cancel_refused_has_ended_though_it_never_began() -> None:
    history = MemoryHistory()
    end = StepEnd(
        run_id="run-1",
        workflow="w",
        version=None,
        step_id="b",
        path="both.other.b",
        action="ping",
        attempt=0,
        line=7,
        params={},
        output=None,
        error=StepError("RunCancelled", "the run was cancelled by ann"),
        started_at=NOON,
        ended_at=NOON,
        handed={},
    )
    history.ended(end)
    kept = history.steps("run-1")["both.other.b"]
    assert (kept.status, kept.attempt_started, kept.ended_at) == (StepStatus.FAILED, NOON, NOON)
    assert kept.error is not None
    assert kept.error.type == "RunCancelled"
