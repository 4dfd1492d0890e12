"""What a run of a workflow may be given: inputs by their schemas, and an answer for each task by its contract.

From these the exploration makes its runs. The values come from the schemas (defaults, enums, empty lists, what need not
be there) and from the constants that the workflow itself writes, since conditions compare with those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

from jinja2 import nodes

from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.expressions.tree import Template
from stepsmith.integrations import integration_of
from stepsmith.local.approvals.mocking import Decision
from stepsmith.local.contracts import Contract, contract_of_action, contract_of_call
from stepsmith.local.mocks import Mock
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    ForEachStep,
    RepeatStep,
    S3Items,
    Step,
    SwitchStep,
    WaitStep,
)
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, templates
from stepsmith.model.workflow import InputProperty, Workflow
from stepsmith.rehearsals.samples import NoSampleError, sample, sample_of_type
from stepsmith.schema import Schema, as_schema, resolve, violations
from stepsmith.services import ServiceCatalog

Task: TypeAlias = ActionStep | AwsStep | ApprovalStep
LATE: Final = 1
"""Seconds past a limit at which a mock answers that shall be too late."""
_MOST: Final = 12
"""Values tried of one field."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a run is given: its input, and mocks by step id for all that it may call."""

    input: Mapping[str, Json]
    mocks: Mapping[str, tuple[Mock, ...]]

    @property
    def key(self) -> str:
        """Equal for equal scenarios."""
        mocks = {
            name: [(m.value, m.error, m.after, m.decision and m.decision.approves) for m in mock]
            for name, mock in self.mocks.items()
        }
        return json.dumps([dict(self.input), mocks], sort_keys=True)

    def with_input(self, name: str, value: Json) -> Scenario:
        return replace(self, input={**self.input, name: value})

    def without_input(self, name: str) -> Scenario:
        return replace(self, input={key: value for key, value in self.input.items() if key != name})

    def with_mock(self, step: str, *mocks: Mock) -> Scenario:
        return replace(self, mocks={**self.mocks, step: mocks})


