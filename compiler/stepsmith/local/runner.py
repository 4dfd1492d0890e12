"""Runs a compiled workflow on this machine, from its start to its record in the local history.

Everything goes the way it goes in an account: boto3 creates the machine and starts the execution, the handlers that
the template names do the steps, and the record is read out of the execution's own history.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.engine import Evaluation, Event, Execution, Failure, Status
from stepsmith.local.alive import holding
from stepsmith.local.approvals.desk import REQUEST_FUNCTION, Desk, Person
from stepsmith.local.attempts import FailedAttempt, failed_attempts
from stepsmith.local.aws import LocalAws
from stepsmith.local.continuing import Continued
from stepsmith.local.control import LocalControl
from stepsmith.local.machines import create_machines, functions_of
from stepsmith.local.mocked_steps import MockedSteps, workflow_of
from stepsmith.local.mocks import Mocks
from stepsmith.local.program import Program
from stepsmith.local.rebuilding import merged, not_before, rebuilt, with_kept
from stepsmith.local.sam import SamTemplate, read_template
from stepsmith.local.undoing import undo
from stepsmith.project import STATE_FOLDER, Project
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunError, RunRecord, RunStatus, StepRecord, StepStatus
from stepsmith_functions.history.result import located, run_result, with_children
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.runtime.control import Control

if TYPE_CHECKING:  # few runs share anything
    from stepsmith.local.shared import LocalSharedState

NOTHING_ANSWERS: Final = "NothingAnswers"
_KEPT_EVERY: Final = 1.0
"""Seconds between two looks at a run's steps that other processes may take, while it is under way."""
_LONG: Final = 0.3
"""Seconds that nothing is to happen in a run, from which on they are kept at once."""


@dataclass(frozen=True)
class RunOptions:
    """How to run it."""

    mocks: Mocks = field(default_factory=Mocks)
    real_time: bool = False
    """Waits and back-off are waited for; else they are skipped, and time is virtual."""
    run_id: str | None = None
    working_folder: Path | None = None
    """Where actions may touch files; the project's root if left out."""
    progress: Callable[[Progress], None] | None = None
    """Told whenever something has happened."""
    trace: Callable[[Evaluation], None] | None = None
    started_at: datetime | None = None
    """The virtual time of the start; the present if left out."""
    held: Callable[[Control | None], None] | None = None
    """Told when the run begins to wait because it was paused, and, with None, when it goes on."""
    person: Person | None = None
    """Who decides approvals here; None: another process does, by the local history."""
    keep: bool = True
    """Whether the run goes into the local history, and the objects of its buckets outlive it."""
    continues: Continued | None = None
    """The earlier run that this one goes on from."""


class AlreadyContinuedError(Exception):
    """Another run goes on from this one already."""


class Progress:
    """A run that is under way, as far as it has come."""

    def __init__(self, program: Program, execution: Execution, kept: Sequence[StepRecord] = ()) -> None:
        self.run_id = execution.name
        self.workflow = program.name
        self._kept = kept
        self._program = program
        self._execution = execution

    @property
    def elapsed(self) -> float:
        """Seconds since the start, by the run's own clock."""
        last = self._execution.events[-1].timestamp if self._execution.events else self._execution.started
        return (last - self._execution.started).total_seconds()

    @property
    def step_changed(self) -> bool:
        """Whether the last event began, retried or ended something, so that the steps look different now."""
        kind = self._execution.events[-1].type if self._execution.events else ""
        return kind.endswith(("Entered", "Exited", "Scheduled", "Failed", "TimedOut", "Succeeded", "Aborted"))

    def steps(self) -> list[StepRecord]:
        """The steps that have started, in that order; before them those that an earlier run has done."""
        return with_kept(rebuilt(self._program, self._execution), self._kept)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run went."""

    run: RunRecord
    steps: tuple[StepRecord, ...]
    failure: Failure | None = None
    """Where and why the machine failed, as the engine knows it."""
    log: str = field(default="", repr=False)
    """What the handlers printed."""
    history_problem: str | None = None
    """Why the run could not be kept in the local history."""
    objects: Path | None = None
    """The folder in which the objects of `s3://BUCKET/…` now lie, under their bucket's name."""
    children: Mapping[str, Sequence[StepRecord]] = field(default_factory=dict)
    """The steps of runs that a step waited for, by that step's path."""
    failures: Sequence[FailedAttempt] = ()
    """The attempts that failed, those that a later one made good included."""
    apart: Sequence[StepRecord] = ()
    """Steps of executions of their own, those of a distributed loop, as far as their handlers told of them."""

    @property
    def result(self) -> dict[str, Json]:
        """The run as `run --json` shows it."""
        shown: dict[str, Json] = json.loads(json.dumps(run_result(self.run, self.steps, children=self.children)))
        return shown


