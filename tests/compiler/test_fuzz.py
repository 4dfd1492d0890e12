"""No text makes the compiler raise: workflows broken in random ways get diagnostics at places in their file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsmith.pipeline import compile_bytes
from tests.support.machines import CATALOG

FOLDER = Path(__file__).parents[1] / "golden" / "accepted" / "native"
WORKFLOWS = sorted(path.read_text(encoding="utf-8") for path in FOLDER.glob("*/workflow.yaml"))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "", "x", "continue", "1s", "-5", "0", "{{", "}}", "{{ }}", "{{ input }}", "{{ steps.a.output }}",
            "{{ vars.x }}",
            "{{ item }}", "{{ error.type }}", "{{ run.id }}", "{{ steps }}", "{{ 1/0 }}", "{{ secrets.X }}",
            "{{ env.X }}",
            "{% x %}", "${X}", "rate(1 day)", "a" * 90, "States.ALL", "ping", "fetch",
        ]
    ),
)  # fmt: skip
keys = st.sampled_from(
    [
        "id", "name", "steps", "if", "else", "action", "params", "set", "wait", "stop", "fail", "switch", "parallel",
        "for_each", "repeat", "try", "catch", "finally", "retry", "timeout", "on_failure", "output", "input",
        "triggers",
        "in", "as", "until", "while", "max", "delay", "errors", "then", "workflow", "aws", "type", "default",
        "required",
        "error", "cause", "mode", "tolerate", "concurrency", "event", "schedule", "api", "url", "x",
    ]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in `value`."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        found += places(inner)
    return found


@st.composite
def broken(draw: st.DrawFn) -> str:
    document = yaml.safe_load(draw(st.sampled_from(WORKFLOWS)))
    for _ in range(draw(st.integers(1, 4))):
        every = places(document)
        if not every:
            break
        container, key = draw(st.sampled_from(every))
        match draw(st.sampled_from(["replace", "delete", "add", "rename", "copy"])):
            case "replace":
                container[key] = draw(values)
            case "delete":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(keys)] = draw(values)
            case "rename" if isinstance(container, dict):
                container[draw(keys)] = container.pop(key)
            case "copy" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


@pytest.mark.skipif(not WORKFLOWS, reason="no accepted workflows to break")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(broken())
def test_a_broken_workflow_gets_diagnostics_at_places_in_its_file(text: str) -> None:
    compilation = compile_bytes("broken.yaml", text.encode(), CATALOG)
    lines = text.count("\n") + 1
    for diagnostic in compilation.diagnostics:
        assert diagnostic.message
        assert 1 <= diagnostic.span.start.line <= lines
    assert compilation.asl is not None or compilation.diagnostics.has_errors
