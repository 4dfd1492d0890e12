"""Mocks: what steps answer in place of what they would do, read from YAML and held to the contracts of what they run.

A mock that names no step or action, returns what that could not, or raises an error that it does not declare is a
diagnostic: a rehearsal cannot lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.document import Entry, Json, MappingNode, Node, ScalarNode, SequenceNode, plain
from stepsmith.durations import DurationError, parse_duration
from stepsmith.engine import TaskCall, TaskFailed, TaskOutcome, TaskSucceeded
from stepsmith.local.approvals.mocking import Decision, mocked_decision, read_decisions
from stepsmith.local.contracts import UNKNOWN, Contract, contract_of_action, contract_of_call
from stepsmith.local.service_models import ServiceModels
from stepsmith.local.services import compact
from stepsmith.local.tasks import invocation_result
from stepsmith.model.steps import ActionStep, ApprovalStep, AwsStep, Step
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog
from stepsmith.source import Span

SLUG: Final = "invalid-mock"
ALWAYS_ALLOWED: Final = ("States.", "Lambda.", "Runtime.", "Sandbox.", "Function.")
"""How the names of Step Functions' and Lambda's own errors begin: any task may end with one."""
_KEYS: Final = ("return", "raise", "message", "after")


@dataclass(frozen=True, slots=True)
class Mock:
    """One answer: a result, an error, or none at all. `after` is the virtual time that it takes, in seconds."""

    value: Json = None
    error: str | None = None
    message: str = ""
    after: int = 0
    decision: Decision | None = None
    """What people decide, in place of a result or an error."""


@dataclass
class Mocks:
    """The mocks of a run, by step id or action name. Each list is used up in order; its last entry repeats."""

    answers: Mapping[str, tuple[Mock, ...]] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def next(self, *keys: str | None) -> Mock | None:
        """The next answer under the first of the keys that has any."""
        key = next((key for key in keys if key is not None and key in self.answers), None)
        if key is None:
            return None
        at = self._used.get(key, 0)
        self._used[key] = at + 1
        answers = self.answers[key]
        return answers[min(at, len(answers) - 1)]


def mocked_outcome(mock: Mock, call: TaskCall) -> TaskOutcome:
    """The mock as the task's own result or failure would have been."""
    if mock.decision is not None:
        return mocked_decision(mock.decision, mock.after, call)
    if mock.error is None:
        value = invocation_result(mock.value, 200) if _runs_action(call) else mock.value
        return TaskSucceeded(value, mock.after)
    if mock.error.startswith(ALWAYS_ALLOWED):
        return TaskFailed(mock.error, mock.message or "mocked", mock.after)
    cause: dict[str, Json] = {
        "errorMessage": mock.message,
        "errorType": mock.error,
        "requestId": "mocked",
        "stackTrace": [],
    }
    return TaskFailed(mock.error, compact(cause), mock.after)


def _runs_action(call: TaskCall) -> bool:
    """Whether an action is invoked, whose result its handler puts out: an `aws` step may invoke a function too."""
    payload = call.arguments.get("Payload") if isinstance(call.arguments, dict) else None
    return ":lambda:invoke" in call.resource and isinstance(payload, dict) and "step" in payload


def read_mocks(
    root: Node,
    workflow: Workflow,
    catalog: ActionCatalog,
    diagnostics: Diagnostics,
    services: ServiceCatalog | None = None,
    children: Mapping[str, Workflow] | None = None,
) -> Mocks:
    """The mocks in a document: its `mocks` mapping if it is a rehearsal, else the document itself. Steps of `children`,
    the workflows that it runs, by name, are mocked as CHILD.STEP."""
    node = root.get("mocks") if isinstance(root, MappingNode) and root.get("mocks") is not None else root
    if not isinstance(node, MappingNode):
        assert node is not None
        diagnostics.error(SLUG, "mocks are a mapping of step ids or action names", node.span)
        return Mocks()
    steps = {step.id: step for step in workflow.every_step()}
    for name, child in (children or {}).items():
        steps |= {f"{name}.{step.id}": step for step in child.every_step()}
    return Mocks(_Reader(steps, catalog, diagnostics, services or ServiceModels()).read(node))


