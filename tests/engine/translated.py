"""Recorded JSONPath machines put into JSONata, where that says the same.

Most of what AWS was recorded to do with timeouts, tokens, failing Maps and retries was recorded in JSONPath mode. Those
machines of which every field has a counterpart are translated, so that their history can be compared too. What cannot
be translated faithfully is left out: paths that may be missing, result paths, intrinsics, comparisons.
"""

from __future__ import annotations

import re
from typing import Any

_PATH = re.compile(r"(\$\$?|\$[A-Za-z][A-Za-z0-9_]*)((?:\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*)")
_SAME = frozenset(
    {
        "Type",
        "Comment",
        "Next",
        "End",
        "Resource",
        "TimeoutSeconds",
        "HeartbeatSeconds",
        "Retry",
        "Seconds",
        "Timestamp",
    }
    | {"Error", "Cause", "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage", "Label"}
)
_PATHS = {
    "TimeoutSecondsPath": "TimeoutSeconds",
    "HeartbeatSecondsPath": "HeartbeatSeconds",
    "SecondsPath": "Seconds",
    "TimestampPath": "Timestamp",
    "ItemsPath": "Items",
    "MaxConcurrencyPath": "MaxConcurrency",
    "ErrorPath": "Error",
    "CausePath": "Cause",
}
_TEMPLATES = {"Parameters": "Arguments", "ItemSelector": "ItemSelector", "Result": "Output"}
_OTHER_ERRORS = frozenset({"States.Runtime", "States.IntrinsicFailure", "States.ParameterPathFailure"})


class Untranslatable(Exception):  # noqa: N818 - says what the definition is
    """A field that has no faithful counterpart."""


def translate(case: dict[str, Any]) -> dict[str, Any]:
    """The case with its machine in JSONata mode. Raises Untranslatable."""
    if case["expect"].get("error") in _OTHER_ERRORS:
        raise Untranslatable("an error that is another one in JSONata")
    if case["area"] in ("activities", "wait") and "timestamp" in str(case["input"]) + str(case.get("wildcards")):
        raise Untranslatable("an input that was replaced by a placeholder")
    if case["area"] == "activities":
        raise Untranslatable("a resource that was replaced by a placeholder, and workers with names")
    definition = case["definition"]
    machine = {key: value for key, value in definition.items() if key in ("Comment", "TimeoutSeconds")}
    return {**case, "definition": {"QueryLanguage": "JSONata", **machine, **_graph(definition)}}


def _graph(graph: dict[str, Any]) -> dict[str, Any]:
    if graph.get("QueryLanguage", "JSONPath") != "JSONPath":
        raise Untranslatable("already in JSONata")
    states = {name: _state(state) for name, state in graph["States"].items()}
    config = {"ProcessorConfig": graph["ProcessorConfig"]} if "ProcessorConfig" in graph else {}
    return {**config, "StartAt": graph["StartAt"], "States": states}


def _state(state: dict[str, Any]) -> dict[str, Any]:
    translated: dict[str, Any] = {}
    for key, value in state.items():
        if key in _SAME:
            translated[key] = value
        elif key in _PATHS:
            translated[_PATHS[key]] = _path(value)
        elif key == "Parameters" and state["Type"] in ("Map", "Pass"):
            translated["ItemSelector" if state["Type"] == "Map" else "Output"] = _template(value)
        elif key in _TEMPLATES:
            translated[_TEMPLATES[key]] = value if key == "Result" else _template(value)
        elif key == "ResultPath" and value is None:
            translated["Output"] = "{% $states.input %}"
        elif key == "Branches":
            translated[key] = [_graph(branch) for branch in value]
        elif key in ("ItemProcessor", "Iterator"):
            translated["ItemProcessor"] = _graph(value)
        elif key == "Catch":
            if any(set(catcher) - {"ErrorEquals", "Next", "Comment"} for catcher in value):
                raise Untranslatable("a catcher with a result path")
            translated[key] = value
        elif key == "ItemReader":
            translated[key] = {
                "Arguments" if name == "Parameters" else name: _template(part) for name, part in value.items()
            }
            config = translated[key].get("ReaderConfig", {})
            if "MaxItemsPath" in config:
                translated[key]["ReaderConfig"] = {
                    "MaxItems" if name == "MaxItemsPath" else name: _path(part) if name == "MaxItemsPath" else part
                    for name, part in config.items()
                }
        elif key in ("Credentials", "Assign"):
            translated[key] = _template(value)
        elif not (key in ("InputPath", "OutputPath", "ResultPath") and value == "$"):
            raise Untranslatable(key)
    if state["Type"] == "Choice":
        raise Untranslatable("comparisons")
    if "Assign" in state and "Parameters" in state and state["Type"] == "Pass":
        raise Untranslatable("an Assign that reads the Parameters")
    return translated


def _template(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key.removesuffix(".$"): _path(member) if key.endswith(".$") else _template(member)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_template(item) for item in value]
    if isinstance(value, str) and value.startswith("{%"):
        raise Untranslatable("a text that would become an expression")
    return value


def _path(text: Any) -> str:
    path = _PATH.fullmatch(text) if isinstance(text, str) else None
    if path is None:
        raise Untranslatable(f"the path {text}")
    roots = {"$": "$states.input", "$$": "$states.context"}
    return "{% " + roots.get(path[1], path[1]) + path[2] + " %}"
