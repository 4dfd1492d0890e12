"""What the steps of a run told, as its rollback reads it."""

from __future__ import annotations

from collections.abc import Mapping

from stepsmith_functions.history.records import StepRecord
from stepsmith_functions.history.store import RunStore, all_steps
from stepsmith_functions.history.values import Json, StoredValue


class ToldSteps:
    """A `runtime.hosting.LedgerSource` over a store. Every method raises HistoryError when the store fails."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def told(self, run_id: str) -> Mapping[str, StepRecord]:
        return {step.path: step for step in all_steps(self._store, run_id)}

    def load(self, value: StoredValue) -> Json:
        return self._store.load(value)
