"""The subjects of docs/figures.md: what is timed beside what. Nothing here is asserted; a reader judges the ratios."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfnx.compiler import definitions

from stepsmith.pipeline import compile_bytes
from tests.benchmarks import engines
from tests.benchmarks.programs import (
    catalog,
    crossing_workflow,
    diamonds_workflow,
    linear_sfnx,
    linear_workflow,
    notes_workflow,
)
from tests.benchmarks.timing import best_of, process

ROOT = Path(__file__).parents[2]
_SECRETS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
_LAMBDA = {**_SECRETS, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
"""What tells a process of Lambda's where it is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Two times in seconds; None where there is nothing to stand beside. `aim` is the ratio we want at most."""

    what: str
    ours: float
    beside: str = ""
    theirs: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None


@dataclass(frozen=True, slots=True)
class Subject:
    """A table of the page."""

    heading: str
    text: str
    figures: tuple[Figure, ...]


def compiling(rounds: int) -> Subject:
    """From text to definition, in a process that has imported everything."""
    known = catalog()
    figures: list[Figure] = []

    def compiled(text: bytes) -> None:
        compile_bytes("linear.yaml", text, known)

    for steps, beside in ((10, True), (200, True), (1000, True), (2000, False), (5000, False)):
        text, python = linear_workflow(steps).encode(), linear_sfnx(steps)
        contenders = {"ours": lambda text=text: compiled(text)}
        if beside:
            contenders["sfnx"] = lambda python=python: definitions(python, "linear.py", False)
        times = best_of(contenders, rounds if steps <= 200 else 2)
        aim = 0.4 if steps == 200 else None
        figures.append(Figure(f"{steps:,} steps", times["ours"], "sfnx" if beside else "", times.get("sfnx"), aim))
    for what, graph in (("diamonds", diamonds_workflow(200)), ("whose needs cross", crossing_workflow(200))):
        times = best_of({"ours": lambda text=graph: compiled(text.encode())}, rounds)
        figures.append(Figure(f"a graph of 200 steps, {what}", times["ours"]))
    return Subject(
        "Compiling",
        "A line of N steps, each an `http_request` with two expressions in its params, one of them reading the step "
        "before; in sfnx the same calls of one function. In one process, start-up not counted. Ours also checks every "
        "expression against the action's model, retries Lambda's transient errors, verifies the machine and writes "
        "the source map. A step of the graphs needs two others at most; the diamonds nest as they are. Step Functions "
        "takes definitions of 1 MiB, which the line reaches near 800 steps: the larger ones are compiled up to the "
        "diagnostic that says so; sfnx, which takes minutes for them, is left out.",
        tuple(figures),
    )


def commands(folder: Path, rounds: int) -> Subject:
    """Whole processes."""
    many = folder / "many"
    for place, count in ((many, 100), (folder / "one", 1)):
        (place / "workflows").mkdir(parents=True)
        for number in range(count):
            text = linear_workflow(10, f"linear-{number}")
            (place / "workflows" / f"linear-{number}.yaml").write_text(text)
    (folder / "linear.py").write_text(linear_sfnx(10))
    contenders = {
        "pass": process(["python", "-c", "pass"], folder),
        "--help": process(["stepsmith", "--help"], folder),
        "version": process(["stepsmith", "version"], folder),
        "check of one file": process(["stepsmith", "check"], folder / "one"),
        "compile of one file": process(["stepsmith", "compile", "one/workflows/linear-0.yaml"], folder),
        "sfnx --help": process(["sfnx", "--help"], folder),
        "sfnx compile": process(["sfnx", "compile", "linear.py"], folder),
    }
    times = best_of(contenders, rounds)
    times |= best_of({"check of 100 files": process(["stepsmith", "check"], many)}, 3)
    return Subject(
        "Commands",
        "Whole processes: start, work, end. The files are the program above with 10 steps.",
        (
            Figure("`stepsmith --help`", times["--help"], "`python -c pass`", times["pass"]),
            Figure("`stepsmith --help`", times["--help"], "`sfnx --help`", times["sfnx --help"], 0.8),
            Figure("`stepsmith version`", times["version"], "`python -c pass`", times["pass"]),
            Figure("`stepsmith check`, 1 file", times["check of one file"], "`python -c pass`", times["pass"]),
            Figure(
                "`stepsmith compile`, 1 file",
                times["compile of one file"],
                "`sfnx compile`",
                times["sfnx compile"],
                0.8,
            ),
            Figure(
                "`stepsmith check`, 100 files", times["check of 100 files"], "of 1 file", times["check of one file"]
            ),
        ),
    )


def local_runs(folder: Path, rounds: int) -> Subject:
    """A run on the laptop, and what one step of it costs."""
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "notes.yaml").write_text(notes_workflow(10))
    environment = dict(os.environ)
    contenders = {
        "run": process(["stepsmith", "run", "notes"], folder, environment),
        "imports": process(["python", "-c", "import boto3, moto"], folder, environment),
    }
    times = best_of(contenders, rounds)
    ours, stock = engines.cost_of_a_step(rounds)
    return Subject(
        "Running here",
        "The run has ten real steps (`generate_report`, into the emulated S3) and is a whole process: compile, "
        "emulate, run, keep the history. One more Lambda step is timed inside a process: ours with a real handler, "
        "in JSONata; moto's own interpreter without a handler, in JSONPath.",
        (
            Figure("a run of ten steps", times["run"], '`python -c "import boto3, moto"`', times["imports"], 2.5),
            Figure("one more Lambda step", ours, "moto's interpreter", stock, 0.1),
        ),
    )


def handlers(rounds: int) -> Subject:
    """What a cold Lambda function imports."""
    environment = {**os.environ, **_LAMBDA}
    action = "import stepsmith_functions.actions.quarantine_file"
    client = "from stepsmith_functions.runtime import clients; clients.of_process().get('dynamodb')"
    end = "import os; os._exit(0)"
    folder = ROOT / "functions"
    contenders = {
        "action": process(["python", "-c", f"{action}; {client}; {end}"], folder, environment),
        "bare": process(["python", "-c", f"import boto3; boto3.client('dynamodb'); {end}"], folder, environment),
    }
    times = best_of(contenders, 4 * rounds)
    return Subject(
        "A cold start's imports",
        "The module of an action with everything that it imports, and a DynamoDB client; beside it boto3 with a "
        "DynamoDB client alone. Processes as Lambda starts them, up to their last line: a cold start waits for no "
        "process's end.",
        (Figure("the handler of `quarantine_file`", times["action"], "boto3's client", times["bare"], 1.3),),
    )


def every_subject(folder: Path, rounds: int) -> Iterator[Subject]:
    """All tables, in the order of the page; `folder` is for what the commands read."""
    yield compiling(rounds)
    yield commands(folder / "commands", rounds)
    yield local_runs(folder / "runs", max(2, rounds // 2))
    yield handlers(rounds)


def moment() -> str:
    """The day, for the page."""
    return time.strftime("%Y-%m-%d")
