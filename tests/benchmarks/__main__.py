"""Measures everything and writes docs/figures.md: `python -m tests.benchmarks [ROUNDS]`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import ROOT, every_subject, moment
from tests.benchmarks.page import page


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with TemporaryDirectory() as folder:
        subjects = []
        for subject in every_subject(Path(folder), rounds):
            print(f"measured: {subject.heading}", file=sys.stderr)
            subjects.append(subject)
    text = page(subjects, moment())
    (ROOT / "docs" / "figures.md").write_text(text, encoding="utf-8")
    print(text)


main()
