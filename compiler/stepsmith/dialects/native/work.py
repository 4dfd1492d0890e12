"""Reads the verbs that do one thing: action, workflow, aws, set, wait, stop and fail; `approvals` reads approval."""

from __future__ import annotations

import re
from typing import Final

from stepsmith.diagnostics import did_you_mean
from stepsmith.dialects.native.approvals import read_approval
from stepsmith.dialects.native.limits import read_circuit_breaker, read_rate_limit
from stepsmith.dialects.native.reading import VARIABLE, Reader, describe
from stepsmith.dialects.native.verbs import Common, Verb
from stepsmith.document import Entry, MappingNode, ScalarNode
from stepsmith.expressions.syntax import Template
from stepsmith.model.calls import CallPattern
from stepsmith.model.steps import ActionStep, AwsStep, ChildStep, FailStep, SetStep, Step, StopStep, WaitStep
from stepsmith.model.values import Literal, ObjectValue, Templated

LONGEST_WAIT: Final = 99_999_999
LONGEST_ERROR: Final = 256
"""Characters of an error name (Service quotas)."""


def _action(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    name = reader.text(verb.value, "action")
    params_node = node.get("params")
    params = ObjectValue((), verb.value.span)
    if params_node is not None and not (isinstance(params_node, ScalarNode) and params_node.value is None):
        mapping = reader.mapping(params_node, "params")
        params = reader.object_value(mapping) if mapping else params
    rate, breaker = node.get("rate_limit"), node.get("circuit_breaker")
    rate_limit = read_rate_limit(reader, rate) if rate is not None else None
    circuit_breaker = read_circuit_breaker(reader, breaker) if breaker is not None else None
    if name is None:
        return None
    return ActionStep(
        action=name,
        action_span=verb.value.span,
        params=params,
        rate_limit=rate_limit,
        circuit_breaker=circuit_breaker,
        **common,
    )


def _workflow(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    name = reader.text(verb.value, "workflow")
    wait = node.get("wait")
    value = wait.value if isinstance(wait, ScalarNode) else True
    if not isinstance(value, bool) and wait is not None:
        reader.wrong_shape(wait, "wait", "true or false")
    params = ObjectValue((), verb.value.span)
    if (given := node.get("params")) is not None and (mapping := reader.mapping(given, "params")) is not None:
        params = reader.object_value(mapping)
    if name is None:
        return None
    return ChildStep(workflow=name, workflow_span=verb.value.span, params=params, waits=value is not False, **common)


_CALL: Final = re.compile(r"(?P<service>[A-Za-z0-9_-]+):(?P<operation>[A-Za-z0-9_]+)(?:\.(?P<pattern>[\w:]+))?")


def _aws(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    text = reader.text(verb.value, "aws")
    params = ObjectValue((), verb.value.span)
    given = node.get("params")
    if given is not None and not (isinstance(given, ScalarNode) and given.value is None):
        mapping = reader.mapping(given, "params")
        params = reader.object_value(mapping) if mapping else params
    if text is None:
        return None
    found = _CALL.fullmatch(text)
    if found is None:
        reader.diagnostics.error(
            "bad-call",
            f'"{text}" names no operation of an AWS service',
            verb.value.span,
            "write SERVICE:OPERATION, such as aws: dynamodb:putItem",
        )
        return None
    pattern = found["pattern"] or ""
    if pattern not in tuple(CallPattern):
        known = [item.value for item in CallPattern if item]
        nearest = 'did you mean "sync"?' if pattern.startswith("sync:") else did_you_mean(pattern, known)
        reader.diagnostics.error(
            "bad-call",
            f'a call can\'t end in ".{pattern}"',
            verb.value.span,
            nearest or "write .sync to wait for the job's end, .waitForTaskToken to wait for an answer, or neither",
        )
        return None
    return AwsStep(
        service=found["service"],
        operation=found["operation"],
        pattern=CallPattern(pattern),
        call_span=verb.value.span,
        params=params,
        **common,
    )


def _set(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    mapping = reader.mapping(verb.value, "set", "write set: {name: value}")
    if mapping is None:
        return None
    for entry in mapping.entries:
        if not VARIABLE.fullmatch(entry.key):
            reader.diagnostics.error(
                "bad-name",
                f'"{entry.key}" is no name for a variable: a letter, then letters, digits or "_"',
                entry.key_span,
                "Step Functions allows no other characters in variables",
            )
    return SetStep(values=reader.object_value(mapping), **common)


def _wait(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    if isinstance(verb.value, MappingNode):
        reader.known_keys(verb.value, ("until",), "wait")
        until = verb.value.entry("until")
        if until is None:
            reader.diagnostics.error(
                "missing-key", "wait needs a duration or `until`", verb.value.span, "write wait: 5m"
            )
            return None
        return WaitStep(
            until=_text_or_template(reader, until, "until", "a time such as 2027-01-31T08:00:00Z"), **common
        )
    if isinstance(verb.value, ScalarNode) and isinstance(verb.value.value, str) and "{{" in verb.value.value:
        value = reader.value(verb.value)
        return WaitStep(seconds=value.template, **common) if isinstance(value, Templated) else None
    seconds = reader.duration(verb.value, "wait", least=0, most=LONGEST_WAIT)
    return WaitStep(seconds=seconds, **common) if seconds is not None else None


def _text_or_template(reader: Reader, entry: Entry, noun: str, wanted: str) -> str | Template | None:
    value = reader.value(entry.value)
    match value:
        case Templated():
            return value.template
        case Literal(value=str()):
            return str(value.value)
        case _:
            reader.wrong_shape(entry.value, noun, wanted)
            return None


def _stop(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    if isinstance(verb.value, ScalarNode) and verb.value.value is None:
        return StopStep(result=None, **common)
    mapping = reader.mapping(verb.value, "stop", "write stop: {output: …}, or stop: {} for none")
    if mapping is None:
        return None
    reader.known_keys(mapping, ("output",), "stop")
    given = mapping.get("output")
    return StopStep(result=reader.value(given) if given is not None else None, **common)


def _fail(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    mapping = reader.mapping(verb.value, "fail", "write fail: {error: NotAllowed, cause: why}")
    if mapping is None:
        return None
    reader.known_keys(mapping, ("error", "cause"), "fail")
    entry, cause = mapping.entry("error"), mapping.entry("cause")
    error = reader.text(entry.value, "error") if entry else "Failed"
    if entry and error is not None and (error.startswith("States.") or len(error) > LONGEST_ERROR or not error):
        reader.diagnostics.error(
            "bad-error",
            f'"{error}" can\'t be the name of an error of yours',
            entry.value.span,
            f"use up to {LONGEST_ERROR} characters that do not begin with States., a prefix that Step Functions keeps",
        )
    value = reader.value(cause.value) if cause else Literal("", verb.value.span)
    if not isinstance(value, Literal | Templated) or (isinstance(value, Literal) and not isinstance(value.value, str)):
        reader.diagnostics.error("wrong-shape", f"cause must be text, not {describe(verb.value)}", value.span)
        return None
    return FailStep(error=error, cause=value, **common) if error is not None else None


PLAIN: Final = ("timeout", "heartbeat", "retry", "on_failure", "rollback", "output")
"""Modifiers that mean nothing on a step that calls nothing."""

WORK_VERBS: Final = {
    "action": Verb(_action, settings=("params", "rate_limit", "circuit_breaker")),
    "aws": Verb(_aws, settings=("params",)),
    "workflow": Verb(_workflow, settings=("params", "wait"), without=("heartbeat",)),
    "set": Verb(_set, without=PLAIN),
    "wait": Verb(_wait, without=PLAIN),
    "approval": Verb(read_approval, without=("timeout", "heartbeat", "retry", "rollback")),
    "stop": Verb(_stop, without=PLAIN),
    "fail": Verb(_fail, without=PLAIN),
}
