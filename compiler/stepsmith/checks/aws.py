"""A call of AWS must be one that exists, that a state can make, and whose role can be kept narrow."""

from __future__ import annotations

from stepsmith.analysis.facts import UseKind
from stepsmith.analysis.scopes import TASK_TOKEN
from stepsmith.checks.aws_params import check_call_params
from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions.syntax import references
from stepsmith.integrations import ALIASES, OPTIMISED, Integration, integration_of, optimised_for
from stepsmith.model.calls import CallPattern
from stepsmith.model.steps import AwsStep
from stepsmith.model.values import templates
from stepsmith.model.workflow import WorkflowType
from stepsmith.permissions import EVERY, is_wide, permissions_of
from stepsmith.services import ServiceCatalog

SESSION_CALLS = ("sts:assumeRole", "sts:assumeRoleWithSAML", "sts:assumeRoleWithWebIdentity")
"""Step Functions refuses them when a machine is created (developer guide, "Supported AWS SDK integrations")."""


def check_aws(context: CheckContext) -> None:
    for use in context.analysis.uses:
        if use.kind is not UseKind.PARAMS or not isinstance(use.step, AwsStep):
            continue
        integration = integration_of(use.step, context.services)
        if not _exists(context, use.step, integration):
            continue
        _check_pattern(context, use.step, integration)
        if not _may_be_made(context, use.step, integration):
            continue
        if integration.model is not None:
            check_call_params(context, use, use.step, integration)
        if use.step.waits:
            _check_token(context, use.step)
        _check_role(context, use.step, integration)


def _exists(context: CheckContext, step: AwsStep, integration: Integration) -> bool:
    if integration.model is not None:
        return True
    if context.services is None:
        context.diagnostics.hint(
            "unchecked-call",
            f"the params of {step.call} were not checked: no description of AWS's services is at hand",
            step.call_span,
            "install botocore beside Stepsmith to have them checked",
        )
        return True
    operations = {*context.services.operations(integration.package), *_optimised_operations(step.service)}
    if operations:
        context.diagnostics.error(
            "unknown-operation",
            f'{step.service} has no operation "{step.operation}"',
            step.call_span,
            _operation_help(step.operation, operations),
        )
    else:
        context.diagnostics.error(
            "unknown-service",
            f'no AWS service is called "{step.service}"',
            step.call_span,
            _service_help(step.service, context.services),
        )
    return False


def _optimised_operations(service: str) -> set[str]:
    return {item.operation for item in OPTIMISED if item.resource.partition(":")[0] == service}


def _operation_help(operation: str, known: set[str]) -> str:
    wanted = operation.replace("_", "").lower()
    same = next((name for name in sorted(known) if name.lower() == wanted), None)
    return f'did you mean "{same}"?' if same else did_you_mean(operation, known, f"its operations: {one_of(known)}")


def _service_help(service: str, services: ServiceCatalog) -> str:
    names = services.services()
    package = names.get(service) or names.get(service.lower())
    if package is not None:
        return f'Step Functions calls it "{package}"'
    known = {*names.values(), *ALIASES, *(item.resource.partition(":")[0] for item in OPTIMISED)}
    otherwise = "write the name of the service's package in the AWS SDK for Java 2, such as dynamodb or cloudwatchlogs"
    return did_you_mean(service, known, otherwise)


def _check_pattern(context: CheckContext, step: AwsStep, integration: Integration) -> None:
    if step.pattern is CallPattern.ANSWER:
        if integration.optimised is not None and CallPattern.ANSWER not in integration.optimised.patterns:
            context.diagnostics.error(
                "no-such-pattern",
                f"{step.call} always waits for the job's end",
                step.call_span,
                f"write {step.call}.sync",
            )
        return
    if context.workflow.type is WorkflowType.EXPRESS:
        context.diagnostics.error(
            "not-in-express",
            f"an express workflow can't wait for what {step.call} started",
            step.call_span,
            "leave the ending out, or write type: standard",
        )
    if step.pattern is CallPattern.JOB and not _can_wait(step):
        jobs = [item.resource for item in OPTIMISED if CallPattern.JOB in item.patterns]
        context.diagnostics.error(
            "no-such-pattern",
            f"{step.call} has no .sync",
            step.call_span,
            f"these have: {one_of(jobs)}; for others, poll with a repeat step",
        )
    elif step.waits and integration.optimised is not None and CallPattern.TOKEN not in integration.optimised.patterns:
        context.diagnostics.error(
            "no-such-pattern",
            f"{step.call} can't wait for a task token",
            step.call_span,
            "leave .waitForTaskToken out",
        )


def _can_wait(step: AwsStep) -> bool:
    optimised = optimised_for(step.service, step.operation)
    return optimised is not None and CallPattern.JOB in optimised.patterns


def _may_be_made(context: CheckContext, step: AwsStep, integration: Integration) -> bool:
    if integration.model is not None and integration.model.streams:
        reason, help_text = "it sends or receives a stream", "use the operation that answers at once, or an action"
    elif f"{integration.package}:{integration.operation}" in SESSION_CALLS:
        reason, help_text = "its answer is a session's credentials", "let the action that needs the role assume it"
    else:
        return True
    context.diagnostics.error(
        "call-not-here", f"Step Functions can't call {step.call}: {reason}", step.call_span, help_text
    )
    return False


def _check_token(context: CheckContext, step: AwsStep) -> None:
    read = [reference for template in templates(step.params) for reference in references(template)]
    if not any(reference.root == "run" and reference.path[:1] == (TASK_TOKEN,) for reference in read):
        context.diagnostics.error(
            "missing-token",
            "nobody can answer this step: its params don't hold the task token",
            step.call_span,
            f'write "{{{{ run.{TASK_TOKEN} }}}}" where the receiver finds it',
        )
    if step.timeout is None:
        context.diagnostics.hint(
            "no-timeout",
            "nothing ends this step if no answer comes",
            step.id_span,
            "add timeout: and the longest wait",
        )


def _check_role(context: CheckContext, step: AwsStep, integration: Integration) -> None:
    needed = permissions_of(step, integration, context.workflow)
    if any("iam:PassRole" in each.actions and EVERY in each.resources for each in needed):
        context.diagnostics.hint(
            "wide-permission",
            "the machine's role may give its task any role that ECS takes",
            step.call_span,
            "name TaskRoleArn and ExecutionRoleArn under Overrides",
        )
    if is_wide(needed):
        context.diagnostics.hint(
            "wide-permission",
            f"the machine's role allows {step.call} on every resource",
            step.call_span,
            "name it in params so that it is known before a run: "
            + ("the queue's URL" if integration.package == "sqs" else "as it is, or as {{ env.NAME }}"),
        )
