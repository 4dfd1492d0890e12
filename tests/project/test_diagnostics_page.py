"""docs/diagnostics.md names every diagnostic that the code has, and shows each as it is reported."""

from __future__ import annotations

from tests.project.diagnostics_page import ELSEWHERE, PAGE, SUBJECTS, example_of, page, slugs_in_the_code

DOCUMENTED = [slug for meanings in SUBJECTS.values() for slug in meanings]


def test_every_slug_of_the_code_is_documented_and_no_other() -> None:
    assert sorted(DOCUMENTED) == sorted(slugs_in_the_code())


def test_what_is_said_without_an_example_has_none() -> None:
    """A diagnostic that can be shown is shown."""
    assert [slug for slug in ELSEWHERE if slug not in DOCUMENTED or example_of(slug) is not None] == []


def test_each_example_shows_its_diagnostic() -> None:
    examples = {slug: example for slug in DOCUMENTED if (example := example_of(slug)) is not None}
    assert [slug for slug, example in examples.items() if f"[{slug}]" not in example.report] == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.project.diagnostics_page"
