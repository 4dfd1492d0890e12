"""Step Functions: the versions of a machine, which moto publishes and neither lists nor deletes.

Also the definition that an execution runs, for which moto gives that of its machine as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult

from stepsmith.local.moto_seam.states import LocalExecution, page


class VersionInUseError(AWSError):
    TYPE = "ConflictException"


def list_state_machine_versions(self: Any) -> ActionResult:
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    found = sorted(machine.versions.values(), key=lambda each: each.version, reverse=True)
    shown = [{"stateMachineVersionArn": each.arn, "creationDate": each.creation_date} for each in found]
    return ActionResult(page(self, "stateMachineVersions", shown))


def delete_state_machine_version(self: Any) -> ActionResult:
    """Executions of the version go on; one that an alias routes to stays (documented)."""
    arn, number = str(self._get_param("stateMachineVersionArn")).rsplit(":", 1)
    machine = self.stepfunction_backend.describe_state_machine(arn)
    version = f"{arn}:{number}"
    routed = [
        each["stateMachineVersionArn"] for alias in machine.aliases.values() for each in alias.routing_configuration
    ]
    if version in routed:
        raise VersionInUseError(f"Version is referenced by an alias: {version}")
    machine.versions.pop(int(number), None)
    return EmptyResult()


def describe_state_machine_for_execution(self: Any) -> ActionResult:
    backend = self.stepfunction_backend
    arn = self._get_param("executionArn")
    machine = backend.describe_state_machine_for_execution(arn)
    execution = backend.describe_execution(arn)
    definition = execution.definition if isinstance(execution, LocalExecution) else machine.definition
    described = {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "definition": definition,
        "roleArn": machine.roleArn,
        "updateDate": machine.update_date,
    }
    return ActionResult(described)


REPLACEMENTS: Final[Mapping[str, Callable[[Any], ActionResult]]] = {
    function.__name__: function
    for function in (
        list_state_machine_versions,
        delete_state_machine_version,
        describe_state_machine_for_execution,
    )
}
