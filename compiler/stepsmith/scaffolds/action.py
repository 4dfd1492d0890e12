"""A new action: its module, a sample event and its test."""

from __future__ import annotations

import json
from string import Template
from typing import Final

_MODULE: Final = Template('''\
"""The action `$name`.

Everything else is made from what is declared here: the Lambda handler, the checks on workflows, the schema for editors,
the function and its permissions in template.yaml. `stepsmith build` brings it all up to date.
"""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import PermanentError


class ${pascal}Refused(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """Workflows name this error in `retry` and `on_failure`; a TransientError would be one that may pass."""


class ${pascal}Params(Params):
    """What a workflow writes under `params:`. Unknown keys and wrong types are refused before a run."""

    target: str = Field(min_length=1, max_length=200, description="What it works on.")


class ${pascal}Result(Result):
    """What later steps read as `steps.ID.output`."""

    target: str = Field(description="What it worked on.")
    at: str = Field(description="When, in ISO 8601.")


@action(
    effect="read",  # or write, or destructive: what people are told before they run it
    repeatable=True,  # whether running it twice does no more harm than once
    timeout=30,  # seconds
    memory=256,  # MB
    errors=(${pascal}Refused,),
    # Least privilege, for example:
    # permissions=(Statement(("s3:GetObject",), ("$${DataBucket.Arn}/*",)),)
    example={"target": "web-1"},
)
def $name(params: ${pascal}Params, context: ActionContext) -> ${pascal}Result:
    """Notes when it was called, and for what.

    The first line is what the catalogue shows; the rest explains the action. AWS clients come from
    `context.clients.get("s3")`, the time from `context.clock`: a test replaces both.
    """
    if params.target == "nothing":
        raise ${pascal}Refused("there is nothing to work on")
    return ${pascal}Result(target=params.target, at=context.clock.now().isoformat())


handler = $name.handler
''')

_TEST: Final = Template('''\
"""`$name`: what it answers, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepsmith_functions.actions.$name import ${pascal}Refused, handler

EVENT = Path(__file__).parents[$up] / "$event"


class LambdaContext:
    """What Lambda hands to a handler."""

    aws_request_id = "test"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def test_the_sample_event_is_answered() -> None:
    answer = handler(json.loads(EVENT.read_text()), LambdaContext())
    assert isinstance(answer, dict)
    assert answer["target"] == "web-1"


def test_nothing_is_refused() -> None:
    with pytest.raises(${pascal}Refused, match="there is nothing to work on"):
        handler({"params": {"target": "nothing"}}, LambdaContext())
''')


def module_text(name: str) -> str:
    """The action's module."""
    return _MODULE.substitute(name=name, pascal=pascal(name))


def event_text(name: str) -> str:
    """An event as the state machine sends it, for `sam local invoke` and the test."""
    event = {
        "params": {"target": "web-1"},
        "run": {"id": "run-0001", "workflow": "sample", "version": "1.0.0"},
        "step": {"id": name, "path": name, "attempt": 0, "line": 1, "action": name},
    }
    return json.dumps(event, indent=2) + "\n"


def test_text(name: str, event: str, up: int) -> str:
    """The action's test. The sample event lies at `event` below the root, which is `up` folders above the test's."""
    return _TEST.substitute(name=name, pascal=pascal(name), event=event, up=up)


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
