"""What `error.message` is, whatever a cause looks like: reading it must never fail the run."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsmith.engine import TaskFailed
from tests.support.machines import run

TEXT = """
name: t
steps:
  - id: a
    action: ping
    on_failure:
      - steps:
          - id: h
            action: ping
            params: {host: "{{ error.message }}"}
        then: continue
"""


@dataclass
class Cause:
    """A failure with a cause as it is."""

    text: str | None

    def outcome(self) -> TaskFailed:
        return TaskFailed("Odd", self.text)


def message_of(cause: str | None) -> str:
    found = run(TEXT, None, {"a": Cause(cause)})
    assert found.execution.error is None, found.execution.cause
    host = found.params("h")["host"]
    assert isinstance(host, str)
    return host


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ('{"errorMessage": "boo", "errorType": "X"}', "boo"),
        ('{"errorType":"X","errorMessage":"a \\"quoted\\" \\u00e9\\n"}', 'a "quoted" é\n'),
        ("plain text", "plain text"),
        ("", ""),
        (None, ""),
        ('{"errorMessage": "cut o', '{"errorMessage": "cut o'),
        ('{no json "errorMessage"}', '{no json "errorMessage"}'),
        ('{"errorMessage": "bad \\x escape"}', '{"errorMessage": "bad \\x escape"}'),
        ('{"errorMessage": null}', '{"errorMessage": null}'),
        ('{"other": "x"}', '{"other": "x"}'),
        ('{"errorMessage": "ok", "stackTrace": ["', "ok"),
    ],
)
def test_the_message_of_a_cause(cause: str | None, message: str) -> None:
    assert message_of(cause) == message


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=40), st.booleans())
def test_any_message_comes_out_as_it_went_in(message: str, cut: bool) -> None:
    message = message.encode("utf-8", "ignore").decode()
    cause = json.dumps({"errorMessage": message, "errorType": "X", "requestId": "r"})
    assert message_of(cause[:-5] if cut else cause) == message
