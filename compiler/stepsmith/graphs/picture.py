"""What there is to draw of a workflow, in whatever form: steps, and lanes of steps inside or beside them.

A lane is what runs in place of, inside, or because of a step: a case, a branch, the rounds of a loop, a handler. The
words are those of the language; how things look is for the renderers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from stepsmith.durations import format_duration
from stepsmith.expressions.syntax import Template
from stepsmith.model.policies import Handler, RetryPolicy, Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    GraphStep,
    OnTimeout,
    ParallelStep,
    RepeatStep,
    S3Items,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
    is_written,
)
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger, Trigger, Workflow


class Role(StrEnum):
    """What a lane is to its step."""

    CASE = "case"
    BRANCH = "branch"
    BODY = "body"
    """What a `try` tries."""
    LOOP = "loop"
    HANDLER = "handler"
    FINALLY = "finally"


@dataclass(frozen=True, slots=True)
class Lane:
    """Steps under a title. `then` tells what follows them where that is not just the next step."""

    role: Role
    title: str
    nodes: tuple[Node, ...]
    then: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A step. `lanes` are inside it, `handlers` beside it."""

    id: str
    verb: str
    detail: str
    """What the verb is about: an action's name, a duration, a variable."""
    line: int
    condition: str | None = None
    notes: tuple[str, ...] = ()
    """The modifiers, in few words."""
    description: str = ""
    lanes: tuple[Lane, ...] = ()
    handlers: tuple[Lane, ...] = ()
    made: bool = False
    """It is no step: the compiler made it of a list with `needs`."""

    @property
    def ends(self) -> bool:
        """Whether nothing follows it."""
        return self.verb in ("stop", "fail")


@dataclass(frozen=True, slots=True)
class Picture:
    """A workflow as it is drawn."""

    name: str
    version: str | None
    description: str
    triggers: tuple[str, ...]
    notes: tuple[str, ...]
    nodes: tuple[Node, ...]
    finally_nodes: tuple[Node, ...]


def picture(workflow: Workflow) -> Picture:
    """What there is to draw of `workflow`."""
    notes = []
    if workflow.timeout is not None:
        notes.append(f"timeout {format_duration(workflow.timeout)}")
    if workflow.retry is not None:
        notes.append(_retry(workflow.retry))
    if workflow.on_failure is not None:
        notes.append(f"on failure {workflow.on_failure.value}")
    return Picture(
        workflow.name,
        workflow.version,
        workflow.description,
        tuple(_trigger(trigger) for trigger in workflow.triggers),
        tuple(notes),
        _nodes(workflow.steps),
        _nodes(workflow.finally_steps),
    )


def every_node(picture: Picture) -> Iterator[Node]:
    """All steps that are drawn."""
    yield from _every((*picture.nodes, *picture.finally_nodes))


def nodes_in(node: Node) -> Iterator[Node]:
    """All steps that are drawn inside or beside `node`."""
    for lane in (*node.lanes, *node.handlers):
        yield from _every(lane.nodes)


