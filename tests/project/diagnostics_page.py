"""Writes docs/diagnostics.md: `python -m tests.project.diagnostics_page`.

What a diagnostic means is said here; its example is a golden case, or for calls of AWS a workflow below, shown as
`stepsmith check` reports it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stepsmith.local.service_models import ServiceModels
from stepsmith.pipeline import compile_bytes
from stepsmith.reporting import render
from tests.golden.cases import REJECTED, diagnosed, shown
from tests.support.machines import CATALOG

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "diagnostics.md"
COMPILER: Final = ROOT / "compiler" / "stepsmith"

INTRODUCTION: Final = """\
# Diagnostics

What the commands say of a workflow. Each diagnostic has a place, a severity, a message of what is wrong, its slug in
brackets, and behind the marks what to write instead. An *error* keeps the workflow from compiling; a *warning* and
a *hint* do not. `stepsmith check` reports all problems of all files in one run; `--format json`, `github` and `sarif`
are for programs.

This page is written by `python -m tests.project.diagnostics_page`; a test holds it to the compiler.
"""

SUBJECTS: Final[Mapping[str, Mapping[str, str]]] = {
    "The file": {
        "empty-file": "There is nothing in the file but comments and white space.",
        "not-utf8": "The file is in another encoding. YAML is read as UTF-8 only.",
        "binary-file": "The file holds a NUL character or bytes of no text.",
        "file-too-large": "The file is larger than 8 MiB; AWS takes definitions of 1 MiB at most.",
        "control-character": "A character that YAML does not allow, such as a bell.",
        "tab-indentation": "YAML indents with spaces only.",
        "yaml-syntax": "The text is no YAML.",
        "several-documents": "A file holds one workflow; `---` begins a second document.",
        "duplicate-key": "A key stands twice in one mapping; YAML parsers would keep the last in silence.",
        "key-not-text": "A key is a number, a boolean, null, a list or a mapping.",
        "merge-key": "`<<` merges mappings only.",
        "yaml-alias": "An alias names no anchor before it, or stands inside the value that it names.",
        "yaml-tag": "Tags such as `!!python/object` or `!Ref` have no meaning in a workflow.",
        "not-a-json-number": "A number that JSON does not have: an infinity or no number at all.",
        "leading-zero": "Digits with a leading zero are read as a number and lose the zero, as in account ids.",
        "unquoted-template": "`{{ … }}` without quotes is a YAML mapping, not a template.",
        "too-deep": "Values are nested more than 100 levels deep.",
        "too-many-nodes": "The file holds more than 250,000 keys and values.",
        "alias-bomb": "With its aliases written out the file would hold more than 250,000 values.",
        "too-many-problems": "After 500 problems the rest of the file is not read.",
    },
    "Shape": {
        "wrong-shape": "A mapping, a list, a text or a number stands where another of them belongs.",
        "unknown-key": "The workflow, step, handler or block has no such key.",
        "missing-key": "A key is missing without which the rest has no meaning.",
        "no-verb": "A step must say what to do: it has no verb.",
        "several-verbs": "A step has one verb.",
        "modifier-not-here": "The step's verb has no use for this modifier.",
        "empty-steps": "A list of steps, cases or branches is empty.",
        "else-not-last": "`else` takes whatever is left, so no case may follow it.",
        "handler-order": "A handler without `errors` takes every error, so no handler may follow it.",
        "constant-only": "Step Functions takes only a constant here, so no expression can stand here.",
        "template-key": "Step Functions never evaluates keys.",
        "bad-choice": "One of a few words is expected.",
        "bad-number": "A number is too small or too large.",
        "bad-duration": "The text is no duration of whole seconds, or is out of range.",
        "bad-retry": "The parts of a retry contradict each other or AWS's limits.",
        "bad-error": "The name cannot be that of an error of yours.",
    },
    "Names": {
        "bad-name": "A workflow, branch, variable, input or loop item has a name with characters that are not allowed.",
        "bad-id": "A step's id has characters that are not allowed, or is too long.",
        "duplicate-id": "Two steps of the file have the same id.",
        "reserved-name": "A loop gives its item a name that expressions use already.",
    },
    "Input and triggers": {
        "bad-schema": "The schema of an input is no JSON Schema, or one that cannot be checked before the first step.",
        "bad-default": "A default breaks the schema that it belongs to, or its input is also required.",
        "bad-trigger": "A trigger has not exactly one of `event`, `schedule` and `api`, or its route is none.",
        "bad-event-pattern": "EventBridge would refuse the pattern, or it could never match.",
        "bad-schedule": "The text is no `rate()`, `cron()` or `at()` of EventBridge, or no time zone has that name.",
        "trigger-input": "A trigger leaves out a required input, gives one that is unknown or of a wrong type, or "
        "needs what EventBridge cannot compute.",
        "trigger-taken": "Another workflow is started by the same method and path.",
    },
    "Actions and other workflows": {
        "unknown-action": "The project has no action of that name.",
        "unknown-workflow": "The project has no workflow of that name.",
        "workflow-cycle": "A workflow would start itself again, directly or through others.",
        "missing-param": "A param that the action needs, or an input that the workflow needs, is not given.",
        "unknown-param": "The action has no such param, or the workflow no such input.",
        "wrong-param": "A param has the wrong type or breaks the action's model.",
        "unknown-error": "The action declares no error of that name, so the handler or retry never applies.",
        "dedupe-key": "A key that is the same for every event, or reads what a schedule does not have.",
        "control-error": "A handler, a retry or a `fail` names what is no failure of a step.",
        "useless-error": "The error always ends the run: nothing catches or retries it.",
        "retry-of-success": "Retrying on this error could run an action again that has succeeded.",
        "retry-of-loop": "A loop that tolerates failures counts them after its Map, where a retry does not reach.",
        "retry-of-child": "To a retry every failure of a child workflow is `States.TaskFailed`.",
    },
    "Calls of AWS": {
        "bad-call": "The text is not `SERVICE:OPERATION`, or ends in something that is no way of waiting.",
        "unknown-service": "AWS has no service of that name.",
        "unknown-operation": "The service has no operation of that name.",
        "no-such-pattern": "The operation has no `.sync`, or only that, or cannot carry a task token.",
        "call-not-here": "Step Functions cannot make this call.",
        "missing-token": "A step waits for an answer, but nobody is told the token to answer with.",
        "no-timeout": "A step waits for an answer and nothing ends it if none comes.",
        "unchecked-call": "The models of AWS's services are not installed, so that params cannot be checked.",
        "wide-permission": "The call cannot be narrowed to what it needs, so that the machine's role is wide.",
        "bad-recipient": "An approver, or who else is told, is no e-mail address, SNS topic or webhook.",
        "quorum-too-high": "More people must approve than are asked.",
        "bad-uri": "The place of a loop's items is no `s3://` URI.",
    },
    "Flow": {
        "unreachable-step": "No way leads to the step: what stands before it always ends the run.",
        "no-rollback": "A rolled-back run should be as if it had not been: what changes something has an undo, or "
        "says that it needs none.",
        "rollback-not-here": "A rollback is the whole run's: a `finally` runs after it, and the items of a distributed "
        "loop are executions of their own.",
        "stop-not-here": "`stop` ends the whole run, which a branch, an iteration and a `finally` cannot do.",
        "outer-variable": "A branch or an iteration has variables of its own; it cannot change one of outside.",
        "too-many-events": "The rounds could write more than the 25,000 events at which an execution fails.",
        "unmeetable-deadline": "A step's own timeout is longer than the workflow's, or waits alone take as long on "
        "every way that does not fail. Waits of a constant length count: of a `switch`, and of what has an `if` or a "
        "handler that goes on, the shortest way; of a `parallel` the longest branch; of a `repeat` with `until` one "
        "round.",
        "not-in-express": "Express workflows cannot do this.",
    },
    "Graphs": {
        "unknown-need": "A step needs one that its list does not have.",
        "need-elsewhere": "A step needs one of another list of steps.",
        "needs-itself": "A step can't wait for its own end.",
        "needs-cycle": "Steps wait for each other, by their needs or by what they read, so that none could start.",
        "duplicate-need": "A step names one that it needs twice.",
        "set-in-graph": "The steps of a graph run at once and share no variables.",
        "over-waits": "The needs of some steps cross, which no nesting of sequences and Parallels can follow: a step "
        "waits longer than it needs to.",
    },
    "Reading": {
        "unknown-name": "Nothing of that name can be read where the expression stands.",
        "unknown-step": "There is no step with that id.",
        "unknown-input": "The workflow declares no such input.",
        "unknown-variable": "No variable of that name is set where the expression stands.",
        "unknown-property": "The object that is read has no property of that name.",
        "not-a-value": "A group of names, such as `steps.fetch`, has no value of its own.",
        "maybe-missing": "What is read may be absent in a run, and reading what is absent fails it.",
        "never-available": "What is read can never be there where the expression stands.",
        "secret-not-here": "Only the params of an action can read a secret; elsewhere it would be in the history.",
        "secret-in-expression": "Only the handler knows a secret's value, so that no expression can compute with it.",
    },
    "Expressions": {
        "expression-syntax": "The inside of `{{ … }}` is no expression.",
        "expression-too-deep": "The expression is nested more deeply than Step Functions evaluates.",
        "expression-not-supported": "The expression uses a part of Jinja2 that has no translation.",
        "statement-in-template": "There are no statements, only expressions.",
        "condition-type": "A condition is one expression, or true or false.",
        "condition-spelling": "The condition is spelled as in another language.",
        "hyphen-in-name": "A name with a hyphen reads as a subtraction.",
        "bare-word": "In another dialect's condition, a text stands without quotes.",
        "unknown-filter": "There is no filter of that name.",
        "unknown-test": "There is no test of that name.",
        "unknown-function": "There is no function or method of that name.",
        "filter-argument": "A filter, test or function is given other arguments than it takes.",
        "type-mismatch": "The operator or filter cannot be applied to a value of this type.",
        "wrong-type": "The expression yields another type than its place needs.",
        "maybe-wrong-type": "The expression may yield another type than its place needs; the run fails then.",
        "data-as-text": "A list, object, boolean or null becomes text here, as JSON.",
        "never-equal": "Values of these types are never equal.",
        "no-order": "A value is compared by size that may be of a type which has no order.",
        "text-as-number": "In another dialect, a text is compared with a number.",
        "if-without-else": "Without an `else` the value would be missing where the condition is false.",
        "ambiguous-power": "Jinja2 and Python group powers differently.",
        "big-integer": "Whole numbers beyond 2^53 are not exact in JSON.",
        "object-key": "The names of an object are text.",
        "slice-step": "A slice takes neighbours; the only step is the one that reverses.",
        "regex-not-supported": "Engines differ on this part of a regular expression.",
    },
    "The machine and the template": {
        "definition-too-large": "The compiled definition is larger than the 1 MiB that Step Functions takes.",
        "payload-too-large": "A step sends or puts out constants of more than the 256 KiB that Step Functions passes.",
        "refused-by-aws": "The machine breaks a rule of AWS although the workflow passed the checks: a bug of ours.",
        "workflow-name-taken": "Two workflows would become the same resource of the template.",
        "template-invalid": "`template.yaml` is no YAML, has no `Resources` in block style, or a `SECRETS_PREFIX` "
        "that is no beginning of names.",
        "template-missing": "A generated resource refers to something that the template does not have.",
        "template-taken": "A resource of that name, written by hand, stands where one is to be generated.",
        "template-edited": "A generated resource was edited by hand.",
    },
    "Of `stepsmith resume`": {
        "not-on-record": "What stands behind the step to begin with reads what the earlier run has no record of.",
        "recorded-otherwise": "The record of a step is not what is read of it now: the step was another one then.",
        "not-reached": "By its records the run would not come to the step to begin with.",
        "too-much-on-record": "The values to take over are larger than what an execution can be started with.",
    },
    "Of `stepsmith eval`": {
        "missing-value": "What the expression reads is not in the data.",
        "evaluation-failed": "The evaluation failed, as it would fail a run.",
        "no-json": "The expression yields what JSON does not have.",
        "bad-row": "A line of a batch is no object with an `expression`.",
    },
}

ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "not-utf8": ("error", "Save the file as UTF-8."),
    "binary-file": ("error", "Give a workflow in YAML or JSON."),
    "file-too-large": ("error", "Split the workflow and call the parts with `workflow:`."),
    "too-many-nodes": ("error", "Split it, or keep large data in S3 and pass its place."),
    "too-many-problems": ("error", "Mend those above first."),
    "trigger-taken": ("error", "Choose another path or method."),
    "unchecked-call": ("hint", "Install `botocore` beside Stepsmith."),
    "expression-not-supported": (
        "error",
        "Write it with the operators, filters and tests of [expressions.md](expressions.md).",
    ),
    "bare-word": ("warning", "Quote the text: `alert.severity == 'critical'`. An error where it has a hyphen."),
    "text-as-number": ("warning", "Write `| float` behind the text."),
    "definition-too-large": ("error", "Move a part of the steps into a workflow of its own."),
    "payload-too-large": ("error", "Put the data into S3 and pass its `s3://` URI."),
    "refused-by-aws": ("error", "Please report the workflow."),
    "workflow-name-taken": ("error", "Choose another name."),
    "template-invalid": ("error", "Mend the template; `sam validate` says more."),
    "template-missing": ("error", "Add a parameter, condition or resource of that name."),
    "template-taken": ("error", "Rename it, or put `# Stepsmith: keep` on the line below its name to use it instead."),
    "template-edited": (
        "error",
        "Undo the edit and change the workflow or action, put `# Stepsmith: keep` on the line below its name, or "
        "overwrite it with `stepsmith build --force`.",
    ),
    "not-on-record": ("error", "Continue from the step that is not on record, or from one before it."),
    "recorded-otherwise": ("error", "Continue from that step, or read what is on record."),
    "not-reached": ("error", "Continue from the step that is named, or say what follows its failure."),
    "too-much-on-record": ("error", "Continue from an earlier step, or keep large data in S3."),
    "missing-value": ("error", "Give it in `--data`, or write a `default(…)`."),
    "evaluation-failed": ("error", "The message says why."),
    "no-json": ("error", "Yield a value: a text, number, boolean, null, list or object."),
    "bad-row": ("error", 'Write one object a line: `{"expression": "{{ input.x }}", "data": {"input": {"x": 1}}}`.'),
}
"""Severity and what to do, for what no short workflow can show."""

CALLS: Final[Mapping[str, str]] = {
    "bad-call": "aws: dynamodb",
    "unknown-service": "aws: dynamdb:putItem",
    "unknown-operation": "aws: dynamodb:putItems",
    "no-such-pattern": "aws: dynamodb:putItem.sync",
    "call-not-here": "aws: sts:assumeRole",
    "missing-token": "aws: sqs:sendMessage.waitForTaskToken",
    "no-timeout": "aws: sqs:sendMessage.waitForTaskToken",
    "wide-permission": "aws: ecs:runTask.sync",
}
PARAMS: Final[Mapping[str, str]] = {
    "call-not-here": '{RoleArn: "arn:aws:iam::123456789012:role/r", RoleSessionName: s}',
    "no-such-pattern": "{TableName: t, Item: {id: {S: a}}}",
    "missing-token": '{QueueUrl: "https://sqs.us-east-1.amazonaws.com/123456789012/q", MessageBody: hello}',
    "no-timeout": '{QueueUrl: "https://sqs.us-east-1.amazonaws.com/1/q", MessageBody: "{{ run.task_token }}"}',
    "wide-permission": "{TaskDefinition: scan}",
}
LOOPS: Final[Mapping[str, str]] = {
    "bad-uri": "for_each:\n      in: {s3: bucket/key.json}\n      mode: distributed\n      steps: [{action: ping}]",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A mistake as it is reported, and what mends it where that is one replacement."""

    report: str
    mended: tuple[str, str] | None = None


