"""Error names in retries and handlers should be ones that the step can fail with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.integrations import integration_of
from stepsmith.model.policies import Handler, OnLimit, RetryPolicy
from stepsmith.model.steps import ActionStep, ApprovalStep, AwsStep, ChildStep, FailStep, Step, TryStep
from stepsmith.model.workflow import Workflow
from stepsmith.source import Span

SERVICE_PREFIXES = ("States.", "Lambda.", "Runtime.", "Sandbox.")
"""Errors that Step Functions and Lambda raise themselves (developer guide, "Error names")."""

NEVER_LISTED = ("States.Runtime",)
"""Not processable: neither Retry nor Catch sees it."""

APPROVAL_ERRORS = (
    "ApprovalRejected",
    "AwsRefused",
    "AwsUnavailable",
    "DeliveryFailed",
    "InvalidParams",
    "RecipientInvalid",
)
"""What an approval can fail with: that it was rejected, or that the question could not be asked."""

UNRETRIABLE = ("States.ALL", "States.QueryEvaluationError")
"""Retrying these would run an action again whose own output reshaping failed."""


OF_THE_GATE = ("RunCancelled", "RunPaused", "RunQueued", "StillRunning")
"""What stands for no failure of a step: a handler says so when the run is not to go on, and the machine sees to it."""

RATE_LIMITED = "RateLimited"
"""The same on a step with a `rate_limit`; elsewhere an action may call an error of its own so."""
CIRCUIT_OPEN = "CircuitOpen"
"""What a step with a `circuit_breaker` can fail with besides."""
CONCURRENCY_LIMIT = "ConcurrencyLimit"
"""What the steps of a workflow can fail with whose runs fail where they find no place."""


def check_error_names(context: CheckContext) -> None:
    _check_control(context)
    for step in context.workflow.every_step():
        match step:
            case ChildStep():
                _check_child_retry(context, step)
            case ActionStep():
                action = context.catalog.get(step.action)
                if action is not None:
                    more: tuple[str, ...] = (CIRCUIT_OPEN,) if step.circuit_breaker else ()
                    more += (CONCURRENCY_LIMIT,) if fails_at_limit(context.workflow) else ()
                    known = sorted({*action.error_names(), *more})
                    _check_names(context, step, action.name, known, known)
            case AwsStep():
                integration = integration_of(step, context.services)
                _check_names(context, step, step.call, integration.errors, integration.likely_errors())
            case ApprovalStep():
                _check_names(context, step, "an approval", APPROVAL_ERRORS, APPROVAL_ERRORS)
            case _:
                pass


def fails_at_limit(workflow: Workflow) -> bool:
    return workflow.concurrency is not None and workflow.concurrency.on_limit is OnLimit.FAIL


def _check_names(
    context: CheckContext, step: Step, name: str, known: Collection[str] | None, likely: Collection[str]
) -> None:
    """Checks the names that `step` lists. `known`: what `name`, which it runs, can fail with (None: anything)."""
    passing = (*(known or ()), *_of_the_gate(step))
    for error, span, retried in _listed(step):
        if error in NEVER_LISTED:
            context.diagnostics.warning(
                "useless-error",
                f"{error} can't be caught or retried",
                span,
                "leave it out: it always ends the run",
            )
        elif retried and error in UNRETRIABLE:
            context.diagnostics.error(
                "retry-of-success",
                f"a retry on {error} could run {name} again after it has succeeded",
                span,
                "leave `on` out to retry on every failure of the action itself",
            )
        elif known is not None and not error.startswith(SERVICE_PREFIXES) and error not in passing:
            help_text = f"its errors: {one_of(likely)}" if likely else f"{name} declares no errors"
            context.diagnostics.warning(
                "unknown-error",
                f"{name} declares no error {error}",
                span,
                did_you_mean(error, likely, did_you_mean(error, known, help_text)),
            )


def _check_control(context: CheckContext) -> None:
    """Nobody handles, retries or raises what tells that a run is paused or cancelled."""
    listed = list(_of_retry(context.workflow.retry))
    for step in context.workflow.every_step():
        for name, span, _ in _listed(step):
            listed.append((name, span))
            if name == RATE_LIMITED and name in _of_the_gate(step):
                context.diagnostics.error(
                    "control-error",
                    f"{name} is no failure: it tells that the step's turn comes later",
                    span,
                    "leave it out: the step waits for its turn, however long that takes",
                )
        if isinstance(step, TryStep):
            listed += _of_handlers(step.catch)
        if isinstance(step, FailStep):
            listed.append((step.error, step.span))
    for name, span in listed:
        if name in OF_THE_GATE:
            context.diagnostics.error(
                "control-error",
                f"{name} is no failure: it tells that the run is paused, cancelled or at work",
                span,
                "leave it out; what must happen when a run is cancelled stands in `finally`",
            )


def _of_the_gate(step: Step) -> tuple[str, ...]:
    limited = isinstance(step, ActionStep) and step.rate_limit is not None
    return (*OF_THE_GATE, RATE_LIMITED) if limited else OF_THE_GATE


def _of_retry(policy: RetryPolicy | None) -> Iterator[tuple[str, Span]]:
    for rule in policy.rules if policy else ():
        yield from zip(rule.on or (), rule.on_spans, strict=False)


def _of_handlers(handlers: Iterable[Handler]) -> Iterator[tuple[str, Span]]:
    for handler in handlers:
        yield from zip(handler.errors or (), handler.error_spans, strict=False)


def _check_child_retry(context: CheckContext, step: ChildStep) -> None:
    for name, span, retried in _listed(step):
        if retried and not name.startswith(SERVICE_PREFIXES):
            context.diagnostics.error(
                "retry-of-child",
                f"a retry can't tell {name} from the workflow's other errors: Step Functions sees States.TaskFailed",
                span,
                "leave `on` out, or retry inside the other workflow",
            )


def _listed(step: Step) -> Iterator[tuple[str, Span, bool]]:
    """Every error name that the step lists, where, and whether for a retry."""
    for name, span in _of_retry(step.retry):
        yield name, span, True
    for name, span in _of_handlers(step.on_failure or ()):
        yield name, span, False
