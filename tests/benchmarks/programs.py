"""Equal programs in our language and in sfnx's: a line of N calls, each given a text and what the one before put out.

sfnx is a compiler from Python to the same language of AWS; no other one is as near to ours.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from stepsmith.catalog import ActionCatalog, read_catalog

CATALOG = Path(__file__).parents[2] / "functions" / "catalog.json"


def linear_workflow(steps: int, name: str = "linear") -> str:
    """The program as a workflow."""
    lines = [f"name: {name}", "input:", "  url: {type: string}", "steps:"]
    for number in range(steps):
        before = f"steps.call_{number - 1}.output.body" if number else "input.url"
        lines += [
            f"  - id: call_{number}",
            "    action: http_request",
            "    params:",
            f'      url: "{{{{ input.url }}}}/{number}"',
            f'      body: "{{{{ {before} }}}}"',
        ]
    return "\n".join([*lines, "output:", f'  body: "{{{{ steps.call_{steps - 1}.output.body }}}}"', ""])


def diamonds_workflow(steps: int) -> str:
    """A graph of diamonds one behind another, which can be nested as it is."""
    return _graph([[at - at % 3] if at % 3 else [at - 2, at - 1] if at else [] for at in range(steps)])


def crossing_workflow(steps: int, seed: int = 1) -> str:
    """A graph whose needs cross: each step needs up to two of the ten before it."""
    dice = random.Random(seed)
    return _graph([dice.sample(range(max(0, at - 10), at), min(at, dice.randint(0, 2))) for at in range(steps)])


def _graph(needs: list[list[int]]) -> str:
    steps = [
        f"  - {{id: s{at}, action: http_request, params: {{url: u}}, needs: [{', '.join(f's{one}' for one in each)}]}}"
        for at, each in enumerate(needs)
    ]
    return "\n".join(["name: graph", "steps:", *steps, ""])


def linear_sfnx(steps: int) -> str:
    """The program in sfnx's Python."""
    lines = ["from sfnx import aws, state_machine", "", "", "@state_machine", "def linear(input: dict):"]
    for number in range(steps):
        before = f'call_{number - 1}["Payload"]["body"]' if number else 'input["url"]'
        payload = f'{{"url": f"{{input[\'url\']}}/{number}", "body": {before}}}'
        call = f'aws.optimized.lambda_.invoke(FunctionName="http_request", Payload={payload})'
        lines.append(f"    call_{number} = {call}")
    return "\n".join([*lines, f'    return {{"body": call_{steps - 1}["Payload"]["body"]}}', ""])


def notes_workflow(steps: int) -> str:
    """A line of `generate_report` steps, which need nothing but the emulated S3."""
    lines = ["name: notes", "steps:"]
    for number in range(steps):
        lines += [
            f"  - id: note_{number}",
            "    action: generate_report",
            f"    params: {{report_type: summary, format: json, title: Note {number}, data: {{number: {number}}}}}",
        ]
    return "\n".join([*lines, ""])


def catalog() -> ActionCatalog:
    """The project's actions."""
    return read_catalog(CATALOG.read_text(encoding="utf-8"))


def lambda_chain(steps: int, function: str, *, jsonata: bool) -> str:
    """A machine of `steps` Lambda calls, in JSONata for our engine or in JSONPath, which is all that moto evaluates."""
    states: dict[str, object] = {}
    for number in range(steps):
        state: dict[str, object] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
        call = {"FunctionName": function, "Payload": {"number": number}}
        if jsonata:
            state |= {"Arguments": call, "Output": "{% $states.result.Payload %}"}
        else:
            state |= {"Parameters": call, "OutputPath": "$.Payload"}
        states[f"S{number}"] = state | ({"Next": f"S{number + 1}"} if number + 1 < steps else {"End": True})
    language = {"QueryLanguage": "JSONata"} if jsonata else {}
    return json.dumps({**language, "StartAt": "S0", "States": states})
