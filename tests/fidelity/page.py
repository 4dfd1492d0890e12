"""The parts of docs/fidelity.md that are taken from the tests: `python -m tests.fidelity.page` writes them anew.

`--measure` takes the figures too, which no test compares. The rest of the page is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from stepsmith.local.moto_seam import SEAMS
from tests.conformance.catalogue import CASES as CONFORMANCE
from tests.engine import test_jsonata_reference as jsonata
from tests.engine import test_recorded as recorded
from tests.engine import test_sfnx as sfnx
from tests.fidelity import test_moto_interpreter as moto

PAGE: Final = Path(__file__).parents[2] / "docs" / "fidelity.md"
RECORDINGS: Final = bool(recorded.CASES)
"""Whether AWS's recorded answers are here; without them their section stays as it is."""


def of_recordings() -> str:
    old_exits = sum(1 for case in recorded.TRANSLATED if case["recorded"] < "2024-11" and _distributed(case))
    rows = [
        ("executions of JSONata machines", len(recorded.CASES), len(recorded.KNOWN_DIFFERENCES)),
        (
            "executions of JSONPath machines, put into JSONata",
            len(recorded.TRANSLATED),
            len(recorded.KNOWN_IN_TRANSLATION),
        ),
        ("definitions refused or validated", len(recorded.DEFINITIONS), 1),
    ]
    lines = ["| what | cases | equal | different |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {name} | {count} | {count - different} | {different} |" for name, count, different in rows]
    reasons = [f"- `{name.strip(']')}`: {reason}." for name, reason in recorded.KNOWN_IN_TRANSLATION.items()]
    reasons.append("- `ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION`: intrinsics of JSONPath are not checked here.")
    reasons.append(
        f"- In {old_exits} of the translated ones, recorded before November 2024, the exit of a distributed Map "
        "follows from another event than in those recorded since, and than here; they count as equal."
    )
    return "\n".join([*lines, "", "Each difference with its cause:", "", *reasons])


def _distributed(case: dict[str, object]) -> bool:
    return "MapRunSucceeded" in str(case["expect"])


def of_moto() -> str:
    asked = moto.machines()
    kinds = Counter("random" if name.startswith("random-") else "written" for name in asked)
    lines = [
        f"{len(asked)} machines, {kinds['written']} written and {kinds['random']} random: "
        f"{len(asked) - len(moto.DIFFERENCES)} equal in status, output and error, {len(moto.DIFFERENCES)} different. "
        f"Left out: {len(moto.RACES)} random machines that fail in two branches at the same moment.",
        "",
        "| what moto does, and AWS | machines |",
        "| --- | --- |",
    ]
    by_reason: dict[str, list[str]] = {}
    for name, reason in moto.DIFFERENCES.items():
        by_reason.setdefault(reason, []).append(name)
    lines += [f"| {reason.replace('|', chr(92) + '|')} | {', '.join(names)} |" for reason, names in by_reason.items()]
    return "\n".join(lines)


def of_others() -> str:
    operators = len(jsonata.OPERATORS) * len(jsonata.OPERANDS) ** 2
    functions = len(jsonata.FUNCTIONS) * len(jsonata.Generator(0).names)
    expressions = operators + functions + len(jsonata.WRITTEN) + jsonata.RANDOM_EXPRESSIONS
    lines = [
        f"- `sfnx.testing` {_version('sfnx')}: {sfnx.RANDOM_MACHINES} random machines, "
        f"{sfnx.RANDOM_MACHINES - len(sfnx.FAIL_IN_ANOTHER_BRANCH)} equal in output and error. In the other "
        f"{len(sfnx.FAIL_IN_ANOTHER_BRANCH)} two branches of a Parallel fail: here the first in time ends the state, "
        "there the first in the definition, since it runs one branch after another.",
        f"- npm's `jsonata` 2.0.6: {expressions:,} expressions, all equal but the {len(jsonata.MEASURED)} where we go "
        "by what was measured on AWS, or reported fixed in a later version:",
        "",
        "| expression | here |",
        "| --- | --- |",
    ]
    lines += [f"| `{text}` | `{value}` |" for text, value in jsonata.MEASURED.items()]
    return "\n".join(lines)


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def of_seams() -> str:
    lines = ["| in moto | replaced because |", "| --- | --- |"]
    for seam in SEAMS:
        name = ".".join(filter(None, (seam.module, seam.owner, seam.name)))
        lines.append(f"| `{name}` | {seam.reason} |")
    return "\n".join(lines)


def of_conformance() -> str:
    questions = [case for case in CONFORMANCE if case.question]
    return (
        f"{len(CONFORMANCE)} cases: {len(CONFORMANCE) - len(questions)} with what our engine does as the expectation, "
        f"{len(questions)} that only ask."
    )


def of_figures() -> str:
    from tests.fidelity.figures import measure

    lines = ["| what | measured |", "| --- | --- |"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in measure().items()])


SECTIONS: Final = {
    "recordings": of_recordings,
    "moto": of_moto,
    "others": of_others,
    "seams": of_seams,
    "conformance": of_conformance,
}


def written(text: str, *, figures: bool = False) -> str:
    """The page with its sections anew. Raises ValueError when it lacks one."""
    for name, section in {**SECTIONS, **({"figures": of_figures} if figures else {})}.items():
        if name == "recordings" and not RECORDINGS:
            continue
        mark = re.compile(rf"(<!-- begin {name}[^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
        body = section()
        text, count = mark.subn(lambda match, body=body: f"{match[1]}\n{body}\n\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"the page has no section {name}")
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), figures="--measure" in sys.argv), encoding="utf-8")
