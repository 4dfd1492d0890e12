"""What holds for every test of the project: a `row` mark names capabilities that exist, and what a local run does to
the process (imports of a project's functions, the level of their log) ends with its test.

Other fixtures do not belong here; they stand beside the tests that share them.
"""

import difflib
import functools
from collections.abc import Iterator

import pytest

from tests.project.rows import DOCUMENT, ROOT, numbers_of, read_capabilities
from tests.support.process import process_as_before


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes what the tests of tests/golden found in place of comparing with it."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; read the diff")


@functools.cache
def _known_numbers() -> frozenset[str]:
    return frozenset(read_capabilities((ROOT / DOCUMENT).read_text(encoding="utf-8")).rows)


@pytest.hookimpl(tryfirst=True)  # before pytest's own hook skips the test: a skipped one may not be wrong either
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fails a test that is marked with a number which the document of capabilities does not have."""
    used = numbers_of(item)
    if not used:
        return
    unknown = [number for number in used if number not in _known_numbers()]
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(_known_numbers()), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        pytest.fail(
            f"{DOCUMENT.as_posix()} has no row {', '.join(unknown)}, which this test is marked with.{hint}",
            pytrace=False,
        )


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """A local run imports the functions of its project over ours, and its handlers set the level of the log."""
    with process_as_before():
        yield