def run_workflow(
    program: Program,
    data: Json,
    project: Project,
    catalog: ActionCatalog,
    options: RunOptions | None = None,
) -> RunReport:
    """Runs `program` on the input `data` and keeps the run in the project's local history, unless told not to.

    Ctrl-C stops the run, which is then `cancelled`. Raises sam.TemplateError for a template that cannot be read, and
    AlreadyContinuedError.
    """
    options = options or RunOptions()
    template = read_template(project.template) if project.template.is_file() else SamTemplate(project.root)
    functions = functions_of(template, project, catalog)
    mocks = MockedSteps(options.mocks, program)
    folder = options.working_folder or project.root
    store = _Store(LocalRunStore(project.history) if options.keep else None)
    earlier = options.continues
    start = options.started_at
    if earlier is not None and start is None:
        start = not_before(earlier.run)
    watcher = _Watcher(program, options.progress, store, earlier.records if earlier else ())
    control = _control_of(project, options, watcher)
    with ExitStack() as alive:
        aws = alive.enter_context(
            LocalAws(
                template,
                functions,
                folder,
                real_time=options.real_time,
                mocks=mocks if options.mocks.answers else None,
                observer=watcher,
                idle=watcher.idle,
                trace=options.trace,
                start=start,
                kept_objects=project.root / STATE_FOLDER / "s3" if options.keep else None,
            )
        )
        machine = create_machines(program, aws, functions)
        run_id = options.run_id or aws.new_id()
        if options.keep:
            alive.enter_context(holding(project.history, run_id))
            if options.real_time:
                aws.history.share = lambda: _shared(project.history, run_id, aws)
        kept = [replace(step, run_id=run_id) for step in earlier.records] if earlier else []
        if earlier is not None:
            store.hand_on(earlier, run_id)
            aws.history.remember(kept)
        execution = aws.start_execution(machine, json.dumps(data if earlier is None else earlier.given), run_id)
        link = earlier.link if earlier is not None else None
        store.keep(replace(_record(program, execution, data), continues=link), kept)
        aws.history.controls = aws.tasks.control = control
        watcher.told = aws.history.steps
        aws.history.on_progress = aws.history.on_effect = lambda step: store.keep_steps([step])
        asks = any(REQUEST_FUNCTION in each.definition for each in program.family().values())
        desk = None
        if asks:

            def waits(waiting: bool) -> None:
                store.waits(run_id, waiting, rebuilt(program, execution))

            orders = control.standing if control is not None else None
            desk = Desk(aws, project.history if options.keep else None, options.person, waits, orders)
        _drive(aws, execution, control, desk)
        steps = with_kept(merged(rebuilt(program, execution), aws.history.steps(run_id)), kept)
        run = replace(_record(program, execution, data, steps, store.order_for(run_id)), continues=link)
        children = _keep_children(program, execution, aws, store, steps)
        if program.undoes_itself and execution.status in (Status.ABORTED, Status.TIMED_OUT):
            store.keep(run, steps)
            run, steps = undo(program, aws, run, steps)
        store.keep(run, steps)
        buckets = aws.stack.used_buckets
        objects = aws.stack.kept if buckets else None
        log, failures = "".join(aws.tasks.logs), failed_attempts(program, execution)
        known = {step.path for step in steps}
        apart = [step for path, step in aws.history.steps(run_id).items() if path not in known]
        return RunReport(run, tuple(steps), execution.failure, log, store.problem, objects, children, failures, apart)


def _shared(history: Path, run_id: str, aws: LocalAws) -> LocalSharedState:
    """What the run shares with those of other processes; with nobody where the history cannot be written."""
    from stepsmith.local.shared import MemorySharedState
    from stepsmith.local.shared_file import FileSharedState

    try:
        return FileSharedState(history, run_id, aws.handler_clock.now)
    except HistoryError:
        return MemorySharedState()


