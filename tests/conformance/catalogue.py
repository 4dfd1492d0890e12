"""The cases: every kind of state, and the questions that the sources of our engine leave open."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.cases import (
    CHILD,
    ERROR,
    LONG,
    SDK,
    START,
    Case,
    breaks,
    caught,
    functions,
    graph,
    put,
    states,
    validates,
)

ONCE_REDRIVEN: Final = (
    "{% $states.context.Execution.RedriveCount = 0 ? {'Definition': null + 1} : {'Definition': '{}'} %}"
)
ONCE_RETRIED: Final = "{% $states.context.State.RetryCount = 0 ? {'Definition': null + 1} : {'Definition': '{}'} %}"
"""Arguments that fail at first."""

_PASS: Final = (
    Case("pass-literals", states(A=put({"null": None, "big": 12345678901234567890, "empty": "", "list": [[], {}]}))),
    Case("pass-hands-on-its-input", states(A={"Type": "Pass"}), {"a": [1]}),
    Case("pass-near-expressions", states(A=put({"a": " {% 1 %}", "b.$": "$.x", "c": "{% 1 %} "}))),
    Case("pass-undefined", states(A=put({"a": "{% $states.input.missing %}"}))),
    Case("pass-undefined-member-is-dropped", states(A=put("{% {'a': $states.input.missing, 'b': 1} %}"))),
    Case("pass-function-as-result", states(A=put("{% $sum %}"))),
    Case("pass-type-error", states(A=put("{% 1 + 'a' %}"))),
    Case("pass-unknown-function", states(A=put("{% $nothing(1) %}"))),
    Case(
        "assign-and-output-see-old-values",
        states(
            A=put(1, Assign={"x": 1, "y": 2}),
            B=put("{% [$x, $y] %}", Assign={"x": "{% $y %}", "y": "{% $x %}"}),
            C=put("{% {'before': $states.input, 'after': [$x, $y]} %}"),
        ),
    ),
    Case("variable-never-assigned", states(A=put("{% $nowhere %}"))),
    Case("assign-that-fails-assigns-nothing", states(A={"Type": "Pass", "Assign": {"x": 1, "y": "{% $nothing.a %}"}})),
    Case(
        "context",
        states(
            A=put(
                {
                    "state": "{% $states.context.State.Name %}",
                    "redrives": "{% $states.context.Execution.RedriveCount %}",
                    "input": "{% $states.context.Execution.Input %}",
                    "retries": "{% $exists($states.context.State.RetryCount) %}",
                }
            )
        ),
        {"a": 1},
    ),
    Case("jsonata", states(A=put({name: f"{{% {text} %}}" for name, text in functions().items()}))),
    *(
        Case(f"jsonata-{name}", states(A=put(f"{{% {text} %}}")))
        for name, text in {
            "partition-zero": "$partition([1], 0)",
            "range-none": "$range(2, 1, 1)",
            "hash-unknown": "$hash('a', 'md5')",
            "parse-null": "$parse(null)",
            "parse-twice-a-key": """$parse('{"a":1,"a":2}')""",
            "eval": "$eval('1')",
            "modulo-zero": "5 % 0",
            "compare-kinds": "1 < 'a'",
            "number-of-text": "$number('x')",
        }.items()
    ),
)

_FLOW: Final = (
    Case(
        "choice-rule",
        states(
            C={
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input.n > 5 %}", "Next": "Big", "Output": "big", "Assign": {"x": 1}},
                    {"Condition": "{% $states.input.n > 3 %}", "Next": "Big", "Output": "middle"},
                ],
                "Default": "Small",
                "Output": "default",
                "Assign": {"x": 0},
            },
            Big=put("{% [$states.input, $exists($x)] %}", End=True),
            Small=put("small"),
        ),
        {"n": 4},
    ),
    Case(
        "choice-default",
        states(
            C={
                "Type": "Choice",
                "Choices": [{"Condition": "{% false %}", "Next": "End"}],
                "Default": "End",
                "Output": "default",
                "Assign": {"x": 7},
            },
            End=put("{% [$states.input, $x] %}"),
        ),
    ),
    Case(
        "choice-literal-condition",
        states(C={"Type": "Choice", "Choices": [{"Condition": True, "Next": "End"}]}, End=put("taken")),
    ),
    Case(
        "choice-no-match",
        states(C={"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "End"}]}, End=put(1)),
    ),
    Case(
        "choice-undefined-condition",
        states(C={"Type": "Choice", "Choices": [{"Condition": "{% $states.input.x %}", "Next": "End"}]}, End=put(1)),
    ),
    Case("wait-seconds", states(W={"Type": "Wait", "Seconds": "{% $states.input.n %}", "Output": "waited"}), {"n": 1}),
    Case("wait-zero", states(W={"Type": "Wait", "Seconds": 0})),
    Case("wait-until-the-past", states(W={"Type": "Wait", "Timestamp": "2020-01-01T00:00:00Z"})),
    Case("wait-fraction", states(W={"Type": "Wait", "Seconds": "{% 1.5 %}"})),
    Case("wait-negative", states(W={"Type": "Wait", "Seconds": "{% -1 %}"})),
    Case("wait-without-a-zone", states(W={"Type": "Wait", "Timestamp": "{% '2020-01-01T00:00:00' %}"})),
    Case("succeed", states(S={"Type": "Succeed", "Output": {"a": "{% $states.input.a %}"}}), {"a": 1}),
    Case("fail", states(F={"Type": "Fail", "Error": "{% 'E' & $states.input.n %}", "Cause": "why"}), {"n": 1}),
    Case("fail-with-nothing", states(F={"Type": "Fail"})),
    Case("machine-timeout", states(W={"Type": "Wait", "Seconds": 4}), more={"TimeoutSeconds": 2}),
)

_TASKS: Final = (
    Case("task", states(T=validates(Output="{% $states.result.Result %}"))),
    Case(
        "task-assign-of-the-result", states(T=validates(Assign={"r": "{% $states.result.Result %}"}), B=put("{% $r %}"))
    ),
    Case("task-fails", states(T=breaks())),
    *(
        Case(f"task-caught-by-{name}", states(T=breaks(Catch=caught(error)), Not=put(0, End=True), Caught=ERROR))
        for name, error in {
            "name": "Sfn.InvalidTokenException",
            "all": "States.ALL",
            "task-failed": "States.TaskFailed",
            "another-name": "Sfn.InvalidToken",
        }.items()
    ),
    Case(
        "task-catch-assigns",
        states(
            T=breaks(
                Assign={"x": 1},
                Catch=caught("States.ALL", Assign={"y": "{% $states.errorOutput.Error %}"}, Output="out"),
            ),
            Caught=put("{% [$states.input, $exists($x), $y] %}"),
        ),
    ),
    Case(
        "task-retried",
        states(
            T=breaks(
                Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
                Catch=caught("States.ALL", Output="{% $states.context.State.RetryCount %}"),
            ),
            Not=put(0, End=True),
            Caught={"Type": "Pass"},
        ),
    ),
    Case(
        "task-retried-until-it-works",
        states(
            T={
                **breaks(Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]),
                "Resource": f"{SDK}:validateStateMachineDefinition",
                "Arguments": ONCE_RETRIED,
                "Output": "{% $states.result.Result %}",
            }
        ),
    ),
    Case(
        "task-first-retrier-counts",
        states(
            T=breaks(
                Retry=[
                    {"ErrorEquals": ["Sfn.InvalidTokenException"], "MaxAttempts": 0},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 3},
                ]
            )
        ),
    ),
    *(
        Case(
            f"task-{field}-fails-is-caught",
            states(T=validates(**{field: value}, Catch=caught("States.QueryEvaluationError")), Caught=ERROR),
        )
        for field, value in {
            "Arguments": {"Definition": "{% $states.input.missing %}"},
            "Output": "{% $states.input.missing %}",
            "Assign": {"x": "{% $states.input.missing %}"},
        }.items()
    ),
    Case(
        "task-query-error-is-no-task-failed",
        states(T=validates(Output="{% $states.input.missing %}", Catch=caught("States.TaskFailed")), Caught=ERROR),
    ),
    Case(
        "task-catch-output-fails",
        states(T=breaks(Catch=caught("States.ALL", Output="{% $states.input.missing %}")), Caught=ERROR),
    ),
)


def _waits(pattern: str, more: dict[str, Any], do: str = "return") -> dict[str, Any]:
    token = {"token": "{% $states.context.Task.Token %}"} if pattern == ".waitForTaskToken" else {}
    given = {"do": do, "value": 7, **token}
    return {
        "Type": "Task",
        "Resource": f"{START}{pattern}",
        "Arguments": {"StateMachineArn": CHILD, "Input": given},
        **more,
    }


_CHILDREN: Final = (
    Case("child", states(T=_waits(".sync:2", {"Output": "{% $states.result.Output %}"}))),
    Case("child-as-text", states(T=_waits(".sync", {"Output": "{% $states.result.Output %}"}))),
    Case(
        "child-fails",
        states(
            T=_waits(
                ".sync:2",
                {"Catch": caught("States.TaskFailed", Output="{% $parse($states.errorOutput.Cause).Error %}")},
                "fail",
            ),
            Caught={"Type": "Pass"},
        ),
    ),
    Case(
        "callback",
        states(T=_waits(".waitForTaskToken", {"TimeoutSeconds": 60, "Output": "{% $states.result %}"}, "answer")),
    ),
    Case(
        "callback-refused",
        states(
            T=_waits(".waitForTaskToken", {"TimeoutSeconds": 60, "Catch": caught("Refused")}, "refuse"),
            Caught=put("{% $states.input %}"),
        ),
    ),
    Case(
        "callback-timeout",
        states(
            T=_waits(".waitForTaskToken", {"TimeoutSeconds": 2, "Catch": caught("States.Timeout")}),
            Caught={"Type": "Pass"},
        ),
    ),
    Case(
        "callback-timeout-is-no-task-failed",
        states(
            T=_waits(".waitForTaskToken", {"TimeoutSeconds": 2, "Catch": caught("States.TaskFailed")}),
            Caught={"Type": "Pass"},
        ),
    ),
)

_NESTED: Final = (
    Case(
        "parallel",
        states(
            A={"Type": "Pass", "Assign": {"x": 1}},
            P={
                "Type": "Parallel",
                "Arguments": {"n": "{% $states.input.n + 1 %}"},
                "Branches": [graph(P1=put("{% [$states.input.n, $x] %}")), graph(P2={"Type": "Wait", "Seconds": 1})],
            },
        ),
        {"n": 1},
        concurrent=True,
    ),
    Case(
        "parallel-branch-fails",
        states(
            P={
                "Type": "Parallel",
                "Branches": [
                    graph(P1={"Type": "Fail", "Error": "E", "Cause": "c"}),
                    graph(P2={"Type": "Wait", "Seconds": 3}),
                ],
                "Catch": caught("E"),
            },
            Not=put(0, End=True),
            Caught={"Type": "Pass"},
        ),
        concurrent=True,
    ),
    Case(
        "parallel-inner-variables-vanish",
        states(
            P={"Type": "Parallel", "Branches": [graph(P1=put(1, Assign={"inner": 1}))]}, B=put("{% $exists($inner) %}")
        ),
    ),
    Case(
        "parallel-retried",
        states(
            P={
                "Type": "Parallel",
                "Branches": [graph(P1={"Type": "Fail", "Error": "E"})],
                "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1, "IntervalSeconds": 1}],
                "Catch": caught("States.ALL"),
            },
            Not=put(0, End=True),
            Caught={"Type": "Pass"},
        ),
    ),
    Case(
        "map",
        states(
            M={
                "Type": "Map",
                "Items": "{% [1..3] %}",
                "MaxConcurrency": 1,
                "ItemSelector": {
                    "i": "{% $states.context.Map.Item.Index %}",
                    "v": "{% $states.context.Map.Item.Value %}",
                },
                "ItemProcessor": graph(I=put("{% [$states.input.i, $states.input.v * 2] %}")),
            }
        ),
    ),
    Case("map-of-nothing", states(M={"Type": "Map", "Items": [], "ItemProcessor": graph(I={"Type": "Pass"})})),
    Case("map-of-no-array", states(M={"Type": "Map", "Items": "{% 1 %}", "ItemProcessor": graph(I={"Type": "Pass"})})),
    Case(
        "map-of-one-match",
        states(M={"Type": "Map", "Items": "{% [1,2][$ = 1] %}", "ItemProcessor": graph(I={"Type": "Pass"})}),
    ),
    Case(
        "map-item-fails",
        states(
            M={
                "Type": "Map",
                "Items": [1, 2],
                "MaxConcurrency": 1,
                "ItemProcessor": graph(I={"Type": "Fail", "Error": "{% 'E' & $states.input %}"}),
                "Catch": caught("States.ALL"),
            },
            Not=put(0, End=True),
            Caught=ERROR,
        ),
    ),
    Case(
        "map-context-inside",
        states(
            M={
                "Type": "Map",
                "Items": [1],
                "ItemProcessor": graph(I=put("{% $exists($states.context.Map.Item.Index) %}")),
            }
        ),
    ),
    Case(
        "distributed-map",
        states(
            M={
                "Type": "Map",
                "Items": [1, 2],
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **graph(I=put("{% $states.input * 2 %}")),
                },
            }
        ),
    ),
    Case(
        "distributed-map-batches",
        states(
            M={
                "Type": "Map",
                "Items": [1, 2, 3],
                "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"b": 1}},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **graph(I={"Type": "Pass"}),
                },
            }
        ),
    ),
    Case(
        "distributed-map-over-the-threshold",
        states(
            M={
                "Type": "Map",
                "Items": [1],
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    **graph(I={"Type": "Fail", "Error": "E"}),
                },
            }
        ),
    ),
    Case(
        "redrive",
        states(
            A={"Type": "Pass", "Assign": {"x": 5}},
            T=validates(
                Arguments=ONCE_REDRIVEN,
                Output="{% [$x, $states.result.Result] %}",
            ),
        ),
        redrive=True,
    ),
)

_REFUSED: Final = tuple(
    Case(f"refused-{name}", made, only_create=True)
    for name, made in {
        "target": {"A": {"Type": "Pass", "Next": "Nowhere"}},
        "unreachable": {"A": {"Type": "Pass", "End": True}, "B": {"Type": "Pass", "End": True}},
        "no-parse": states(A=put("{% 1 + %}")),
        "elvis": states(A=put("{% $states.input.a ?: 1 %}")),
        "result-in-pass": states(A=put("{% $states.result %}")),
        "top-level-name": states(A=put("{% a %}")),
        "duplicate": states(P={"Type": "Parallel", "Branches": [graph(X=put(1))]}, X=put(2)),
        "outer-variable": states(
            A={"Type": "Pass", "Assign": {"x": 1}},
            P={"Type": "Parallel", "Branches": [graph(X={"Type": "Pass", "Assign": {"x": 2}})]},
        ),
        "jsonpath-field": states(A={"Type": "Pass", "Result": 1}),
        "error-output-outside-catch": states(A=put("{% $states.errorOutput %}")),
    }.items()
)

_LIMITS: Final = tuple(
    Case(f"limit-{name}", made, concurrent=True, question=f"2: is a {name} over 256 KiB caught by States.ALL?")
    for name, made in {
        "arguments": states(
            T=validates(Arguments={"Definition": f"{{% {LONG} %}}"}, Catch=caught("States.ALL")), Caught=ERROR
        ),
        "assign": states(T=validates(Assign={"x": f"{{% {LONG} %}}"}, Catch=caught("States.ALL")), Caught=ERROR),
        "output": states(T=validates(Output=f"{{% {LONG} %}}", Catch=caught("States.ALL")), Caught=ERROR),
        "joined array": states(
            P={
                "Type": "Parallel",
                "Branches": [
                    graph(X1=put("{% $pad('', 150000, 'x') %}")),
                    graph(X2=put("{% $pad('', 150000, 'x') %}")),
                ],
                "Catch": caught("States.ALL"),
            },
            Caught=ERROR,
        ),
    }.items()
)

_QUESTIONS: Final = (
    *(
        Case(
            f"question-heartbeat-{name}",
            states(
                T=_waits(".waitForTaskToken", {"TimeoutSeconds": 30, "HeartbeatSeconds": 2, "Catch": caught(name)}),
                Caught=ERROR,
            ),
            question="1: which name does a missed heartbeat show, and does this one catch it?",
        )
        for name in ("States.Timeout", "States.HeartbeatTimeout")
    ),
    Case(
        "question-condition",
        states(C={"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "End"}]}, End=put(1)),
        question="3: the error of a Condition that is no boolean",
    ),
    Case("question-timeout-zero", states(T=validates(TimeoutSeconds="{% 0 %}")), question="3: a TimeoutSeconds of 0"),
    Case(
        "question-timeout-text", states(T=validates(TimeoutSeconds="{% 'a' %}")), question="3: a TimeoutSeconds of text"
    ),
    Case("question-fail-null", states(F={"Type": "Fail", "Error": "{% null %}"}), question="3: an Error of null"),
    Case(
        "question-retry-expression",
        states(T=breaks(Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": "{% 1 %}"}])),
        question="4: does Retry take expressions?",
        only_create=True,
    ),
    Case("question-marks-in-quotes", states(A=put("{% 'a %} b' %}")), question="9: does %} in a quoted text end it?"),
    Case(
        "question-ssm-token",
        states(
            T={
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ssm:sendCommand.waitForTaskToken",
                "Arguments": {
                    "DocumentName": "AWS-RunShellScript",
                    "Parameters": {"commands": ["{% $states.context.Task.Token %}"]},
                },
            }
        ),
        question="10: is sendCommand.waitForTaskToken taken?",
        only_create=True,
    ),
    Case(
        "question-eks-token",
        states(
            T={
                "Type": "Task",
                "Resource": "arn:aws:states:::eks:runJob.waitForTaskToken",
                "Arguments": {"ClusterName": "c", "CertificateAuthority": "c", "Endpoint": "https://e", "Job": {}},
            }
        ),
        question="10: is eks:runJob.waitForTaskToken taken?",
        only_create=True,
    ),
    Case(
        "question-map-concurrency",
        states(
            M={
                "Type": "Map",
                "Items": "{% [1..60] %}",
                "ItemProcessor": graph(I={"Type": "Wait", "Seconds": 5, "Output": 1}),
                "Output": "{% $count($states.result) %}",
            }
        ),
        question="12: how many iterations of an inline Map run at once?",
        concurrent=True,
    ),
    Case(
        "question-redrive-variables",
        states(
            A={"Type": "Pass", "Assign": {"x": 1}},
            T=breaks(Catch=caught("States.ALL", Assign={"x": 2, "y": 3})),
            Caught=validates(
                Arguments=ONCE_REDRIVEN,
                Output="{% [$x, $exists($y) ? $y : 'gone'] %}",
            ),
        ),
        question="14: do variables that a catcher assigned survive a redrive?",
        redrive=True,
    ),
    Case(
        "question-redrive-inner-variables",
        states(
            P={
                "Type": "Parallel",
                "Branches": [
                    graph(
                        X1={"Type": "Pass", "Assign": {"x": 1}},
                        X2=validates(
                            Arguments=ONCE_REDRIVEN,
                            Output="{% $exists($x) ? $x : 'gone' %}",
                        ),
                    )
                ],
            },
        ),
        question="14: do inner variables of a redriven branch survive?",
        redrive=True,
    ),
)

CASES: Final = (*_PASS, *_FLOW, *_TASKS, *_CHILDREN, *_NESTED, *_REFUSED, *_LIMITS, *_QUESTIONS)
NOT_ASKED: Final = {
    5: "what CloudFormation does with an unknown ${x} needs a stack",
    6: "the error of a missing lambda:InvokeFunction needs a function",
    7: "what a status event holds needs EventBridge and something that receives",
    8: "what is billed is shown by the bill",
    11: "which models a converse with an inference profile may call needs Bedrock",
    13: "InputPathsMap needs EventBridge",
}
"""Open questions that Step Functions alone cannot answer; the fifteenth is part of the case `jsonata`."""
