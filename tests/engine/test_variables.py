"""Variables: entry-time values, scopes, limits (step-functions facts 1.7, 1.8, 1.10)."""

from typing import Any


def test_assign_and_output_read_the_values_on_entry_and_variables_can_be_swapped(bench: Any) -> None:
    execution = bench(
        {
            "A": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "B"},
            "B": {
                "Type": "Pass",
                "Assign": {"a": "{% $b %}", "b": "{% $a %}"},
                "Output": ["{% $a %}", "{% $b %}"],
                "Next": "C",
            },
            "C": {
                "Type": "Pass",
                "Output": {"old": "{% $states.input %}", "new": ["{% $a %}", "{% $b %}"]},
                "End": True,
            },
        }
    )
    assert execution.output == {"old": [1, 2], "new": [2, 1]}
    assert execution.variables == {"a": 2, "b": 1}


def test_a_failing_assign_assigns_nothing(bench: Any, make_task: Any) -> None:
    execution = bench(
        {
            "T": make_task(
                Assign={"a": 1, "b": "{% $no %}"},
                Catch=[{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "C"}],
            ),
            "C": {"Type": "Pass", "Output": "{% $exists($a) %}", "End": True},
        }
    )
    assert execution.output is False


def test_a_wait_assigns_when_it_ends(bench: Any) -> None:
    execution = bench(
        {
            "W": {"Type": "Wait", "Seconds": 60, "Assign": {"t": "{% $now() %}"}, "Next": "P"},
            "P": {"Type": "Pass", "Output": "{% $t %}", "End": True},
        }
    )
    assert execution.output == "2025-01-01T00:01:00.000Z"


def test_branches_read_outer_variables_and_keep_their_own(bench: Any) -> None:
    def branch(name: str) -> dict[str, Any]:
        return {
            "StartAt": name,
            "States": {
                name: {"Type": "Pass", "Assign": {"inner": name}, "Next": f"{name}2"},
                f"{name}2": {"Type": "Pass", "Output": "{% $outer & $inner %}", "End": True},
            },
        }

    execution = bench(
        {
            "A": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "P"},
            "P": {"Type": "Parallel", "Branches": [branch("x"), branch("y")], "Next": "Z"},
            "Z": {
                "Type": "Pass",
                "Output": {"joined": "{% $states.input %}", "inner": "{% $exists($inner) %}"},
                "End": True,
            },
        }
    )
    assert execution.output == {"joined": ["ox", "oy"], "inner": False}


def test_iterations_do_not_see_each_other(bench: Any) -> None:
    processor = {
        "StartAt": "I",
        "States": {
            "I": {
                "Type": "Pass",
                "Output": "{% $exists($mine) %}",
                "Assign": {"mine": "{% $states.input %}"},
                "Next": "J",
            },
            "J": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $mine %}"], "End": True},
        },
    }
    execution = bench(
        {"M": {"Type": "Map", "Items": [1, 2], "MaxConcurrency": 1, "ItemProcessor": processor, "End": True}}
    )
    assert execution.output == [[False, 1], [False, 2]]


def test_nulls_and_containers_with_nulls_survive_as_variables(bench: Any) -> None:
    value = {"a": None, "b": [None, {"c": None}]}
    execution = bench(
        {
            "A": {"Type": "Pass", "Assign": {"n": None, "v": value}, "Next": "B"},
            "B": {
                "Type": "Pass",
                "Output": ["{% $n %}", "{% $v %}", "{% [$v.b[$ = null]] %}", "{% $v.a = null %}"],
                "End": True,
            },
        }
    )
    assert execution.output == [None, value, [None], True]


def test_a_variable_above_256_kib_fails_the_state(bench: Any) -> None:
    execution = bench({"A": {"Type": "Pass", "Assign": {"v": "{% $pad('', 262144, 'x') %}"}, "End": True}})
    assert execution.error == "States.DataLimitExceeded"


def test_all_variables_together_hold_10_mib(bench: Any) -> None:
    big = "x" * 262_000
    states = {f"S{at}": {"Type": "Pass", "Assign": {f"v{at}": big}, "Next": f"S{at + 1}"} for at in range(41)}
    states["S41"] = {"Type": "Pass", "End": True}
    execution = bench(states)
    assert (execution.error, execution.failure.state) == ("States.DataLimitExceeded", "S40")
