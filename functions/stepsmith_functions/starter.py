"""The Lambda between a trigger that has a `dedupe_key` and its workflow: one run for one key.

EventBridge delivers at least once and names executions itself. Here the name is made of the key, and Step Functions
refuses a second execution of that name for 90 days (API reference, StartExecution). The environment says whose machines
are started: `MACHINES`, the ARN of this stack's machines up to their workflow's name.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from typing import Final

from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.clients import code_of

ALIAS: Final = "live"
_LONGEST_NAME: Final = 80
_DIGITS: Final = 32
_logger = logging.getLogger(__name__)


class KeyMissingError(ValueError):
    """The event has nothing where the key is: to start one run for all such events would lose the others."""


def handler(event: Mapping[str, object], _context: object = None) -> None:
    """Starts `event["workflow"]` with `event["input"]`, unless a run was started for `event["key"]`.

    Raises KeyMissingError, and botocore's ClientError for what Lambda shall try again.
    """
    workflow, key = str(event["workflow"]), event.get("key")
    if key is None or key == "":
        raise KeyMissingError(f"an event for {workflow} has nothing where its dedupe_key is")
    name = run_name(workflow, key)
    client = clients.of_process().get("stepfunctions")
    try:
        client.start_execution(
            stateMachineArn=f"{os.environ['MACHINES']}{workflow}:{ALIAS}",
            name=name,
            input=json.dumps(event.get("input"), ensure_ascii=False),
        )
    except client.exceptions.ClientError as error:
        if code_of(error) != "ExecutionAlreadyExists":
            raise
        _logger.info("run %s of %s was started before", name, workflow)


def run_name(workflow: str, key: object) -> str:
    """The name of the run for a key: the workflow's, as far as there is room, and 128 bits of a digest."""
    text = json.dumps([workflow, key], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    return f"{workflow[: _LONGEST_NAME - _DIGITS - 1]}-{digest}"
