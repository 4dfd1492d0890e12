"""The locked requirements are what the project asks for, whole and the same everywhere. Needs no network."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEV = ROOT / "requirements" / "dev.txt"
LAYER = ROOT / "layers" / "dependencies" / "requirements.txt"
SCANNING = ROOT / "layers" / "scanning" / "requirements.txt"
RUNTIME = ROOT / "requirements" / "runtime.txt"
SAM = ROOT / "requirements" / "sam.txt"
LOCKED = (DEV, LAYER, SCANNING, RUNTIME, SAM)
_PIN = re.compile(r"^([\w.-]+(?:\[[\w,-]+\])?)==([\w.!+]+)(.*)$", re.MULTILINE)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(path: Path) -> dict[str, set[str]]:
    """The locked versions of each package: more than one where markers tell them apart."""
    found: dict[str, set[str]] = {}
    for name, version, _ in _PIN.findall(path.read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name.partition("[")[0]), set()).add(version)
    return found


def lacking(requirements: list[str], path: Path) -> list[str]:
    """Those of `requirements` that the versions locked in `path` do not satisfy."""
    locked = pins(path)
    return [
        text
        for text in requirements
        for wanted in [Requirement(text)]
        if not any(wanted.specifier.contains(version) for version in locked.get(canonicalize_name(wanted.name), ()))
    ]


def test_the_environment_has_what_the_project_asks_for():
    found = project()
    asked = [*found["project"]["dependencies"], *found["dependency-groups"]["dev"]]
    assert len(asked) > 10
    assert lacking(asked, DEV) == []


def test_the_layers_have_what_the_functions_ask_for():
    groups = project()["dependency-groups"]
    assert lacking(groups["lambda"], LAYER) == []
    assert lacking(groups["scanning"], SCANNING) == []
    assert not pins(LAYER).keys() & pins(SCANNING).keys()


def test_a_requirement_that_is_not_locked_is_found():
    assert lacking(["pytest>=99", "nothing-like-this"], DEV) == ["pytest>=99", "nothing-like-this"]


@pytest.mark.parametrize("path", [LAYER, SCANNING, RUNTIME], ids=lambda path: path.parent.name)
def test_lambda_gets_the_versions_that_the_tests_ran_with(path):
    tested = pins(DEV)
    assert {name: versions for name, versions in pins(path).items() if tested.get(name) != versions} == {}


def test_the_layer_leaves_to_the_runtime_what_the_runtime_brings():
    assert not {"boto3", "botocore"} & (pins(LAYER).keys() | pins(SCANNING).keys())


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_pin_has_digests_and_no_line_names_a_place_to_get_it_from(path):
    text = path.read_text(encoding="utf-8")
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == sum(map(len, pins(path).values())) > 0
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--(extra-)?index-url|--find-links)\b", text, re.MULTILINE)
