"""The steps of a run, read out of the history of its execution. Pure: no AWS, no clock.

The desk uses it after a run on the laptop, the recorder for what handlers could not tell: steps without a handler,
skipped steps, blocks, and whatever the history missed. Values come as they travelled through the machine; secrets
never travel there.

Of a step without `Output` of its own in the history (the last one of a machine, whose output is the run's) the
output is what its handler answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stepsmith_functions.history.blocks import SPANNING, Blocks, is_inside
from stepsmith_functions.history.events import Event
from stepsmith_functions.history.origins import ANSWER, BLOCK, CONDITION, RAISE, SET, STEP, Origin, Origins
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import UNDO, StepError, StepRecord, StepStatus
from stepsmith_functions.history.result import steps_in_order
from stepsmith_functions.history.told import (
    RAN_OUT,
    ROLLBACK,
    answer_of,
    child_run_of,
    error_of,
    failure_status,
    handed_by,
    is_held,
    late_error,
    member,
    noted_by,
    params_of,
    raised_by,
    ran_out,
    undone_by,
    way_taken,
)
from stepsmith_functions.history.values import Json, shown_time
from stepsmith_functions.history.visits import History, Visit

IN_DOUBT: Final = ("EffectUnknown", "it is not known whether the step took effect")
"""Why the undo of such a step was not begun."""
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
        run = member(member(visit.parameters, "Payload"), "run")
        if isinstance(version := member(run, "version"), str):
            return version
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """A record and the visit that it came from."""

    record: StepRecord
    visit: Visit
    around: tuple[tuple[str, str], ...]
    """The blocks around it that no Map or Parallel stands for: the path in the origins, the path in the run."""


@dataclass(eq=False, slots=True)
class _Rebuilder:
    history: History
    origins: Origins
    run_id: str
    blocks: Blocks = field(init=False)

    def __post_init__(self) -> None:
        self.blocks = Blocks(self.history, self.origins)

    def steps(self) -> list[StepRecord]:
        self._fill_in()
        found = self._walked()
        if self._fill_in():  # on the way errors were found that Fail states raise again, and so their blocks' errors
            found = self._walked()
        self.blocks.fail_ended()
        found += self._blocks(found)
        return steps_in_order(_merged(found))

    def _walked(self) -> list[_Found]:
        """What each visit tells, in their order."""
        self.blocks.begin_anew()
        found: list[_Found] = []
        records: list[StepRecord] = []
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            if origin is None:
                continue
            self.blocks.begin(visit, origin)
            those = list(self._of_visit(visit, origin))
            found += those
            records += [each.record for each in those]
            self.blocks.note(visit, origin, records)
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
                visit.error = noted_by(visit)
            found = found or visit.error is not None
        return found

    def _of_visit(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if origin.step is not None and origin.path is not None:
            if origin.role == CONDITION:
                yield from self._of_condition(visit, origin)
            elif origin.role == ANSWER:
                yield self._found(visit, origin, self._answered_late(visit, origin))
            elif origin.role in (STEP, SET) or (origin.role == BLOCK and visit.kind in SPANNING):
                yield self._found(visit, origin, self._record(visit, origin))
            elif (
                origin.raises is not None and origin.path not in self.blocks.known and (visit.exited_at or visit.failed)
            ):
                record = replace(self._record(visit, origin), status=StepStatus.FAILED, output=None)
                attempts = record.attempts if origin.step == visit.state else 0  # the loop itself has counted them
                yield self._found(visit, origin, replace(record, error=raised_by(visit, origin), attempts=attempts))
        yield from self._of_folded(visit, origin)
        yield from self._never_undone(visit)

    def _never_undone(self, visit: Visit) -> Iterator[_Found]:
        """The undos that the ledger could not have begun, as its answer says (`rollback.question`): of steps of which
        it could not give what the undo reads, or did not know whether they took effect."""
        if visit.state != ROLLBACK or visit.exited_at is None:
            return
        told = member(visit.result, "Payload")
        lost, unknown = member(told, "lost"), member(told, "unknown")
        missed: list[tuple[str, StepError]] = []
        for each in lost if isinstance(lost, list) else ():
            missed.append((f"{member(each, 'path')}", StepError("ValueLost", str(member(each, "reason")))))
        for each in unknown if isinstance(unknown, list) else ():
            missed += [(path, StepError(*IN_DOUBT)) for path in self._paths_of(str(each))]
        for number, (undone, error) in enumerate(missed, 1):
            step = f"{undone.rpartition('.')[2].partition('[')[0]}{UNDO}"
            origin = self.origins.of(step) or Origin(STEP, step)
            record = StepRecord(
                run_id=self.run_id,
                step_id=step,
                path=undone + UNDO,
                status=StepStatus.FAILED,
                attempts=0,
                line=origin.line,
                action=origin.action,
                error=error,
                started_at=visit.exited_at,
                ended_at=visit.exited_at,
                sequence=visit.id * _PER_EVENT + number,
                undoes=undone,
            )
            yield self._found(visit, replace(origin, blocks=()), record)

    def _paths_of(self, unknown: str) -> list[str]:
        """Where the steps stood that the ledger calls `unknown`: by their id, where no function told a path."""
        given_up = [each for each in self.history.visits if each.state == unknown and each.exited_at is None]
        return [self.blocks.paths[each.id] for each in given_up if each.id in self.blocks.paths] or [unknown]

    # -- steps with a state of their own --------------------------------------------------------------

    def _record(self, visit: Visit, origin: Origin) -> StepRecord:
        status = self._status(visit)
        failed = visit.failed or ran_out(visit, visit.state)
        error = (error_of(visit, origin) or late_error(visit)) if failed else None
        return StepRecord(
            run_id=self.run_id,
            step_id=origin.step or "",
            path=self.blocks.paths[visit.id],
            status=status,
            attempts=max(1, visit.attempts - visit.refused),
            line=origin.line,
            action=origin.action,
            params=params_of(visit),
            output=self._output(visit, origin) if status is StepStatus.SUCCEEDED else None,
            error=error if status is StepStatus.FAILED or failure_status(error) is StepStatus.CANCELLED else None,
            started_at=visit.entered_at,
            ended_at=(visit.ended_at or self.history.ended_at) if status.is_final else None,
            sequence=visit.id * _PER_EVENT,
            undoes=(undone_by(visit) or self.blocks.path(origin.undoes, visit)) if origin.undoes is not None else None,
            child_run_id=child_run_of(visit),
            handed=handed_by(visit, origin),
            result=answer_of(visit) if origin.reshapes and status is StepStatus.SUCCEEDED else None,
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
            output = member(visit.output, "output") if origin.wraps else visit.output
        return replace(record, output=output)

    def _status(self, visit: Visit) -> StepStatus:
        if visit.exited_at is not None:
            if visit.failed or ran_out(visit, visit.state):
                return failure_status(error_of(visit))
            return StepStatus.SUCCEEDED
        if visit.aborted_at is not None:
            return failure_status(error_of(visit)) if self.blocks.failed_its_block(visit) else StepStatus.CANCELLED
        over = visit.scope.is_over
        match self.history.ending:
            case None if not over and visit.kind != "Fail":
                waits = visit.kind == "Wait" or visit.resource.endswith(".waitForTaskToken")
                return StepStatus.WAITING if waits or is_held(visit) else StepStatus.RUNNING
            case "Aborted" | "TimedOut" if not over:  # it was stopped, perhaps before a retry
                return StepStatus.CANCELLED
            case _:
                return failure_status(error_of(visit)) if visit.failed else StepStatus.CANCELLED

    def _output(self, visit: Visit, origin: Origin) -> Json:
        if origin.role == SET or visit.kind in ("Wait", "Choice", "Pass", "Succeed"):
            return None
        ends_the_run = visit.next is None and visit.scope.owner is None
        if visit.kind == "Task" and ends_the_run:
            return answer_of(visit)
        return member(visit.output, "output") if origin.wraps else visit.output

    # -- steps that a condition decides ----------------------------------------------------------------

    def _of_condition(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if visit.exited_at is None:
            if visit.failed:  # the condition itself could not be evaluated
                yield self._found(visit, origin, self._record(visit, origin))
            return
        way = way_taken(visit, origin)
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
        return origin.step == condition.step or own in blocks or is_inside(origin.path or "", own)

    # -- steps without a state of their own ------------------------------------------------------------

    def _of_folded(self, visit: Visit, origin: Origin) -> Iterator[_Found]:
        if visit.exited_at is None or visit.exited_id is None:
            return
        ids: list[str] = [] if visit.failed else list(origin.folded)
        if (visit.failed or visit.kind == "Choice") and (way := way_taken(visit, origin)):
            ids += way.steps
        for number, step_id in enumerate(ids, 1):
            known = self.origins.steps.get(step_id)
            prefix = (origin.path or "").rpartition(".")[0]
            template = (known.path if known else None) or (f"{prefix}.{step_id}" if prefix else step_id)
            record = StepRecord(
                run_id=self.run_id,
                step_id=step_id,
                path=self.blocks.path(template, visit),
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
        entered: dict[str, tuple[str, list[_Found]]] = {}
        members: dict[str, tuple[str, list[_Found]]] = {}
        parts = list(found)
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            if origin and origin.role == BLOCK and origin.path in self.blocks.known:
                own = self._found(visit, origin, self._record(visit, origin))
                entered.setdefault(own.record.path, (origin.path, []))[1].append(own)
                parts.append(own)  # of the blocks around it
        for each in parts:
            for template, path in each.around:
                members.setdefault(path, (template, []))[1].append(each)
        for path in entered.keys() | members.keys():
            template, owns = entered.get(path) or (members[path][0], [])
            yield self._block(path, self.blocks.known[template], [*owns, *members.get(path, ("", []))[1]])

    def _block(self, path: str, origin: Origin, parts: list[_Found]) -> _Found:
        everything = sorted(parts, key=lambda each: each.record.sequence)
        first, last = everything[0], max(everything, key=lambda each: each.visit.exited_id or each.visit.id)
        status, error = self._block_ending(path, origin.step or "", everything, last)
        fate = self.blocks.fates.get(path)
        if fate is not None and status is not StepStatus.RUNNING:
            status, error = failure_status(fate.error), fate.error
        around = [outer for _, outer in first.around]
        before = len(around) - around.index(path) if path in around else 0  # it stands before what begins with it
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
            sequence=first.record.sequence - before,
            undoes=None,
            child_run_id=None,
        )
        return _Found(record, first.visit, ())

    def _block_ending(
        self, path: str, step: str, parts: Sequence[_Found], last: _Found
    ) -> tuple[StepStatus, StepError | None]:
        if any(not each.record.status.is_final for each in parts):
            return StepStatus.RUNNING, None
        if self.blocks.was_ended(path):
            return StepStatus.CANCELLED, None
        if (error := self.blocks.failed_with(path)) is not None:
            return failure_status(error), error
        failed = [each.record for each in parts if each.record.status is StepStatus.FAILED or each.record.error]
        if ran_out(last.visit, last.visit.state, step):
            return StepStatus.FAILED, StepError(*RAN_OUT)
        following = last.visit.next
        onward = self.origins.of(following.state) if following else None
        own = onward is not None and (last.visit.failed or onward.step == step)
        if onward and onward.role == RAISE and onward.raises is None and own:
            error = next((record.error for record in failed if record.step_id == onward.step), None)
            error = error or (failed[-1].error if failed else None)
            return failure_status(error), error
        if last.visit.exited_at is not None:  # its failure, if there was one, was caught, and the block went on
            stopped = self._stopped_within(path, last.visit.next)
            return (StepStatus.CANCELLED if stopped else StepStatus.SUCCEEDED), None
        status = last.record.status
        return (status, last.record.error) if status is not StepStatus.SKIPPED else (StepStatus.SUCCEEDED, None)

    def _stopped_within(self, path: str, visit: Visit | None) -> bool:
        """Whether a block ended between two of its steps, in a state of its own: something else has ended it."""
        while visit is not None:
            origin = self.origins.of(visit.state)
            templates = (*self.blocks.around(origin), origin.path) if origin is not None else ()
            if not any(
                each in self.blocks.known and self.blocks.path(each, visit) == path for each in templates if each
            ):
                return False
            if visit.exited_at is None:
                return visit.kind != "Fail" and (visit.scope.is_over or self.history.ending is not None)
            visit = visit.next
        return False

    def _found(self, visit: Visit, origin: Origin, record: StepRecord) -> _Found:
        around = tuple((template, self.blocks.path(template, visit)) for template in self.blocks.around(origin))
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
