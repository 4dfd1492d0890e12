"""Which fields a state has, and what may stand in them: the schema of the Amazon States Language in JSONata mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from stepsmith.engine.limits import WAIT_SECONDS
from stepsmith.engine.query.expression import is_expression
from stepsmith.engine.states.wait import parse_timestamp
from stepsmith.engine.values import Json

Check: TypeAlias = Callable[[Json], "str | None"]
"""Says what is wrong with a value, or None."""


def text(value: Json) -> str | None:
    """A string."""
    return None if isinstance(value, str) else "must be a string"


def anything(_: Json) -> str | None:
    """Any JSON, with expressions in it."""
    return None


def flag(value: Json) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be a boolean"


def an_object(value: Json) -> str | None:
    """An object."""
    return None if isinstance(value, Mapping) else "must be an object"


def object_or_expression(value: Json) -> str | None:
    """An object, or an expression that yields one."""
    if isinstance(value, Mapping) or (isinstance(value, str) and is_expression(value)):
        return None
    return "must be an object or a JSONata expression"


def an_array(value: Json) -> str | None:
    """An array."""
    return None if isinstance(value, Sequence) and not isinstance(value, str) else "must be an array"


def array_or_expression(value: Json) -> str | None:
    """An array, or an expression that yields one; an object too, which a distributed Map takes."""
    if isinstance(value, Mapping) or an_array(value) is None:
        return None
    if isinstance(value, str) and is_expression(value):
        return None
    return "must be an array or a JSONata expression"


def one_of(*names: str) -> Check:
    """One of these texts."""

    def check(value: Json) -> str | None:
        return None if value in names else "must be one of " + ", ".join(names)

    return check


def number(least: float, most: float, *, whole: bool = True, expression: bool = False) -> Check:
    """A number within bounds, or an expression where one may stand."""

    def check(value: Json) -> str | None:
        if expression and isinstance(value, str) and is_expression(value):
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number" + (" or a JSONata expression" if expression else "")
        if whole and value != int(value):
            return "must be an integer"
        return None if least <= value <= most else f"must be between {least:g} and {most:g}"

    return check


def timestamp(value: Json) -> str | None:
    """A moment, or an expression that yields one."""
    if isinstance(value, str) and (is_expression(value) or parse_timestamp(value) is not None):
        return None
    return "String does not match RFC3339 timestamp"


def condition(value: Json) -> str | None:
    """A boolean, or an expression that yields one."""
    if isinstance(value, bool) or (isinstance(value, str) and is_expression(value)):
        return None
    return "must be a boolean or a JSONata expression"


_SECONDS = number(1, WAIT_SECONDS, expression=True)
_MANY = 2**53
_BASE: Final[dict[str, Check]] = {"Type": text, "Comment": text, "QueryLanguage": one_of("JSONata", "JSONPath")}
_FLOW: Final[dict[str, Check]] = {"Next": text, "End": flag}
_OUT: Final[dict[str, Check]] = {"Assign": an_object, "Output": anything}
_CATCH: Final[dict[str, Check]] = {"Retry": an_array, "Catch": an_array}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one kind of object: all that it may have, and those that it must."""

    fields: Mapping[str, Check]
    required: tuple[str, ...] = ()


STATES: Final[Mapping[str, Shape]] = {
    "Pass": Shape({**_BASE, **_FLOW, **_OUT}),
    "Task": Shape(
        {
            **_BASE,
            **_FLOW,
            **_OUT,
            **_CATCH,
            "Resource": text,
            "Arguments": anything,
            "TimeoutSeconds": _SECONDS,
            "HeartbeatSeconds": _SECONDS,
            "Credentials": an_object,
        },
        ("Resource",),
    ),
    "Choice": Shape({**_BASE, **_OUT, "Choices": an_array, "Default": text}, ("Choices",)),
    "Wait": Shape(
        {
            **_BASE,
            **_FLOW,
            **_OUT,
            "Seconds": number(0, WAIT_SECONDS, expression=True),
            "Timestamp": timestamp,
        }
    ),
    "Succeed": Shape({**_BASE, "Output": anything}),
    "Fail": Shape({**_BASE, "Error": text, "Cause": text}),
    "Parallel": Shape({**_BASE, **_FLOW, **_OUT, **_CATCH, "Branches": an_array, "Arguments": anything}, ("Branches",)),
    "Map": Shape(
        {
            **_BASE,
            **_FLOW,
            **_OUT,
            **_CATCH,
            "Items": array_or_expression,
            "ItemSelector": object_or_expression,
            "ItemProcessor": an_object,
            "Iterator": an_object,
            "MaxConcurrency": number(0, _MANY, expression=True),
            "ToleratedFailureCount": number(0, _MANY, expression=True),
            "ToleratedFailurePercentage": number(0, 100, whole=False, expression=True),
            "Label": text,
            "ItemReader": an_object,
            "ItemBatcher": an_object,
            "ResultWriter": an_object,
        }
    ),
}
MACHINE: Final = Shape(
    {
        "Comment": text,
        "QueryLanguage": one_of("JSONata", "JSONPath"),
        "StartAt": text,
        "States": an_object,
        "TimeoutSeconds": number(1, WAIT_SECONDS),
        "Version": text,
    },
    ("States", "StartAt"),
)
GRAPH: Final = Shape(
    {"Comment": text, "StartAt": text, "States": an_object, "ProcessorConfig": an_object}, ("States", "StartAt")
)
RULE: Final = Shape({"Condition": condition, "Next": text, "Comment": text, **_OUT}, ("Condition", "Next"))
RETRIER: Final = Shape(
    {
        "ErrorEquals": an_array,
        "IntervalSeconds": number(1, WAIT_SECONDS),
        "MaxAttempts": number(0, WAIT_SECONDS),
        "BackoffRate": number(1, _MANY, whole=False),
        "MaxDelaySeconds": number(1, 31_622_400),
        "JitterStrategy": one_of("FULL", "NONE"),
        "Comment": text,
    },
    ("ErrorEquals",),
)
CATCHER: Final = Shape({"ErrorEquals": an_array, "Next": text, "Comment": text, **_OUT}, ("ErrorEquals", "Next"))
CREDENTIALS: Final = Shape({"RoleArn": text}, ("RoleArn",))
ITEM_READER: Final = Shape({"Resource": text, "Arguments": anything, "ReaderConfig": an_object}, ("Resource",))
ITEM_BATCHER: Final = Shape(
    {
        "MaxItemsPerBatch": number(1, _MANY, expression=True),
        "MaxInputBytesPerBatch": number(1, 262_144, expression=True),
        "BatchInput": anything,
    }
)
RESULT_WRITER: Final = Shape({"Resource": text, "Arguments": anything, "WriterConfig": an_object})
PROCESSOR_CONFIG: Final = Shape(
    {"Mode": one_of("INLINE", "DISTRIBUTED"), "ExecutionType": one_of("STANDARD", "EXPRESS")}
)
JSONPATH_ONLY: Final = frozenset(
    {
        "InputPath",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "OutputPath",
        "ItemsPath",
        "Result",
        "Variable",
        "TimeoutSecondsPath",
        "HeartbeatSecondsPath",
        "SecondsPath",
        "TimestampPath",
        "ErrorPath",
        "CausePath",
        "MaxConcurrencyPath",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath",
    }
)
