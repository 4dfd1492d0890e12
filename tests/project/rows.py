"""Which capabilities the tests prove: sets the rows of `docs/capabilities.md` beside the tests' `row` marks.

`make rows` runs this module as a script. It collects the tests and runs none of them, so it says what the
marks claim; that the tests pass is for pytest to say. It refuses to report on what it could not read: a
document that is out of order and tests that cannot be collected end it with status 2, since half of the marks
would mislead.
"""

import argparse
import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = Path("docs", "capabilities.md")

_SYSTEM = re.compile(r"## (S[0-9]): (\S.*)")
_ROW = re.compile(r"\| (S[0-9])-([0-9]{3}) \| ((?:[^|\\]|\\.)*[^|\\\s]) \|")
_TABLE_HEAD = ("| number | capability |", "|---|---|")
_SHOWN = 64  # columns of a capability's text where a test's name has to fit beside it


class DocumentError(Exception):
    """The document of capabilities is out of order; the message has a line for each problem."""


class CollectionError(Exception):
    """pytest could not collect the tests; the message is what pytest printed."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The document as read: systems by prefix and capabilities by number, both in the document's order."""

    systems: Mapping[str, str]
    rows: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """A test and the numbers on its marks; `counts` is false for one that is skipped or expected to fail."""

    test: str
    numbers: tuple[str, ...]
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """Rows and claims side by side, each list in the order of the document (unknown numbers: sorted)."""

    capabilities: Capabilities
    proven: Mapping[str, tuple[str, ...]]
    unproven: tuple[str, ...]
    unknown: Mapping[str, tuple[str, ...]]

    def totals(self) -> dict[str, tuple[int, int]]:
        """By prefix of the system: how many rows are proven, and how many there are."""
        return {
            prefix: (
                sum(number.startswith(prefix) for number in self.proven),
                sum(number.startswith(prefix) for number in self.capabilities.rows),
            )
            for prefix in self.capabilities.systems
        }


def read_capabilities(text: str) -> Capabilities:
    """Reads the document; raises `DocumentError` with every problem and its line.

    A heading `## S0: name` opens a system, and each line of the tables below it is a row of that system. What
    stands before the first such heading is prose and is not looked at.
    """
    systems: dict[str, str] = {}
    rows: dict[str, str] = {}
    problems: list[str] = []
    current = ""
    for at, line in enumerate(text.splitlines(), start=1):
        if line.startswith("## "):
            heading = _SYSTEM.fullmatch(line)
            if heading is None:
                problems.append(f"line {at}: a system's heading reads `## S0: name`, not `{line}`")
            elif heading[1] in systems:
                problems.append(f"line {at}: system {heading[1]} has a heading already")
            else:
                current = heading[1]
                systems[current] = heading[2]
        elif current and line.startswith("|") and line not in _TABLE_HEAD:
            row = _ROW.fullmatch(line)
            if row is None:
                problems.append(f"line {at}: a row reads `| {current}-001 | text |`, not `{line}`")
                continue
            number = f"{row[1]}-{row[2]}"
            if row[1] != current:
                problems.append(f"line {at}: {number} stands under {current}")
            if number in rows:
                problems.append(f"line {at}: {number} has a row already")
            rows[number] = row[3]
    problems += [f"system {prefix} has no rows" for prefix in systems if not any(n.startswith(prefix) for n in rows)]
    if not systems:
        problems.append("no heading `## S0: name` opens a system")
    if problems:
        raise DocumentError("\n".join(problems))
    return Capabilities(systems, rows)


def numbers_of(item: pytest.Item) -> tuple[str, ...]:
    """The numbers on the `row` marks of a test, its class and its module, each once.

    What is no number (a list, a keyword, an empty mark) is returned as written, and so counts as unknown.
    """
    found: dict[str, None] = {}
    for mark in item.iter_markers("row"):
        written = [argument if isinstance(argument, str) else repr(argument) for argument in mark.args]
        written += [f"{name}={value!r}" for name, value in mark.kwargs.items()]
        found.update(dict.fromkeys(written or ["(a mark without a number)"]))
    return tuple(found)


def claim_of(item: pytest.Item) -> Claim:
    """What a collected test claims; the instances of a parametrised test share one name."""
    name = getattr(item, "originalname", None) or item.name
    skipped = any(item.get_closest_marker(mark) is not None for mark in ("skip", "xfail"))
    return Claim(item.nodeid.removesuffix(item.name) + name, numbers_of(item), counts=not skipped)


