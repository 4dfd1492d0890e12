"""What happened in one run, as the edges of its workflow ask for it. A value; it knows no workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stepsmith.local.runner import RunReport
from stepsmith_functions.history.records import RunStatus, StepRecord, StepStatus


@dataclass(frozen=True, slots=True)
class Passage:
    """One run of a workflow."""

    status: RunStatus
    records: Mapping[str, Sequence[StepRecord]]
    """The records of each step that started or was skipped, by its id: one for each iteration that reached it."""
    paths: frozenset[str]
    failed_attempts: frozenset[tuple[str, str]]
    """Step and error of each attempt that failed, also where a later one succeeded."""

    def of(self, step: str) -> Iterator[StepRecord]:
        """The records of a step where it was not skipped."""
        return (record for record in self.records.get(step, ()) if record.status is not StepStatus.SKIPPED)

    def ran(self, step: str) -> bool:
        return any(True for _ in self.of(step))

    def started(self, step: str) -> bool:
        """Whether it was reached: skipped steps too."""
        return step in self.records

    def beside(self, record: StepRecord, step: str) -> bool:
        """Whether `step` was reached in the same block, iteration or branch as `record`."""
        return sibling(record.path, step) in self.paths

    def errors_of(self, step: str) -> frozenset[str]:
        """The errors with which it failed for good."""
        return frozenset(record.error.type for record in self.of(step) if record.error is not None)

    def inside(self, record: StepRecord, index: int) -> bool:
        """Whether something was reached in iteration or round `index` of the loop `record`."""
        return any(path.startswith(f"{record.path}[{index}].") for path in self.paths)

    def rounds(self, loop: str) -> int:
        """How many iterations of the loop at this path reached something."""
        start = f"{loop}["
        return len({path[len(start) :].partition("]")[0] for path in self.paths if path.startswith(start)})


def sibling(path: str, step: str) -> str:
    """The path that `step` has in the block in which `path` stands."""
    prefix = path.rpartition(".")[0]
    return f"{prefix}.{step}" if prefix else step


def passage(report: RunReport) -> Passage:
    """The run that the report tells of; its children's steps are theirs."""
    records: dict[str, list[StepRecord]] = {}
    for record in (*report.steps, *report.apart):
        records.setdefault(record.step_id, []).append(record)
    paths = frozenset(record.path for found in records.values() for record in found)
    failures = {(failure.step, failure.error) for failure in report.failures}
    failures |= {(record.step_id, record.error.type) for record in report.apart if record.error is not None}
    return Passage(report.run.status, records, paths, frozenset(failures))