def _control_of(project: Project, options: RunOptions, watcher: _Watcher) -> LocalControl | None:
    """Who heeds orders to the run; None where it is not kept and so cannot be found."""

    def held(control: Control | None) -> None:
        watcher.keep()
        if options.held is not None:
            options.held(control)

    return LocalControl(LocalRunStore(project.history), project.history, held) if options.keep else None


def _drive(aws: LocalAws, execution: Execution, control: LocalControl | None, desk: Desk | None) -> None:
    try:
        with control.watching(execution.name) if control else nullcontext():
            if desk is not None:
                desk.drive(execution)
            else:
                aws.engine.run(until=execution)
            if execution.running:
                aws.engine.stop(execution, NOTHING_ANSWERS, "the run waits for an answer that nothing here gives")
            # Runs that it started without waiting for them go on by themselves; here, before the process ends.
            for child in execution.children:
                aws.engine.run(until=child)
    except KeyboardInterrupt:
        stopped = control.stopped_by if control else None
        aws.engine.stop(execution, "Cancelled", stopped.sentence() if stopped else "stopped from the keyboard")


class _Watcher:
    """Turns the engine's events into progress of the one run that is watched, and keeps it for other processes."""

    def __init__(
        self,
        program: Program,
        tell: Callable[[Progress], None] | None,
        store: _Store,
        kept: Sequence[StepRecord] = (),
    ) -> None:
        self._program = program
        self._kept = kept
        self._tell = tell
        self._store = store
        self._next = time.monotonic() + _KEPT_EVERY
        self._news = False
        """Whether something has happened since they were kept."""
        self._progress: Progress | None = None
        self._watched: Execution | None = None
        self.told: Callable[[str], Mapping[str, StepRecord]] = lambda run_id: {}  # noqa: ARG005
        """What handlers told of the steps of a run, by path."""

    def __call__(self, execution: Execution, event: Event) -> None:  # noqa: ARG002
        if self._watched is None:
            self._watched, self._progress = execution, Progress(self._program, execution, self._kept)
        if self._tell is not None and execution is self._watched and self._progress is not None:
            self._tell(self._progress)
        self._news = True
        if time.monotonic() >= self._next:
            self.keep()

    def idle(self, seconds: float) -> None:
        """Nothing will happen for so long: what has happened is kept now, not with the next event."""
        if self._news and seconds >= _LONG:
            self.keep()

    def keep(self) -> None:
        """Keeps the steps as they stand, so that `stepsmith show` in another process shows them."""
        if self._progress is not None and self._watched is not None and self._watched.running:
            told = self.told(self._watched.name)
            self._store.keep_steps([_done(step, told.get(step.path)) for step in self._progress.steps()])
        self._next, self._news = time.monotonic() + _KEPT_EVERY, False


def _done(step: StepRecord, told: StepRecord | None) -> StepRecord:
    """The step, as its handler told that it ended: the machine may not have heard of that yet."""
    if told is None or step.status is not StepStatus.RUNNING or told.status is not StepStatus.SUCCEEDED:
        return step
    return replace(step, status=told.status, params=told.params, output=told.output, ended_at=told.ended_at)


class _Store:
    """The local history, whose failure is told but never fails a run."""

    def __init__(self, store: LocalRunStore | None) -> None:
        self._store = store
        self.problem: str | None = None

    def waits(self, run_id: str, waiting: bool, steps: Sequence[StepRecord]) -> None:
        """Shows other processes that the run waits for people, or goes on."""
        before, after = RunStatus.RUNNING, RunStatus.WAITING_APPROVAL
        self.keep_steps(steps)
        self._try(lambda store: store.move_run(run_id, [before] if waiting else [after], after if waiting else before))

    def keep(self, run: RunRecord, steps: Sequence[StepRecord]) -> None:
        self._try(lambda store: store.put_run(run))
        self.keep_steps(steps)

    def keep_steps(self, steps: Sequence[StepRecord]) -> None:
        if steps:
            self._try(lambda store: store.put_steps(steps))

    def order_for(self, run_id: str) -> Control | None:
        """What was ordered of a run."""
        found: list[Control | None] = []
        self._try(lambda store: found.append(store.run(run_id).control))
        return found[0] if found else None

    def _try(self, use: Callable[[LocalRunStore], object]) -> None:
        if self._store is None:
            return
        try:
            use(self._store)
        except HistoryError as error:
            self.problem = str(error)

    def hand_on(self, earlier: Continued, run_id: str) -> None:
        """Raises AlreadyContinuedError where another run goes on from the earlier one."""
        handed: list[bool] = []
        self._try(lambda store: handed.append(store.hand_on(earlier.run.run_id, run_id)))
        if handed == [False]:
            raise AlreadyContinuedError(earlier.run.run_id)


