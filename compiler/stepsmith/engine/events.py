"""History events, as GetExecutionHistory returns them.

An `Event` holds the details in the API's spelling, without the marks that say whether data was truncated; `api_event`
gives the whole API shape. What events there are and how they are linked is the business of the states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Detail: TypeAlias = "str | int | float | Mapping[str, str]"

_DETAILS_MEMBER = {
    "StateEntered": "stateEnteredEventDetails",
    "StateExited": "stateExitedEventDetails",
}
_WITHOUT_DETAILS = frozenset(
    {
        "LambdaFunctionStarted",
        "MapStateSucceeded",
        "MapStateFailed",
        "MapStateAborted",
        "MapRunSucceeded",
        "MapRunAborted",
        "ParallelStateStarted",
        "ParallelStateSucceeded",
        "ParallelStateFailed",
        "ParallelStateAborted",
        "TaskStateAborted",
        "WaitStateAborted",
    }
)
_DATA = {"input": "inputDetails", "output": "outputDetails"}


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an execution's history. `previous_event_id` is the event that caused it, 0 for the start.

    `details` has JSON *texts* for ``input``, ``output``, ``parameters`` and each of ``assignedVariables``, and the
    state's ``name`` where AWS gives one.
    """

    id: int
    previous_event_id: int
    timestamp: datetime
    type: str
    details: Mapping[str, Detail]

    @property
    def state(self) -> str | None:
        """The name of the state (of a Map, for its iterations) that the event names, if it names one."""
        name = self.details.get("name", self.details.get("state"))
        return name if isinstance(name, str) else None


def details_member(event_type: str) -> str | None:
    """The member of the API's HistoryEvent that holds this type's details; None for types that have none."""
    if event_type in _WITHOUT_DETAILS:
        return None
    for ending, member in _DETAILS_MEMBER.items():
        if event_type.endswith(ending):
            return member
    return event_type[0].lower() + event_type[1:] + "EventDetails"


def api_event(event: Event, *, include_data: bool = True) -> dict[str, object]:
    """The event in the shape of the API's HistoryEvent; the timestamp stays a datetime.

    With `include_data` false, inputs, outputs, parameters and variables are left out, as
    ``includeExecutionData=false`` does.
    """
    shape: dict[str, object] = {
        "id": event.id,
        "previousEventId": event.previous_event_id,
        "timestamp": event.timestamp,
        "type": event.type,
    }
    member = details_member(event.type)
    if member is None:
        return shape
    details: dict[str, object] = {}
    for key, value in event.details.items():
        if key in _DATA:
            if include_data:
                details[key] = value
                details[_DATA[key]] = {"truncated": False}
        elif key == "assignedVariables":
            if include_data:
                details[key] = value
                details["assignedVariablesDetails"] = {"truncated": False}
        elif include_data or key != "parameters":
            details[key] = value
    if details:
        shape[member] = details
    return shape