def compare(capabilities: Capabilities, claims: Iterable[Claim]) -> Report:
    """Sets the claims beside the rows. One that does not count proves nothing, yet may not be wrong."""
    proven: dict[str, dict[str, None]] = {}
    unknown: dict[str, dict[str, None]] = {}
    for claim in claims:
        for number in claim.numbers:
            if number not in capabilities.rows:
                unknown.setdefault(number, {})[claim.test] = None
            elif claim.counts:
                proven.setdefault(number, {})[claim.test] = None
    return Report(
        capabilities,
        {number: tuple(proven[number]) for number in capabilities.rows if number in proven},
        tuple(number for number in capabilities.rows if number not in proven),
        {number: tuple(unknown[number]) for number in sorted(unknown)},
    )


class _Collector:
    """The pytest plugin: keeps the claims of the tests that an ordinary run would run."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.claims = [claim_of(item) for item in session.items]


def collect_claims(root: Path) -> list[Claim]:
    """Collects the tests of the project at `root` with its own pytest settings; raises `CollectionError`."""
    # Options that somebody set for their own runs, such as -k, would leave claims out.
    os.environ.pop("PYTEST_ADDOPTS", None)
    collector = _Collector()
    options = ["--collect-only", "-q", f"--rootdir={root}", f"--config-file={root / 'pyproject.toml'}"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = pytest.main([*options, str(root / "tests")], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise CollectionError(printed.getvalue().strip())
    return collector.claims


def as_text(report: Report) -> str:
    """The report for people: three lists, then the totals."""
    rows = report.capabilities.rows
    lines = [f"proven: {len(report.proven)}"]
    for number, tests in report.proven.items():
        lines += _beside(f"  {number}  {_shortened(rows[number]):<{_SHOWN}}  ", tests)
    lines += ["", f"unproven: {len(report.unproven)}"]
    lines += [f"  {number}  {rows[number]}" for number in report.unproven]
    lines += ["", f"unknown: {len(report.unknown)}"]
    for number, tests in report.unknown.items():
        lines += _beside(f"  {number}  ", tests)
    totals = report.totals()
    lines += ["", "totals"]
    for prefix, (done, there_are) in totals.items():
        lines.append(f"  {f'{prefix} {done}/{there_are}':<12}{report.capabilities.systems[prefix]}")
    lines.append(f"  all {len(report.proven)}/{len(rows)}")
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The report for programs: an object with `proven`, `unproven`, `unknown` and `totals`."""
    rows = report.capabilities.rows
    return json.dumps(
        {
            "proven": [
                {"number": number, "capability": rows[number], "tests": tests}
                for number, tests in report.proven.items()
            ],
            "unproven": [{"number": number, "capability": rows[number]} for number in report.unproven],
            "unknown": [{"number": number, "tests": tests} for number, tests in report.unknown.items()],
            "totals": {
                prefix: {"proven": done, "rows": there_are} for prefix, (done, there_are) in report.totals().items()
            },
        },
        indent=2,
        ensure_ascii=False,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1].rstrip() + "…"


def _beside(left: str, tests: Sequence[str]) -> list[str]:
    return [(left if position == 0 else " " * len(left)) + test for position, test in enumerate(tests)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report. Returns 0; 1 for unknown numbers; 2 where document or tests are unreadable."""
    parser = argparse.ArgumentParser(prog="rows", description="List which capabilities the tests prove.")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder (default: this one)")
    chosen = parser.parse_args(arguments)
    root: Path = chosen.root.resolve()
    try:
        capabilities = read_capabilities((root / DOCUMENT).read_text(encoding="utf-8"))
        report = compare(capabilities, collect_claims(root))
    except OSError as error:
        print(f"rows: {error}", file=sys.stderr)
        return 2
    except DocumentError as error:
        print(f"rows: {DOCUMENT} is out of order:\n{error}", file=sys.stderr)
        return 2
    except CollectionError as error:
        print(f"{error}\nrows: the tests could not be collected", file=sys.stderr)
        return 2
    try:
        print(as_json(report) if chosen.json else as_text(report), flush=True)
    except BrokenPipeError:
        # A reader such as `head` has seen enough. Python flushes again at its exit, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if report.unknown else 0


if __name__ == "__main__":
    sys.exit(main())
