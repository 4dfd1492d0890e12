"""The blocks around the visits of an execution: their paths in the run, their rounds, and which of them have failed.

A `switch`, `try` or `repeat` has no Map or Parallel that would say so: what is known of one follows from its states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stepsmith_functions.history.origins import BLOCK, RAISE, Origin, Origins
from stepsmith_functions.history.records import UNDO, StepError, StepRecord
from stepsmith_functions.history.told import error_of, noted_by, raised_by, undone_by, way_taken
from stepsmith_functions.history.visits import History, Scope, Visit

SPANNING: Final = ("Map", "Parallel")


@dataclass(frozen=True, slots=True)
class Fate:
    """How a block has failed, and where it stood then."""

    error: StepError
    scope: Scope


@dataclass(eq=False, slots=True)
class Blocks:
    """Follows the visits in their order: `begin` and `note` are told of each."""

    history: History
    origins: Origins
    rounds: dict[str, tuple[int, Scope]] = field(default_factory=dict)
    """The current round of each `repeat`, by its path, and where it stands: a retry around it begins anew."""
    paths: dict[int, str] = field(default_factory=dict)
    """The path of each visit, by its id."""
    known: dict[str, Origin] = field(default_factory=dict)
    """Those that no Map or Parallel stands for, by their path in the origins."""
    fates: dict[str, Fate] = field(default_factory=dict)
    """Those of them that have failed, by their path in the run."""
    leaving: dict[str, StepError] = field(default_factory=dict)
    """The last error that left each of them, by its path in the run: that of a handler or a `finally` comes after its
    own."""
    latest: dict[str, Scope] = field(default_factory=dict)
    """Where each of them stood the last time."""
    last: dict[str, Visit] = field(default_factory=dict)
    """The last visit in each of them, by its path in the run, but for those within a Map or Parallel in it."""

    def __post_init__(self) -> None:
        spanning = {visit.state for visit in self.history.visits if visit.kind in SPANNING}
        for state, origin in self.origins.states.items():
            if origin.role == BLOCK and origin.path is not None and state not in spanning:
                self.known[origin.path] = origin

    def begin_anew(self) -> None:
        """Forgets what the visits told, before they are followed once more."""
        self.rounds, self.paths, self.fates, self.leaving, self.latest, self.last = {}, {}, {}, {}, {}, {}

    def begin(self, visit: Visit, origin: Origin) -> None:
        """Finds the path of a visit."""
        if origin.round_of is not None:
            block = self.path(origin.round_of, visit)
            number, before = self.rounds.get(block, (-1, None))
            scope = self._scope_of(origin.round_of, visit)
            self.rounds[block] = (number + 1 if before is scope else 0, scope)
        undone = undone_by(visit) if origin.undoes is not None else None
        if undone is not None:
            self.paths[visit.id] = undone + UNDO
        elif origin.path is not None:
            self.paths[visit.id] = self.path(origin.path, visit)

    def note(self, visit: Visit, origin: Origin, records: Sequence[StepRecord]) -> None:
        """Notes which blocks fail as the state ends, and forgets that of one which has begun anew (a retry)."""
        for template in self.around(origin):
            path, scope = self.path(template, visit), self._scope_of(template, visit)
            if scope is visit.scope:
                self.last[path] = visit
            known = self.fates.get(path)
            if known is not None and known.scope is not scope:
                del self.fates[path]
                self.leaving.pop(path, None)
            self.latest[path] = scope
        failing = self._failing(visit, origin)
        error = self._error_on_its_way(visit, origin, records) if failing or visit.kind == "Fail" else None
        if visit.kind == "Fail" and visit.error is None:
            visit.error = error
        if error is not None:
            for template in failing:
                path = self.path(template, visit)
                self.leaving[path] = error
                # A block that has failed before keeps its own error.
                self.fates.setdefault(path, Fate(error, self._scope_of(template, visit)))

    def fail_ended(self) -> None:
        """Notes the blocks that fail with what nothing has caught: it ends the branch, the iteration or the run."""
        for visit in self.history.visits:
            origin = self.origins.of(visit.state)
            over = visit.scope.is_over or self.history.ending == "Failed"
            if origin is None or visit.kind == "Fail" or not visit.failed or visit.exited_at is not None or not over:
                continue
            error = error_of(visit, origin)
            if error is None or (visit.aborted_at is not None and not self.failed_its_block(visit)):
                continue
            for template in self.around(origin):
                path = self.path(template, visit)
                if self._scope_of(template, visit) is visit.scope and self.latest.get(path) is visit.scope:
                    self.fates.setdefault(path, Fate(error, visit.scope))

    def _failing(self, visit: Visit, origin: Origin) -> list[str]:
        """The blocks that fail as the state ends, as the origins call them."""
        own = [origin.path] if origin.path in self.known and origin.path is not None else []
        if visit.kind == "Fail":
            return (
                [each for each in (*own, *self.around(origin)) if self._scope_of(each, visit) is visit.scope]
                if visit.failed
                else []
            )
        if visit.exited_at is None or not (visit.failed or origin.role == RAISE):
            return []
        way = way_taken(visit, origin)
        fails = way.fails if way is not None else ()
        found = [template for template, block in self.known.items() if block.step in fails]
        return [*(own if origin.raises is not None else []), *found]

    def _error_on_its_way(self, visit: Visit, origin: Origin, records: Sequence[StepRecord]) -> StepError | None:
        """The error that leaves a state: its own, or the one that it raises for its step."""
        if origin.raises is not None:
            return raised_by(visit, origin)
        if origin.role != RAISE:
            return error_of(visit, origin)
        path = self.paths.get(visit.id)
        record = next((each for each in reversed(records) if each.path == path and each.error), None)
        return noted_by(visit) or self._left(visit, path) or (record.error if record else None)

    def _left(self, visit: Visit, path: str | None) -> StepError | None:
        """The error that leaves a block which has failed: its own, or that of a handler or a `finally` where its own
        was taken before. Which of them the history knows where the run or the block around it has failed with it."""
        if path is None or path not in self.fates:
            return None
        owner = visit.scope.owner
        known = visit.error if visit.kind == "Fail" else None
        if known is None and owner is not None and owner.failed_inside is visit:
            known = owner.error
        later = self.leaving.get(path)
        return later if later is not None and known is not None and later.type == known.type else self.fates[path].error

    def around(self, origin: Origin) -> list[str]:
        """The blocks around a state, as the origins call them."""
        if origin.blocks is not None:
            return [path for path in origin.blocks if path in self.known]
        return [path for path in self.known if is_inside(origin.path or "", path)]

    def _scope_of(self, template: str, visit: Visit) -> Scope:
        """Where a block around a visit stands: outside the Maps and Parallels that are in it."""
        scope = visit.scope
        while scope.owner is not None:
            owner = self.origins.of(scope.owner.state)
            if owner is None or template not in (*self.around(owner), owner.path):
                break
            scope = scope.owner.scope
        return scope

    def failed_its_block(self, visit: Visit) -> bool:
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

    def was_ended(self, path: str) -> bool:
        """Whether something else has ended a block: within a state of it, which neither went on nor failed."""
        visit = self.last.get(path)
        if visit is None or visit.exited_at is not None or visit.kind == "Fail" or visit.failed:
            return False
        return visit.aborted_at is not None or visit.scope.is_over

    def failed_with(self, path: str) -> StepError | None:
        """The error by which a block has failed the run: a state of it, whose Catch leads to a Fail state at once."""
        visit = self.last.get(path)
        fails = visit is not None and visit.failed and visit.next is not None and visit.next.kind == "Fail"
        return error_of(visit) if visit is not None and fails else None

    # -- paths ----------------------------------------------------------------------------------------

    def path(self, template: str, visit: Visit) -> str:
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


def is_inside(path: str, block: str) -> bool:
    return path.startswith((f"{block}.", f"{block}[]."))
