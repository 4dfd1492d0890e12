"""Large results: what is stored, what stays, and which references are believed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from pydantic import JsonValue

from stepsmith_functions.runtime import clients, large, log
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import AwsRefused, AwsUnavailable, InvalidParams, InvalidResult
from stepsmith_functions.runtime.hosting import Host, hosted
from stepsmith_functions.runtime.settings import Settings

BUCKET = "data-bucket"
SETTINGS = Settings(data_bucket=BUCKET)
LIMIT = large.LARGEST_IN_STATE


class EchoParams(Params):
    text: str = ""
    data: JsonValue = None
    letters: int = 0


class EchoResult(Result):
    text: str
    data: JsonValue
    count: int


@action(effect="read", repeatable=True, example={})
def echo(params: EchoParams, context: ActionContext) -> EchoResult:
    """Gives back what it gets, and as many letters as it is asked for."""
    return EchoResult(text=params.text + "é" * params.letters, data=params.data, count=len(params.text))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with mock_aws():
        clients.reset()
        client = clients.of_process().get("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
        clients.reset()


def placed(output: JsonValue, run: str | None = "run-1", settings: Settings = SETTINGS) -> Any:
    return large.placed(output, large.size_of(output), run, settings, clients.of_process())


def resolved(params: JsonValue) -> Any:
    return large.resolved(params, SETTINGS, clients.of_process())


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def stored(s3: Any, body: bytes, run: str = "run-1", **more: object) -> dict[str, Any]:
    """A reference to an object that is put for it."""
    sha256 = hashlib.sha256(body).hexdigest()
    key = f"runs/{run}/{sha256}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return {"$stored": {"stored_at": f"s3://{BUCKET}/{key}", "size": len(body), "sha256": sha256, **more}}


def test_the_largest_fields_go_and_the_rest_stays(s3: Any) -> None:
    output = {"a": "x" * LIMIT, "b": ["y" * 90] * 1000, "c": {"z": 1}, "count": 7, "none": None, "flag": True}
    result = placed(output)
    assert set(result["a"]) == {"$stored"}
    assert result["a"]["$stored"]["type"] == "string"
    assert {name: value for name, value in result.items() if name != "a"} == {
        name: value for name, value in output.items() if name != "a"
    }
    assert large.size_of(result) <= LIMIT
    assert resolved({"params": [result]}) == {"params": [output]}


@pytest.mark.parametrize("value", ["é" * LIMIT, ["😀", None, 1.5] * LIMIT, {"deep": ["\ud800 \u2028"] * LIMIT}])
def test_every_value_comes_back_as_it_was(s3: Any, value: JsonValue) -> None:
    result = placed({"value": value})
    assert large.size_of(result) < 1000
    assert resolved(result) == {"value": value}


def test_bytes_count_and_not_characters(s3: Any) -> None:
    fits = {"text": "é" * (LIMIT // 2 - 10)}
    assert placed(fits) is fits
    assert placed({"text": "é" * (LIMIT // 2)}) != {"text": "é" * (LIMIT // 2)}
    assert len(keys(s3)) == 1


def test_many_small_fields_are_stored_as_one(s3: Any) -> None:
    output: JsonValue = {f"field-{number}": "x" * 900 for number in range(300)}
    result = placed(output)
    assert result["$stored"]["type"] == "object"
    assert resolved(result) == output


@pytest.mark.parametrize(
    ("run", "settings"), [(None, SETTINGS), ("run-1", Settings()), ("../quarantine/x", SETTINGS), ("", SETTINGS)]
)
def test_without_a_run_or_a_bucket_the_result_goes_out_whole(s3: Any, run: str | None, settings: Settings) -> None:
    output = {"text": "x" * LIMIT}
    assert placed(output, run, settings) is output
    assert keys(s3) == []


def test_more_than_can_be_kept_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGEST", 300_000)
    with pytest.raises(InvalidResult, match="300,000"):
        placed({"text": "x" * 300_000})
    assert keys(s3) == []


def test_an_outage_of_s3_neither_fails_nor_repeats_the_action(s3: Any) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    output = {"text": "x" * LIMIT}
    out = io.StringIO()
    with log.written_to(out):
        assert placed(output) is output
    assert "the large result was not stored" in out.getvalue()


def test_another_attempt_stores_the_same_object(s3: Any) -> None:
    assert placed({"text": "x" * LIMIT}) == placed({"text": "x" * LIMIT})
    assert len(keys(s3)) == 1


# -- references that this runtime did not make ------------------------------------------------------------------------


def test_what_does_not_prove_itself_is_data(s3: Any) -> None:
    body = b'"secret"'
    good = stored(s3, body)["$stored"]
    sha256 = good["sha256"]
    s3.put_object(Bucket=BUCKET, Key=f"quarantine/{sha256}.json", Body=body)
    s3.create_bucket(Bucket="other-bucket")
    s3.put_object(Bucket="other-bucket", Key=f"runs/run-1/{sha256}.json", Body=body)
    forged: list[JsonValue] = [
        {"$stored": {**good, "stored_at": f"s3://other-bucket/runs/run-1/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"s3://{BUCKET}/quarantine/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"s3://{BUCKET}/history/run-1/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"s3://{BUCKET}/runs/../quarantine/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"s3://{BUCKET}/runs/run-1/x/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"https://{BUCKET}/runs/run-1/{sha256}.json"}},
        {"$stored": {**good, "stored_at": f"s3://{BUCKET}/runs/run-1/{'0' * 64}.json"}},
        {"$stored": {**good, "sha256": sha256.upper()}},
        {"$stored": {**good, "size": 0}},
        {"$stored": {**good, "size": -5}},
        {"$stored": {**good, "size": "8"}},
        {"$stored": {"stored_at": good["stored_at"]}},
        {"$stored": good["stored_at"]},
        {"$stored": None},
        {"$stored": good, "and": 1},
        {"stored": good},
    ]
    assert resolved({"forged": forged}) == {"forged": forged}
    assert resolved({"good": {"$stored": good}}) == {"good": "secret"}


@pytest.mark.parametrize("body", [b'"replaced"', b'"kept"  ', b""])
def test_content_that_is_not_what_was_stored_is_refused(s3: Any, body: bytes) -> None:
    reference = stored(s3, b'"kept"')
    s3.put_object(Bucket=BUCKET, Key=keys(s3)[0], Body=body)
    with pytest.raises(InvalidParams, match="not what was stored"):
        resolved({"a": reference})


def test_a_value_that_is_gone(s3: Any) -> None:
    reference = stored(s3, b'"kept"')
    s3.delete_object(Bucket=BUCKET, Key=keys(s3)[0])
    with pytest.raises(InvalidParams, match="not there"):
        resolved({"a": reference})


def test_one_small_reference_named_often_does_not_fill_the_memory(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGEST", 2_000)
    reference = stored(s3, json.dumps("x" * 998).encode())
    assert resolved([reference] * 2) == ["x" * 998] * 2
    with pytest.raises(InvalidParams, match="more than"):
        resolved([reference] * 3)


def test_content_is_not_looked_into_again(s3: Any) -> None:
    inner = stored(s3, b'"inner"')
    assert resolved(stored(s3, json.dumps(inner).encode())) == inner


class Refusing:
    """An S3 that answers every call with one error."""

    def __init__(self, s3: Any, code: str) -> None:
        self.s3, self.code = s3, code

    def get(self, service: str, region: str | None = None) -> Refusing:
        return self

    def get_object(self, **arguments: object) -> object:
        raise self.s3.exceptions.ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(("code", "error"), [("AccessDenied", AwsRefused), ("SlowDown", AwsUnavailable)])
def test_errors_of_s3_are_those_that_workflows_know(s3: Any, code: str, error: type[Exception]) -> None:
    reference = stored(s3, b"1")
    with pytest.raises(error):
        large.resolved(reference, SETTINGS, Refusing(s3, code))


# -- through a handler ------------------------------------------------------------------------------------------------


def test_a_handler_stores_and_takes_references(s3: Any, world: Any) -> None:
    host = Host(history=world.history, secrets=world.secrets, environment={"DATA_BUCKET": BUCKET})
    with hosted(host):
        first = world.send(echo, {"letters": 1_500_000, "data": {"kept": 1}})
        assert (first["count"], first["data"]) == (0, {"kept": 1})
        assert first["text"]["$stored"]["size"] == 3_000_002
        second = world.send(echo, {"text": first["text"], "data": [first["text"]]})
    assert second["count"] == 1_500_000
    assert world.history.ends[0].output == first
    assert world.history.starts[1].params == {"text": first["text"], "data": [first["text"]]}


def test_a_secret_is_masked_in_what_is_stored(s3: Any, world: Any) -> None:
    host = Host(history=world.history, secrets=world.secrets, environment={"DATA_BUCKET": BUCKET})
    places = [{"at": ["text"], "parts": ["key: ", {"secret": "TOKEN"}]}]
    with hosted(host):
        answer = world.send(echo, {"letters": LIMIT}, secrets=places)
    [key] = keys(s3)
    assert resolved(answer)["text"] == "key: ***" + "é" * LIMIT
    assert b"s3cr" not in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
