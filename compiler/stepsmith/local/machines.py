"""The state machines and functions of the workflows that a local run needs, made as a deployment makes them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from stepsmith.asl.names import ROLLBACK_SUFFIX, environment_key, machine_id
from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.local.approvals.desk import REQUEST_FUNCTION, request_function
from stepsmith.local.aws import LocalAws
from stepsmith.local.functions import ACCOUNT, REGION
from stepsmith.local.program import Program
from stepsmith.local.sam import FunctionResource, SamTemplate
from stepsmith.local.stack import STACK
from stepsmith.project import Project


def functions_of(template: SamTemplate, project: Project, catalog: ActionCatalog) -> dict[str, FunctionResource]:
    """The functions of the template by logical id, and those of actions that it does not have yet.

    `stepsmith build` will put the latter into the template, with these very settings.
    """
    functions = template.functions()
    functions.setdefault(REQUEST_FUNCTION, request_function(project.functions_folder))
    for action in catalog:
        if action.function_id not in functions:
            functions[action.function_id] = FunctionResource(
                action.function_id,
                action.handler,
                project.functions_folder,
                action.timeout,
                action.memory,
                _as_properties(action.environment),
            )
    return functions


def _as_properties(environment: Mapping[str, str]) -> dict[str, Json]:
    return {name: {"Fn::Sub": value} if "${" in value else value for name, value in environment.items()}


def create_machines(program: Program, aws: LocalAws, functions: Mapping[str, FunctionResource]) -> str:
    """Makes the machines of the workflows that `program` starts, then its own, whose ARN it gives."""
    arns: dict[str, str] = {}

    def create(each: Program) -> str:
        for child in each.children:
            key = machine_id(child.name)
            arns[key] = arns.get(key) or create(child)
        values = arns | {environment_key(name): environment_value(name, aws) for name in each.environment}
        if each.rollback is not None:
            undoing = substituted(each.rollback.definition, aws, functions, values)
            aws.create_machine(f"{STACK}_{each.name}"[: 80 - len(ROLLBACK_SUFFIX)] + ROLLBACK_SUFFIX, undoing)
        return aws.create_machine(f"{STACK}_{each.name}"[:80], substituted(each.definition, aws, functions, values))

    return create(program)


def environment_value(name: str, aws: LocalAws) -> str:
    """What `env.NAME` is here: the variable of that name of this process, else the parameter of the template."""
    return value_of(name, aws.stack.template)


def value_of(name: str, template: SamTemplate) -> str:
    """The same where no emulation lives."""
    given = os.environ.get(name)
    default = template.parameters.get(environment_key(name))
    return given if given is not None else "" if default is None else str(default)


def substituted(
    definition: str, aws: LocalAws, functions: Mapping[str, FunctionResource], more: Mapping[str, str] | None = None
) -> str:
    """The definition with its `${…}` filled in, as `DefinitionSubstitutions` would at deployment."""
    values = {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT, **(more or {})}
    values |= {name: aws.functions.arn(aws.stack.reference(name)) for name in functions}
    return re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), definition)
