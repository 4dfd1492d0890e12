"""Whether Step Functions' own redrive goes on with a run as `stepsmith resume` means it. Pure.

A redrive enters the unsuccessful state again. That serves where this state does something: a task that failed and that
nothing took, or what was under way when the execution was stopped or its machine's time was up. A failure that a
handler, a `finally` or a rollback has taken ends in a Fail state, which a redrive only enters again (documented:
developer guide, "Restarting state machine executions with redrive").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from stepsmith.document import Json
from stepsmith.model.steps import walk
from stepsmith.model.workflow import Workflow
from stepsmith_functions.history.visits import History, Visit

_DOES_SOMETHING: Final = ("Task", "Wait", "Map", "Parallel")


def redrive_serves(
    history: History, workflow: Workflow, origins: Mapping[str, Json], done: Collection[str] = ()
) -> bool:
    """Whether all that did not come to its end belongs to the steps of `workflow` and is to be done again.

    `origins` is the source map of the definition that the execution ran, `done` has the paths of steps that have told
    of their success: what Lambda finished after the execution had been stopped would be done twice.
    """
    states = origins.get("states")
    steps = {step.id for step in walk(workflow.steps)}

    def serves(visit: Visit) -> bool:
        origin = states.get(visit.state) if isinstance(states, dict) else None
        if visit.kind not in _DOES_SOMETHING or not isinstance(origin, dict) or origin.get("step") not in steps:
            return False
        return _path(visit) not in done

    left = [visit for visit in history.visits if _left_open(visit)]
    return history.ending in ("Failed", "Aborted", "TimedOut") and bool(left) and all(map(serves, left))


def _path(visit: Visit) -> str | None:
    """The path under which a Task called its function."""
    part: object = visit.parameters
    for name in ("Payload", "step", "path"):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part if isinstance(part, str) else None


def _left_open(visit: Visit) -> bool:
    """Whether neither it nor what stands around it came to its end."""
    around: Visit | None = visit
    while around is not None:
        if around.exited_at is not None:
            return False
        around = around.scope.owner
    return True