def page() -> str:
    """The text of docs/diagnostics.md."""
    parts = [INTRODUCTION]
    for subject, meanings in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        for slug, meaning in sorted(meanings.items()):
            parts.append(f"### `{slug}`\n")
            parts.append("\n".join(_section(slug, meaning)) + "\n")
    return "\n".join(parts)


def _section(slug: str, meaning: str) -> Iterator[str]:
    example = example_of(slug)
    severity = ELSEWHERE[slug][0] if example is None else severity_of(example.report)
    yield f"{severity.capitalize()}. {meaning}"
    if example is None:
        yield ELSEWHERE[slug][1]
        return
    yield from ("", "```text", example.report, "```")
    if example.mended is not None:
        yield from ("", f"Mended: `{example.mended[1]}` in place of `{example.mended[0]}`.")


def severity_of(report: str) -> str:
    """The severity that a report begins with."""
    return report.split(": ", 2)[1]


def example_of(slug: str) -> Example | None:
    """The golden case of a slug, one whose mending is a short replacement if there is one."""
    if slug in CALLS or slug in LOOPS:
        return Example(_report_of_call(slug))
    followed: dict[str, list[list[str]]] = json.loads((REJECTED / "followed.json").read_text(encoding="utf-8"))
    cases = sorted((REJECTED / slug).glob("*.yaml"))
    cases.sort(key=lambda path: not _is_short(followed.get(f"{slug}/{path.stem}")))
    if not cases:
        return None
    diagnostics, source = diagnosed(cases[0].read_bytes())
    mending = followed.get(f"{slug}/{cases[0].stem}")
    mended = (mending[0][0].strip(), mending[0][1].strip()) if mending and _is_short(mending) else None
    return Example(_first(shown(diagnostics, source)), mended)


