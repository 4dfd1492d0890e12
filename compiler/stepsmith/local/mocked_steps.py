"""Answers the tasks of runs from mocks: which mock is meant, by the state that asks. What a mock is, `mocks` knows."""

from __future__ import annotations

from collections.abc import Mapping

from stepsmith.asl.names import ROLLBACK_SUFFIX
from stepsmith.document import Json
from stepsmith.engine import Execution, TaskCall, TaskOutcome
from stepsmith.local.mocks import Mocks, mocked_outcome
from stepsmith.local.program import Program
from stepsmith.local.stack import STACK


class MockedSteps:
    """A `tasks.MockSource`: answers a task from the mocks of its step, or else of its action."""

    def __init__(self, mocks: Mocks, program: Program) -> None:
        self._mocks = mocks
        self._states: dict[str, Mapping[str, Json]] = {}
        for each in program.family().values():
            for machine in filter(None, (each, each.rollback)):
                states = machine.origins.get("states")
                self._states[machine.name] = states if isinstance(states, dict) else {}
        self._root = program.name

    def answer(self, call: TaskCall) -> TaskOutcome | None:
        workflow = workflow_of(call.execution)
        origin = self._states.get(workflow, {}).get(call.state)
        if not isinstance(origin, dict):
            return None
        step, action = origin.get("step"), origin.get("action")
        # A child's step is mocked as CHILD.STEP: `quarantine` of another workflow is another step.
        of = workflow.removesuffix(ROLLBACK_SUFFIX)
        if isinstance(step, str) and of != self._root:
            step = f"{of}.{step}"
        mock = self._mocks.next(*(key for key in (step, action) if isinstance(key, str)))
        return mocked_outcome(mock, call) if mock else None


def workflow_of(execution: Execution) -> str:
    """The name of the workflow that an execution runs, from its machine's."""
    machine = execution.state_machine_arn.rpartition(":")[2].partition("/")[0]
    return machine.removeprefix(f"{STACK}_")
