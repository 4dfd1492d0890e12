"""What the tests of local runs share: small machines, and how to run them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from stepsmith.document import Json
from stepsmith.engine import Execution
from stepsmith.local.aws import LocalAws

MakeAws: TypeAlias = Callable[..., Any]


def machine(states: Mapping[str, Json], start: str | None = None, **more: Json) -> str:
    """A definition in JSONata mode; each state goes to the next one unless it says otherwise."""
    names = list(states)
    filled: dict[str, Json] = {}
    for at, (name, state) in enumerate(states.items()):
        assert isinstance(state, dict)
        moves = "Next" in state or "End" in state or state["Type"] in ("Choice", "Fail", "Succeed")
        follow: dict[str, Json] = {"Next": names[at + 1]} if at + 1 < len(names) else {"End": True}
        filled[name] = state if moves else {**state, **follow}
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": start or names[0], "States": filled, **more})


def invoke(function: str, payload: Json, **more: Json) -> dict[str, Json]:
    """A Task that invokes a function of the local stack."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:local-{function}"
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": arn, "Payload": payload},
        "Output": "{% $states.result.Payload %}",
        **more,
    }


def run(aws: LocalAws, definition: str, data: Json = None, name: str = "run-1") -> Execution:
    """Creates a machine, starts it and runs it to its end."""
    arn = aws.create_machine(f"machine-{name}", definition)
    execution = aws.start_execution(arn, json.dumps(data if data is not None else {}), name)
    aws.engine.run(until=execution)
    return execution


def make_table(dynamodb: Any) -> None:
    """The table `table`: keys `p` and `s`, and the index `index` by `g` and `s`."""
    dynamodb.create_table(
        TableName="table",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "s", "g")],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "index",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def table_item(partition: str, sort: str, **more: str) -> dict[str, Any]:
    """An item of that table, all of whose attributes are text."""
    return {name: {"S": value} for name, value in {"p": partition, "s": sort, **more}.items()}