def _is_short(mending: list[list[str]] | None) -> bool:
    return (
        mending is not None
        and len(mending) == 1
        and all(
            text.strip() and "\n" not in text.strip() and "`" not in text and text.isprintable() for text in mending[0]
        )
    )


def _report_of_call(slug: str) -> str:
    verb = LOOPS.get(slug) or CALLS[slug]
    params = f"    params: {PARAMS[slug]}\n" if slug in PARAMS else ""
    text = f"name: example\nsteps:\n  - {verb}\n{params}"
    compilation = compile_bytes("workflow.yaml", text.encode(), CATALOG, services=ServiceModels())
    assert compilation.source is not None
    found = [item for item in compilation.diagnostics if item.slug == slug]
    return _first(render(found, {compilation.source.path: compilation.source}))


def _first(report: str) -> str:
    """The first diagnostic of a report, without its summary."""
    return report.split("\n\n")[0].rstrip()


_SLUG: Final = re.compile(r"[a-z]+(-[a-z0-9]+)+")
_STAGES: Final = (
    *("loading", "dialects", "ordering", "analysis", "checks"),
    *("expressions", "lowering", "verify", "template", "model"),
)
NO_SLUGS: Final = frozenset(("a-b", "look-around", "utf-8", "utf-8-sig", "x-amazon-apigateway-integration"))
"""Texts in the stages that only look like slugs."""


def slugs_in_the_code() -> set[str]:
    """Every text in the stages that looks like a slug."""
    files = [path for stage in _STAGES for path in (COMPILER / stage).rglob("*.py")]
    files += [COMPILER / "local" / "evaluation.py", COMPILER / "cli" / "eval.py", COMPILER / "local" / "continuing.py"]
    found: set[str] = set()
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SLUG.fullmatch(node.value):
                found.add(node.value)
    return found - NO_SLUGS


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
