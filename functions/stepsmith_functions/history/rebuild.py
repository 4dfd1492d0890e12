"""The steps of a run, read out of the history of its execution. Pure: no AWS, no clock.

The desk uses it after a run on the laptop, the recorder for what handlers could not tell: steps without a handler,
skipped steps, blocks, and whatever the history missed. Values come as they travelled through the machine; secrets
never travel there.

Of a step without `Output` of its own in the history (the last one of a machine, whose output is the run's) the
output is what its handler answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stepsmith_functions.history.events import RATE_LIMITED, Event
from stepsmith_functions.history.origins import ANSWER, BLOCK, CONDITION, RAISE, SET, STEP, Origin, Origins, Way
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import StepError, StepRecord, StepStatus
from stepsmith_functions.history.result import steps_in_order
from stepsmith_functions.history.values import Json, from_text, shown_time
from stepsmith_functions.history.visits import History, Scope, Visit

_SPANNING: Final = ("Map", "Parallel")
_PER_EVENT: Final = 1000
"""Sequence numbers per event: room for the steps that were folded into one state."""


def steps_from_history(events: Iterable[Event], origins: Origins, run_id: str) -> list[StepRecord]:
    """The steps of the run in the order in which they started.

    `events` are GetExecutionHistory's, from the first one on. States that `origins` does not know are passed over.
    Raises ValueError for what is no event.
    """
    return steps_of(read_history(events), origins, run_id)


def steps_of(history: History, origins: Origins, run_id: str) -> list[StepRecord]:
    """The same for a history that was read."""
    return _Rebuilder(history, origins, run_id).steps()


def version_in(history: History) -> str | None:
    """The workflow's version, which tasks are sent with their params."""
    for visit in history.visits:
        run = _member(_member(visit.parameters, "Payload"), "run")
        if isinstance(version := _member(run, "version"), str):
            return version
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """A record and the visit that it came from."""

    record: StepRecord
    visit: Visit
    around: tuple[tuple[str, str], ...]
    """The blocks around it that no Map or Parallel stands for: the path in the origins, the path in the run."""


@dataclass(frozen=True, slots=True)
class _Fate:
    """How a block has failed, and where it stood then."""

    error: StepError
    scope: Scope


ROLLBACK: Final = "workflow.rollback"
"""The state that asks the ledger."""
RAN_OUT: Final = ("States.Timeout", "the run took longer than its timeout")
_REFUSED: Final = re.compile(rf"\$error\('({RAN_OUT[1]} of \d+ seconds)'\).* field 'TimeoutSeconds'")
"""In the cause of a step that was not begun: Step Functions repeats the expression and names its field (recorded)."""


def _ran_out(visit: Visit, *steps: str) -> bool:
    """Whether the workflow's time was up for one of `steps` when the state ended: the Choice behind it
    (`STEP.deadline`, an approval's, or that which counts a loop's failures) raises the timeout by `….late`."""
    choice = visit.next
    if choice is None or choice.state not in {
        f"{step}.{part}" for step in steps for part in ("deadline", "overdue", "tolerance")
    }:
        return False
    return choice.next is not None and choice.next.state.endswith(".late")


def _late_error(visit: Visit) -> StepError | None:
    return StepError(*RAN_OUT) if _ran_out(visit, visit.state) else None


