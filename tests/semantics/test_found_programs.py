"""Programs on which reference and engine once differed, as small as they came to be: `found/WHAT-WAS-WRONG.yaml`.

Each file is a program: `workflow`, and where there are any `children` by name, `input`, `answers` by workflow (empty
for the first) and step, and `orders` as lists of kind, run, and microseconds.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stepsmith.pipeline import Compilation, compile_bytes
from tests.semantics.comparison import compare
from tests.semantics.orders import Order
from tests.semantics.programs.program import Child, Program
from tests.semantics.programs.settling import signatures
from tests.support.machines import CATALOG

FOUND = Path(__file__).parent / "found"


def _program(path: Path) -> Program:
    written: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    answers = written.get("answers", {})
    children: dict[str, Child] = {}
    for name, tree in written.get("children", {}).items():
        text, compilation = _compiled({"name": name, **tree}, children)
        children[name] = Child(text, answers.get(name, {}), compilation)
    text, compilation = _compiled({"name": "found", **written["workflow"]}, children)
    orders = tuple(Order(*each) for each in written.get("orders", ()))
    return Program(text, written.get("input", {}), answers.get("", {}), compilation, children, orders)


def _compiled(tree: dict[str, Any], children: dict[str, Child]) -> tuple[str, Compilation]:
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    compilation = compile_bytes("found.yaml", text.encode(), CATALOG, signatures(children))
    assert compilation.asl is not None, list(compilation.diagnostics)
    return text, compilation


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.yaml")), ids=lambda path: path.stem)
def test_found_program(path: Path) -> None:
    made = _program(path)
    assert str(compare(made) or "") == "", made.describe()
