"""Control must be able to reach every step, leave where it may, and keep to its own variables."""

from __future__ import annotations

from stepsmith.checks.context import CheckContext
from stepsmith.model.steps import (
    ApprovalStep,
    Block,
    ForEachStep,
    GraphStep,
    ParallelStep,
    RepeatStep,
    Step,
    StopStep,
    TryStep,
    WaitStep,
    handlers_of,
    inner_blocks,
    is_written,
)
from stepsmith.model.workflow import WorkflowType

MOST_EVENTS = 25_000
"""Events in the history of a Standard execution (Service quotas): there it fails."""
EVENTS_OF_TASK, EVENTS_OF_OTHER = 5, 2
EXPRESS_SECONDS = 300
"""How long an Express execution may last (Service quotas)."""


def check_flow(context: CheckContext) -> None:
    for step in context.analysis.unreachable:
        context.diagnostics.error(
            "unreachable-step",
            f"step '{step.id}' is never reached: what stands before it always ends the run",
            step.id_span,
            "remove it, or put an `if` on what stands before it",
        )
    for step, name in context.analysis.outer_sets:
        context.diagnostics.error(
            "outer-variable",
            f"'{name}' is set outside of this branch or loop, and can't be changed inside it",
            step.id_span,
            "use another name inside; bring the result out as the output of the last step",
        )
    _check_stops(context, context.workflow.steps, "")
    _check_stops(context, context.workflow.finally_steps, "finally")
    _check_rounds(context)
    _check_tolerant_retries(context)
    if context.workflow.type is WorkflowType.EXPRESS:
        _check_express(context)


def _check_stops(context: CheckContext, block: Block, inside: str) -> None:
    for step in block:
        if isinstance(step, StopStep) and inside:
            context.diagnostics.error(
                "stop-not-here",
                f"stop can't end the run from inside {inside}",
                step.id_span,
                "set the output of the last step there, and decide after the block",
            )
        around = inside
        if isinstance(step, GraphStep):
            around = "a graph"
        elif isinstance(step, ParallelStep | ForEachStep) and is_written(step):
            around = "parallel" if isinstance(step, ParallelStep) else "for_each"
        for inner in inner_blocks(step):
            last = isinstance(step, TryStep) and inner is step.finally_steps
            _check_stops(context, inner, "finally" if last else around)
        for handler in handlers_of(step):
            _check_stops(context, handler.steps, inside)


def _check_rounds(context: CheckContext) -> None:
    """A loop with a fixed number of rounds must fit the history."""
    for step in context.workflow.every_step():
        if isinstance(step, RepeatStep):
            events = step.most * (sum(_events(inner) for inner in step.steps) + (4 if step.delay else 2))
            if events > MOST_EVENTS:
                context.diagnostics.warning(
                    "too-many-events",
                    f"{step.most} rounds write about {events:,} events, an execution ends at {MOST_EVENTS:,}",
                    step.id_span,
                    f"lower max to {step.most * MOST_EVENTS // events}, or make a workflow of the rounds",
                )


def _check_tolerant_retries(context: CheckContext) -> None:
    """An inline Map knows no tolerance: the loop counts its failures after the Map, where Retry does not reach."""
    for step in context.workflow.every_step():
        if not isinstance(step, ForEachStep) or step.distributed or step.retry is None:
            continue
        if step.tolerate or step.tolerate_percent is not None:
            context.diagnostics.error(
                "retry-of-loop",
                "a loop that tolerates failures can't be retried as a whole",
                step.retry.span or step.id_span,
                "retry the steps inside it, write mode: distributed, or put it into a parallel that has the retry",
            )


def _events(step: Step) -> int:
    """About how many events a step writes when nothing is retried (developer guide, "Execution events")."""
    inner = sum(_events(each) for block in inner_blocks(step) for each in block)
    if isinstance(step, RepeatStep):
        return step.most * (inner + 2)
    return inner + (EVENTS_OF_OTHER if inner or isinstance(step, WaitStep) else EVENTS_OF_TASK)


def _check_express(context: CheckContext) -> None:
    if (concurrency := context.workflow.concurrency) is not None:
        context.diagnostics.error(
            "not-in-express",
            "an express workflow can't have `concurrency`: nobody is told when its runs end",
            concurrency.span or context.workflow.name_span,
            "write type: standard, or limit its steps with rate_limit",
        )
    if context.workflow.timeout is not None and context.workflow.timeout > EXPRESS_SECONDS:
        context.diagnostics.error(
            "not-in-express",
            f"an express workflow lasts at most {EXPRESS_SECONDS} seconds, not {context.workflow.timeout}",
            context.workflow.name_span,
            "lower the timeout, or write type: standard",
        )
    for step in context.workflow.every_step():
        if isinstance(step, ForEachStep) and step.distributed:
            context.diagnostics.error(
                "not-in-express",
                "an express workflow can't run a loop distributed",
                step.id_span,
                "write mode: inline, or type: standard",
            )
        if isinstance(step, ApprovalStep):
            context.diagnostics.error(
                "not-in-express",
                "an express workflow can't wait for an approval",
                step.id_span,
                "write type: standard, or have a standard workflow ask before it starts this one",
            )
        if isinstance(step, WaitStep) and isinstance(step.seconds, int) and step.seconds >= EXPRESS_SECONDS:
            context.diagnostics.error(
                "not-in-express",
                f"this wait is longer than an express workflow lasts ({EXPRESS_SECONDS} seconds)",
                step.id_span,
                "shorten it, or write type: standard",
            )
