"""What handlers read of a run's record in DynamoDB: whether a person has paused or cancelled it.

One GetItem per run, of the one attribute, at the start of each step. It is a consistent read: a step that begins
after the command has answered heeds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stepsmith_functions.history.items import control_of_item, run_key
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.updates import DynamoClient
from stepsmith_functions.runtime.control import Control


class DynamoControls:
    """A `runtime.control.ControlReader` over the table that `items` describes."""

    def __init__(self, client: DynamoClient, table: str, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._table = table
        self._backoff = backoff or Backoff()

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        """The orders that stand for any of these runs. Raises HistoryError when the table cannot be read."""
        found = (self._control(run_id) for run_id in run_ids)
        return [control for control in found if control is not None]

    def _control(self, run_id: str) -> Control | None:
        answer = self._backoff.call(
            self._client.get_item,
            TableName=self._table,
            Key=run_key(run_id),
            ConsistentRead=True,
            ProjectionExpression="#control",
            ExpressionAttributeNames={"#control": "control"},
        )
        item = answer.get("Item")
        return control_of_item(item) if isinstance(item, Mapping) else None
