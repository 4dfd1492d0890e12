"""Distributed Map: children, readers, batches, tolerance, results (step-functions facts 5.2, 8.1)."""

import json
from typing import Any

import pytest

from stepsmith.engine import Purpose, Status, TaskFailed, TaskSucceeded
from stepsmith.engine.states.readers import parse_items

READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "Arguments": {"Bucket": "b", "Key": "{% $states.input.key %}"},
}


def a_map(processor: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    states = processor or {"I": {"Type": "Pass", "End": True}}
    return {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": next(iter(states)),
            "States": states,
        },
        "End": True,
        **fields,
    }


FAILS_ON = {
    "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input < 0 %}", "Next": "F"}], "Default": "S"},
    "F": {"Type": "Fail", "Error": "Negative", "Cause": "below"},
    "S": {"Type": "Succeed"},
}


def test_children_are_executions_of_their_own_and_see_no_outer_variables(bench: Any) -> None:
    child = {
        "I": {
            "Type": "Pass",
            "Output": {
                "outer": "{% $exists($v) %}",
                "input": "{% $states.context.Execution.Input %}",
                "id": "{% $states.context.Execution.Id %}",
            },
            "End": True,
        }
    }
    execution = bench(
        {"V": {"Type": "Pass", "Assign": {"v": 1}, "Next": "M"}, "M": a_map(child, Items=["a", "b"], Label="Lab")}
    )
    assert [one["input"] for one in execution.output] == ["a", "b"]
    assert [one["outer"] for one in execution.output] == [False, False]
    assert [one["id"] for one in execution.output] == [child.arn for child in execution.children]
    first = execution.children[0]
    assert first.arn.startswith("arn:aws:states:us-east-1:123456789012:execution:StateMachine/Lab:")
    assert first.state_machine_arn.endswith(":stateMachine:StateMachine/Lab")
    assert first.map_run_arn == execution.events[5].details["mapRunArn"]
    assert first.parent is execution
    assert [event.type for event in execution.events][4:10] == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]


def test_the_members_of_an_object_are_items(bench: Any) -> None:
    assert bench({"M": a_map(Items={"a": 1, "b": 2})}).output == [
        {"Key": "a", "Value": 1},
        {"Key": "b", "Value": 2},
    ]
    selector = {"k": "{% $states.context.Map.Item.Key %}", "i": "{% $states.context.Map.Item.Index %}"}
    assert bench({"M": a_map(Items={"a": 1}, ItemSelector=selector)}).output == [{"k": "a", "i": 0}]


@pytest.mark.parametrize(
    ("fields", "fails"),
    [
        ({}, True),
        ({"ToleratedFailureCount": 0}, True),
        ({"ToleratedFailureCount": 1}, True),
        ({"ToleratedFailureCount": 2}, False),
        ({"ToleratedFailurePercentage": 40}, True),
        ({"ToleratedFailurePercentage": 50}, False),
        ({"ToleratedFailureCount": 2, "ToleratedFailurePercentage": 40}, True),
        ({"ToleratedFailureCount": "{% 3 %}"}, False),
    ],
)
def test_tolerance(bench: Any, fields: dict[str, Any], fails: bool) -> None:
    execution = bench({"M": a_map(FAILS_ON, Items=[1, -1, 2, -2], **fields)})
    if fails:
        assert execution.error == "States.ExceedToleratedFailureThreshold"
        assert execution.cause == "The specified tolerated failure threshold was exceeded"
        assert [event.type for event in execution.events][-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    else:
        kept = [one if isinstance(one, int) else (one["Status"], one["Error"]) for one in execution.output]
        assert kept == [1, ("FAILED", "Negative"), 2, ("FAILED", "Negative")]


def test_children_still_running_are_stopped_when_the_map_fails(bench: Any) -> None:
    child = {
        **FAILS_ON,
        "S": {"Type": "Wait", "Seconds": 100, "End": True},
    }
    execution = bench({"M": a_map(child, Items=[1, -1])})
    assert [one.status for one in execution.children] == [Status.ABORTED, Status.FAILED]
    assert execution.stopped == execution.started


def test_concurrency(bench: Any) -> None:
    wait = {"W": {"Type": "Wait", "Seconds": 10, "End": True}}
    execution = bench({"M": a_map(wait, Items="{% [1..10] %}", MaxConcurrency=4)})
    assert (execution.stopped - execution.started).total_seconds() == 30


def batches(bench: Any, **batcher: Any) -> Any:
    return bench({"M": a_map(Items=["aaaa", "bbbb", "cccc", "dddd", "eeee"], ItemBatcher=batcher)}).output


def test_batches_by_number_and_by_size(bench: Any) -> None:
    by_number = batches(bench, MaxItemsPerBatch=2, BatchInput={"x": "{% 1 + 1 %}"})
    assert [len(batch["Items"]) for batch in by_number] == [2, 2, 1]
    assert by_number[0]["BatchInput"] == {"x": 2}
    # {"Items":["aaaa","bbbb","cccc"]} has 32 bytes.
    assert [len(batch["Items"]) for batch in batches(bench, MaxInputBytesPerBatch=32)] == [3, 2]
    assert [len(batch["Items"]) for batch in batches(bench, MaxInputBytesPerBatch=31)] == [2, 2, 1]


def test_a_failed_batch_counts_each_of_its_items(bench: Any) -> None:
    fails = {"F": {"Type": "Fail", "Error": "E"}}
    fields = {"Items": [1, 2, 3, 4], "ItemBatcher": {"MaxItemsPerBatch": 2}}
    assert bench({"M": a_map(fails, ToleratedFailureCount=3, **fields)}).error is not None
    assert bench({"M": a_map(fails, ToleratedFailureCount=4, **fields)}).error is None


def stored(bench: Any, **objects: str) -> list[Any]:
    """Answer S3 requests from these objects; gives the list of what is written."""
    written: list[Any] = []

    def handler(call: Any) -> Any:
        action = call.resource.rsplit(":", 1)[-1]
        if action == "putObject":
            assert call.purpose is Purpose.RESULT_WRITER
            written.append(call.arguments)
            return TaskSucceeded({}, after=1)
        assert call.purpose is Purpose.ITEM_READER
        if action == "listObjectsV2":
            first = "ContinuationToken" not in call.arguments
            page = [{"Key": "one", "Size": 1}] if first else [{"Key": "two", "Size": 2}]
            more = {"IsTruncated": True, "NextContinuationToken": "t"} if first else {"IsTruncated": False}
            return TaskSucceeded({"Contents": page, **more})
        key = call.arguments["Key"]
        return TaskSucceeded({"Body": objects[key]}, after=2) if key in objects else TaskFailed("S3.NoSuchKey", "none")

    bench.handler = handler
    return written


def test_items_from_s3(bench: Any) -> None:
    stored(bench, data='[{"a": 1}, {"a": 2}, {"a": 3}]')
    reader = {**READER, "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% 2 %}"}}
    execution = bench({"M": a_map(ItemReader=reader)}, {"key": "data"})
    assert execution.output == [{"a": 1}, {"a": 2}]
    assert execution.events[2].details == {"length": 0}
    assert (execution.stopped - execution.started).total_seconds() == 2