@dataclass
class _Reader:
    steps: Mapping[str, Step]
    catalog: ActionCatalog
    diagnostics: Diagnostics
    services: ServiceCatalog

    def read(self, node: MappingNode) -> dict[str, tuple[Mock, ...]]:
        steps = self.steps
        found: dict[str, tuple[Mock, ...]] = {}
        for entry in node.entries:
            step = steps.get(entry.key)
            if isinstance(step, ApprovalStep):
                found[entry.key] = tuple(
                    Mock(after=self.after(after), decision=decision)
                    for decision, after in read_decisions(entry.value, self.diagnostics)
                )
                continue
            if isinstance(step, AwsStep):
                found[entry.key] = tuple(self.answers(entry.value, contract_of_call(step, self.services)))
                continue
            if step is not None and not isinstance(step, ActionStep):
                self.error(f'step "{entry.key}" calls no action, so that nothing of it can be mocked', entry)
                continue
            name = step.action if isinstance(step, ActionStep) else entry.key
            action = self.catalog.get(name)
            if action is None:
                known = [*steps, *self.catalog.names()]
                near = did_you_mean(entry.key, known, f"the steps are: {one_of(steps)}")
                self.error(f'no step and no action is named "{entry.key}"', entry, near)
                continue
            found[entry.key] = tuple(self.answers(entry.value, contract_of_action(action)))
        return {key: answers for key, answers in found.items() if answers}

    def answers(self, node: Node, contract: Contract) -> Iterator[Mock]:
        items = node.items if isinstance(node, SequenceNode) else (node,)
        if not items:
            self.diagnostics.error(SLUG, "a list of mocks needs at least one entry", node.span)
        for item in items:
            mock = self.answer(item, contract)
            if mock is not None:
                yield mock

    def answer(self, node: Node, contract: Contract) -> Mock | None:
        if not isinstance(node, MappingNode) or not {"return", "raise"} & set(node.keys()):
            help_ = "write {return: {…}} or {raise: ErrorName, message: …}"
            self.diagnostics.error(SLUG, "a mock says what to return or what to raise", node.span, help_)
            return None
        for entry in node.entries:
            if entry.key not in _KEYS:
                near = did_you_mean(entry.key, _KEYS, f"a mock has {one_of(_KEYS)}")
                self.error(f'a mock has no "{entry.key}"', entry, near)
        returned, raised = node.entry("return"), node.entry("raise")
        if returned and raised:
            self.error("a mock either returns or raises", raised)
            return None
        after = self.after(node.entry("after"))
        message = node.entry("message")
        if returned:
            if message:
                self.error("only an error has a message", message)
            return self.returned(returned, contract, after)
        assert raised is not None
        return self.raised(raised, message, contract, after)

    def returned(self, entry: Entry, contract: Contract, after: int) -> Mock:
        value = plain(entry.value)
        fields = contract.fields
        for violation in contract.violations(value):
            unknown = violation.path[-1] if violation.path and violation.message == UNKNOWN else None
            help_ = ""
            if isinstance(unknown, str) and len(violation.path) == 1:
                help_ = did_you_mean(unknown, fields, f"{contract.name} returns {one_of(fields)}")
            span = span_at(entry.value, violation.path, key=unknown is not None)
            self.diagnostics.error(SLUG, f"the result of {contract.name}: {violation}", span, help_)
        return Mock(value=value, after=after)

    def raised(self, entry: Entry, message: Entry | None, contract: Contract, after: int) -> Mock | None:
        name = entry.value.value if isinstance(entry.value, ScalarNode) else None
        if not isinstance(name, str):
            self.error("an error's name is a text", entry)
            return None
        declared = contract.errors
        if declared is not None and name not in declared and not name.startswith(ALWAYS_ALLOWED):
            near = did_you_mean(name, declared, f"it raises {one_of(declared)}")
            self.diagnostics.error(SLUG, f'{contract.name} declares no error "{name}"', entry.value.span, near)
        told = message.value.value if message and isinstance(message.value, ScalarNode) else ""
        return Mock(error=name, message=str(told), after=after)

    def after(self, entry: Entry | None) -> int:
        if entry is None:
            return 0
        value = entry.value.value if isinstance(entry.value, ScalarNode) else None
        try:
            if not isinstance(value, (str, int, float)):
                raise DurationError("`after` must be a duration")
            return parse_duration(value)
        except DurationError as error:
            self.diagnostics.error(SLUG, error.message, entry.value.span, error.help)
            return 0

    def error(self, message: str, entry: Entry, help: str = "") -> None:  # noqa: A002
        self.diagnostics.error(SLUG, message, entry.key_span, help)


def span_at(node: Node, path: tuple[str | int, ...], *, key: bool) -> Span:
    """Where the value at `path` was written, or its key; of the nearest one above it if there is none."""
    span = node.span
    for part in path:
        if isinstance(node, MappingNode) and isinstance(part, str) and (entry := node.entry(part)):
            node, span = entry.value, entry.key_span if key else entry.value.span
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            span = node.span
        else:
            break
    return span
