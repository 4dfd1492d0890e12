"""The state machines of a deployed stack, as going on with one of its runs needs them.

A definition's `${…}` are filled in here as the template's `DefinitionSubstitutions` are at deployment. It decides
nothing about runs. boto3's answers are untyped and become plain values here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from stepsmith.asl.names import environment_key, machine_id, resume_id
from stepsmith.asl.states import StateMachine
from stepsmith.cli.deployed import StackHistories
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.document import Json

_KEPT_VERSIONS: Final = 10
"""Of a machine NAME.resume; Step Functions takes up to a thousand (documented)."""
_MOST_DELETED: Final = 20
"""At once, so that a resume never waits long for it."""
_TRIES: Final = 5
"""To start a version that was published a moment ago."""
_GONE: Final = "ExecutionDoesNotExist"


@dataclass(frozen=True, slots=True)
class Described:
    """An execution, as DescribeExecution tells of it."""

    status: str
    redrive_count: int
    redrivable: bool


@dataclass(frozen=True)
class StackMachines:
    """The machines of one workflow in a stack. Methods raise CommandError when AWS refuses."""

    place: StackHistories
    workflow: str
    parameters: Mapping[str, str]
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def of(cls, place: StackHistories, workflow: str) -> StackMachines:
        """Raises CommandError for a workflow that the stack does not have, or of which nothing can go on."""
        for needed in (machine_id(workflow), resume_id(workflow)):
            if needed not in place.resources:
                raise CommandError(
                    f"the stack {place.stack} has no {needed}, by which runs of {workflow} go on",
                    help="stepsmith build puts it into template.yaml, sam deploy into the stack",
                    status=Exit.PROBLEMS,
                )
        return cls(place, workflow, place.parameters())

    @property
    def machine(self) -> str:
        """The ARN of the workflow's own machine."""
        return self.place.resources[machine_id(self.workflow)]

    @property
    def resumes(self) -> str:
        """The ARN of the machine whose versions go on with its runs."""
        return self.place.resources[resume_id(self.workflow)]

    def execution(self, name: str) -> str:
        """The ARN of an execution that goes on with a run."""
        return f"{self.resumes.replace(':stateMachine:', ':execution:', 1)}:{name}"

    def environment(self, names: tuple[str, ...]) -> dict[str, str]:
        """What `env.NAME` is in this stack."""
        return {name: self.parameters.get(environment_key(name), "") for name in names}

    # -- definitions ------------------------------------------------------------------------------

    def filled(self, machine: StateMachine, text: str) -> str:
        """The definition `text` of `machine` with what this stack puts in place of its `${…}`.

        Raises CommandError for a function, machine or parameter that the stack lacks.
        """
        if missing := self.lacks(machine):
            raise CommandError(
                f"the stack {self.place.stack} lacks what {self.workflow} needs now: {', '.join(missing)}",
                help="stepsmith build and sam deploy bring it there",
                status=Exit.PROBLEMS,
            )
        values = {name: json.dumps(value)[1:-1] for name, value in self._values(machine) if value is not None}
        return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)

    def lacks(self, machine: StateMachine) -> list[str]:
        """The functions, machines and parameters, by their logical ids, that `machine` needs and the stack has not."""
        return [name for name, value in self._values(machine) if value is None]

    def _values(self, machine: StateMachine) -> Iterator[tuple[str, str | None]]:
        yield "Partition", self.resumes.split(":")[1]
        for name in machine.functions:
            yield name, self._function(name)
        for name in machine.machines:
            yield name, self.place.resources.get(name)
        for name in map(environment_key, machine.environment):
            yield name, self.parameters.get(name)

    def _function(self, name: str) -> str | None:
        physical = self.place.resources.get(name)
        _, partition, _, region, account, *_ = self.resumes.split(":")
        return physical and f"arn:{partition}:lambda:{region}:{account}:function:{physical}"

    def not_allowed(self, definition: str) -> list[str]:
        """What a definition calls and the workflow's machine, as deployed, does not: its role is made for its calls."""
        with _refusals(f"the machine of {self.workflow} cannot be looked at"):
            deployed = self.place.states().describe_state_machine(stateMachineArn=self.machine)["definition"]
        allowed = set(_calls(json.loads(deployed)))
        return sorted(set(_calls(json.loads(definition))) - allowed)

    def definition_of(self, execution_arn: str) -> Json:
        """What an execution ran."""
        with _refusals(f"the definition of {execution_arn} cannot be read"):
            answer = self.place.states().describe_state_machine_for_execution(executionArn=execution_arn)
        definition: Json = json.loads(answer["definition"])
        return definition

    # -- executions -------------------------------------------------------------------------------

    def describe(self, execution_arn: str) -> Described | None:
        """None for an execution that there is not, or no longer."""
        return described(self.place, execution_arn)

    def redrive(self, execution_arn: str) -> None:
        with _refusals(f"{execution_arn} cannot be redriven"):
            self.place.states().redrive_execution(executionArn=execution_arn)

    def publish(self, definition: str, description: str) -> str:
        """The ARN of a version that runs `definition`: nobody can change it any more (documented)."""
        with _refusals(f"no version of {self.resumes} can be published"):
            answer = self.place.states().update_state_machine(
                stateMachineArn=self.resumes, definition=definition, publish=True, versionDescription=description
            )
        return str(answer["stateMachineVersionArn"])

    def start(self, version: str, name: str, given: Json) -> datetime | None:
        """Starts a version; when it started, or None where there is an execution of that name already."""
        for attempt in range(_TRIES):
            if attempt:
                self.sleep(attempt)
            try:
                answer = self.place.states().start_execution(
                    stateMachineArn=version, name=name, input=json.dumps(given, ensure_ascii=False)
                )
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == "ExecutionAlreadyExists":
                    return None
                # It was published a moment ago; that it can be started at once is nowhere documented.
                if code != "StateMachineDoesNotExist" or attempt == _TRIES - 1:
                    raise _refused(f"{version} cannot be started", error) from error
            except BotoCoreError as error:
                raise _refused(f"{version} cannot be started", error) from error
            else:
                started: datetime = answer["startDate"]
                return started.astimezone(UTC)
        raise AssertionError("unreachable")

    def forget_versions(self) -> None:
        """Deletes old versions that no execution runs."""
        states = self.place.states()
        with _refusals(f"old versions of {self.resumes} stay"):
            versions = _versions(states, self.resumes)
            for arn in versions[_KEPT_VERSIONS:][-_MOST_DELETED:]:
                running = states.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1)
                if not running["executions"]:
                    states.delete_state_machine_version(stateMachineVersionArn=arn)


