"""Why a run failed, shown as a diagnostic is: at the line of the workflow, with what the step was called with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from stepsmith.cli.console import Console
from stepsmith.diagnostics import Diagnostic
from stepsmith.engine import Failure
from stepsmith.model.steps import ActionStep, SetStep, Step
from stepsmith.model.values import ListValue, ObjectValue, Templated, Value
from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import Compilation
from stepsmith.reporting import render
from stepsmith.source import Position, Span
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord

SLUG: Final = "run-failed"
_FIELD: Final = re.compile(r"[^/\[\]]+")


def failure_lines(
    compiled: Compilation, run: RunRecord, steps: tuple[StepRecord, ...], failure: Failure | None, console: Console
) -> list[str]:
    """The error of a run that failed, for a person."""
    if run.error is None:
        return []
    source = compiled.source
    if run.status is RunStatus.CANCELLED:  # somebody wanted it: no error, and nothing in the file is wrong
        where = f"before {run.error.step}" if run.error.step is not None else None
        if where is not None and source is not None and run.error.line is not None:
            where += f" ({source.path}:{run.error.line})"
        return [", ".join(part for part in (run.error.message or run.error.type, where) if part)]
    text = f"{run.error.type}: {run.error.message}" if run.error.message else run.error.type
    if run.error.line is None or source is None or compiled.workflow is None:
        return [f"{console.style('error:', 'red', 'bold')} {text}"]
    step = next((item for item in compiled.workflow.every_step() if item.id == run.error.step), None)
    written = written_at(compiled.workflow, step, failure) if failure else None
    span = written.span if written else _line_span(source.path, run.error.line, source.line(run.error.line))
    diagnostic = Diagnostic(SLUG, f'step "{run.error.step}" failed with {text}', span)
    block = render([diagnostic], {source.path: source}, "text", colour=console.colour).splitlines()
    # The last line counts problems, which says nothing of a run.
    lines = [line for line in block[:-1] if line.strip()]
    gutter = " " * (len(str(span.start.line)) + 1) + "= "
    if isinstance(written, Templated):
        text = source.text[source.offset(span.start) : source.offset(span.end)]
        lines.append(gutter + console.cut(f"expression: {text}", 200))
    elif failure and failure.expression:
        lines.append(gutter + f"expression: {failure.expression}")
    record = next((item for item in reversed(steps) if item.step_id == run.error.step), None)
    if record is not None and record.params is not None:
        shown = json.dumps(record.params, ensure_ascii=False, default=str)
        lines.append(gutter + console.cut(f"params: {shown}", max(console.width - len(gutter), 60)))
    if record is not None and record.attempts > 1:
        lines.append(gutter + f"attempts: {record.attempts}")
    return lines


def written_at(workflow: Workflow, step: Step | None, failure: Failure) -> Value | None:
    """The value in the workflow that the field of a failed state came from."""
    parts = _FIELD.findall(failure.field or "")
    if not parts or failure.expression is None:
        return None
    if parts[:3] == ["Arguments", "Payload", "params"] and isinstance(step, ActionStep):
        return _inside(step.params, parts[3:])
    if parts[0] == "Assign" and isinstance(step, SetStep):
        return _inside(step.values, parts[1:])
    if parts[0] == "Output":
        whole = step.output if step is not None else workflow.output
        return _inside(whole, parts[1:]) if whole is not None else None
    return None


def _inside(value: Value, parts: list[str]) -> Value:
    """The value at the path, or the nearest one above it."""
    for part in parts:
        inner: Value | None = None
        if isinstance(value, ObjectValue):
            inner = value.get(part)
        elif isinstance(value, ListValue) and part.isdigit() and int(part) < len(value.items):
            inner = value.items[int(part)]
        if inner is None:
            break
        value = inner
    return value


def _line_span(path: str, line: int, text: str) -> Span:
    """What is written on a line."""
    start = len(text) - len(text.lstrip()) + 1
    return Span(path, Position(line, start), Position(line, max(len(text.rstrip()), start) + 1))


def step_of_state(origins: Mapping[str, object] | None, state: str) -> str:
    """The step that a state came from; the state's own name where it came from none."""
    states = origins.get("states") if origins else None
    origin = states.get(state) if isinstance(states, dict) else None
    step = origin.get("step") if isinstance(origin, dict) else None
    return step if isinstance(step, str) else state
