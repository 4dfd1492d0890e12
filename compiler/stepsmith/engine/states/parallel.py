"""Parallel: branches side by side, each with a copy of what stands outside; the first failure ends all.

A branch reads outer variables through its scope's parent. Nothing can change those while the Parallel runs, so they
are as they were on entry.
"""

from __future__ import annotations

from stepsmith.engine.core import Core
from stepsmith.engine.errors import Failure
from stepsmith.engine.execution import Run, Visit
from stepsmith.engine.flow import abort, context_for, evaluation_failed, fail, finish, resume, start_run
from stepsmith.engine.limits import check_data
from stepsmith.engine.machine import Parallel, Task
from stepsmith.engine.templates import FieldError
from stepsmith.engine.values import Payload


class Branches:
    """The branches of one attempt: owns their runs and joins their outputs in branch order."""

    def __init__(self, core: Core, visit: Visit, state: Parallel, branch_input: Payload) -> None:
        self._core = core
        self._visit = visit
        self._state = state
        scope = visit.run.scope
        self._runs = [
            Run(
                visit.run.execution,
                graph,
                self,
                core.scope(scope),
                branch_input,
                visit.run.last_event,
                at,
            )
            for at, graph in enumerate(state.branches)
        ]

    def start(self) -> None:
        """Put every branch at its first state."""
        for run in self._runs:
            start_run(self._core, run)

    def run_succeeded(self, run: Run, output: Payload) -> None:  # noqa: ARG002 - the owner's interface
        """One branch is done; the last one to be ends the state."""
        if any(branch.output is None for branch in self._runs):
            return
        core, visit = self._core, self._visit
        outer = visit.run
        outer.last_event = run.last_event
        outputs = [branch.output.value for branch in self._runs if branch.output is not None]
        result = Payload(outputs)
        oversized = check_data(result, self._state.name)
        visit.children = None  # a redrive after too large a result does all of it again (documented)
        if oversized is not None:
            fail(core, visit, oversized)
            return
        visit.succeeded = True
        # Recorded: the state's Succeeded and Exited both follow from the last branch's last event.
        core.record(outer.execution, "ParallelStateSucceeded", {}, outer.last_event)
        state = self._state
        finish(core, visit, result, {"result": result}, state.assign, state.output, state.next)

    def run_failed(self, run: Run, failure: Failure) -> None:
        """One branch failed: give up the others and fail with its error."""
        core, visit = self._core, self._visit
        visit.run.last_event = run.last_event
        if run.visit is not None and isinstance(run.visit.state, Task):
            # Recorded: the failed task itself is written off too.
            core.record(run.execution, "TaskStateAborted", {}, run.last_event)
        self.abort(record=True)
        fail(core, visit, failure)

    def abort(self, *, record: bool) -> None:
        """Give up the branches that still run."""
        for branch in self._runs:
            abort(self._core, branch, record=record)

    def resume(self) -> None:
        """Go on with the branches that did not succeed."""
        for branch in self._runs:
            if branch.output is None:
                resume(self._core, branch, self._visit.run.last_event)


def begin(core: Core, visit: Visit, state: Parallel) -> None:
    """Start all branches with the Arguments, or the input."""
    visit.count_retries()
    try:
        arguments = visit.input
        if state.arguments is not None:
            arguments = Payload(state.arguments.render(context_for(core, visit, {})))
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    visit.context = None  # measured: Output and Assign see no RetryCount
    oversized = check_data(arguments, state.name)
    if oversized is not None:
        fail(core, visit, oversized)
        return
    outer = visit.run
    outer.last_event = core.record(outer.execution, "ParallelStateStarted", {}, outer.last_event).id
    branches = Branches(core, visit, state, arguments)
    visit.children = branches
    branches.start()