def test_a_listing_from_s3_and_its_objects_flattened(bench: Any) -> None:
    stored(bench, one='{"a":1}\n{"a":2}', two='{"a":3}')
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": "b", "Prefix": "p"}}
    assert [one["Key"] for one in bench({"M": a_map(ItemReader=reader)}).output] == ["one", "two"]
    reader["ReaderConfig"] = {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}
    assert bench({"M": a_map(ItemReader=reader)}).output == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize(
    ("key", "config", "cause"),
    [
        ("gone", {"InputType": "JSON"}, "none"),
        ("object", {"InputType": "JSON"}, "Attempting to map over non-iterable node."),
        ("object", {"InputType": "JSON", "MaxItems": "{% -1 %}"}, "field MaxItems must be positive"),
        ("object", {"InputType": "PARQUET"}, "files of type PARQUET cannot be read here"),
    ],
)
def test_items_that_cannot_be_read(bench: Any, key: str, config: dict[str, Any], cause: str) -> None:
    stored(bench, object='{"Hello": "world"}')
    execution = bench({"M": a_map(ItemReader={**READER, "ReaderConfig": config})}, {"key": key})
    assert (execution.error, execution.cause) == ("States.ItemReaderFailed", cause)
    assert [event.type for event in execution.events][-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


@pytest.mark.parametrize(
    ("text", "config", "items"),
    [
        ("A,B\n1,2\n\n3\n4,5,6\n", {}, [{"A": "1", "B": "2"}, {"A": "3", "B": ""}, {"A": "4", "B": "5"}]),
        (
            '1|"a|b"\n',
            {"CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"], "CSVDelimiter": "PIPE"},
            [{"x": "1", "y": "a|b"}],
        ),
    ],
)
def test_csv(text: str, config: dict[str, Any], items: list[Any]) -> None:
    assert parse_items(text, {"InputType": "CSV", **config}) == items


def test_an_items_pointer() -> None:
    assert parse_items('{"a": [{"b": [1, 2]}]}', {"ItemsPointer": "/a/0/b"}) == [1, 2]


def test_results_written_to_s3(bench: Any) -> None:
    written = stored(bench)
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Arguments": {"Bucket": "out", "Prefix": "p/"},
        "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
    }
    execution = bench({"M": a_map(FAILS_ON, Items=[1, -1, 2], ToleratedFailureCount=1, ResultWriter=writer)})
    run = execution.output["MapRunArn"].rsplit(":", 1)[-1]
    assert execution.output["ResultWriterDetails"] == {"Bucket": "out", "Key": f"p/{run}/manifest.json"}
    assert [one["Key"].rsplit("/", 1)[-1] for one in written] == ["SUCCEEDED_0.json", "FAILED_0.json", "manifest.json"]
    assert json.loads(written[0]["Body"]) == [1, 2]
    assert json.loads(written[1]["Body"])[0]["Error"] == "Negative"
    manifest = json.loads(written[2]["Body"])
    assert manifest["ResultFiles"]["SUCCEEDED"] == [{"Key": f"p/{run}/SUCCEEDED_0.json", "Size": 5}]
    assert (execution.stopped - execution.started).total_seconds() == 3


def test_results_flattened_without_writing(bench: Any) -> None:
    writer = {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}
    assert bench({"M": a_map(Items=[[1, 2], [3], 4], ResultWriter=writer)}).output == [1, 2, 3, 4]


def test_a_retry_starts_a_new_map_run(bench: Any, make_task: Any) -> None:
    bench.handler = lambda call: TaskFailed("E") if len(bench.calls) == 1 else TaskSucceeded(call.arguments)
    child = {"T": make_task(Arguments="{% $states.input %}")}
    execution = bench({"M": a_map(child, Items=[1, 2], MaxConcurrency=1, Retry=[{"ErrorEquals": ["States.ALL"]}])})
    assert execution.output == [1, 2]
    runs = {event.details["mapRunArn"] for event in execution.events if event.type == "MapRunStarted"}
    assert len(runs) == 2
