"""The document of capabilities is in order, and the report on the rows is true to the marks of the tests."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.project.rows import (
    DOCUMENT,
    ROOT,
    Capabilities,
    Claim,
    DocumentError,
    as_json,
    as_text,
    compare,
    read_capabilities,
)

HOW_MANY = {"S0": 98, "S1": 151, "S2": 120, "S3": 94, "S4": 137}

SMALL = """\
# Capabilities

| a table | of the introduction |
|---|---|

## S0: a first system

### Subject

| number | capability |
|---|---|
| S0-001 | Steps run |
| S0-002 | Steps \\| pipes |

## S1: a second system

| number | capability |
|---|---|
| S1-001 | Steps wait |
"""


@pytest.fixture(scope="module")
def document() -> Capabilities:
    return read_capabilities((ROOT / DOCUMENT).read_text(encoding="utf-8"))


def test_the_document_has_every_number_once(document: Capabilities) -> None:
    expected = {f"{system}-{n:03}" for system, count in HOW_MANY.items() for n in range(1, count + 1)}
    assert set(document.rows) == expected  # that none occurs twice, the reader sees to
    assert list(document.systems) == list(HOW_MANY)


def test_each_row_of_the_document_is_a_line_of_its_own_words(document: Capabilities) -> None:
    texts = list(document.rows.values())
    assert len(set(texts)) == len(texts)
    assert [text for text in texts if len(text) > 115 or text.endswith(".")] == []


def test_the_reader_takes_systems_and_rows_in_order() -> None:
    assert read_capabilities(SMALL) == Capabilities(
        {"S0": "a first system", "S1": "a second system"},
        {"S0-001": "Steps run", "S0-002": "Steps \\| pipes", "S1-001": "Steps wait"},
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("| S0-002 |", "| S0-001 |", "line 13: S0-001 has a row already"),
        ("| S0-002 |", "| S1-002 |", "line 13: S1-002 stands under S0"),
        ("| S0-002 |", "| S0-2 |", "line 13: a row reads"),
        ("| S0-001 | Steps run |", "| S0-001 |  |", "line 12: a row reads"),
        ("| S0-001 | Steps run |", "| S0-001 | Steps | run |", "line 12: a row reads"),
        ("## S1: a second system", "## S0: a second system", "line 15: system S0 has a heading already"),
        ("## S1: a second system", "## The second", "line 15: a system's heading reads"),
        ("| S1-001 | Steps wait |\n", "", "system S1 has no rows"),
        (SMALL, "# Capabilities\n", "no heading"),
    ],
)
def test_the_reader_refuses_a_document_out_of_order(old: str, new: str, problem: str) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(DocumentError) as caught:
        read_capabilities(SMALL.replace(old, new))
    assert any(line.startswith(problem) for line in str(caught.value).splitlines())


def test_the_reader_tells_all_problems_at_once() -> None:
    broken = SMALL.replace("S0-002", "S0-001").replace("| S1-001 |", "| S1-01 |")
    with pytest.raises(DocumentError) as caught:
        read_capabilities(broken)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "line 13",
        "line 19",
        "system S1 has no rows",
    ]


CLAIMS = [
    Claim("tests/test_b.py::test_two", ("S1-001", "S0-001")),
    Claim("tests/test_b.py::test_one", ("S0-001", "S7-001")),
    Claim("tests/test_b.py::test_one", ("S0-001",)),
    Claim("tests/test_b.py::test_later", ("S0-002", "S0-999"), counts=False),
]


def test_rows_and_claims_are_set_side_by_side() -> None:
    report = compare(read_capabilities(SMALL), CLAIMS)
    assert list(report.proven.items()) == [
        ("S0-001", ("tests/test_b.py::test_two", "tests/test_b.py::test_one")),
        ("S1-001", ("tests/test_b.py::test_two",)),
    ]
    assert report.unproven == ("S0-002",)
    assert list(report.unknown.items()) == [
        ("S0-999", ("tests/test_b.py::test_later",)),
        ("S7-001", ("tests/test_b.py::test_one",)),
    ]
    assert report.totals() == {"S0": (1, 2), "S1": (1, 1)}


def test_the_report_for_people_has_columns() -> None:
    text = as_text(compare(read_capabilities(SMALL), CLAIMS))
    wide = "Steps run" + " " * 55
    assert text.splitlines() == [
        "proven: 2",
        f"  S0-001  {wide}  tests/test_b.py::test_two",
        f"          {' ' * 64}  tests/test_b.py::test_one",
        f"  S1-001  {'Steps wait':<64}  tests/test_b.py::test_two",
        "",
        "unproven: 1",
        "  S0-002  Steps \\| pipes",
        "",
        "unknown: 2",
        "  S0-999  tests/test_b.py::test_later",
        "  S7-001  tests/test_b.py::test_one",
        "",
        "totals",
        "  S0 1/2      a first system",
        "  S1 1/1      a second system",
        "  all 2/3",
    ]


def test_a_long_text_makes_room_for_the_test_that_proves_it() -> None:
    long = Capabilities({"S0": "a system"}, {"S0-001": "word " * 19 + "end"})
    line = as_text(compare(long, [Claim("tests/t.py::test_it", ("S0-001",))])).splitlines()[1]
    assert line.endswith("…  tests/t.py::test_it")
    assert len(line) == len("  S0-001  ") + 64 + len("  tests/t.py::test_it")


def test_the_report_for_programs_says_the_same() -> None:
    assert json.loads(as_json(compare(read_capabilities(SMALL), CLAIMS))) == {
        "proven": [
            {
                "number": "S0-001",
                "capability": "Steps run",
                "tests": ["tests/test_b.py::test_two", "tests/test_b.py::test_one"],
            },
            {"number": "S1-001", "capability": "Steps wait", "tests": ["tests/test_b.py::test_two"]},
        ],
        "unproven": [{"number": "S0-002", "capability": "Steps \\| pipes"}],
        "unknown": [
            {"number": "S0-999", "tests": ["tests/test_b.py::test_later"]},
            {"number": "S7-001", "tests": ["tests/test_b.py::test_one"]},
        ],
        "totals": {"S0": {"proven": 1, "rows": 2}, "S1": {"proven": 1, "rows": 1}},
    }


MARKED = """
    import pytest

    pytestmark = pytest.mark.row("S0-001")

    @pytest.mark.row("S0-002")
    class TestOfAClass:
        def test_method(self) -> None:
            pass

    @pytest.mark.row("S0-003", "S0-004")
    @pytest.mark.row("S0-005")
    def test_several() -> None:
        raise AssertionError("collecting runs no test")

    @pytest.mark.row("S0-006")
    @pytest.mark.parametrize("n", [1, 2, pytest.param(3, marks=pytest.mark.row("S0-007"))])
    def test_many(n: int) -> None:
        pass

    @pytest.mark.skip
    @pytest.mark.row("S0-008")
    def test_left_out() -> None:
        pass

    @pytest.mark.xfail
    @pytest.mark.row("S0-009")
    def test_known_to_fail() -> None:
        raise AssertionError
