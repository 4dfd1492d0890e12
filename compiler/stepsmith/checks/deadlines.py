"""A workflow's timeout that its own steps cannot meet, whatever their actions answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from stepsmith.checks.context import CheckContext
from stepsmith.durations import format_duration
from stepsmith.model.policies import Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    GraphStep,
    ParallelStep,
    RepeatStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
    inner_blocks,
)

SLUG = "unmeetable-deadline"


def check_deadlines(context: CheckContext) -> None:
    limit = context.workflow.timeout
    if limit is None:
        return
    _check_step_timeouts(context, context.workflow.steps, limit)
    passed = _Least(0, None)
    for step in context.workflow.steps:
        passed = passed.then(_step(step))
        if min(passed.ways(), default=0) >= limit:
            context.diagnostics.warning(
                SLUG,
                f"no run can get past '{step.id}' before the workflow's timeout of {format_duration(limit)}: "
                f"waits alone take {format_duration(min(passed.ways()))}",
                step.id_span,
                "raise the workflow's timeout, or wait less",
            )
            return


def _check_step_timeouts(context: CheckContext, block: Block, limit: int) -> None:
    """Only of the main path: handlers and `finally` have no deadline."""
    for step in block:
        if step.timeout is not None and step.timeout > limit:
            context.diagnostics.warning(
                SLUG,
                f"'{step.id}' may take {format_duration(step.timeout)}, but the workflow's timeout ends it after "
                f"{format_duration(limit)}",
                step.id_span,
                "raise the workflow's timeout, or lower the step's",
            )
        for inner in inner_blocks(step):
            if not (isinstance(step, TryStep) and inner is step.finally_steps):
                _check_step_timeouts(context, inner, limit)


@dataclass(frozen=True, slots=True)
class _Least:
    """The least seconds that steps take on a way that goes on behind them, and on one that ends the run well; None
    where there is no such way. Only waits take time for certain."""

    on: int | None
    out: int | None

    def ways(self) -> list[int]:
        return [seconds for seconds in (self.on, self.out) if seconds is not None]

    def then(self, other: _Least) -> _Least:
        if self.on is None:
            return self
        ends = [seconds for seconds in (self.out, _sum(self.on, other.out)) if seconds is not None]
        return _Least(_sum(self.on, other.on), min(ends, default=None))

    def either(self, other: _Least) -> _Least:
        return _Least(_lesser(self.on, other.on), _lesser(self.out, other.out))


_NOTHING = _Least(0, None)


def _sum(one: int, other: int | None) -> int | None:
    return None if other is None else one + other


def _lesser(one: int | None, other: int | None) -> int | None:
    return min((seconds for seconds in (one, other) if seconds is not None), default=None)


def _block(block: Block) -> _Least:
    least = _NOTHING
    for step in block:
        least = least.then(_step(step))
    return least


def _step(step: Step) -> _Least:
    least = _verb(step)
    handlers = (*(step.on_failure or ()), *(step.catch if isinstance(step, TryStep) else ()))
    for handler in handlers:
        handled = _block(handler.steps)  # the step may fail at once
        least = least.either(handled if handler.then is Then.CONTINUE else _Least(None, handled.out))
    return least.either(_NOTHING) if step.condition is not None else least


def _verb(step: Step) -> _Least:
    match step:
        case WaitStep():
            return _Least(step.seconds if isinstance(step.seconds, int) else 0, None)
        case StopStep():
            return _Least(None, 0)
        case FailStep():
            return _Least(None, None)
        case SwitchStep():
            ways = [_block(case.steps) for case in step.cases]
            least = ways[0]
            for way in ways[1:]:
                least = least.either(way)
            return least if step.cases[-1].condition is None else least.either(_NOTHING)
        case RepeatStep():
            return _block(step.steps) if step.until is not None else _NOTHING.either(_block(step.steps))
        case TryStep() | GraphStep():
            return _block(step.steps)
        case ParallelStep():
            branches = [_block(branch.steps).on for branch in step.branches]
            through = [seconds for seconds in branches if seconds is not None]
            return _Least(max(through, default=0) if len(through) == len(branches) else None, None)
        case ForEachStep() | ActionStep() | ApprovalStep() | AwsStep() | ChildStep() | SetStep():
            return _NOTHING
        case _:
            assert_never(step)