def _keep_children(
    program: Program, execution: Execution, aws: LocalAws, store: _Store, steps: Sequence[StepRecord]
) -> dict[str, Sequence[StepRecord]]:
    """Keeps the runs that the run started as runs of their own; the steps of those it waited for, by path."""
    family = program.family()
    waited = {step.child_run_id: step.path for step in steps if step.child_run_id is not None}
    found: dict[str, Sequence[StepRecord]] = {}
    for child in execution.children:
        own = family.get(workflow_of(child))
        if own is None or child.map_run_arn is not None:
            continue
        kept = merged(rebuilt(own, child), aws.history.steps(child.name))
        deeper = _keep_children(own, child, aws, store, kept)
        record = _record(own, child, json.loads(json.dumps(child.input)), kept)
        store.keep(replace(record, parent_run_id=execution.name), kept)
        if child.name in waited:
            found[waited[child.name]] = with_children(kept, deeper)
    return found


def _record(
    program: Program,
    execution: Execution,
    data: Json,
    steps: Sequence[StepRecord] = (),
    control: Control | None = None,
) -> RunRecord:
    status, told = run_ending(execution.status.value, execution.error, execution.cause)
    if execution.error == NOTHING_ANSWERS:
        status = RunStatus.FAILED
    status = status.after(control) if status is RunStatus.FAILED else status
    return RunRecord(
        run_id=execution.name,
        workflow=program.name,
        version=program.version,
        status=status,
        started_at=execution.started,
        ended_at=execution.stopped,
        input=data,
        output=execution.output,
        error=_error(program, execution, status, told, steps),
        transitions=execution.transitions if status.is_final else None,
        execution_arn=execution.arn,
        complete=status.is_final,
        file=program.file,
    )


def _error(
    program: Program, execution: Execution, status: RunStatus, told: RunError | None, steps: Sequence[StepRecord]
) -> RunError | None:
    if status in (RunStatus.SUCCEEDED, RunStatus.RUNNING):
        return None
    if told is not None and told.step is not None:
        # It was on its way through a rollback: the state that ended the run is not the one that failed it.
        lines = program.origins.get("steps")
        known = lines.get(told.step) if isinstance(lines, dict) else None
        line = known.get("line") if isinstance(known, dict) else None
        return located(replace(told, line=line if isinstance(line, int) else None), steps)
    if told is not None and str(execution.status) == "FAILED" and status is not RunStatus.FAILED:
        return located(told, steps)  # the machine ended as something that Step Functions has no status for
    if status is RunStatus.TIMED_OUT:
        limit = execution.machine.timeout
        return RunError("States.Timeout", f"the run took longer than its timeout of {limit} seconds")
    step, line = origin_of(program, execution.failure.state if execution.failure else None)
    failure = execution.failure
    message = failure.message if failure and failure.message else message_of(execution.cause)
    error = RunError(execution.error or "States.Runtime", message, step, line)
    return error if step is not None else located(error, steps)  # behind a `finally` the machine ends for no step


def origin_of(program: Program, state: str | None) -> tuple[str | None, int | None]:
    """The step and line that a state came from."""
    states = program.origins.get("states")
    origin = states.get(state) if isinstance(states, dict) and state is not None else None
    if not isinstance(origin, dict):
        return None, None
    step, line = origin.get("step"), origin.get("line")
    if not isinstance(step, str):
        return None, None
    return step, line if isinstance(line, int) else None


def message_of(cause: str | None) -> str:
    """What a cause says: the message of a Python exception, else the text itself."""
    if cause is None:
        return ""
    if cause.startswith("{"):
        try:
            told = json.loads(cause)
        except ValueError:
            return cause
        for key in ("errorMessage", "Cause"):
            if isinstance(told.get(key), str):
                return message_of(str(told[key])) if key == "Cause" else str(told[key])
    return cause
