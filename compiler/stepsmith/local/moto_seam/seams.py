"""What is replaced in moto and why, and how it is put in place and taken out again.

Patches are in force between `install()` and `Installed.remove()`; they are process-wide, as moto is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.handlers import BUILTIN_HANDLERS  # type: ignore[import-untyped]

from stepsmith.local.data_files import services_by_folder
from stepsmith.local.moto_seam import dynamodb, versions
from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.moto_seam.events import send_to_targets
from stepsmith.local.moto_seam.functions import invoke_function
from stepsmith.local.moto_seam.imports import postpone
from stepsmith.local.moto_seam.schedules import Schedules
from stepsmith.local.moto_seam.states import REPLACEMENTS, StatesBackend


@dataclass(frozen=True, slots=True)
class Seam:
    """A name in moto that is replaced, and why. `parameters` is what the original takes; None: moto has none."""

    module: str
    owner: str
    """The class; empty for the module itself."""
    name: str
    reason: str
    parameters: tuple[str, ...] | None = ("self",)


_API: Final = "moto.stepfunctions.responses"
_TABLES: Final = "moto.dynamodb.models"
_TABLE: Final = "moto.dynamodb.models.table"
_QUERY: Final = (
    "self",
    "hash_key",
    "range_comparison",
    "range_objs",
    "limit",
    "exclusive_start_key",
    "scan_index_forward",
    "projection_expressions",
    "index_name",
    "consistent_read",
    "filter_expression",
    "hash_key_conditions",
    "range_key_conditions",
    "filter_kwargs",
)
_PUT: Final = (
    "self",
    "table_name",
    "item_attrs",
    "expected",
    "condition_expression",
    "expression_attribute_names",
    "expression_attribute_values",
    "overwrite",
    "return_values_on_condition_check_failure",
)
_UPDATE: Final = (
    "self",
    "table_name",
    "key",
    "update_expression",
    "expression_attribute_names",
    "expression_attribute_values",
    "attribute_updates",
    "expected",
    "condition_expression",
    "return_values_on_condition_check_failure",
)
_DELETE: Final = (
    "self",
    "table_name",
    "key",
    "expression_attribute_names",
    "expression_attribute_values",
    "condition_expression",
    "return_values_on_condition_check_failure",
)
SEAMS: Final = (
    Seam(
        _API, "", "get_backend", "our engine instead of moto's interpreter or its canned answers", ("account", "region")
    ),
    Seam(
        "moto.core.base_backend",
        "AccountSpecificBackend",
        "get_session",
        "a session of its own, which reads all of botocore's endpoints once more",
        ("cls",),
    ),
    Seam("moto.core.loaders", "Loader", "list_available_services", "looks into the folder of every service", None),
    Seam(
        "moto.core.authorization",
        "ActionAuthenticatorMixin",
        "_authenticate_and_authorize_normal_action",
        "imports IAM, S3 and STS for a check that is off",
        ("self", "resource"),
    ),
    Seam(_API, "StepFunctionResponse", "describe_execution", "no stopDate after a timeout, no redriveCount"),
    Seam(_API, "StepFunctionResponse", "get_execution_history", "paging, order and includeExecutionData are ignored"),
    Seam(_API, "StepFunctionResponse", "stop_execution", "error and cause are dropped"),
    Seam(_API, "StepFunctionResponse", "send_task_failure", "the cause is dropped"),
    Seam(_API, "StepFunctionResponse", "list_executions", "no stopDate after a timeout, no children of a map run"),
    Seam(_API, "StepFunctionResponse", "redrive_execution", "not there", None),
    Seam(_API, "StepFunctionResponse", "start_sync_execution", "not there", None),
    Seam(_API, "StepFunctionResponse", "list_state_machine_versions", "not there", None),
    Seam(_API, "StepFunctionResponse", "delete_state_machine_version", "not there", None),
    Seam(
        _API, "StepFunctionResponse", "describe_state_machine_for_execution", "the machine as it is now, not as it was"
    ),
    Seam(_API, "StepFunctionResponse", "validate_state_machine_definition", "not there", None),
    Seam(
        "moto.awslambda.models",
        "LambdaBackend",
        "invoke",
        "needs Docker, or echoes the payload",
        ("self", "function_name", "qualifier", "body", "headers", "response_headers"),
    ),
    Seam(
        "moto.events.models",
        "Rule",
        "send_to_targets",
        "no Lambda, Step Functions or SNS targets, no Input; rules that are disabled or have no pattern match",
        ("self", "original_event", "transform_input"),
    ),
    Seam(
        _TABLES,
        "DynamoDBBackend",
        "transact_write_items",
        "a cancelled one loses others' writes",
        ("self", "transact_items"),
    ),
    Seam(_TABLE, "Table", "__deepcopy__", "a transaction copies the whole table", None),
    Seam(_TABLE, "Table", "query", "walks and sorts the whole table", _QUERY),
    Seam(_TABLES, "DynamoDBBackend", "put_item", "a condition and its write are two", _PUT),
    Seam(_TABLES, "DynamoDBBackend", "update_item", "the same", _UPDATE),
    Seam(_TABLES, "DynamoDBBackend", "delete_item", "the same", _DELETE),
)
_CORE: Final = ("moto.core.base_backend", "moto.core.loaders", "moto.core.authorization")
_BY_SERVICE: Final = {
    "lambda": ("moto.awslambda.models",),
    "events": ("moto.events.models",),
    "dynamodb": (_TABLES, _TABLE),
}
"""Modules that are patched when their service is first called: importing them costs time that most runs need not
spend."""


@dataclass
class Installed:
    """The seams in force for one desk."""

    desk: Desk
    backends: dict[tuple[str, str], StatesBackend] = field(default_factory=dict)
    schedules: Schedules = field(init=False)
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _called: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.schedules = Schedules(self)

    def backend(self, account: str, region: str) -> StatesBackend:
        key = (account, region)
        if key not in self.backends:
            self.backends[key] = StatesBackend(region, account)
            self.backends[key].desk = self.desk
        return self.backends[key]

    def before_call(self, service: str) -> None:
        """A request to `service` is about to be made."""
        if service in self._called:
            return
        self._called.add(service)
        for module in _BY_SERVICE.get(service, ()):
            self.patch(module)
        self.desk.first_call(service)

    def after_call(self, service: str, operation: str) -> None:
        """A request to `service` has been answered."""
        self.schedules.after_call(service, operation)

    def patch(self, module: str) -> None:
        """Puts the replacements of a module in place."""
        for seam in SEAMS:
            if seam.module == module:
                loaded = importlib.import_module(seam.module)
                self._replace(getattr(loaded, seam.owner) if seam.owner else loaded, seam.name)

    def _replace(self, owner: Any, name: str) -> None:
        original = owner.__dict__.get(name)
        setattr(owner, name, self._replacement(name, original))

        def restore() -> None:
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

        self._undo.append(restore)

    def _replacement(self, name: str, original: Any) -> Any:
        desk = self.desk
        if name == "get_backend":
            return self.backend
        if name == "list_available_services":
            return services_by_folder
        if name == "_authenticate_and_authorize_normal_action":
            return lambda _, resource="*": None  # noqa: ARG005 - the signature is moto's
        if name == "get_session":
            return classmethod(lambda _: boto3.DEFAULT_SESSION or boto3.Session())
        if name == "invoke":

            def invoke(
                _: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
            ) -> bytes | None:
                qualified = f"{function_name}:{qualifier}" if qualifier and ":" not in function_name else function_name
                return invoke_function(desk, qualified, body, headers, response_headers)

            return invoke
        if name == "send_to_targets":

            def send(rule: Any, original_event: Any, transform_input: bool = True) -> None:
                send_to_targets(self, original, rule, original_event, transform_input)

            return send
        if name in dynamodb.REPLACEMENTS:
            return dynamodb.REPLACEMENTS[name](original)
        return versions.REPLACEMENTS.get(name) or REPLACEMENTS[name]

    def start_machine(self, arn: str, text: str) -> object:
        """Starts the machine, version or alias of that ARN."""
        region, account = arn.split(":")[3:5]
        return self.backend(account, region).start_execution(arn, None, text)

    def remove(self) -> None:
        """Takes the patches out again."""
        global _installed
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        _installed = None


_installed: Installed | None = None


def install(desk: Desk) -> Installed:
    """Puts `desk` behind moto's API. Raises RuntimeError while another one stands there."""
    global _installed
    if _installed is not None:
        raise RuntimeError("another local AWS is running in this process")
    postpone()
    _installed = Installed(desk)
    for module in (*_CORE, _API):
        _installed.patch(module)
    return _installed


def _before_call(model: Any, **_: object) -> None:
    if _installed is not None:
        _installed.before_call(str(model.service_model.service_name))


def _after_call(model: Any, **_: object) -> None:
    if _installed is not None:
        _installed.after_call(str(model.service_model.service_name), str(model.name))


BUILTIN_HANDLERS.append(("before-call", _before_call))
BUILTIN_HANDLERS.append(("after-call", _after_call))
