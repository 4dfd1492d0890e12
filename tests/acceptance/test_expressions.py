"""What conditions and templates may say, and that data stay data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.conftest import Desk


def report_after_scan(condition: str) -> str:
    return f"""
        name: scanned
        steps:
          - id: scan
            action: network_scan
            params: {{target: 10.0.0.1, scan_type: basic}}
            on_failure: continue
          - id: report
            if: "{{{{ {condition} }}}}"
            action: note
            params: {{text: found}}
    """


@pytest.mark.row("S0-024", "S0-025", "S0-008", "S4-006", "S4-096")
@pytest.mark.parametrize(
    ("condition", "ports", "ran"),
    [
        ("steps.scan.status == 'succeeded'", [], True),
        ("steps.scan.status == 'failed'", [], False),
        ("steps.scan.output.open_ports | default([]) | length > 0", [], False),
        ("steps.scan.output.open_ports | default([]) | length > 0", [22], True),
        ("steps.scan.status == 'succeeded'", None, False),
        ("steps.scan.status == 'failed'", None, True),
        ("steps.scan.output.open_ports | default([]) | length > 0", None, False),
    ],
)
def test_a_condition_tests_a_status_or_a_part_of_an_output(
    desk: Desk, condition: str, ports: list[int] | None, ran: bool
) -> None:
    """`ports` is what the scan found; None for a scan that failed."""
    found = json.dumps([{"host": "h", "port": port} for port in ports or []])
    mock = f"scan: {{return: {{open_ports: {found}}}}}" if ports is not None else "scan: {raise: TargetUnknown}"
    result = desk.run(report_after_scan(condition), {}, mock)
    assert result.step("scan")["status"] == ("failed" if ports is None else "succeeded")
    assert result.step("report")["status"] == ("succeeded" if ran else "skipped")
    assert result.step("report")["output"] == ({"text": "found", "length": 5} if ran else None)
    assert result.step("report")["attempts"] == (1 if ran else 0)
    assert result.status == "succeeded"


@pytest.mark.row("S4-078", "S4-097", "S4-098")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"score": 9, "kind": "virus"}, True),
        ({"score": 9, "kind": "spam"}, False),
        ({"score": 3, "kind": "worm", "forced": True}, True),
        ({"score": 3, "kind": "worm"}, False),
        ({"score": 9, "kind": "virus", "trusted": True}, False),
    ],
)
def test_a_condition_combines_comparisons_booleans_and_parentheses(
    desk: Desk, given: dict[str, Any], expected: bool
) -> None:
    ran = desk.run(
        """
        name: combined
        input:
          score: {type: integer}
          kind: {type: string}
          forced: {type: boolean, default: false}
          trusted: {type: boolean, default: false}
        steps:
          - set: {limit: 5}
          - id: act
            if: >-
              {{ ((input.score > vars.limit and input.kind in ['virus', 'worm']) or input.forced)
                 and not input.trusted }}
            action: note
            params: {text: act}
        """,
        given,
    )
    assert ran.step("act")["status"] == ("succeeded" if expected else "skipped")


@pytest.mark.row("S4-137", "S4-109", "S4-012")
def test_counts_of_an_own_action_decide_later_steps(new_desk: Desk) -> None:
    text = """
        name: own-scan
        steps:
          - {id: scan, action: custom_scan, params: {scan_path: inbox}}
          - id: alarm
            if: "{{ steps.scan.output.threats_found > 0 and steps.scan.output.files_scanned < 10 }}"
            action: note
            params: {text: "{{ steps.scan.output.threats_found }} of {{ steps.scan.output.files_scanned }}"}
    """
    new_desk.write("inbox/a", "fine")
    assert new_desk.run(text).step("alarm")["status"] == "skipped"
    new_desk.write("inbox/b", "a threat")
    assert new_desk.run(text).step("alarm")["output"]["text"] == "1 of 2"
    assert new_desk.journal == ["1 of 2"]


@pytest.mark.row("S1-014")
def test_values_are_put_into_params_by_templates(desk: Desk) -> None:
    ran = desk.run(
        """
        name: filled
        input: {who: {type: string}, n: {type: integer}, tags: {type: array, items: {type: string}}}
        steps:
          - id: mixed
            action: note
            params: {text: "{{ input.who | upper }}: {{ input.n * 2 }} [{{ input.tags | join('/') }}]"}
          - id: picked
            action: note
            params: {text: "{{ 'many' if input.n > 3 else 'few' }} after {{ steps.mixed.output.length }}"}
        output: {n: "{{ input.n }}", tags: "{{ input.tags }}"}
        """,
        {"who": "ada", "n": 4, "tags": ["x", "y"]},
    )
    assert ran.step("mixed")["output"]["text"] == "ADA: 8 [x/y]"
    assert ran.step("picked")["output"]["text"] == "many after 12"
    assert ran.result["output"] == {"n": 4, "tags": ["x", "y"]}


@pytest.mark.row("S1-139")
def test_templates_are_compiled_before_a_run(desk: Desk) -> None:
    """The machine holds expressions that Step Functions evaluates, and nothing of the template's own language."""
    text = """
        name: compiled
        input: {names: {type: array, items: {type: string}}}
        steps:
          - id: greet
            if: "{{ input.names | length > 1 }}"
            action: note
            params: {text: "hello {{ input.names | map('upper') | join(', ') }}"}
    """
    machine = desk.definition(text)
    assert "{{" not in json.dumps(machine)
    assert machine["QueryLanguage"] == "JSONata"
    filled = machine["States"]["greet"]["Arguments"]["Payload"]["params"]["text"]
    assert filled.startswith("{% ")
    assert "$uppercase" in filled
    tasks = [name for name, state in machine["States"].items() if state["Type"] == "Task"]
    assert tasks == ["greet"], "an expression costs no call"
    broken = desk.problems(text.replace("map('upper')", "mapp('upper')"))
    assert [problem["slug"] for problem in broken] == ["unknown-filter"]


@pytest.mark.row("S1-143")
def test_data_are_never_taken_for_a_template_or_a_command(new_desk: Desk) -> None:
    hostile = [
        "{{ run.id }}",
        "{% $states.context.Execution.Name %}",
        "${NoteFunction} $.x {# gone #}",
        "'; touch owned; echo $(touch owned) `touch owned` && touch owned #",
    ]
    text = """
        name: hostile
        input: {data: {type: string}}
        steps:
          - {id: keep, action: note, params: {text: "<{{ input.data }}>"}}
          - {id: show, action: run_script, params: {script: show.sh, args: ["{{ input.data }}"]}}
        output:
          kept: "{{ steps.keep.output.text }}"
          shown: "{{ steps.show.output.stdout }}"
          same: "{{ input.data }}"
    """
    for data in hostile:
        ran = new_desk.run(text, {"data": data})
        assert ran.result["output"] == {"kept": f"<{data}>", "shown": data, "same": data}
    assert not (new_desk.root / "owned").exists()
