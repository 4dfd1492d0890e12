"""DynamoDB: transactions and queries that touch what they are about, and nothing else.

moto copies the whole table before each transaction and puts the copy back when one is cancelled: whatever else was
written meanwhile is lost, and each transaction costs as much as the table is large. Its queries walk and sort the whole
table. Here a transaction puts back the items that it touched, a query sees its own partition, and one write happens at
a time.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

_WRITES: Final = threading.RLock()


_transacting = False


def deepcopy_of_table(self: Any, memo: dict[int, Any]) -> Any:
    """A table is not copied for a transaction; for a backup it is."""
    if _transacting:
        return self
    made: Any = object.__new__(type(self))
    memo[id(self)] = made
    made.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return made


def one_at_a_time(original: Callable[..., Any]) -> Callable[..., Any]:
    """A write that waits until no other is under way: a condition and what follows from it belong together."""

    @wraps(original)
    def write(*args: Any, **kwargs: Any) -> Any:
        with _WRITES:
            return original(*args, **kwargs)

    return write


def transact(original: Callable[..., Any]) -> Callable[..., Any]:
    """TransactWriteItems that puts back what it touched when it is cancelled."""

    @wraps(original)
    def write(self: Any, transact_items: list[dict[str, Any]]) -> Any:
        global _transacting
        with _WRITES:
            before = [_Touched(self, item) for item in transact_items]
            _transacting = True
            try:
                return original(self, transact_items)
            except Exception:
                for touched in before:
                    touched.put_back()
                raise
            finally:
                _transacting = False

    return write


class _Touched:
    """An item of a transaction as it was before."""

    def __init__(self, backend: Any, item: dict[str, Any]) -> None:
        operation: dict[str, Any] = next(iter(item.values()), {})
        self._table: Any = backend.tables.get(operation.get("TableName"))
        given = operation.get("Key") or operation.get("Item") or {}
        if self._table is None or any(name not in given for name in _keys(self._table)):
            # moto refuses it before anything is written.
            self._table = None
            return
        self._hash, self._range = backend.get_keys_value(self._table, given)
        self._item = copy.deepcopy(self._table.get_item(self._hash, self._range))
        self._streamed = len(self._table.stream_shard.items) if self._table.stream_shard else 0

    def put_back(self) -> None:
        if self._table is None:
            return
        items = self._table.items if self._range is None else self._table.items[self._hash]
        key = self._hash if self._range is None else self._range
        if self._item is None:
            items.pop(key, None)
        else:
            items[key] = self._item
        if self._table.stream_shard:
            del self._table.stream_shard.items[self._streamed :]


def _keys(table: Any) -> list[str]:
    return [name for name in (table.hash_key_attr, table.range_key_attr) if name is not None]


def query(original: Callable[..., Any]) -> Callable[..., Any]:
    """Query of a table that holds only the items of the wanted partition, of the table or of an index."""

    @wraps(original)
    def ask(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index_name", args[6] if len(args) > 6 else None)
        view = copy.copy(self)
        if index is None:
            view.items = {hash_key: self.items[hash_key]} if hash_key in self.items else {}
        else:
            wanted = kwargs.get("hash_key_conditions") or []
            view.items = _matching(self, wanted)
        return original(view, hash_key, *args, **kwargs)

    return ask


def _matching(table: Any, wanted: list[tuple[str, Any]]) -> dict[Any, Any]:
    def matches(item: Any) -> bool:
        return all(name in item.attrs and item.attrs[name] == value for name, value in wanted)

    if table.range_key_attr is None:
        return {key: item for key, item in table.items.items() if matches(item)}
    found = {}
    for key, partition in table.items.items():
        kept = {end: item for end, item in partition.items() if matches(item)}
        if kept:
            found[key] = kept
    return found


REPLACEMENTS: Final[Mapping[str, Callable[[Any], Callable[..., Any]]]] = {
    "transact_write_items": transact,
    "__deepcopy__": lambda _: deepcopy_of_table,
    "query": query,
    "put_item": one_at_a_time,
    "update_item": one_at_a_time,
    "delete_item": one_at_a_time,
}
