"""What is too large for Step Functions is found before it is deployed."""

from __future__ import annotations

from tests.support.machines import CATALOG, compile_bytes

STEP = """
  - id: {id}
    action: store
    params: {{key: k, value: "{text}"}}
"""


def slugs(*texts: str) -> list[str]:
    steps = "".join(STEP.format(id=f"s{number}", text=text) for number, text in enumerate(texts))
    found = compile_bytes("large.yaml", f"name: large\nsteps:{steps}".encode(), CATALOG).diagnostics
    return [f"{item.slug}:{item.span.start.line}" for item in found]


def test_what_one_step_sends() -> None:
    assert slugs("x" * 200_000) == []
    assert slugs("a", "x" * 270_000) == ["payload-too-large:7"]


def test_characters_count_as_bytes() -> None:
    assert slugs("é" * 140_000) == ["payload-too-large:3"]


def test_the_whole_definition() -> None:
    found = slugs(*["x" * 200_000] * 6)
    assert [item.partition(":")[0] for item in found] == ["definition-too-large"]
