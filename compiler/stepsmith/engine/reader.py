"""From a definition in JSON to a `Machine`.

Reads what it can run and raises `InvalidDefinition` for the first thing that it cannot; that a definition would be
refused by AWS is for `validation` to say, which reports every problem. States in JSONPath mode are refused with
`UnsupportedQueryLanguage`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from stepsmith.engine.errors import InvalidDefinition, UnsupportedQueryLanguage
from stepsmith.engine.machine import (
    Assign,
    Catcher,
    Choice,
    ChoiceRule,
    Fail,
    ItemBatcher,
    ItemReader,
    Machine,
    Map,
    Parallel,
    Pass,
    ResultWriter,
    Retrier,
    State,
    StateGraph,
    Succeed,
    Task,
    Wait,
)
from stepsmith.engine.templates import Template, compile_template
from stepsmith.engine.values import Json


class _Object:
    """One object of the definition with the place where it stands; reads members and says what is amiss."""

    __slots__ = ("location", "members")

    def __init__(self, value: Json, location: str) -> None:
        if not isinstance(value, Mapping):
            raise InvalidDefinition("expected an object", location or "/")
        self.members = value
        self.location = location

    def text(self, key: str) -> str:
        value = self.members.get(key)
        if not isinstance(value, str):
            raise InvalidDefinition(f"the field '{key}' is required and must be a string", self.location or "/")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self.members else None

    def number(self, key: str, default: float) -> float:
        value = self.members.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidDefinition(f"the field '{key}' must be a number", self.location)
        return value

    def optional_number(self, key: str) -> float | None:
        return self.number(key, 0) if key in self.members else None

    def object(self, key: str) -> _Object:
        return _Object(self.members.get(key), f"{self.location}/{key}")

    def objects(self, key: str) -> list[_Object]:
        value = self.members.get(key, ())
        if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
            raise InvalidDefinition(f"the field '{key}' must be an array", self.location)
        return [_Object(item, f"{self.location}/{key}[{at}]") for at, item in enumerate(value)]

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.members.get(key)
        if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
            raise InvalidDefinition(f"the field '{key}' is required and must be an array", self.location)
        names = tuple(item for item in value if isinstance(item, str))
        if len(names) != len(value):
            raise InvalidDefinition(f"the field '{key}' must hold strings", self.location)
        return names

    def template(self, key: str, field: str | None = None) -> Template | None:
        return compile_template(self.members[key], field or key) if key in self.members else None

    def assign(self, field: str = "Assign") -> Assign:
        if "Assign" not in self.members:
            return ()
        value = self.object("Assign").members
        return tuple((name, compile_template(member, f"{field}/{name}")) for name, member in value.items())


def read_machine(definition: Machine | Mapping[str, Json] | str) -> Machine:
    """The machine of a definition, given as JSON text, as its value, or already read.

    Raises InvalidDefinition and UnsupportedQueryLanguage.
    """
    if isinstance(definition, Machine):
        return definition
    value: Json
    if isinstance(definition, str):
        try:
            value = json.loads(definition)
        except ValueError as problem:
            raise InvalidDefinition(f"the definition is not JSON: {problem}", "/") from None
    else:
        value = definition
    root = _Object(value, "")
    language = root.members.get("QueryLanguage", "JSONPath")
    return Machine(
        graph=_graph(root, language),
        timeout=root.optional_number("TimeoutSeconds"),
        comment=str(root.members.get("Comment", "")),
        definition=root.members,
    )


def _graph(holder: _Object, language: Json) -> StateGraph:
    states: dict[str, State] = {}
    listed = holder.object("States")
    for name, member in listed.members.items():
        states[name] = _state(name, _Object(member, f"{listed.location}/{name}"), language)
    graph = StateGraph(holder.text("StartAt"), states)
    if graph.start_at not in states:
        raise InvalidDefinition(f"StartAt names no state: {graph.start_at}", holder.location or "/")
    for name, state in states.items():
        for target in targets(state):
            if target not in states:
                raise InvalidDefinition(f"no state is called {target}", f"{listed.location}/{name}")
    return graph


def targets(state: State) -> list[str]:
    """The states that can follow this one, catchers' and rules' included, in the order of the definition."""
    match state:
        case Succeed() | Fail():
            return []
        case Choice(rules=rules, default=default):
            return [rule.next for rule in rules] + ([] if default is None else [default])
        case Task() | Parallel() | Map():
            return ([] if state.next is None else [state.next]) + [catcher.next for catcher in state.catch]
        case Pass() | Wait():
            return [] if state.next is None else [state.next]


def _next(state: _Object) -> str | None:
    if state.members.get("End") is True:
        return None
    return state.text("Next")


def _state(name: str, state: _Object, language: Json) -> State:
    if state.members.get("QueryLanguage", language) != "JSONata":
        raise UnsupportedQueryLanguage(state.location)
    output = state.template("Output")
    match state.text("Type"):
        case "Pass":
            return Pass(name, _next(state), state.assign(), output)
        case "Task":
            credentials = state.members.get("Credentials")
            return Task(
                name,
                _next(state),
                state.text("Resource"),
                arguments=state.template("Arguments"),
                timeout=state.template("TimeoutSeconds"),
                heartbeat=state.template("HeartbeatSeconds"),
                role_arn=None
                if credentials is None
                else state.object("Credentials").template("RoleArn", "Credentials/RoleArn"),
                retry=_retry(state),
                catch=_catch(state),
                assign=state.assign(),
                output=output,
            )
        case "Choice":
            return Choice(
                name,
                tuple(_rule(at, rule) for at, rule in enumerate(state.objects("Choices"))),
                state.optional_text("Default"),
                state.assign(),
                output,
            )
        case "Wait":
            return Wait(
                name,
                _next(state),
                state.template("Seconds"),
                state.template("Timestamp"),
                state.assign(),
                output,
            )
        case "Succeed":
            return Succeed(name, output)
        case "Fail":
            return Fail(name, state.template("Error"), state.template("Cause"))
        case "Parallel":
            return Parallel(
                name,
                _next(state),
                tuple(_graph(branch, language) for branch in state.objects("Branches")),
                arguments=state.template("Arguments"),
                retry=_retry(state),
                catch=_catch(state),
                assign=state.assign(),
                output=output,
            )
        case "Map":
            return _map(name, state, language, output)
        case unknown:
            raise InvalidDefinition(f"there is no state of type {unknown}", state.location)


def _rule(at: int, rule: _Object) -> ChoiceRule:
    field = f"Choices[{at}]"
    condition = rule.template("Condition", f"{field}/Condition")
    if condition is None:
        raise InvalidDefinition("the field 'Condition' is required", rule.location)
    return ChoiceRule(
        condition, rule.text("Next"), rule.assign(f"{field}/Assign"), rule.template("Output", f"{field}/Output")
    )


def _retry(state: _Object) -> tuple[Retrier, ...]:
    return tuple(
        Retrier(
            errors=retrier.texts("ErrorEquals"),
            interval=retrier.number("IntervalSeconds", 1),
            max_attempts=int(retrier.number("MaxAttempts", 3)),
            backoff_rate=retrier.number("BackoffRate", 2.0),
            max_delay=retrier.optional_number("MaxDelaySeconds"),
            full_jitter=retrier.members.get("JitterStrategy") == "FULL",
        )
        for retrier in state.objects("Retry")
    )


def _catch(state: _Object) -> tuple[Catcher, ...]:
    return tuple(
        Catcher(
            errors=catcher.texts("ErrorEquals"),
            next=catcher.text("Next"),
            assign=catcher.assign(f"Catch[{at}]/Assign"),
            output=catcher.template("Output", f"Catch[{at}]/Output"),
        )
        for at, catcher in enumerate(state.objects("Catch"))
    )


def _map(name: str, state: _Object, language: Json, output: Template | None) -> Map:
    processor = state.object("ItemProcessor" if "ItemProcessor" in state.members else "Iterator")
    config = processor.object("ProcessorConfig").members if "ProcessorConfig" in processor.members else {}
    return Map(
        name,
        _next(state),
        _graph(processor, language),
        distributed=config.get("Mode", "INLINE") == "DISTRIBUTED",
        express_children=config.get("ExecutionType") == "EXPRESS",
        items=state.template("Items"),
        item_selector=state.template("ItemSelector"),
        max_concurrency=state.template("MaxConcurrency"),
        tolerated_count=state.template("ToleratedFailureCount"),
        tolerated_percentage=state.template("ToleratedFailurePercentage"),
        label=state.optional_text("Label"),
        reader=_item_reader(state.object("ItemReader")) if "ItemReader" in state.members else None,
        batcher=_item_batcher(state.object("ItemBatcher")) if "ItemBatcher" in state.members else None,
        writer=_result_writer(state.object("ResultWriter")) if "ResultWriter" in state.members else None,
        retry=_retry(state),
        catch=_catch(state),
        assign=state.assign(),
        output=output,
    )


def _item_reader(reader: _Object) -> ItemReader:
    config = reader.object("ReaderConfig") if "ReaderConfig" in reader.members else _Object({}, reader.location)
    return ItemReader(
        reader.text("Resource"),
        reader.template("Arguments", "ItemReader/Arguments"),
        config.members,
        config.template("MaxItems", "ItemReader/ReaderConfig/MaxItems"),
    )


def _item_batcher(batcher: _Object) -> ItemBatcher:
    return ItemBatcher(
        batcher.template("MaxItemsPerBatch", "ItemBatcher/MaxItemsPerBatch"),
        batcher.template("MaxInputBytesPerBatch", "ItemBatcher/MaxInputBytesPerBatch"),
        batcher.template("BatchInput", "ItemBatcher/BatchInput"),
    )


def _result_writer(writer: _Object) -> ResultWriter:
    config = writer.object("WriterConfig").members if "WriterConfig" in writer.members else {}
    return ResultWriter(
        writer.optional_text("Resource"),
        writer.template("Arguments", "ResultWriter/Arguments"),
        str(config.get("Transformation", "NONE")),
        str(config.get("OutputType", "JSON")),
    )
