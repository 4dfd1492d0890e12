"""What the history asks of a DynamoDB client, and how it writes an UpdateItem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from stepsmith_functions.history.items import Attribute

Answer: TypeAlias = Mapping[str, object]


class DynamoClient(Protocol):
    """What the history calls of boto3's low-level DynamoDB client."""

    def get_item(self, **arguments: object) -> Answer: ...
    def update_item(self, **arguments: object) -> Answer: ...
    def batch_write_item(self, **arguments: object) -> Answer: ...
    def query(self, **arguments: object) -> Answer: ...


class Update:
    """Builds the arguments of an UpdateItem with every name and value behind a placeholder."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Attribute] = {}
        self._set: list[str] = []
        self._remove: list[str] = []
        self._conditions: list[str] = []
        self._more: dict[str, object] = {}

    def name(self, attribute: str) -> str:
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Attribute) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def set(self, attribute: str, value: Attribute) -> None:
        self._set.append(f"{self.name(attribute)} = {self.value(value)}")

    def set_expression(self, attribute: str, expression: str) -> None:
        """`expression` is made of what `name` and `value` returned."""
        self._set.append(f"{self.name(attribute)} = {expression}")

    def remove(self, attribute: str) -> None:
        self._remove.append(self.name(attribute))

    def require(self, condition: str) -> None:
        """All conditions must hold; each is made of what `name` and `value` returned."""
        self._conditions.append(f"({condition})")

    def answer_with(self, *, new: bool = False, refused: bool = False) -> None:
        """Has the write answer with the attributes as it set them, and with the item that its condition refused."""
        if new:
            self._more["ReturnValues"] = "UPDATED_NEW"
        if refused:
            self._more["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"

    def arguments(self, table: str, key: Mapping[str, Attribute]) -> dict[str, object]:
        parts = [f"SET {', '.join(self._set)}"] if self._set else []
        if self._remove:
            parts.append(f"REMOVE {', '.join(self._remove)}")
        arguments: dict[str, object] = {
            "TableName": table,
            "Key": dict(key),
            "UpdateExpression": " ".join(parts),
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": self._values,
            **self._more,
        }
        if self._conditions:
            arguments["ConditionExpression"] = " AND ".join(self._conditions)
        return arguments
