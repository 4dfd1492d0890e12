"""Reads a rehearsal. Every mistake in it is a diagnostic at its place: a rehearsal that names what there is not,
or that could not happen, must not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.document import Document, Entry, Json, MappingNode, Node, ScalarNode, SequenceNode, plain
from stepsmith.durations import DurationError, parse_duration
from stepsmith.local.mocks import read_mocks, span_at
from stepsmith.model.steps import ActionStep, ChildStep, Step
from stepsmith.model.workflow import Workflow
from stepsmith.rehearsals.model import Expectation, Rehearsal, StepExpectation
from stepsmith.schema import as_schema, path_text, violations
from stepsmith.source import Span
from stepsmith_functions.history.records import RunStatus, StepStatus

SLUG: Final = "invalid-rehearsal"
REFUSED: Final = "InputInvalid"
"""The error of a run whose input its workflow refuses."""

_KEYS: Final = ("workflow", "input", "mocks", "expect")
_EXPECT_KEYS: Final = ("status", "output", "error", "elapsed_s", "steps", "not_run")
_ERROR_KEYS: Final = ("type", "message", "step", "line")
_STEP_KEYS: Final = ("id", "path", "status", "attempts", "params", "output", "error")
_RUN_WORDS: Final = tuple(status.value for status in RunStatus if status.is_final)
_STEP_WORDS: Final = tuple(status.value for status in StepStatus if status.is_final)


def workflow_named(document: Document, diagnostics: Diagnostics) -> Entry | None:
    """The entry that names the workflow to rehearse."""
    root = document.root
    if not isinstance(root, MappingNode):
        diagnostics.error(SLUG, "a rehearsal is a mapping", root.span, "start with workflow: and its name")
        return None
    entry = root.entry("workflow")
    if entry is None:
        diagnostics.error(SLUG, "a rehearsal needs `workflow`", root.span, "write workflow: and its name")
    elif not isinstance(entry.value, ScalarNode) or not isinstance(entry.value.value, str):
        diagnostics.error(SLUG, "`workflow` must be a workflow's name", entry.value.span)
        return None
    return entry


def read_rehearsal(
    document: Document,
    name: str,
    workflow: Workflow,
    catalog: ActionCatalog,
    diagnostics: Diagnostics,
    children: Mapping[str, Workflow] | None = None,
) -> Rehearsal | None:
    """The rehearsal called `name` of `workflow`, which runs `children`; None after reporting an error."""
    reader = _Reader(workflow, catalog, diagnostics, children or {})
    root = document.root
    assert isinstance(root, MappingNode)
    rehearsal = reader.read(root, name)
    return None if diagnostics.has_errors else rehearsal


@dataclass
class _Reader:
    workflow: Workflow
    catalog: ActionCatalog
    diagnostics: Diagnostics
    children: Mapping[str, Workflow]

    def read(self, root: MappingNode, name: str) -> Rehearsal:
        self.known_keys(root, _KEYS, "a rehearsal")
        expect = self.expectation(root.entry("expect"), root.span)
        given, mocked = root.entry("input"), root.entry("mocks")
        data = self.input(given, root.span, refused=_type_of(expect.error) == REFUSED)
        answers = {}
        if mocked is not None and not _is_nothing(mocked.value):
            mocks = read_mocks(mocked.value, self.workflow, self.catalog, self.diagnostics, children=self.children)
            answers = dict(mocks.answers)
        return Rehearsal(name, self.workflow.name, data, expect, answers)

    # -- input ------------------------------------------------------------------------------------

    def input(self, entry: Entry | None, whole: Span, *, refused: bool) -> Json:
        """What the workflow is started with. A rehearsal may send what it refuses only to see that it does."""
        if entry is None or _is_nothing(entry.value):
            data: Json = {}
            place = whole
        else:
            data, place = plain(entry.value), entry.key_span
        declared = self.workflow.input
        if refused or declared is None:
            return data
        if not isinstance(data, dict):
            self.error("the input must be a mapping", place)
            return data
        assert entry is None or isinstance(entry.value, MappingNode | ScalarNode)
        names = [item.name for item in declared]
        help_ = f"to rehearse the refusal, expect the error {REFUSED}"
        for key, span in _keys(entry):
            if key not in names:
                near = did_you_mean(key, names, f"it knows {one_of(names)}" if names else "it takes no input")
                self.error(f'{self.workflow.name} knows no input "{key}"', span, near)
        for item in declared:
            if item.name not in data:
                if item.required and not item.has_default:
                    self.error(f'the input "{item.name}" is missing', place, help_)
                continue
            for violation in violations(data[item.name], item.schema):
                path = (item.name, *violation.path)
                assert entry is not None
                self.error(f"input {path_text(path)} {violation.message}", span_at(entry.value, path, key=False), help_)
        return data

    # -- expectations -----------------------------------------------------------------------------

    def expectation(self, entry: Entry | None, whole: Span) -> Expectation:
        if entry is None or _is_nothing(entry.value):
            place = entry.key_span if entry else whole
            self.error("a rehearsal that expects nothing cannot fail", place, "write expect: {status: succeeded}")
            return Expectation()
        node = entry.value
        if not isinstance(node, MappingNode):
            self.error("`expect` must be a mapping", node.span, f"it may have {one_of(_EXPECT_KEYS)}")
            return Expectation()
        self.known_keys(node, _EXPECT_KEYS, "`expect`")
        error = node.entry("error")
        if error is not None:
            self.error_written(error)
        return Expectation(
            self.status(node.entry("status"), entry.key_span, failing=error is not None),
            node.entry("output"),
            error,
            self.elapsed(node.entry("elapsed_s")),
            tuple(self.steps(node.entry("steps"))),
            tuple(self.not_run(node.entry("not_run"))),
        )

    def status(self, entry: Entry | None, whole: Span, *, failing: bool) -> tuple[str, Span] | None:
        """Left out it means `succeeded`, unless an error is expected."""
        if entry is None:
            return None if failing else (RunStatus.SUCCEEDED.value, whole)
        word = self.word(entry, _RUN_WORDS)
        return (word, entry.value.span) if word is not None else None

    def elapsed(self, entry: Entry | None) -> tuple[float, Span] | None:
        if entry is None:
            return None
        value = entry.value.value if isinstance(entry.value, ScalarNode) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value), entry.value.span
        try:
            if not isinstance(value, str):
                raise DurationError("`elapsed_s` must be a number of seconds or a duration")
            return float(parse_duration(value)), entry.value.span
        except DurationError as problem:
            self.error(problem.message, entry.value.span, problem.help)
            return None

    def error_written(self, entry: Entry) -> None:
        node = entry.value
        if isinstance(node, MappingNode):
            self.known_keys(node, _ERROR_KEYS, "an error")
        elif not (isinstance(node, ScalarNode) and (node.value is None or isinstance(node.value, str))):
            self.error("an error is its type, or a mapping", node.span, f"a mapping may have {one_of(_ERROR_KEYS)}")

    def steps(self, entry: Entry | None) -> Iterator[StepExpectation]:
        if entry is None:
            return
        if not isinstance(entry.value, SequenceNode):
            self.error("`steps` must be a list", entry.value.span, "put a `-` before each step")
            return
        for item in entry.value.items:
            if isinstance(item, MappingNode) and (step := self.step(item)) is not None:
                yield step
            elif not isinstance(item, MappingNode):
                self.error("a step is a mapping", item.span, "write {id: kill, status: succeeded}")

    def step(self, node: MappingNode) -> StepExpectation | None:
        self.known_keys(node, _STEP_KEYS, "a step")
        step_id, path = self.text(node.entry("id")), self.text(node.entry("path"))
        if step_id is None and path is None:
            if node.entry("id") is None and node.entry("path") is None:
                self.error("a step needs its `id` or its `path`", node.span)
            return None
        named = self.named(step_id, node.entry("id")) if step_id else self.at_path(path or "", node.entry("path"))
        if (status := node.entry("status")) is not None:
            self.word(status, _STEP_WORDS)
        if (attempts := node.entry("attempts")) is not None:
            count = attempts.value.value if isinstance(attempts.value, ScalarNode) else None
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                self.error("`attempts` must be a whole number", attempts.value.span)
        if (error := node.entry("error")) is not None:
            self.error_written(error)
        if isinstance(named, ActionStep):
            self.fields(named, node)
        fields = tuple(entry for entry in node.entries if entry.key not in ("id", "path"))
        return StepExpectation(node.span, step_id, path, fields)

    def fields(self, step: ActionStep, node: MappingNode) -> None:
        """Params and results that the step's action does not have can never come out."""
        action = self.catalog.get(step.action)
        if action is None:
            return
        schemas = [("params", action.params, "takes")]
        if step.output is None:
            schemas.append(("output", action.result, "returns"))
        for key, schema, verb in schemas:
            written = node.get(key)
            known = list(as_schema(schema.get("properties") or {}))
            if isinstance(written, MappingNode) and known:
                for entry in written.entries:
                    if entry.key not in known:
                        near = did_you_mean(entry.key, known, f"{action.name} {verb} {one_of(known)}")
                        self.error(f'{action.name} {verb} no "{entry.key}"', entry.key_span, near)

    def not_run(self, entry: Entry | None) -> Iterator[tuple[str, Span]]:
        if entry is None:
            return
        items = entry.value.items if isinstance(entry.value, SequenceNode) else (entry.value,)
        for item in items:
            if isinstance(item, ScalarNode) and isinstance(item.value, str):
                self.check_path(item.value, item.span)
                yield item.value, item.span
            else:
                self.error("`not_run` is a list of step ids", item.span)

    # -- steps of the workflow --------------------------------------------------------------------

    def named(self, step_id: str, entry: Entry | None) -> Step | None:
        assert entry is not None
        known = self.known_steps()
        if step_id not in known and not self.runs_others:
            self.unknown(step_id, entry.value.span, known)
        return known.get(step_id)

    def at_path(self, path: str, entry: Entry | None) -> Step | None:
        assert entry is not None
        self.check_path(path, entry.value.span)
        return self.known_steps().get(path.rpartition(".")[2].partition("[")[0])

    def check_path(self, path: str, span: Span) -> None:
        """A path begins with a step of the workflow; what stands below may be a branch or a step of a child."""
        first = path.partition(".")[0].partition("[")[0]
        known = self.known_steps()
        if first not in known:
            self.unknown(first, span, known)

    def known_steps(self) -> dict[str, Step]:
        found: dict[str, Step] = {}
        for step in self.workflow.every_step():
            found.setdefault(step.id, step)
            if step.rollback is not None:
                found.setdefault(step.rollback.id, step.rollback)
        return found

    @property
    def runs_others(self) -> bool:
        return any(isinstance(step, ChildStep) for step in self.workflow.every_step())

    def unknown(self, name: str, span: Span, known: dict[str, Step]) -> None:
        near = did_you_mean(name, known, f"the steps are: {one_of(known)}")
        self.error(f'{self.workflow.name} has no step "{name}"', span, near)

    # -- shapes -----------------------------------------------------------------------------------

    def known_keys(self, node: MappingNode, known: Sequence[str], noun: str) -> None:
        for entry in node.entries:
            if entry.key not in known:
                near = did_you_mean(entry.key, known, f"it may have {one_of(known)}")
                self.error(f'{noun} has no "{entry.key}"', entry.key_span, near)

    def word(self, entry: Entry, known: Sequence[str]) -> str | None:
        value = entry.value.value if isinstance(entry.value, ScalarNode) else None
        if isinstance(value, str) and value in known:
            return value
        near = did_you_mean(str(value), known, f"write one of {one_of(known)}")
        self.error(f"`{entry.key}` must be one of {one_of(known)}", entry.value.span, near)
        return None

    def text(self, entry: Entry | None) -> str | None:
        if entry is None:
            return None
        value = entry.value.value if isinstance(entry.value, ScalarNode) else None
        if isinstance(value, str):
            return value
        self.error(f"`{entry.key}` must be text", entry.value.span)
        return None

    def error(self, message: str, span: Span, help: str = "") -> None:  # noqa: A002
        self.diagnostics.error(SLUG, message, span, help)


def _keys(entry: Entry | None) -> Iterator[tuple[str, Span]]:
    if entry is not None and isinstance(entry.value, MappingNode):
        for inner in entry.value.entries:
            yield inner.key, inner.key_span


def _type_of(error: Entry | None) -> str | None:
    """The type in an expected error."""
    node: Node | None = error.value if error is not None else None
    if isinstance(node, MappingNode):
        node = node.get("type")
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def _is_nothing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
