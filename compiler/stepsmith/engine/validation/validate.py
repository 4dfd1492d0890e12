"""The order of the checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stepsmith.engine.limits import DEFINITION_BYTES
from stepsmith.engine.validation import fields, graphs
from stepsmith.engine.validation.problem import JSON, SCHEMA, Problem, Report
from stepsmith.engine.validation.states import check_resource, check_shape, check_state, items
from stepsmith.engine.values import Json, to_text, utf8_size

_TOKEN = re.compile(r"[A-Za-z0-9_$]+")


def validate(definition: str | Mapping[str, Json], *, express: bool = False) -> list[Problem]:
    """Every reason to refuse the definition, in the order of the definition; none when it would be accepted.

    `express` validates it for an Express machine.
    """
    problems: list[Problem] = []

    def report(code: str, message: str, location: str) -> None:
        problems.append(Problem(code, message, location))

    root = _load(definition, report)
    if root is None:
        return problems
    top = root.get("QueryLanguage", "JSONPath")
    if not check_shape(root, fields.MACHINE, "", report):
        return problems
    all_graphs = list(_graphs(root, top))
    graphs.check_names(
        ((name, f"{graph.location}/States/{name}") for graph in all_graphs for name in graph.states), report
    )
    for graph in all_graphs:
        _check_graph(graph, str(top), express, report)
    return problems


def _load(definition: str | Mapping[str, Json], report: Report) -> Mapping[str, Json] | None:
    value: Json
    if isinstance(definition, str):
        if utf8_size(definition) > DEFINITION_BYTES:
            report(SCHEMA, f"The definition is larger than {DEFINITION_BYTES} bytes", "")
            return None
        if not definition.strip():
            report(SCHEMA, "Definition must be a valid JSON object", "")
            return None
        try:
            value = json.loads(definition)
        except json.JSONDecodeError as problem:
            _report_not_json(definition, problem, report)
            return None
    else:
        value = definition
        if utf8_size(to_text(value)) > DEFINITION_BYTES:
            report(SCHEMA, f"The definition is larger than {DEFINITION_BYTES} bytes", "")
            return None
    if not isinstance(value, Mapping):
        report(SCHEMA, "Definition must be a valid JSON object", "")
        return None
    return value


def _report_not_json(definition: str, problem: json.JSONDecodeError, report: Report) -> None:
    """In the words of the JSON parser that the service uses, as recorded for a token that is none of JSON's."""
    token = _TOKEN.match(definition, problem.pos)
    column = problem.colno + (len(token[0]) if token else 0)
    source = f'[Source: (String)"{definition}"; line: {problem.lineno}, column: {column}]'
    what = (
        f"Unrecognized token '{token[0]}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' "
        "or 'false')"
        if token
        else problem.msg
    )
    report(JSON, f"{what}\n at {source}", source)


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph of the definition, where it stands, and the variables assigned on the way to it."""

    value: Mapping[str, Json]
    states: Mapping[str, Json]
    location: str
    outer: frozenset[str]


def _graphs(root: Mapping[str, Json], language: Json) -> Iterator[_Graph]:
    """The machine's graph and all those inside its Parallels and Maps, outermost first."""
    work = [(root, "", frozenset[str]())]
    while work:
        value, location, outer = work.pop(0)
        states = value.get("States")
        if not isinstance(states, Mapping):
            continue
        yield _Graph(value, states, location, outer)
        before = graphs.assigned_before(states)
        for name, state in states.items():
            if not isinstance(state, Mapping):
                continue
            place = f"{location}/States/{name}"
            around = outer | before[name] if state.get("QueryLanguage", language) == "JSONata" else outer
            for at, branch in enumerate(items(state.get("Branches"))):
                if isinstance(branch, Mapping):
                    work.append((branch, f"{place}/Branches[{at}]", around))
            for field in ("ItemProcessor", "Iterator"):
                processor = state.get(field)
                if isinstance(processor, Mapping):
                    config = processor.get("ProcessorConfig")
                    isolated = isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED"
                    work.append((processor, f"{place}/{field}", frozenset() if isolated else around))


def _check_graph(graph: _Graph, top: str, express: bool, report: Report) -> None:
    if graph.location:
        check_shape(graph.value, fields.GRAPH, graph.location, report)
    for name, state in graph.states.items():
        location = f"{graph.location}/States/{name}"
        if not isinstance(state, Mapping):
            report(SCHEMA, "A state must be an object", location)
            continue
        language = state.get("QueryLanguage", top)
        if language == "JSONata":
            check_state(state, location, report)
            graphs.check_outer_variables(state, graph.outer, location, report)
        elif top == "JSONata":
            report(
                SCHEMA,
                "The QueryLanguage of a state cannot be JSONPath when that of the machine is JSONata",
                f"{location}/QueryLanguage",
            )
        else:
            _check_jsonpath_state(state, location, report)
        if express:
            _check_express(state, location, report)
    graphs.check_transitions(graph.value, graph.location, report)


def _check_jsonpath_state(state: Mapping[str, Json], location: str, report: Report) -> None:
    """The little that holds in either language."""
    if state.get("Type") not in fields.STATES:
        report(SCHEMA, f"The value for the field 'Type' must be one of {', '.join(fields.STATES)}", location)
    resource = state.get("Resource")
    if isinstance(resource, str):
        check_resource(resource, f"{location}/Resource", report)
    timestamp = state.get("Timestamp")
    if timestamp is not None and (wrong := fields.timestamp(timestamp)) is not None:
        report(SCHEMA, wrong, f"{location}/Timestamp")


def _check_express(state: Mapping[str, Json], location: str, report: Report) -> None:
    """Express machines only request and respond (documented, the text recorded)."""
    resource = state.get("Resource")
    for pattern in (".waitForTaskToken", ".sync"):
        if isinstance(resource, str) and pattern in resource:
            report(
                SCHEMA,
                f"Express state machine does not support '{pattern}' service integration ",
                f"{location}/Resource",
            )
