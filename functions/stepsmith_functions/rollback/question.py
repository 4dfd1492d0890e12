"""What a machine asks the ledger, and what it is answered. Pure.

    question  {"run": {"id", "workflow", "execution"}, "asked_by": STATE or null, "after": CURSOR or null,
               "steps": {ID: {"output": PATHS or null, "seconds": N} or {"variable": NAME}}}
    answer    {"undo": [{"step", "path", "output", "with"}, ..., {"more": CURSOR}?], "problem": TEXT,
               "lost": [{"step", "path", "reason"}, ...]?, "unknown": [PATH, ...]?}

The latest step comes first. When there is more than a state can hold, the last item has the cursor to ask on with.
`problem` is empty, or says what nobody knows. Of the steps in `lost` a value that their undo reads cannot be read; of
those in `unknown` nobody knows whether they took effect, and of one that no function tells of the path is its id. They
are not undone, the others are, and the history keeps the undo as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stepsmith_functions.history.store import ValueLostError
from stepsmith_functions.history.values import Json, Recorded, from_stamp, to_stamp, to_text
from stepsmith_functions.rollback.completed import Asked, Entry, Ledger

MOST_BYTES: Final = 180_000
"""Of an answer: a state holds 262,144 bytes (Service quotas), and an undo's arguments take from it again."""
_LONGEST_PROBLEM: Final = 2_000
_LONGEST_REASON: Final = 200
_MOST_UNKNOWN: Final = 100


class StepStillRunning(Exception):  # noqa: N818 - the machine's retry names it
    """Lambda may still be at work on a step that Step Functions has given up: ask again."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, read."""

    run_id: str
    execution_arn: str
    asked_by: str | None
    """The state that asks; None: another execution asks, after the end of the run."""
    steps: Mapping[str, Asked]
    after: tuple[datetime, int] | None
    """Only what completed before this is asked for."""


def read_question(event: Mapping[str, Json]) -> Question:
    """The question in an event; what is missing in it is left out."""
    run = _mapping(event.get("run"))
    after: tuple[datetime, int] | None = None
    match event.get("after"):
        case [str() as stamp, int() | float() as order]:
            after = from_stamp(stamp), int(order)
        case _:
            pass
    return Question(
        str(run.get("id")),
        str(run.get("execution")),
        asked_by if isinstance(asked_by := event.get("asked_by"), str) else None,
        {name: _asked(_mapping(step)) for name, step in _mapping(event.get("steps")).items()},
        after,
    )


def answer(question: Question, ledger: Ledger, load: Callable[[Recorded], Json]) -> dict[str, Json]:
    """What is to be undone next; `load` fetches values that lie apart and raises ValueLostError where one is gone.
    Raises StepStillRunning, and whatever else `load` raises."""
    if ledger.running:
        raise StepStillRunning(f"not over yet: {', '.join(ledger.running)}")
    undo: list[Json] = []
    lost: list[dict[str, Json]] = []
    room = MOST_BYTES
    last: Entry | None = None
    for entry in ledger.completed:
        if question.after is not None and entry.key >= question.after:
            continue
        paths = question.steps[entry.step].output
        known: dict[str, Json] = {"step": entry.step, "path": entry.path}
        try:
            output = {} if paths == () else pruned(load(entry.output), paths)
            shown: dict[str, Json] = {**known, "output": output, "with": load(entry.handed) or {}}
        except ValueLostError as error:
            lost.append({**known, "reason": str(error)[:_LONGEST_REASON]})
            continue
        room -= len(to_text(shown).encode())
        if room < 0 and last is not None:
            undo.append({"more": [to_stamp(last.ended_at), last.order]})
            break
        undo.append(shown)
        last = entry
    problems = [f"it is not known whether {', '.join(ledger.unknown)} took effect"] if ledger.unknown else []
    if lost:
        problems.append(f"what the undo of {', '.join(str(each['path']) for each in lost)} reads cannot be read")
    told: dict[str, Json] = {"undo": undo, "problem": "; ".join(problems)[:_LONGEST_PROBLEM]}
    if lost:
        told["lost"] = [*lost]
    if ledger.unknown:
        told["unknown"] = [*ledger.unknown[:_MOST_UNKNOWN]]
    return told


def pruned(value: Json, paths: Sequence[Sequence[str]] | None) -> Json:
    """The parts of `value` that lie at `paths`, each where it was; all of it for None."""
    if paths is None or any(not path for path in paths):
        return value
    found: dict[str, Json] = {}
    for name in dict.fromkeys(path[0] for path in paths):
        if isinstance(value, Mapping) and name in value:
            found[name] = pruned(value[name], [path[1:] for path in paths if path[0] == name])
    return found


def _asked(step: Mapping[str, Json]) -> Asked:
    seconds, variable, output = step.get("seconds"), step.get("variable"), step.get("output")
    paths = None
    if isinstance(output, list):
        paths = tuple(tuple(str(name) for name in path) for path in output if isinstance(path, list))
    return Asked(
        paths,
        int(seconds) if isinstance(seconds, int | float) else None,
        variable if isinstance(variable, str) else None,
    )


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
