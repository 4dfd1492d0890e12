"""Machines of which it can be told what Step Functions does with them, needing nothing but Step Functions itself.

A case is created, started and compared: status, output, error, cause, and the types of its history's events. What our
engine does is written down in `expected.json`. A case with a `question` has no expectation: nobody who wrote this knew
AWS's answer, and a run on an account reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SDK: Final = "arn:aws:states:::aws-sdk:sfn"
START: Final = "arn:aws:states:::states:startExecution"
CHILD: Final = "@CHILD@"
"""Stands for the ARN of the machine that runs as a child: it does what its input's `do` says."""
GOOD: Final = '{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}'

CHILD_STATES: Final[dict[str, Any]] = {
    "Which": {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $states.input.do = 'fail' %}", "Next": "Fails"},
            {"Condition": "{% $states.input.do = 'answer' %}", "Next": "Answers"},
            {"Condition": "{% $states.input.do = 'refuse' %}", "Next": "Refuses"},
        ],
        "Default": "Returns",
    },
    "Returns": {"Type": "Pass", "Output": {"got": "{% $states.input.value %}"}, "End": True},
    "Fails": {"Type": "Fail", "Error": "ChildError", "Cause": "the child's own cause"},
    "Answers": {
        "Type": "Task",
        "Resource": f"{SDK}:sendTaskSuccess",
        "Arguments": {"TaskToken": "{% $states.input.token %}", "Output": '{"answered": true}'},
        "End": True,
    },
    "Refuses": {
        "Type": "Task",
        "Resource": f"{SDK}:sendTaskFailure",
        "Arguments": {"TaskToken": "{% $states.input.token %}", "Error": "Refused", "Cause": "no thanks"},
        "End": True,
    },
}


@dataclass(frozen=True)
class Case:
    """A machine, its input, and how to look at it."""

    name: str
    states: Mapping[str, Any]
    input: Any = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the machine."""
    question: str = ""
    """What AWS is asked; the case then has no expectation."""
    concurrent: bool = False
    """Whether events of branches may come in any order."""
    redrive: bool = False
    """Whether the execution is redriven once it has ended."""
    only_create: bool = False

    @property
    def definition(self) -> dict[str, Any]:
        return {"QueryLanguage": "JSONata", "StartAt": next(iter(self.states)), "States": self.states, **self.more}


def states(**given: Mapping[str, Any]) -> dict[str, Any]:
    """States that follow one another unless they say otherwise."""
    names = list(given)
    made = {}
    for at, (name, state) in enumerate(given.items()):
        moves = {"Next", "End"} & state.keys() or state["Type"] in ("Choice", "Fail", "Succeed")
        follow = {"Next": names[at + 1]} if at + 1 < len(names) else {"End": True}
        made[name] = dict(state) if moves else {**state, **follow}
    return made


def put(output: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Output": output, **more}


def graph(**given: Mapping[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(given)), "States": states(**given)}


def validates(**more: Any) -> dict[str, Any]:
    """A Task that succeeds."""
    arguments = {"Definition": GOOD}
    return {"Type": "Task", "Resource": f"{SDK}:validateStateMachineDefinition", "Arguments": arguments, **more}


def breaks(**more: Any) -> dict[str, Any]:
    """A Task whose call is refused."""
    arguments = {"TaskToken": "no token", "Output": "{}"}
    return {"Type": "Task", "Resource": f"{SDK}:sendTaskSuccess", "Arguments": arguments, **more}


def caught(*errors: str, **more: Any) -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(errors), "Next": "Caught", **more}]


ERROR: Final = {"Type": "Pass", "Output": {"error": "{% $states.input.Error %}"}}
LONG: Final = "$pad('', 270000, 'x')"


def functions() -> dict[str, str]:
    """Expressions, each of which may fail by itself without failing the others: one case each would cost more."""
    return {
        "partition": "$partition([1..5], 2)",
        "range one": "$range(1, 1, 1)",
        "range": "$range(0, 10, 5)",
        "hash": "$hash('abc', 'SHA-256')",
        "uuid": "$length($uuid())",
        "random seed": "$random(7) = $random(7)",
        "parse": """$parse('{"a": [1, 2]}')""",
        "big integer text": "$string(5890840712243077)",
        "fraction text": "$string(2/3)",
        "sum of fractions": "0.1 + 0.2",
        "count of null": "$count(null)",
        "number text": "$string(1e-7)",
        "base64": "$base64encode('abc')",
        "sort ties": "$sort([{'k':1,'v':'a'},{'k':1,'v':'b'}], function($l,$r){$l.k > $r.k}).v",
        "length of emoji": "$length('😀')",
        "end before newline": "$contains('a\\n', /a$/)",
        "division by zero": "1/0",
        "one match": "$filter([1,2,3], function($v){$v = 2})",
        "array kept": "[$filter([1,2,3], function($v){$v = 2})]",
        "not of missing": "$exists($not($states.input.missing))",
        "missing equals": "$states.input.missing = 1",
        "boolean of lists": "[$boolean([0]), $boolean([[]]), $boolean({})]",
        "merge": "$merge([{'a':1},{'a':2,'b':3}])",
        "keys of one": "$keys({'a':1})",
        "round half": "[$round(2.5), $round(3.5), $round(2.675, 2)]",
        "modulo": "5.5 % 2",
        "lower": "$lowercase('ß')",
        "milliseconds": "$type($millis())",
        "format": "$formatNumber(1234.5, '#,##0.00')",
        "from millis": "$fromMillis(0)",
        "in": "[1 in [1, 2], 'a' in 'a']",
        "string of object": "$string({'a': [1, 'é']})",
        "replace": "$replace('abc', 'b', '$0')",
        "split": "$split('a1b', /\\d/)",
        "append nothing": "$append([], $states.input.missing)",
        "null in object": "{'a': null, 'b': $states.input.missing}",
    }