@dataclass(eq=False, slots=True)
class _Rebuilder:
    history: History
    origins: Origins
    run_id: str
    rounds: dict[str, tuple[int, Scope]] = field(default_factory=dict)
    """The current round of each `repeat`, by its path, and where it stands: a retry around it begins anew."""
    paths: dict[int, str] = field(default_factory=dict)
    """The path of each visit, by its id."""
    blocks: dict[str, Origin] = field(default_factory=dict)
    """The blocks that no Map or Parallel stands for, by their path in the origins."""
    fates: dict[str, _Fate] = field(default_factory=dict)
    """Those of them that have failed, by their path in the run."""
    latest: dict[str, Scope] = field(default_factory=dict)
    """Where each of them stood the last time."""

    def __post_init__(self) -> None:
        spanning = {visit.state for visit in self.history.visits if visit.kind in _SPANNING}
        for state, origin in self.origins.states.items():
            if origin.role == BLOCK and origin.path is not None and state not in spanning:
                self.blocks[origin.path] = origin

    def steps(self) -> list[StepRecord]:
        self._fill_in()
        found = self._walked()
        if self._fill_in():  # on the way errors were found that Fail states raise again, and so their blocks' errors
            found = self._walked()
        self._fail_ended()
        found += self._blocks(found)
        return steps_in_order(_merged(found))

    def _walked(self) -> list[_Found]:
        """What each visit tells, in their order."""
        self.rounds, self.paths, self.fates, self.latest = {}, {}, {}, {}
        found: list[_Found] = []
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            if origin is None:
                continue
            if origin.round_of is not None:
                block = self._path(origin.round_of, visit)
                number, before = self.rounds.get(block, (-1, None))
                scope = self._scope_of(origin.round_of, visit)
                self.rounds[block] = (number + 1 if before is scope else 0, scope)
            undone = _undone(visit) if origin.undoes is not None else None
            if undone is not None:
                self.paths[visit.id] = f"{undone}.rollback"
            elif origin.path is not None:
                self.paths[visit.id] = self._path(origin.path, visit)
            found += self._of_visit(visit, origin)
            self._fail_blocks(visit, origin, found)
        return found

    def _fill_in(self) -> bool:
        """Adds the errors that the history does not tell: of a Fail state that a Catch around its block has answered,
        and of the blocks that it has failed. Whether there were any."""
        found = False
        for visit in reversed(self.history.visits):  # what stands inside was entered later
            if not visit.failed or visit.error is not None:
                continue
            origin = self.origins.of(visit.state)
            if visit.kind == "Fail" and origin is not None and origin.raises is not None:
                visit.error = StepError(origin.raises, origin.says or "")
            elif visit.failed_inside is not None and visit.failed_inside.error is not None:
                visit.error = visit.failed_inside.error
            else:
                visit.error = _noted(visit)
            found = found or visit.error is not None
        return found

    # -- blocks that fail -----------------------------------------------------------------------------

    def _fail_blocks(self, visit: Visit, origin: Origin, found: Sequence[_Found]) -> None:
        """Notes which blocks fail as the state ends, and forgets that of one which has begun anew (a retry)."""
        for template in self._around(origin):
            path, scope = self._path(template, visit), self._scope_of(template, visit)
            known = self.fates.get(path)
            if known is not None and known.scope is not scope:
                del self.fates[path]
            self.latest[path] = scope
        failing = self._failing(visit, origin)
        error = self._error_on_its_way(visit, origin, found) if failing or visit.kind == "Fail" else None
        if visit.kind == "Fail" and visit.error is None:
            visit.error = error
        if error is not None:
            for template in failing:
                # A block that has failed before keeps its own error.
                self.fates.setdefault(self._path(template, visit), _Fate(error, self._scope_of(template, visit)))

    def _fail_ended(self) -> None:
        """Notes the blocks that fail with what nothing has caught: it ends the branch, the iteration or the run."""
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            over = visit.scope.is_over or self.history.ending == "Failed"
            if origin is None or visit.kind == "Fail" or not visit.failed or visit.exited_at is not None or not over:
                continue
            error = _error(visit, origin)
            if error is None or (visit.aborted_at is not None and not self._failed_its_block(visit)):
                continue
            for template in self._around(origin):
                path = self._path(template, visit)
                if self._scope_of(template, visit) is visit.scope and self.latest.get(path) is visit.scope:
                    self.fates.setdefault(path, _Fate(error, visit.scope))

    def _failing(self, visit: Visit, origin: Origin) -> list[str]:
        """The blocks that fail as the state ends, as the origins call them."""
        own = [origin.path] if origin.path in self.blocks and origin.path is not None else []
        if visit.kind == "Fail":
            return (
                [each for each in (*own, *self._around(origin)) if self._scope_of(each, visit) is visit.scope]
                if visit.failed
                else []
            )
        if visit.exited_at is None or not (visit.failed or origin.role == RAISE):
            return []
        way = _way_taken(visit, origin)
        fails = way.fails if way is not None else ()
        found = [template for template, block in self.blocks.items() if block.step in fails]
        return [*(own if origin.raises is not None else []), *found]

    def _error_on_its_way(self, visit: Visit, origin: Origin, found: Sequence[_Found]) -> StepError | None:
        """The error that leaves a state: its own, or the one that it raises for its step."""
        if origin.raises is not None:
            return _raised(visit, origin)
        if origin.role != RAISE:
            return _error(visit, origin)
        path = self.paths.get(visit.id)
        fate = self.fates.get(path) if path is not None else None
        records = (each.record for each in reversed(found) if each.record.path == path and each.record.error)
        record = next(records, None)
        return _noted(visit) or (fate.error if fate else None) or (record.error if record else None)

    def _around(self, origin: Origin) -> list[str]:
        """The blocks around a state, as the origins call them."""
        if origin.blocks is not None:
            return [path for path in origin.blocks if path in self.blocks]
        return [path for path in self.blocks if _is_inside(origin.path or "", path)]

    def _scope_of(self, template: str, visit: Visit) -> Scope:
        """Where a block around a visit stands: outside the Maps and Parallels that are in it."""
        scope = visit.scope
        while scope.owner is not None:
            owner = self.origins.of(scope.owner.state)
            if owner is None or template not in (*self._around(owner), owner.path):
                break
            scope = scope.owner.scope
        return scope

    def _of_visit(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if origin.step is not None and origin.path is not None:
            if origin.role == CONDITION:
                yield from self._of_condition(visit, origin)
            elif origin.role == ANSWER:
                yield self._found(visit, origin, self._answered_late(visit, origin))
            elif origin.role in (STEP, SET) or (origin.role == BLOCK and visit.kind in _SPANNING):
                yield self._found(visit, origin, self._record(visit, origin))
            elif origin.raises is not None and origin.path not in self.blocks and (visit.exited_at or visit.failed):
                record = replace(self._record(visit, origin), status=StepStatus.FAILED, output=None)
                attempts = record.attempts if origin.step == visit.state else 0  # the loop itself has counted them
                yield self._found(visit, origin, replace(record, error=_raised(visit, origin), attempts=attempts))
        yield from self._of_folded(visit, origin)
        yield from self._never_undone(visit)

    def _never_undone(self, visit: Visit) -> Iterator[_Found]:
        """The undos that the ledger could not give what they read, as its answer says (`rollback.question`)."""
        lost = _member(_member(visit.result, "Payload"), "lost")
        if visit.state != ROLLBACK or not isinstance(lost, list) or visit.exited_at is None:
            return
        for number, each in enumerate(lost, 1):
            step, path = f"{_member(each, 'step')}.rollback", f"{_member(each, 'path')}"
            origin = self.origins.of(step) or Origin(STEP, step)
            record = StepRecord(
                run_id=self.run_id,
                step_id=step,
                path=f"{path}.rollback",
                status=StepStatus.FAILED,
                attempts=0,
                line=origin.line,
                action=origin.action,
                error=StepError("ValueLost", str(_member(each, "reason"))),
                started_at=visit.exited_at,
                ended_at=visit.exited_at,
                sequence=visit.id * _PER_EVENT + number,
                undoes=path,
            )
            yield self._found(visit, replace(origin, blocks=()), record)

    # -- steps with a state of their own --------------------------------------------------------------

    def _record(self, visit: Visit, origin: Origin) -> StepRecord:
        status = self._status(visit)
        failed = visit.failed or _ran_out(visit, visit.state)
        error = (_error(visit, origin) or _late_error(visit)) if failed else None
        return StepRecord(
            run_id=self.run_id,
            step_id=origin.step or "",
            path=self.paths[visit.id],
            status=status,
            attempts=max(1, visit.attempts - visit.refused),
            line=origin.line,
            action=origin.action,
            params=_params(visit),
            output=self._output(visit, origin) if status is StepStatus.SUCCEEDED else None,
            error=error if status is StepStatus.FAILED or _failure(error) is StepStatus.CANCELLED else None,
            started_at=visit.entered_at,
            ended_at=(visit.ended_at or self.history.ended_at) if status.is_final else None,
            sequence=visit.id * _PER_EVENT,
            undoes=(_undone(visit) or self._path(origin.undoes, visit)) if origin.undoes is not None else None,
            child_run_id=_child_run(visit),
            handed=_handed(visit, origin),
            result=_answer(visit) if origin.reshapes and status is StepStatus.SUCCEEDED else None,
        )

    def _answered_late(self, visit: Visit, origin: Origin) -> StepRecord:
        """An approval that approved itself at its timeout: the state before has counted the attempt."""
        record = replace(self._record(visit, origin), attempts=0, params=None)
        if record.status is not StepStatus.SUCCEEDED:
            return record
        if visit.next is None and visit.scope.owner is None:
            # The state's output is the run's.
            output: Json = {"approved": True, "by": "timeout", "comment": "", "at": shown_time(visit.entered_at)}
        else:
            output = _member(visit.output, "output") if origin.wraps else visit.output
        return replace(record, output=output)

    def _status(self, visit: Visit) -> StepStatus:
        if visit.exited_at is not None:
            if visit.failed or _ran_out(visit, visit.state):
                return _failure(_error(visit))
            return StepStatus.SUCCEEDED
        if visit.aborted_at is not None:
            return _failure(_error(visit)) if self._failed_its_block(visit) else StepStatus.CANCELLED
        over = visit.scope.is_over
        match self.history.ending:
            case None if not over and visit.kind != "Fail":
                waits = visit.kind == "Wait" or visit.resource.endswith(".waitForTaskToken")
                return StepStatus.WAITING if waits or _is_held(visit) else StepStatus.RUNNING
            case "Aborted" | "TimedOut" if not over:  # it was stopped, perhaps before a retry
                return StepStatus.CANCELLED
            case _:
                return _failure(_error(visit)) if visit.failed else StepStatus.CANCELLED

    def _failed_its_block(self, visit: Visit) -> bool:
        """Whether its failure is the one that ended the block around it; it is then aborted with its siblings
        (recorded). A sibling that failed before, and waited for its next try, is not meant."""
        owner = visit.scope.owner
        if visit.failed_block:
            return True
        if owner is None or not owner.failed or not visit.failed or visit.failed_at is None:
            return False
        failed = [one for one in self.history.visits if one.scope.owner is owner and one.failed]
        return visit.error == owner.error and all(
            one is visit or one.failed_at is None or one.failed_at < visit.failed_at for one in failed
        )

    def _output(self, visit: Visit, origin: Origin) -> Json:
        if origin.role == SET or visit.kind in ("Wait", "Choice", "Pass", "Succeed"):
            return None
        ends_the_run = visit.next is None and visit.scope.owner is None
        if visit.kind == "Task" and ends_the_run:
            return _answer(visit)
        return _member(visit.output, "output") if origin.wraps else visit.output

    # -- steps that a condition decides ----------------------------------------------------------------

    def _of_condition(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if visit.exited_at is None:
            if visit.failed:  # the condition itself could not be evaluated
                yield self._found(visit, origin, self._record(visit, origin))
            return
        way = _way_taken(visit, origin)
        if visit.next is None and way is None:
            return  # stopped between the condition and what follows
        if (way and origin.step in way.steps) or (visit.next and self._belongs(visit.next, origin)):
            return
        skipped = replace(
            self._record(visit, origin),
            status=StepStatus.SKIPPED,
            attempts=0,
            output=None,
            action=None,
            ended_at=visit.exited_at,
        )
        yield self._found(visit, origin, skipped)

    def _belongs(self, visit: Visit, condition: Origin) -> bool:
        """Whether a state is the step that the condition stands before, or is inside it."""
        origin = self.origins.of(visit.state)
        if origin is None:
            return False
        own = condition.path or ""
        blocks = origin.blocks or ()
        return origin.step == condition.step or own in blocks or _is_inside(origin.path or "", own)

    # -- steps without a state of their own ------------------------------------------------------------

    def _of_folded(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if visit.exited_at is None or visit.exited_id is None:
            return
        ids: list[str] = [] if visit.failed else list(origin.folded)
        if (visit.failed or visit.kind == "Choice") and (way := _way_taken(visit, origin)):
            ids += way.steps
        for number, step_id in enumerate(ids, 1):
            known = self.origins.steps.get(step_id)
            prefix = (origin.path or "").rpartition(".")[0]
            template = (known.path if known else None) or (f"{prefix}.{step_id}" if prefix else step_id)
            record = StepRecord(
                run_id=self.run_id,
                step_id=step_id,
                path=self._path(template, visit),
                status=StepStatus.SUCCEEDED,
                line=known.line if known else None,
                started_at=visit.exited_at,
                ended_at=visit.exited_at,
                sequence=visit.exited_id * _PER_EVENT + number,
            )
            yield self._found(visit, Origin(SET, step_id, template, blocks=origin.blocks), record)

    # -- blocks that no Map or Parallel stands for -----------------------------------------------------

    def _blocks(self, found: Sequence[_Found]) -> Iterator[_Found]:
        """A block lasts from its own state, or its first step, to its last step."""
        entered: dict[str, tuple[str, list[Visit]]] = {}
        members: dict[str, tuple[str, list[_Found]]] = {}
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            if origin and origin.role == BLOCK and origin.path in self.blocks:
                entered.setdefault(self.paths[visit.id], (origin.path, []))[1].append(visit)
        for each in found:
            for template, path in each.around:
                members.setdefault(path, (template, []))[1].append(each)
        for path in entered.keys() | members.keys():
            template, visits = entered.get(path) or (members[path][0], [])
            yield self._block(path, self.blocks[template], visits, members.get(path, ("", []))[1])

    def _block(self, path: str, origin: Origin, visits: list[Visit], members: list[_Found]) -> _Found:
        own = [self._found(visit, origin, self._record(visit, origin)) for visit in visits]
        everything = sorted([*own, *members], key=lambda each: each.record.sequence)
        first, last = everything[0], max(everything, key=lambda each: each.visit.exited_id or each.visit.id)
        status, error = self._block_ending(path, origin.step or "", everything, last)
        fate = self.fates.get(path)
        if fate is not None and status is not StepStatus.RUNNING:
            status, error = _failure(fate.error), fate.error
        ends = [each.record.ended_at for each in everything if each.record.ended_at is not None]
        record = replace(
            first.record,
            step_id=origin.step or "",
            path=path,
            status=status,
            attempts=1,
            line=origin.line,
            action=None,
            params=None,
            output=last.record.output if status is StepStatus.SUCCEEDED else None,
            error=error,
            ended_at=max(ends) if ends and status.is_final else None,
            undoes=None,
            child_run_id=None,
        )
        return _Found(record, first.visit, ())

    def _block_ending(
        self, path: str, step: str, parts: Sequence[_Found], last: _Found
    ) -> tuple[StepStatus, StepError | None]:
        if any(not each.record.status.is_final for each in parts):
            return StepStatus.RUNNING, None
        failed = [each.record for each in parts if each.record.status is StepStatus.FAILED or each.record.error]
        if _ran_out(last.visit, last.visit.state, step):
            return StepStatus.FAILED, StepError(*RAN_OUT)
        following = last.visit.next
        onward = self.origins.of(following.state) if following else None
        own = onward is not None and (last.visit.failed or onward.step == step)
        if onward and onward.role == RAISE and onward.raises is None and own:
            error = next((record.error for record in failed if record.step_id == onward.step), None)
            error = error or (failed[-1].error if failed else None)
            return _failure(error), error
        if last.visit.exited_at is not None:  # its failure, if there was one, was caught, and the block went on
            stopped = self._stopped_within(path, last.visit.next)
            return (StepStatus.CANCELLED if stopped else StepStatus.SUCCEEDED), None
        status = last.record.status
        return (status, last.record.error) if status is not StepStatus.SKIPPED else (StepStatus.SUCCEEDED, None)

    def _stopped_within(self, path: str, visit: Visit | None) -> bool:
        """Whether a block ended between two of its steps, in a state of its own: something else has ended it."""
        while visit is not None:
            origin = self.origins.of(visit.state)
            templates = (*self._around(origin), origin.path) if origin is not None else ()
            if not any(each in self.blocks and self._path(each, visit) == path for each in templates if each):
                return False
            if visit.exited_at is None:
                return visit.kind != "Fail" and (visit.scope.is_over or self.history.ending is not None)
            visit = visit.next
        return False

    # -- paths ----------------------------------------------------------------------------------------

    def _path(self, template: str, visit: Visit) -> str:
        """The path with its iterations filled in: a Map's from the iteration it stands in, a repeat's counted."""
        if "[]" not in template:
            return template
        path, rest = "", template
        scope = visit.scope
        while scope.owner is not None:
            owner = self.origins.of(scope.owner.state)
            own = owner.path if owner else None
            if own is not None and scope.index is not None and template.startswith(f"{own}[]"):
                path = f"{self.paths[scope.owner.id]}[{scope.index}]"
                rest = template[len(own) + 2 :]
                break
            scope = scope.owner.scope
        while "[]" in rest:
            before, _, rest = rest.partition("[]")
            path += before
            path += f"[{self.rounds[path][0] if path in self.rounds else 0}]"
        return path + rest

    def _found(self, visit: Visit, origin: Origin, record: StepRecord) -> _Found:
        around = tuple((template, self._path(template, visit)) for template in self._around(origin))
        return _Found(record, visit, around)


def _merged(found: Iterable[_Found]) -> list[StepRecord]:
    """One record per path: a step that was visited again (a redrive, a retried block) is as its last visit left it."""
    records: dict[str, StepRecord] = {}
    for each in sorted(found, key=lambda each: each.record.sequence):
        record, earlier = each.record, records.get(each.record.path)
        if earlier is not None:
            record = replace(
                record,
                attempts=earlier.attempts + record.attempts,
                params=earlier.params if record.params is None else record.params,
                started_at=earlier.started_at,
                sequence=earlier.sequence,
            )
        records[record.path] = record
    return list(records.values())


def _way_taken(visit: Visit, origin: Origin) -> Way | None:
    following = visit.next.state if visit.next else None
    candidates = [way for way in origin.ways if way.next == following]
    if visit.failed and visit.error is not None:
        # What leaves for the rollback shows under the error that it began with: then the state alone must tell.
        error = visit.error.type
        candidates = [way for way in candidates if not way.errors or _takes(way.errors, error)] or candidates
    marked = [way for way in candidates if way.marked and way.output == visit.output]
    plain = [way for way in candidates if not way.marked]
    return next(iter(marked or plain), None)


def _handed(visit: Visit, origin: Origin) -> Json:
    """What the step handed over for its undo."""
    if origin.hands is not None and (text := visit.assigned.get(origin.hands)) is not None:
        return _member(from_text(text), "with")
    return _member(_member(_member(visit.parameters, "Payload"), "step"), "undo")


def _takes(errors: tuple[str, ...], error: str) -> bool:
    """Whether a Catch of these errors takes one of this name (ASL, "Error names")."""
    wide = "States.ALL" in errors or ("States.TaskFailed" in errors and error not in _NO_TASK_FAILED)
    return wide or error in errors


_NO_TASK_FAILED: Final = ("States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError")


def _raised(visit: Visit, origin: Origin) -> StepError:
    """The error that a step fails with in a state of its own; its message is on record where something reads it."""
    error = origin.raises or ""
    if visit.kind == "Fail" and visit.error is not None:
        return visit.error
    noted = _noted(visit)
    return noted if noted is not None and noted.type == error else StepError(error, origin.says or "")


def _noted(visit: Visit) -> StepError | None:
    """The error that the state has kept in a variable for a handler."""
    for text in visit.assigned.values():
        value = from_text(text)
        name, message = _member(value, "type"), _member(value, "message")
        if isinstance(name, str) and isinstance(message, str):
            return StepError(name, message)
    return None


def _undone(visit: Visit) -> str | None:
    """The path of the step that an undo undoes: the machine hands it over as the state's input."""
    path = _member(visit.input, "undoes")
    return path if isinstance(path, str) else None


def _is_inside(path: str, block: str) -> bool:
    return path.startswith((f"{block}.", f"{block}[]."))


def _params(visit: Visit) -> Json:
    """What the step was called with: the params in a handler's payload, else all that a service was sent."""
    payload = _member(visit.parameters, "Payload")
    params = _member(payload, "params")
    if params is not None:
        return params
    return visit.parameters if payload is None else payload


def _answer(visit: Visit) -> Json:
    """What a task's service answered, as the step's output shows it: a handler's result, a child's output."""
    if visit.resource.startswith("startExecution.sync"):
        return _member(visit.result, "Output")
    if visit.resource.startswith("startExecution"):
        arn = _member(visit.result, "ExecutionArn")
        return {"run_id": arn.rpartition(":")[2]} if isinstance(arn, str) else visit.result
    payload = _member(visit.result, "Payload")
    return visit.result if payload is None else payload


REJECTED_LATE: Final = StepError("ApprovalRejected", "nobody decided in time")
"""What the machine raises where nobody's decision is a rejection (`stepsmith.lowering.approvals`)."""


def _failure(error: StepError | None) -> StepStatus:
    """How a step stands that failed: one that the run's cancel kept from beginning is cancelled."""
    return StepStatus.CANCELLED if error is not None and error.type == "RunCancelled" else StepStatus.FAILED


def _error(visit: Visit, origin: Origin | None = None) -> StepError | None:
    """The step's error: of a child that failed, the child's own, which its description in the cause tells; of a step
    that was not begun since the workflow's time was up, that."""
    error = visit.error
    if error is not None and origin is not None and origin.rejects_late and error.type == "States.Timeout":
        return StepError(*RAN_OUT) if _ran_out(visit, visit.state) else REJECTED_LATE
    if error is not None and error.type == "States.QueryEvaluationError" and (late := _REFUSED.search(error.message)):
        return StepError(RAN_OUT[0], late[1])
    if error is None or error.type != "States.TaskFailed" or not visit.resource.startswith("startExecution.sync"):
        return error
    try:
        described = json.loads(error.message)
    except ValueError:
        return error
    name, cause = _member(described, "Error"), _member(described, "Cause")
    if not isinstance(name, str):
        name = "States.Timeout" if _member(described, "Status") == "TIMED_OUT" else "ChildStopped"
    return StepError(name, _message(cause))


def _message(cause: Json) -> str:
    """The message in a Lambda error's cause or in that of a machine of ours (see `ending`), else the cause itself."""
    if not isinstance(cause, str):
        return ""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    key = "message" if cause.startswith('{"message":') else "errorMessage"
    message = _member(told, key)
    return message if isinstance(message, str) else cause


def _child_run(visit: Visit) -> str | None:
    """The name of the execution that the step started and waited for."""
    if not visit.resource.startswith("startExecution.sync"):
        return None
    arn = _member(visit.result, "ExecutionArn") or _member(visit.result, "executionArn")
    return arn.rpartition(":")[2] if isinstance(arn, str) else None


def _member(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, Mapping) else None


def _is_held(visit: Visit) -> bool:
    """Whether its handler did not let it begin, and the machine asks again later."""
    if not visit.failed or visit.error is None:
        return False
    return visit.error.type in ("RunPaused", "RunQueued") or (visit.error.type == RATE_LIMITED and visit.is_limited)
