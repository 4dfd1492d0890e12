"""Runs random expressions through Jinja2 and through our JSONata and compares the results.

    python tests/expressions/differential.py 20000 --seed 7 --node /path/with/node_modules

With `--node` (or the environment variable STEPSMITH_JSONATA, a folder in which `npm install jsonata@2.0.6` was run),
the expressions are evaluated by the reference implementation under node as well.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):
    _ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(_ROOT), str(_ROOT / "compiler")]

from stepsmith.document import Json
from stepsmith.expressions import Binding, Scope
from stepsmith.expressions.types import ObjectType, Property, Type, type_of, union
from tests.expressions.evaluation import ANYTHING, EvaluationError, compiled, evaluate
from tests.expressions.generator import Case, Generator
from tests.expressions.oracle import OracleError, value_by_jinja

_RUNNER = """
const jsonata = require(process.argv[1] + '/node_modules/jsonata');
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(x => x);
(async () => {
  for (const line of lines) {
    const {code, data} = JSON.parse(line);
    let out;
    try {
      const e = jsonata(code);
      e.registerFunction('parse', s => JSON.parse(s));
      const value = await e.evaluate(undefined, {input: data});
      out = value === undefined ? {error: 'undefined'} : {value};
    } catch (problem) { out = {error: String(problem.message || problem)}; }
    console.log(JSON.stringify(out));
  }
})();
"""


# The text of a fraction has 15 digits; whether the last is rounded or cut differs by engine (AWS was seen to cut).
_CUT = re.compile(r"(\d*\.\d{13})\d+")


@dataclass
class Report:
    """What a run found."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, outcome: str, line: str) -> None:
        self.counts[outcome] += 1
        if outcome in ("unequal", "loud", "lenient", "crash"):
            self.examples.setdefault(outcome, []).append(line)


def equal(left: object, right: object) -> bool:
    """Whether two JSON values are the same; numbers up to the last bits of a double."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-300)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, str) and isinstance(right, str):
        return _CUT.sub(r"\1", left) == _CUT.sub(r"\1", right)
    return left == right


def declared(data: dict[str, Json]) -> Type:
    """The type of the data as a schema would declare it: no choices, and objects with optional names."""
    from stepsmith.expressions.types import BOOLEAN, INTEGER, NULL, NUMBER, TEXT, ListType

    person = ObjectType({"name": Property(TEXT), "n": Property(NUMBER), "on": Property(union())}, closed=True)
    person = ObjectType({**person.properties, "on": Property(BOOLEAN)}, closed=True)
    types: dict[str, Type] = {
        "text": TEXT,
        "other": TEXT,
        "number": NUMBER,
        "count": INTEGER,
        "flag": BOOLEAN,
        "nothing": NULL,
        "texts": ListType(TEXT),
        "numbers": ListType(NUMBER),
        "object": ObjectType(rest=union(TEXT, NUMBER)),
        "objects": ListType(person),
        "mixed": ListType(),
    }
    return ObjectType({name: Property(types.get(name, type_of(data[name]))) for name in data}, closed=False)


def outcome_of(expected: object, failed: bool, result: dict[str, object]) -> str:
    if "error" in result:
        return "both fail" if failed else "loud"
    if failed:
        return "lenient"
    return "equal" if equal(result["value"], expected) else "unequal"


def compare(cases: Iterable[Case], node: str = "") -> dict[str, Report]:
    """A report for our engine and, with `node`, one for jsonata-js."""
    reports = {"engine": Report()} | ({"jsonata-js": Report()} if node else {})
    waiting: list[tuple[Case, str, object, bool]] = []
    for case in cases:
        try:
            expected, failed = value_by_jinja(case.source, {"input": case.data}), False
        except OracleError as error:
            expected, failed = str(error), True
        for scope in (ANYTHING, Scope({"input": Binding(declared(case.data), "$input", strict=False)})):
            try:
                found = compiled("{{ " + case.source + " }}", scope)
            except Exception as error:
                reports["engine"].add("crash", f"{case.source}: {type(error).__name__} {error}")
                continue
            if found.translation is None:
                for report in reports.values():
                    report.add("refused, fails in Jinja2" if failed else "refused", case.source)
                continue
            waiting.append((case, found.code, expected, failed))
    results = {"engine": [_run(code, case.data) for case, code, _, _ in waiting]}
    if node:
        results["jsonata-js"] = _under_node(node, [(code, case.data) for case, code, _, _ in waiting])
    for name, report in reports.items():
        for (case, code, expected, failed), result in zip(waiting, results[name], strict=True):
            data = json.dumps(case.data)
            line = f"{case.source}\n    {code}\n    data {data}\n    jinja {expected!r}\n    ours {result}"
            report.add(outcome_of(expected, failed, result), line)
    return reports


def _run(code: str, data: dict[str, Json]) -> dict[str, object]:
    try:
        return {"value": evaluate(code, {"input": data})}
    except EvaluationError as error:
        return {"error": str(error)}


def _under_node(folder: str, work: list[tuple[str, dict[str, Json]]]) -> list[dict[str, object]]:
    lines = "\n".join(json.dumps({"code": code, "data": data}) for code, data in work)
    done = subprocess.run(
        ["node", "-e", _RUNNER, str(Path(folder).resolve())], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def short(line: str) -> str:
    """An example without the definitions of helpers."""
    return re.sub(r"\$fn_[a-z_]+ := function.*?\}; (?=\$fn_[a-z_]+ := |[^\n]*\n    data)", "", line)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare random expressions with Jinja2.")
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--node", default=os.environ.get("STEPSMITH_JSONATA", ""))
    parser.add_argument("--show", type=int, default=5, help="examples of each kind of difference")
    parser.add_argument("--full", action="store_true", help="show helpers and data whole")
    options = parser.parse_args()
    generator = Generator(options.seed)
    reports = compare((generator.case() for _ in range(options.count)), options.node)
    for name, report in reports.items():
        print(name, dict(report.counts.most_common()))
        for outcome, lines in report.examples.items():
            for line in lines[: options.show]:
                print(f"  {outcome}: {line if options.full else short(line)}")
    return int(any(report.counts["unequal"] or report.counts["crash"] for report in reports.values()))


if __name__ == "__main__":
    raise SystemExit(main())