def described(place: StackHistories, execution_arn: str) -> Described | None:
    """An execution of a stack; None for one that there is not, or no longer. Raises CommandError when AWS refuses."""
    try:
        answer = place.states().describe_execution(executionArn=execution_arn)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == _GONE:
            return None
        raise _refused(f"{execution_arn} cannot be described", error) from error
    except BotoCoreError as error:
        raise _refused(f"{execution_arn} cannot be described", error) from error
    count = int(answer.get("redriveCount") or 0)
    return Described(str(answer["status"]), count, answer.get("redriveStatus") == "REDRIVABLE")


def _versions(states: Any, machine: str) -> list[str]:
    """The latest first (documented)."""
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        answer = states.list_state_machine_versions(stateMachineArn=machine, maxResults=1000, **more)
        found += [str(each["stateMachineVersionArn"]) for each in answer["stateMachineVersions"]]
        if not answer.get("nextToken"):
            return found
        more = {"nextToken": answer["nextToken"]}


def _calls(value: Json) -> Iterator[str]:
    """What the Tasks of a definition call: the functions and machines by their ARNs, anything else by its resource."""
    if isinstance(value, list):
        for each in value:
            yield from _calls(each)
    if not isinstance(value, dict):
        return
    if value.get("Type") == "Task" and isinstance(resource := value.get("Resource"), str):
        arguments = value.get("Arguments")
        given = arguments if isinstance(arguments, dict) else {}
        called = given.get("FunctionName") or given.get("StateMachineArn")
        yield called if isinstance(called, str) else resource
    for each in value.values():
        yield from _calls(each)


@contextmanager
def _refusals(sentence: str) -> Iterator[None]:
    """Has a refusal of AWS end the command with a sentence about what could not be done."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _refused(sentence, error) from error


def _refused(sentence: str, error: Exception) -> CommandError:
    return CommandError(f"{sentence}: {error}", status=Exit.PROBLEMS)
