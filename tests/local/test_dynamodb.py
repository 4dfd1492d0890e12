"""DynamoDB in a local run: transactions lose nothing, and cost and queries do not grow with the table."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.machines import MakeAws, make_table, table_item


def put(sort: str, **more: Any) -> dict[str, Any]:
    condition = more.pop("condition", None)
    operation = {"TableName": "table", "Item": table_item("a", sort, **more)}
    return {"Put": operation | ({"ConditionExpression": condition} if condition else {})}


def items(dynamodb: Any) -> dict[str, str]:
    """Every item's `v` by its keys."""
    found = dynamodb.scan(TableName="table")["Items"]
    return {item["p"]["S"] + item["s"]["S"]: item.get("v", {}).get("S", "") for item in found}


def test_a_cancelled_transaction_leaves_its_items_as_they_were(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        for sort in ("1", "2"):
            dynamodb.put_item(TableName="table", Item=table_item("a", sort, v="old"))
        key = {"p": {"S": "a"}, "s": {"S": "2"}}
        with pytest.raises(ClientError) as caught:
            dynamodb.transact_write_items(
                TransactItems=[
                    put("1", v="new"),
                    put("3", v="new"),
                    {
                        "Update": {
                            "TableName": "table",
                            "Key": {"p": {"S": "a"}, "s": {"S": "4"}},
                            "UpdateExpression": "SET v = :v",
                            "ExpressionAttributeValues": {":v": {"S": "new"}},
                        }
                    },
                    {"Delete": {"TableName": "table", "Key": key}},
                    put("5", condition="attribute_exists(p)"),
                ]
            )
        left = items(dynamodb)
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "None", "None", "None", "ConditionalCheckFailed"]
    assert left == {"a1": "old", "a2": "old"}


def test_a_transaction_that_is_refused_for_its_form_changes_nothing(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        with pytest.raises(ClientError, match="ValidationException"):
            dynamodb.transact_write_items(TransactItems=[put("1", v="a"), put("1", v="b")])
        assert items(dynamodb) == {}
        dynamodb.transact_write_items(TransactItems=[put("1", v="a"), put("2", v="b")])
        assert items(dynamodb) == {"a1": "a", "a2": "b"}


def test_no_write_is_lost_beside_cancelled_transactions(make_aws: MakeAws) -> None:
    """With moto as it is a good part of these writes vanishes."""
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)

        def write(writer: int) -> None:
            for number in range(25):
                dynamodb.put_item(TableName="table", Item=table_item(f"w{writer}", str(number)))

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(25):
            with pytest.raises(ClientError, match="TransactionCanceledException"):
                dynamodb.transact_write_items(TransactItems=[put("1"), put("2", condition="attribute_exists(p)")])
        for writer in writers:
            writer.join()
        assert len(items(dynamodb)) == 75


def test_one_of_many_wins_a_condition(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        won: list[int] = []

        def lock(owner: int) -> None:
            try:
                dynamodb.transact_write_items(TransactItems=[put("lock", condition="attribute_not_exists(p)")])
            except ClientError:
                return
            won.append(owner)

        threads = [threading.Thread(target=lock, args=(owner,)) for owner in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1


def test_queries_give_what_they_gave(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        for number in range(12):
            group = {"g": "even"} if number % 2 == 0 else {}
            dynamodb.put_item(TableName="table", Item=table_item(f"p{number % 3}", f"{number:02}", **group))

        def found(condition: str, values: dict[str, str], **more: Any) -> tuple[list[str], bool]:
            answer = dynamodb.query(
                TableName="table",
                KeyConditionExpression=condition,
                ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
                **more,
            )
            return [item["s"]["S"] for item in answer["Items"]], "LastEvaluatedKey" in answer

        assert found("p = :p", {":p": "p1"}) == (["01", "04", "07", "10"], False)
        assert found("p = :p AND s > :s", {":p": "p1", ":s": "04"}, ScanIndexForward=False) == (["10", "07"], False)
        assert found("p = :p", {":p": "nobody"}) == ([], False)
        assert found("p = :p", {":p": "p1"}, Limit=3) == (["01", "04", "07"], True)
        assert found("g = :g", {":g": "even"}, IndexName="index") == (["00", "02", "04", "06", "08", "10"], False)
        assert found("g = :g AND s < :s", {":g": "even", ":s": "05"}, IndexName="index") == (["00", "02", "04"], False)
        pages = list(
            dynamodb.get_paginator("query").paginate(
                TableName="table",
                IndexName="index",
                KeyConditionExpression="g = :g",
                ExpressionAttributeValues={":g": {"S": "even"}},
                PaginationConfig={"PageSize": 4},
            )
        )
        assert [[item["s"]["S"] for item in page["Items"]] for page in pages] == [
            ["00", "02", "04", "06"],
            ["08", "10"],
        ]


def test_the_size_of_a_table_costs_transactions_and_queries_nothing(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        _fill(aws, 10_000)

        def cost(work: Any) -> float:
            begun = time.perf_counter()
            for _ in range(3):
                work()
            return (time.perf_counter() - begun) / 3

        def transaction() -> None:
            dynamodb.transact_write_items(TransactItems=[put("1"), put("2")])

        def query() -> None:
            answer = dynamodb.query(
                TableName="table", KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "p7"}}
            )
            assert answer["Count"] == 10

        # moto as it is takes half a second and more for either at this size.
        assert cost(transaction) < 0.1
        assert cost(query) < 0.1


def _fill(aws: Any, count: int) -> None:
    """Items straight into moto's table: through the API it would be the test's whole time."""
    from moto.dynamodb.models import dynamodb_backends

    table = dynamodb_backends["123456789012"]["us-east-1"].tables["table"]
    for number in range(count):
        table.put_item(table_item(f"p{number % (count // 10)}", str(number)))


def test_a_backup_is_still_a_copy(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        dynamodb = aws.client("dynamodb")
        make_table(dynamodb)
        dynamodb.put_item(TableName="table", Item=table_item("a", "1", v="old"))
        arn = dynamodb.create_backup(TableName="table", BackupName="backup")["BackupDetails"]["BackupArn"]
        dynamodb.put_item(TableName="table", Item=table_item("a", "1", v="new"))
        dynamodb.restore_table_from_backup(TargetTableName="restored", BackupArn=arn)
        kept = dynamodb.scan(TableName="restored")["Items"]
    assert kept == [table_item("a", "1", v="old")]
