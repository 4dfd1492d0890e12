"""A machine as the Amazon States Language spells it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from stepsmith.asl.states import (
    Catcher,
    ChoiceState,
    Distributed,
    FailState,
    MapState,
    MaybeJson,
    Origin,
    ParallelState,
    PassState,
    Retrier,
    Rule,
    State,
    StateMachine,
    SubMachine,
    SucceedState,
    TaskState,
    Unset,
    WaitState,
)
from stepsmith.document import Json
from stepsmith.emission.text import json_text


def definition_text(machine: StateMachine) -> str:
    """The definition as indented JSON that ends in a line end."""
    return json_text(definition(machine)) + "\n"


def definition(machine: StateMachine) -> dict[str, Json]:
    """The definition as plain data."""
    return {
        **({"Comment": machine.comment} if machine.comment else {}),
        "QueryLanguage": "JSONata",
        "StartAt": machine.start_at,
        **({"TimeoutSeconds": machine.timeout} if machine.timeout is not None else {}),
        "States": {state.name: _state(state) for state in machine.states},
    }


def _state(state: State) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "Type": type(state).__name__.removesuffix("State"),
        "Comment": _comment(state.origin),
    }
    match state:
        case TaskState():
            fields |= {"Resource": state.resource, "Arguments": state.arguments}
            fields |= _given("TimeoutSeconds", state.timeout) | _given("HeartbeatSeconds", state.heartbeat)
            fields |= _failures(state.retry, state.catch)
            fields |= _effects(state.assign, state.output) | _onward(state.next)
        case PassState():
            fields |= _effects(state.assign, state.output) | _onward(state.next)
        case ChoiceState():
            fields["Choices"] = [_rule(rule) for rule in state.rules]
            fields |= _effects(state.assign, state.output)
            fields["Default"] = state.default
        case WaitState():
            fields |= _given("Seconds", state.seconds) | _given("Timestamp", state.timestamp)
            fields |= _effects(state.assign, state.output) | _onward(state.next)
        case ParallelState():
            if not isinstance(state.arguments, Unset):
                fields["Arguments"] = state.arguments
            fields["Branches"] = [_machine(branch) for branch in state.branches]
            fields |= _failures(state.retry, state.catch)
            fields |= _effects(state.assign, state.output) | _onward(state.next)
        case MapState():
            fields |= _given("Items", state.items)
            fields |= _distributed(state.distributed) if state.distributed is not None else {}
            fields |= {"ItemSelector": state.selector, "MaxConcurrency": state.concurrency}
            mode: dict[str, Json] = {"Mode": "INLINE"}
            if state.distributed is not None:
                mode = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
            fields["ItemProcessor"] = {"ProcessorConfig": mode, **_machine(state.processor)}
            fields |= _failures(state.retry, state.catch)
            fields |= _effects(state.assign, state.output) | _onward(state.next)
        case SucceedState():
            fields |= _effects({}, state.output)
        case FailState():
            fields |= {"Error": state.error, "Cause": state.cause}
    return fields


def _distributed(config: Distributed) -> dict[str, Json]:
    return {
        "Label": config.label,
        **_given("ItemReader", config.reader),
        **_given("ResultWriter", config.writer),
        **_given("ToleratedFailureCount", config.tolerated_count),
        **_given("ToleratedFailurePercentage", config.tolerated_percentage),
    }


def _machine(machine: SubMachine) -> dict[str, Json]:
    return {"StartAt": machine.start_at, "States": {state.name: _state(state) for state in machine.states}}


def _failures(retry: tuple[Retrier, ...], catch: tuple[Catcher, ...]) -> dict[str, Json]:
    fields: dict[str, Json] = {"Retry": [_retrier(retrier) for retrier in retry]} if retry else {}
    return fields | ({"Catch": [_catcher(catcher) for catcher in catch]} if catch else {})


def _comment(origin: Origin) -> str:
    place = f"{PurePath(origin.span.path).name}:{origin.span.start.line}"
    return f"{origin.description} ({place})" if origin.description else place


def _given(name: str, value: Json) -> dict[str, Json]:
    return {} if value is None else {name: value}


def _effects(assign: Mapping[str, Json], output: MaybeJson) -> dict[str, Json]:
    fields: dict[str, Json] = {"Assign": dict(assign)} if assign else {}
    if not isinstance(output, Unset):
        fields["Output"] = output
    return fields


def _onward(target: str | None) -> dict[str, Json]:
    return {"End": True} if target is None else {"Next": target}


def _retrier(retrier: Retrier) -> dict[str, Json]:
    fields: dict[str, Json] = {"ErrorEquals": list(retrier.errors)}
    if retrier.max_attempts == 0:
        return fields | {"MaxAttempts": 0}
    fields |= {"IntervalSeconds": retrier.interval, "MaxAttempts": retrier.max_attempts}
    backoff = retrier.backoff
    fields["BackoffRate"] = int(backoff) if backoff.is_integer() else backoff
    fields |= _given("MaxDelaySeconds", retrier.max_delay)
    return fields | ({"JitterStrategy": "FULL"} if retrier.full_jitter else {})


def _catcher(catcher: Catcher) -> dict[str, Json]:
    return {
        "ErrorEquals": list(catcher.errors),
        **_effects(catcher.assign, catcher.output),
        "Next": catcher.next,
    }


def _rule(rule: Rule) -> dict[str, Json]:
    comment: dict[str, Json] = {"Comment": rule.comment} if rule.comment else {}
    return {**comment, "Condition": rule.condition, **_effects(rule.assign, rule.output), "Next": rule.next}
