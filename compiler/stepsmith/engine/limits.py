"""AWS's quotas that a run can meet (developer guide, "Service quotas"), and the checks against them."""

from __future__ import annotations

from datetime import timedelta

from stepsmith.engine.errors import DATA_LIMIT_EXCEEDED, Failure
from stepsmith.engine.values import Payload

DATA_BYTES = 262_144
ASSIGN_BYTES = 262_144
VARIABLES_BYTES = 10 * 1024 * 1024
DEFINITION_BYTES = 1024 * 1024
HISTORY_EVENTS = 25_000
DURATION = timedelta(days=365)
WAIT_SECONDS = 99_999_999
TIMESTAMP_DAYS_AHEAD = 24_855
INLINE_MAP_CONCURRENCY = 40
DISTRIBUTED_MAP_CONCURRENCY = 10_000
ERROR_CHARACTERS = 256
CAUSE_CHARACTERS = 32_768


def check_data(payload: Payload, state: str) -> Failure | None:
    """The failure that a result, an input or arguments above 256 KiB make."""
    text = payload.text
    if len(text) * 4 <= DATA_BYTES or payload.size <= DATA_BYTES:
        return None
    return Failure(
        DATA_LIMIT_EXCEEDED,
        f"The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )
