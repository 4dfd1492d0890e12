"""Every definition that we compile is put before `asl-validator`, a checker of state machines by other people.

Runs where `node` is and `make node` has put the package into `node_modules`. What the checker wrongly refuses is listed
below with its reason, and must leave the list when it no longer does.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepsmith.engine import validate
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import program
from tests.semantics.programs.settling import IllMade
from tests.support.machines import CATALOG

ROOT = Path(__file__).parents[2]
CHECKER = ROOT / "node_modules" / ".bin" / "asl-validator"
NODE = shutil.which("node")
needs_checker = pytest.mark.skipif(
    NODE is None or not CHECKER.exists(), reason="no node, or no npm package asl-validator (make node)"
)
RANDOM_PROGRAMS = 25

FALSE_ALARMS: dict[str, dict[str, Any]] = {
    "an Output that is no object and no text": {"Type": "Pass", "Output": [1], "End": True},
    "a list within a list": {"Type": "Pass", "Output": {"a": [[[1]]]}, "End": True},
    "an empty text": {"Type": "Pass", "Output": {"a": ""}, "End": True},
    "a text of several lines": {"Type": "Pass", "Output": {"a": "1\n2"}, "End": True},
    "an expression over several lines": {"Type": "Pass", "Output": "{% 1 +\n2 %}", "End": True},
    "a Condition that is a literal": {
        "Type": "Choice",
        "Choices": [{"Condition": True, "Next": "End"}],
        "Default": "End",
    },
}
"""What it refuses although AWS takes it (documented: an Output is any JSON, a Condition an expression or a boolean, and
JSONata has no lines). One such place would end its look at the whole definition, so `without_false_alarms` puts it in a
way that it takes."""


def without_false_alarms(value: Any, key: str = "") -> Any:
    if key == "Output" and not isinstance(value, (dict, str)):
        return {"put": without_false_alarms(value)}
    if key == "Condition" and isinstance(value, bool):
        return "{% true %}" if value else "{% false %}"
    if isinstance(value, str):
        return value.replace("\n", " ") or "empty"
    if isinstance(value, dict):
        return {name: without_false_alarms(part, name) for name, part in value.items()}
    if isinstance(value, list):
        parts = [without_false_alarms(part) for part in value]
        return [{"put": part} if isinstance(part, list) else part for part in parts]
    return value


def committed() -> Iterator[tuple[str, str]]:
    for path in sorted(Project(ROOT).asl_folder.glob("*.asl.json")):
        yield path.stem, path.read_text(encoding="utf-8")


def golden() -> Iterator[tuple[str, str]]:
    """The golden cases that the compiler accepts, as far as they need no other file than their own."""
    for path in sorted((ROOT / "tests" / "golden" / "accepted").rglob("*.yaml")):
        compiled = compile_bytes(path.name, path.read_bytes(), CATALOG)
        if compiled.asl is not None:
            yield str(path.relative_to(ROOT)), compiled.asl


def random_programs() -> Iterator[tuple[str, str]]:
    for seed in range(RANDOM_PROGRAMS):
        try:
            made = program(Dice(seed))
        except IllMade:
            continue
        assert made.compilation.asl is not None
        yield f"random program {seed}", made.compilation.asl


def complaints(definitions: dict[str, str], folder: Path) -> dict[str, list[str]]:
    """What the checker says about each definition that it refuses."""
    assert NODE is not None
    options = []
    names = {}
    for at, (name, text) in enumerate(definitions.items()):
        file = folder / f"{at}.json"
        # It cannot know what the template puts in for `${…}`.
        file.write_text(re.sub(r"\$\{Partition\}", "aws", re.sub(r"\$\{\w+Function\}", "f", text)), encoding="utf-8")
        names[str(file)] = name
        options += ["--json-path", str(file)]
    done = subprocess.run([NODE, str(CHECKER), *options], capture_output=True, text=True)
    parts = re.split(r"^✕ ", done.stderr, flags=re.MULTILINE)
    assert not parts[0].strip(), done.stderr
    found = {}
    for part in parts[1:]:
        head, *lines = part.splitlines()
        match = re.match(r'State machine definition "(.*)" is invalid:', head)
        assert match, part
        found[names[match[1]]] = lines
    assert done.stdout.count(" is valid\n") + len(found) == len(definitions), "one was not looked at"
    return found


@needs_checker
def test_the_checker_takes_what_we_compile(tmp_path: Path) -> None:
    compiled = dict([*committed(), *golden(), *random_programs()])
    assert len(compiled) > RANDOM_PROGRAMS / 2
    found = complaints(
        {name: json.dumps(without_false_alarms(json.loads(text))) for name, text in compiled.items()}, tmp_path
    )
    assert found == {}, "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines)


def small(state: dict[str, Any]) -> str:
    end = {"End": {"Type": "Succeed"}} if state["Type"] == "Choice" else {}
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state, **end}})


@needs_checker
def test_its_false_alarms_are_still_there_and_are_ours_alone_to_know(tmp_path: Path) -> None:
    made = {name: small(state) for name, state in FALSE_ALARMS.items()}
    assert [validate(text) for text in made.values()] == [[]] * len(made)
    assert complaints(made, tmp_path).keys() == made.keys()
    put_otherwise = {name: json.dumps(without_false_alarms(json.loads(text))) for name, text in made.items()}
    assert complaints(put_otherwise, tmp_path) == {}


@needs_checker
def test_the_checker_sees_a_state_that_is_not_there(tmp_path: Path) -> None:
    wrong = small({"Type": "Pass", "Next": "B"})
    assert "MISSING_TRANSITION_TARGET" in str(complaints({"wrong": wrong}, tmp_path))