@dataclass(frozen=True)
class Choices:
    """The values that may be chosen for one workflow."""

    workflow: Workflow
    catalog: ActionCatalog
    services: ServiceCatalog

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The steps that can be mocked, undos included."""
        return {step.id: step for step in self.workflow.every_step() if isinstance(step, Task)}

    @cached_property
    def base(self) -> Scenario:
        """What must be given, and a plain success of each task. Raises NoSampleError."""
        given = {
            item.name: sample(item.schema, item.name, self._named)
            for item in self.workflow.input or ()
            if item.required and not item.has_default
        }
        return Scenario(given, {name: (self._good(step),) for name, step in self.tasks.items()})

    def varied(self, scenario: Scenario, ran: frozenset[str]) -> Iterator[tuple[str, Scenario]]:
        """Each scenario that differs in one choice, with what it is about: `input.NAME` or the id of a step that
        `ran`."""
        for item in self.workflow.input or ():
            about = f"input.{item.name}"
            if item.name in scenario.input and (item.has_default or not item.required):
                yield about, scenario.without_input(item.name)
            for value in self._inputs(item, scenario.input.get(item.name)):
                yield about, scenario.with_input(item.name, value)
        for name, step in self.tasks.items():
            if name in ran:
                for mocks in self._answers(step, scenario.mocks[name]):
                    yield name, scenario.with_mock(name, *mocks)

    def about(self, step: str) -> frozenset[str]:
        """What bears upon a step: itself, and the inputs and steps that it reads; in the words of `varied`."""
        known = {each.id: each for each in self.workflow.every_step()}
        found, pending = {step}, [step]
        while pending:
            each = known.get(pending.pop())
            for template in _templates_of(each) if each is not None else ():
                for reference in template.references:
                    name = str(next(iter(reference.path), ""))
                    if reference.root == "input":
                        found.add(f"input.{name}")
                    elif reference.root == "steps" and name not in found:
                        found.add(name)
                        pending.append(name)
        return frozenset(found)

    # -- values ---------------------------------------------------------------------------------------

    def _inputs(self, item: InputProperty, present: Json) -> Iterator[Json]:
        for value in self._values(item.schema, item.schema, item.name):
            if value != present and not any(violations(value, item.schema)):
                yield value

    def _values(self, schema: Schema, root: Schema, name: str) -> Iterator[Json]:
        """Values of a field, each telling: the sample, all of an enum, an empty list, what the workflow compares."""
        schema = resolve(schema, root)
        found: list[Json] = []
        with suppress(NoSampleError):
            found.append(sample({**schema, "$defs": root.get("$defs", {})}, name, self._named))
        for key in ("enum", "examples"):
            choices = schema.get(key)
            found += choices if isinstance(choices, list) else []
        found += [True, False, [], None, 0, 1, "", *self._constants]
        seen: set[str] = set()
        for value in found:
            text = json.dumps(value)
            if text not in seen and len(seen) < _MOST and not any(violations(value, schema, root=root)):
                seen.add(text)
                yield value

    def _good(self, step: Task) -> Mock:
        return Mock(decision=Decision(True)) if isinstance(step, ApprovalStep) else Mock(value=self._result(step))

    def _result(self, step: ActionStep | AwsStep) -> Json:
        if isinstance(step, AwsStep):
            return sample_of_type(integration_of(step, self.services).result_type, self._named, step.id)
        action = self.catalog.get(step.action)
        assert action is not None
        return sample(action.result, step.action, self._named)

    # -- answers of tasks -------------------------------------------------------------------------------

    def _answers(self, step: Task, present: tuple[Mock, ...]) -> Iterator[tuple[Mock, ...]]:
        """Every other answer: too late, once and always; each error that matters, once and always; other results. Of
        people: no, and nothing in time."""
        if isinstance(step, ApprovalStep):
            for decides in (False, None, True):
                yield (Mock(decision=Decision(decides)),)
            return
        good = next((mock for mock in present if mock.error is None), Mock(value=self._result(step)))
        good = replace(good, after=0)
        if step.timeout is not None:
            late = replace(good, after=step.timeout + LATE)
            yield from ((late, good), (late,))
        for error in self._errors(step):
            failing = Mock(error=error, message="explored")
            yield from ((failing, good), (failing,))
        for value in self._results(step, good.value):
            other = replace(good, value=value)
            yield from ((other,), (other, good), (good, other))
        yield (good,)
        if self.workflow.timeout is not None:
            yield (replace(good, after=self.workflow.timeout + LATE),)

    def _results(self, step: ActionStep | AwsStep, value: Json) -> Iterator[Json]:
        """The result with one field otherwise: those that the workflow reads."""
        if not isinstance(value, dict):
            return
        if isinstance(step, ActionStep):
            action = self.catalog.get(step.action)
            assert action is not None
            for name, inner in as_schema(action.result.get("properties") or {}).items():
                if self._named(name):
                    for other in self._values(as_schema(inner), action.result, name):
                        if other != value.get(name):
                            yield {**value, name: other}
        yield from _emptied(value)
        for name, items in value.items():
            if self._named(name):
                yield {key: item for key, item in value.items() if key != name}
                if isinstance(items, list) and items:
                    yield {**value, name: [*items, *items]}

    def _errors(self, step: ActionStep | AwsStep) -> Iterator[str]:
        """Those that handlers and retries name, as far as the task may raise them, and one that nobody names."""
        contract = self._contract(step)
        declared = contract.errors or ()
        named = [name for name in self._error_names if name in declared or "." in name]
        others = [name for name in declared if name not in named]
        yield from dict.fromkeys((*named, *others[:1], "Lambda.Unknown"))

    def _contract(self, step: ActionStep | AwsStep) -> Contract:
        if isinstance(step, AwsStep):
            return contract_of_call(step, self.services)
        action = self.catalog.get(step.action)
        assert action is not None
        return contract_of_action(action)

    @cached_property
    def _error_names(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        policies = [self.workflow.retry, *(step.retry for step in self.workflow.every_step())]
        for policy in policies:
            for rule in policy.rules if policy else ():
                found |= dict.fromkeys(rule.on or ())
        for step in self.workflow.every_step():
            for handler in (*(step.on_failure or ()), *getattr(step, "catch", ())):
                found |= dict.fromkeys(handler.errors or ())
        wild = ("States.ALL", "States.TaskFailed")
        return tuple(each for name in found for each in self.catalog.expand_error(name) if each not in wild)

    # -- what the workflow writes -----------------------------------------------------------------------

    @cached_property
    def _templates(self) -> tuple[Template, ...]:
        found = list(templates(self.workflow.output))
        for step in self.workflow.every_step():
            found += _templates_of(step)
        return tuple(found)

    @cached_property
    def _words(self) -> frozenset[str]:
        sources = (part.source for template in self._templates for part in template.expressions)
        return frozenset(word for source in sources for word in re.findall(r"\w+", source))

    def _named(self, name: str) -> bool:
        """Whether some expression may read a field of this name."""
        return name in self._words

    @cached_property
    def _constants(self) -> tuple[Json, ...]:
        """What expressions compare with: their constants, and the numbers beside them."""
        found: dict[str, Json] = {}
        for template in self._templates:
            for expression in template.expressions:
                for node in expression.node.find_all(nodes.Const):
                    value = node.value
                    if isinstance(value, str | int | float | bool):
                        near = () if isinstance(value, str | bool) else (value + 1, value - 1)
                        for each in (value, *near):
                            found.setdefault(json.dumps(each), each)
        return tuple(found.values())


def _emptied(value: Json) -> Iterator[Json]:
    """The value with one of its lists empty, at any depth."""
    if isinstance(value, list) and value:
        yield []
        for at, item in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in _emptied(item))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from ({**value, name: other} for other in _emptied(item))


def _templates_of(step: Step) -> Iterator[Template]:
    if step.condition is not None:
        yield step.condition
    yield from templates(step.output)
    match step:
        case SwitchStep():
            yield from (case.condition for case in step.cases if case.condition is not None)
        case RepeatStep():
            yield from (each for each in (step.until, step.go_on) if each is not None)
        case WaitStep():
            yield from (each for each in (step.seconds, step.until) if isinstance(each, Template))
        case ForEachStep(items=S3Items(uri=uri)):
            yield from templates(uri)
        case ForEachStep(items=Literal() | Templated() | ObjectValue() | ListValue() as items):
            yield from templates(items)
        case _:
            yield from templates(getattr(step, "params", None) or getattr(step, "values", None))