def _every(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for lane in (*node.lanes, *node.handlers):
            yield from _every(lane.nodes)


def _trigger(trigger: Trigger) -> str:
    match trigger:
        case EventTrigger():
            kinds = trigger.pattern.get("detail-type") or trigger.pattern.get("source")
            words = [str(kind) for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
            return f"event {' or '.join(words)}".strip()
        case ScheduleTrigger():
            return f"{trigger.expression}{f' {trigger.timezone}' if trigger.timezone else ''}"
        case ApiTrigger():
            return f"{trigger.method} {trigger.path}"
        case _:
            assert_never(trigger)


def _nodes(block: Block) -> tuple[Node, ...]:
    flat = (inner for step in block for inner in (step.steps if isinstance(step, GraphStep) else (step,)))
    return tuple(_node(step) for step in flat)


def _node(step: Step) -> Node:
    verb, detail = _verb(step)
    return Node(
        step.id,
        verb,
        detail,
        step.span.start.line,
        _text(step.condition) if step.condition is not None else None,
        tuple(_notes(step)),
        step.description or step.title,
        tuple(_lanes(step)),
        tuple(_handler(handler) for handler in step.on_failure or () if handler.steps),
        made=not is_written(step),
    )


def _verb(step: Step) -> tuple[str, str]:
    match step:
        case ActionStep():
            return "action", step.action
        case AwsStep():
            suffix = f".{step.pattern.value}" if step.pattern.value else ""
            return "aws", f"{step.call}{suffix}"
        case ChildStep():
            return "workflow", step.workflow if step.waits else f"{step.workflow}, not waited for"
        case ApprovalStep():
            return "approval", " ".join(_approvers(step))
        case SetStep():
            return "set", ", ".join(item.key for item in step.values.fields)
        case SwitchStep():
            return "switch", ""
        case WaitStep():
            if step.until is not None:
                return "wait", f"until {step.until if isinstance(step.until, str) else _text(step.until)}"
            seconds = step.seconds
            return "wait", format_duration(seconds) if isinstance(seconds, int) else f"{_text(seconds)} s"
        case StopStep():
            return "stop", ""
        case FailStep():
            return "fail", step.error
        case RepeatStep():
            return "repeat", f"at most {step.most} times"
        case ParallelStep():
            return "graph" if step.made else "parallel", ""
        case ForEachStep():
            return "for_each", f"{step.item_name} of {_items(step)}"
        case TryStep():
            return "try", ""
        case GraphStep():
            return "graph", ""
        case _:
            assert_never(step)


def _approvers(step: ApprovalStep) -> Iterator[str]:
    asked = step.request.get("approvers")
    if step.quorum > 1:
        yield f"{step.quorum} of"
    if isinstance(asked, ListValue):
        shown = [_value(each) for each in asked.items]
        yield ", ".join(shown if len(shown) <= 2 else (shown[0], f"{len(shown) - 1} more"))
    else:
        yield _value(asked) if asked is not None else "anyone"


def _items(step: ForEachStep) -> str:
    if isinstance(step.items, S3Items):
        return _value(step.items.uri)
    return _value(step.items)


def _lanes(step: Step) -> Iterator[Lane]:
    match step:
        case ActionStep() | AwsStep() | ChildStep() | SetStep() | WaitStep() | StopStep() | FailStep():
            return
        case ApprovalStep():
            return
        case SwitchStep():
            for case in step.cases:
                title = f"if {_text(case.condition)}" if case.condition is not None else "else"
                yield Lane(Role.CASE, title, _nodes(case.steps))
            if all(case.condition is not None for case in step.cases):
                yield Lane(Role.CASE, "else go on", ())
        case ParallelStep():
            for branch in step.branches:
                yield Lane(Role.BRANCH, branch.name if step.keyed else "", _nodes(branch.steps))
        case RepeatStep():
            until, go_on = step.until, step.go_on
            title = f"until {_text(until)}" if until is not None else f"while {_text(go_on)}"
            delay = f"{format_duration(step.delay)} between rounds" if step.delay else ""
            yield Lane(Role.LOOP, title, _nodes(step.steps), delay)
        case ForEachStep():
            several = f"{step.concurrency} at once" if step.concurrency > 1 else "one at a time"
            yield Lane(Role.LOOP, f"each {step.item_name}, {several}", _nodes(step.steps))
        case GraphStep():
            yield Lane(Role.BODY, "", _nodes(step.steps))
        case TryStep():
            yield Lane(Role.BODY, "try", _nodes(step.steps))
            for handler in step.catch:
                yield _handler(handler)
            if step.finally_steps:
                yield Lane(Role.FINALLY, "finally", _nodes(step.finally_steps))
        case _:
            assert_never(step)


def _handler(handler: Handler) -> Lane:
    title = f"on {_any_of(handler.errors)}" if handler.errors is not None else "on any error"
    then = {Then.CONTINUE: "then go on", Then.FAIL: "then fail", Then.ROLLBACK: "then roll back"}[handler.then]
    nodes = _nodes(handler.steps)
    return Lane(Role.HANDLER, title, nodes, "" if nodes and nodes[-1].ends else then)


def _notes(step: Step) -> Iterator[str]:
    if step.needs:
        yield f"needs {', '.join(need.id for need in step.needs)}"
    if step.timeout is not None:
        yield f"timeout {format_duration(step.timeout)}"
    if step.retry is not None:
        yield _retry(step.retry)
    if isinstance(step, ApprovalStep):
        if step.remind is not None:
            yield f"reminds every {format_duration(step.remind)}"
        if step.on_timeout is not OnTimeout.FAIL:
            yield f"at its timeout: {step.on_timeout.value}"
    if isinstance(step, ForEachStep):
        if step.distributed:
            yield "distributed"
        if step.tolerate_percent is not None:
            yield f"{step.tolerate_percent}% may fail"
        elif step.tolerate:
            yield f"{step.tolerate} may fail"
    for handler in step.on_failure or ():
        if not handler.steps and handler.then is not Then.FAIL:
            errors = f"on {_any_of(handler.errors)}" if handler.errors is not None else "on failure"
            yield f"{errors}: {'go on' if handler.then is Then.CONTINUE else 'roll back'}"
    if step.rollback is not None:
        yield f"undone by {' '.join(_verb(step.rollback)).strip()}"


def _retry(policy: RetryPolicy) -> str:
    if not policy.rules:
        return "no retry"
    return " or ".join(
        f"retry {rule.max_retries}{f' on {_any_of(rule.on)}' if rule.on else ''}" for rule in policy.rules
    )


def _any_of(errors: tuple[str, ...]) -> str:
    """The errors, as many as a picture has room for."""
    few = errors if len(errors) <= 3 else (*errors[:2], f"{len(errors) - 2} more")
    return ", ".join(few)


def _value(value: Value) -> str:
    match value:
        case Templated():
            return _text(value.template)
        case Literal():
            return str(value.value)
        case ListValue():
            return f"{len(value.items)} items"
        case ObjectValue():
            return "…"


def _text(template: Template | None) -> str:
    """A template as its author wrote it; the braces of a lone expression say nothing in a picture."""
    if template is None:
        return ""
    around = ("", "") if template.whole else ("{{ ", " }}")
    written = [part if isinstance(part, str) else part.source.strip().join(around) for part in template.parts]
    return " ".join("".join(written).split())