"""


def project(folder: Path, tests: str) -> Path:
    """A project of ten rows and one module of tests, with this project's conftest and settings for pytest."""
    rows = "\n".join(f"| S0-{n:03} | Capability {n} |" for n in range(1, 11))
    files = {
        "pyproject.toml": """
            [tool.pytest.ini_options]
            addopts = ["--import-mode=importlib", "--strict-markers", "-ra"]
            testpaths = ["tests"]
            markers = ["row(number): a row"]
        """,
        "tests/test_marked.py": tests,
    }
    (folder / "tests" / "project").mkdir(parents=True)
    (folder / "tests" / "support").mkdir()
    (folder / "docs").mkdir()
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / DOCUMENT).write_text(f"## S0: a system\n\n| number | capability |\n|---|---|\n{rows}\n", encoding="utf-8")
    for name in ("tests/conftest.py", "tests/project/rows.py", "tests/support/process.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )


def test_the_script_finds_marks_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k test_several")  # a developer's own choice does not shorten the list
    done = python(project(tmp_path, MARKED), "tests.project.rows", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    in_module = "tests/test_marked.py::"
    several, many = f"{in_module}test_several", f"{in_module}test_many"
    method = f"{in_module}TestOfAClass::test_method"
    assert {row["number"]: row["tests"] for row in report["proven"]} == {
        "S0-001": [method, several, many],
        "S0-002": [method],
        "S0-003": [several],
        "S0-004": [several],
        "S0-005": [several],
        "S0-006": [many],
        "S0-007": [many],
    }
    assert [row["number"] for row in report["unproven"]] == ["S0-008", "S0-009", "S0-010"]
    assert report["unknown"] == []


MISMARKED = """
    import pytest

    @pytest.mark.row("S0-001", "S0-01")
    def test_slip() -> None:
        pass

    @pytest.mark.skip
    @pytest.mark.row(["S0-001"])
    def test_list() -> None:
        pass

    @pytest.mark.row
    def test_empty() -> None:
        pass

    @pytest.mark.row("S0-002")
    def test_right() -> None:
        pass
"""


def test_the_script_exits_1_for_unknown_numbers(tmp_path: Path) -> None:
    done = python(project(tmp_path, MISMARKED), "tests.project.rows")
    assert done.returncode == 1
    head, _, tail = done.stdout.partition("unknown: 3\n")
    assert head.startswith("proven: 2\n")
    assert tail.splitlines() == [
        "  (a mark without a number)  tests/test_marked.py::test_empty",
        "  S0-01  tests/test_marked.py::test_slip",
        "  ['S0-001']  tests/test_marked.py::test_list",
        "",
        "totals",
        "  S0 2/10     a system",
        "  all 2/10",
    ]


def test_pytest_fails_each_test_with_an_unknown_number(tmp_path: Path) -> None:
    done = python(project(tmp_path, MISMARKED), "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert "docs/capabilities.md has no row S0-01, which this test is marked with." in done.stdout
    assert "Did you mean S0-001?" in done.stdout
    assert "1 passed, 3 errors" in done.stdout


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("tests/test_marked.py", "import no_such_module\n", "rows: the tests could not be collected"),
        ("docs/capabilities.md", "# Nothing\n", f"rows: {DOCUMENT} is out of order"),
    ],
)
def test_the_script_exits_2_for_what_it_cannot_read(tmp_path: Path, file: str, text: str, message: str) -> None:
    folder = project(tmp_path, MARKED)
    (folder / file).write_text(text, encoding="utf-8")
    done = python(folder, "tests.project.rows")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback (most recent call last):\n  File" not in done.stderr
