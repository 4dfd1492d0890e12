"""moto's own interpreter with JSONata plugged in, so that machines can be run on it and compared.

moto has no evaluator for JSONata. Here jsonata-python evaluates each expression as it stands, with variables and
`$states` bound; moto's own way pastes their values into its text. Nothing else of the interpreter is touched.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import isfinite
from typing import Any, Final

import boto3
import pytest
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto import mock_aws

ROLE: Final = "arn:aws:iam::123456789012:role/r"
PATIENCE: Final = 20.0
"""Seconds after which an execution that has not ended is taken for one that hangs."""
_UNDEFINED: Final = object()


class EvaluationError(Exception):
    """An expression that gives nothing, or fails."""


@cache
def _compiled(expression: str) -> Jsonata:
    parsed = Jsonata(expression)
    parsed.set_output_convert_nulls(False)
    parsed.set_validate_input(False)
    return parsed


def _plain(value: Any, top: bool = True) -> Any:
    if value is None:
        return _UNDEFINED if top else None
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, dict):
        return {key: _plain(part, False) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, False) for part in value]
    raise EvaluationError("unsupported result")


def evaluated(expression: str, variables: Mapping[str, Any], states: Any) -> Any:
    bindings = {name: Utils.NULL_VALUE if value is None else value for name, value in variables.items()}
    try:
        value = _plain(_compiled(expression).evaluate(None, bindings | {"states": states}))
    except Exception as error:  # the library lets Python's own exceptions out
        raise EvaluationError(str(error)) from error
    if value is _UNDEFINED:
        raise EvaluationError("returned nothing")
    return value


@contextmanager
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A boto3 client of Step Functions as moto interprets it."""
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    def evaluate(self: Any, env: Any) -> None:
        store = env.variable_store
        try:
            value = evaluated(self.expression, store._outer_scope | store._inner_scope, env.states._states_data)
        except EvaluationError as failed:
            name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
            details = EvaluationFailedEventDetails(cause=str(failed), error=name.error_name, location="")
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=name,
                    event_type=HistoryEventType.EvaluationFailed,
                    event_details=EventDetails(evaluationFailedEventDetails=details),
                )
            ) from failed
        env.stack.append(value)

    monkeypatch.setattr(StringJSONata, "_eval_body", evaluate)
    config = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
    # It writes the whole tree of the machine for each error that goes through it.
    logging.disable(logging.ERROR)
    try:
        with mock_aws(config=config):
            yield boto3.client(
                "stepfunctions", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s"
            )
    finally:
        logging.disable(logging.NOTSET)


def outcomes(client: Any, machines: Mapping[str, tuple[dict[str, Any], Any]]) -> dict[str, tuple[str, Any, str | None]]:
    """Status, output and error of each machine, all running at once. `HANGS` is the status of one that does not end."""
    running: dict[str, str] = {}
    found: dict[str, tuple[str, Any, str | None]] = {}
    for at, (name, (definition, given)) in enumerate(machines.items()):
        try:
            text = json.dumps(definition)
            arn = client.create_state_machine(name=f"m{at}", definition=text, roleArn=ROLE)["stateMachineArn"]
            started = client.start_execution(stateMachineArn=arn, name=f"e{at}", input=json.dumps(given))
            running[name] = started["executionArn"]
        except Exception as error:  # NotImplementedError too
            found[name] = ("REFUSED", None, type(error).__name__)
    until = time.monotonic() + PATIENCE
    while running and time.monotonic() < until:
        for name, arn in list(running.items()):
            try:
                shown = client.describe_execution(executionArn=arn)
            except Exception as error:
                found[name] = ("BROKEN", None, type(error).__name__)
                del running[name]
                continue
            if shown["status"] != "RUNNING":
                found[name] = (shown["status"], _read(shown.get("output")), shown.get("error"))
                del running[name]
        time.sleep(0.1)
    for name, arn in running.items():
        found[name] = ("HANGS", None, None)
        client.stop_execution(executionArn=arn)
    return found


def _read(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text  # moto shows a text without its quotes
