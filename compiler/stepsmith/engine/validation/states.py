"""Checks of one state and of what stands in it: fields, retriers, catchers, rules, expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from stepsmith.engine.query.analysis import reads
from stepsmith.engine.query.expression import (
    ExpressionSyntaxError,
    expression,
    expression_text,
    is_expression,
)
from stepsmith.engine.validation import fields
from stepsmith.engine.validation.problem import EXPRESSION, SCHEMA, UNSUPPORTED, Report
from stepsmith.engine.values import Json

_RESULT: Final = frozenset({"Task", "Parallel", "Map"})
_GRAPHS: Final = frozenset({"Branches", "ItemProcessor", "Iterator"})
_LITERAL: Final = frozenset(
    {"Type", "Resource", "Next", "End", "Default", "Comment", "QueryLanguage", "Label", "ErrorEquals"}
)
_DYNAMODB: Final = frozenset({"getItem", "putItem", "updateItem", "deleteItem"})


def check_shape(value: Mapping[str, Json], shape: fields.Shape, location: str, report: Report) -> bool:
    """Required fields, unknown fields, types. Says whether the required ones are there."""
    missing = [name for name in shape.required if name not in value]
    if len(missing) == 1 and location:
        report(SCHEMA, f"The field '{missing[0]}' is required but was missing", location)
    elif missing:
        report(SCHEMA, f"These fields are required: [{', '.join(missing)}]", location or "/")
    for name, member in value.items():
        check = shape.fields.get(name)
        if check is None:
            if name in fields.JSONPATH_ONLY:
                report(SCHEMA, f"The field '{name}' is not supported when the QueryLanguage is JSONata", location)
            elif missing != ["RoleArn"]:  # recorded: only the missing one is reported there
                report(SCHEMA, f"The field '{name}' is not supported", location)
        elif (wrong := check(member)) is not None:
            told = wrong if wrong.startswith("String") else f"The value for the field '{name}' {wrong}"
            report(SCHEMA, told, f"{location}/{name}")
    return not missing


def check_state(state: Mapping[str, Json], location: str, report: Report) -> None:
    """One state in JSONata mode, without the graphs inside it."""
    kind = state.get("Type")
    shape = fields.STATES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        report(SCHEMA, f"The value for the field 'Type' must be one of {', '.join(fields.STATES)}", location)
        return
    check_shape(state, shape, location, report)
    if "Next" in shape.fields and ("Next" in state) == (state.get("End") is True):
        report(SCHEMA, "Exactly one of the fields 'Next' and 'End' is required", location)
    match kind:
        case "Task":
            _check_task(state, location, report)
        case "Choice":
            _check_choice(state, location, report)
        case "Wait" if ("Seconds" in state) == ("Timestamp" in state):
            report(SCHEMA, "Exactly one of the fields 'Seconds' and 'Timestamp' is required", location)
        case "Parallel" if state.get("Branches") == []:
            report(SCHEMA, "The field 'Branches' must not be empty", f"{location}/Branches")
        case "Map":
            _check_map(state, location, report)
    for name, shape_of_rule in (("Retry", fields.RETRIER), ("Catch", fields.CATCHER)):
        if name in shape.fields:
            _check_rules(state.get(name), shape_of_rule, f"{location}/{name}", report)
    check_variables(state, location, report)
    _check_expressions(state, str(kind), location, report)


def _check_task(state: Mapping[str, Json], location: str, report: Report) -> None:
    credentials = state.get("Credentials")
    if isinstance(credentials, Mapping):
        check_shape(credentials, fields.CREDENTIALS, f"{location}/Credentials", report)
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, (int, float)) and isinstance(heartbeat, (int, float)) and heartbeat >= timeout:
        report(SCHEMA, "HeartbeatSeconds must be smaller than TimeoutSeconds", f"{location}/HeartbeatSeconds")
    resource = state.get("Resource")
    if isinstance(resource, str):
        check_resource(resource, f"{location}/Resource", report)
        arguments = state.get("Arguments")
        if resource.startswith("arn:") and ":states:::" in resource and "Arguments" not in state:
            report(SCHEMA, "The field 'Arguments' is required but was missing", location)
        if ":states:::lambda:invoke" in resource and isinstance(arguments, Mapping):
            payload = arguments.get("Payload")
            if isinstance(payload, (bool, int, float)):
                report(SCHEMA, "The Payload must not be a number or a boolean", f"{location}/Arguments/Payload")


def check_resource(resource: str, location: str, report: Report) -> None:
    """A resource's ARN, as far as it can be told without the service's list of integrations."""
    parts = resource.split(":")
    known = len(parts) >= 6 and parts[0] == "arn" and parts[2] in ("states", "lambda")
    if known and parts[2] == "states" and parts[5] == "dynamodb":
        known = parts[6].split(".")[0] in _DYNAMODB
    if not known:
        report(
            SCHEMA,
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region.",
            location,
        )


def _check_choice(state: Mapping[str, Json], location: str, report: Report) -> None:
    choices = state.get("Choices")
    if choices == []:
        report(SCHEMA, "The field 'Choices' must not be empty", f"{location}/Choices")
    for at, rule in enumerate(items(choices)):
        place = f"{location}/Choices[{at}]"
        if isinstance(rule, Mapping):
            check_shape(rule, fields.RULE, place, report)
            check_variables(rule, place, report)
        else:
            report(SCHEMA, "A rule must be an object", place)


def _check_map(state: Mapping[str, Json], location: str, report: Report) -> None:
    if ("ItemProcessor" in state) == ("Iterator" in state):
        report(SCHEMA, "The field 'ItemProcessor' is required but was missing", location)
    label = state.get("Label")
    if isinstance(label, str) and not 0 < len(label) <= 40:
        report(SCHEMA, "A Label must have 1 to 40 characters", f"{location}/Label")
    if "Items" in state and "ItemReader" in state:
        report(SCHEMA, "Only one of the fields 'Items' and 'ItemReader' is allowed", location)
    processor = state.get("ItemProcessor", state.get("Iterator"))
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    distributed = isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED"
    if isinstance(config, Mapping):
        check_shape(config, fields.PROCESSOR_CONFIG, f"{location}/ItemProcessor/ProcessorConfig", report)
        if distributed and "ExecutionType" not in config:
            report(
                SCHEMA,
                "The field 'ExecutionType' is required but was missing",
                f"{location}/ItemProcessor/ProcessorConfig",
            )
    shapes = {
        "ItemReader": fields.ITEM_READER,
        "ItemBatcher": fields.ITEM_BATCHER,
        "ResultWriter": fields.RESULT_WRITER,
    }
    for name, shape in shapes.items():
        value = state.get(name)
        if isinstance(value, Mapping):
            check_shape(value, shape, f"{location}/{name}", report)
            if not distributed:
                report(SCHEMA, f"The field '{name}' is only supported in distributed mode", location)


def _check_rules(value: Json, shape: fields.Shape, location: str, report: Report) -> None:
    """Retriers or catchers: ``States.ALL`` stands alone, and in the last one (documented)."""
    rules = items(value)
    for at, rule in enumerate(rules):
        place = f"{location}[{at}]"
        if not isinstance(rule, Mapping):
            report(SCHEMA, "must be an object", place)
            continue
        check_shape(rule, shape, place, report)
        check_variables(rule, place, report)
        names = items(rule.get("ErrorEquals"))
        if "ErrorEquals" in rule and not names:
            report(SCHEMA, "The field 'ErrorEquals' must not be empty", f"{place}/ErrorEquals")
        if any(not isinstance(name, str) for name in names):
            report(SCHEMA, "Error names must be strings", f"{place}/ErrorEquals")
        if "States.ALL" in names and (len(names) > 1 or at + 1 < len(rules)):
            report(SCHEMA, "States.ALL must appear alone and in the last place", f"{place}/ErrorEquals")


def check_variables(holder: Mapping[str, Json], location: str, report: Report) -> None:
    """The names of assigned variables (documented and measured)."""
    assigned = holder.get("Assign")
    for name in assigned if isinstance(assigned, Mapping) else ():
        if not name.isidentifier() or name.startswith("_") or len(name) > 80 or name == "states":
            report(SCHEMA, f"'{name}' is not a valid variable name", f"{location}/Assign")


def _check_expressions(state: Mapping[str, Json], kind: str, location: str, report: Report) -> None:
    for name, value in state.items():
        if name in _GRAPHS or name in _LITERAL:
            continue
        place = f"{location}/{name}"
        if name == "Retry":
            continue
        if name in ("Choices", "Catch"):
            members = frozenset({"errorOutput"}) if name == "Catch" else frozenset()
            for at, rule in enumerate(items(value)):
                for key, member in rule.items() if isinstance(rule, Mapping) else ():
                    if key not in _LITERAL:
                        check_template(member, members, kind, f"{place}[{at}]/{key}", report)
            continue
        result = kind in _RESULT and name in ("Assign", "Output")
        check_template(value, frozenset({"result"}) if result else frozenset(), kind, place, report)


def check_template(value: Json, members: frozenset[str], kind: str, location: str, report: Report) -> None:
    """The expressions in a value; `members` of ``$states`` exist there besides input and context."""
    if isinstance(value, str):
        _check_text(value, members, kind, location, report)
    elif isinstance(value, Mapping):
        for key, member in value.items():
            check_template(member, members, kind, f"{location}/{key}", report)
    elif isinstance(value, Sequence):
        for at, item in enumerate(value):
            check_template(item, members, kind, f"{location}[{at}]", report)


def _check_text(value: str, members: frozenset[str], kind: str, location: str, report: Report) -> None:
    if not is_expression(value):
        # Documented: half-open is refused. Recorded: whole, but with a space around it, is passed on as text.
        if (value.startswith("{%") and "%}" not in value) or (value.endswith("%}") and "{%" not in value):
            report(SCHEMA, "The JSONata expression must start with '{%' and end with '%}'", location)
        return
    query = expression(expression_text(value))
    try:
        found = reads(query.ast)
    except ExpressionSyntaxError as problem:
        report(EXPRESSION, f"The JSONata expression '{query.text}' cannot be parsed: {problem.message}", location)
        return
    for name in found.forbidden:
        report(
            UNSUPPORTED,
            f"The JSONata expression '{query.text}' refers to '{name}'; data is reached by $states and variables only",
            location,
        )
    for path in sorted(found.states):
        if path and path[0] not in members | {"input", "context"}:
            report(UNSUPPORTED, f"$states.{path[0]} is not available here", location)
        elif path[:3] == ("context", "Task", "Token") and kind == "Pass":
            report(UNSUPPORTED, "$states.context.Task.Token is not available in a Pass state", location)


def items(value: Json) -> Sequence[Json]:
    """The items of an array, none of anything else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
