"""What a handler answers in place of its action: to a paused run, a cancelled one, and when the table is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.control import Control, Order, strongest
from stepsmith_functions.runtime.errors import RunCancelled, RunPaused
from tests.functions.runtime.conftest import World

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
done: list[int] = []


class CountParams(Params):
    number: int


class CountResult(Result):
    number: int


@action(effect="write", repeatable=False, example={"number": 1})
def counted(params: CountParams, context: ActionContext) -> CountResult:
    """Counts."""
    done.append(context.attempt)
    return CountResult(number=params.number)


class Orders:
    """What stands on the records of runs."""

    def __init__(self, **orders: Order) -> None:
        self.orders = {name.replace("_", "-"): order for name, order in orders.items()}
        self.asked: list[tuple[str, ...]] = []
        self.broken = False

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        self.asked.append(tuple(run_ids))
        if self.broken:
            raise OSError("no table")
        return [Control(self.orders[run_id], "ann", NOON, "why not") for run_id in run_ids if run_id in self.orders]


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


def send(world: World, orders: Orders, monkeypatch: pytest.MonkeyPatch, control: Any = None, **more: Any) -> Any:
    monkeypatch.setattr(type(world.history), "control", lambda *_: orders)
    run: dict[str, Any] = {"id": "run-1", "workflow": "w"}
    if control is not False:
        run["control"] = {"pausable": True, "parents": ["mother", "grandmother"], **(control or {})}
    return world.send(counted, {"number": 1}, run=run, **more)


def test_a_run_without_orders_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = Orders()
    assert send(world, orders, monkeypatch) == {"number": 1}
    assert orders.asked == [("run-1", "mother", "grandmother")]
    assert len(world.history.starts) == len(world.history.ends) == 1


@pytest.mark.parametrize("run", ["run_1", "mother", "grandmother"])
@pytest.mark.parametrize(
    ("order", "error"), [(Order.PAUSE, RunPaused), (Order.CANCEL, RunCancelled), (Order.STOP, RunCancelled)]
)
def test_an_order_for_the_run_or_one_that_waits_for_it_is_heeded(
    world: World, monkeypatch: pytest.MonkeyPatch, run: str, order: Order, error: type[Exception]
) -> None:
    with pytest.raises(error, match="by ann: why not"):
        send(world, Orders(**{run: order}), monkeypatch)
    assert (done, world.history.starts, world.history.ends) == ([], [], [])  # no write


def test_a_step_that_could_be_undone_tells_that_a_cancel_refused_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order, told in ((Order.PAUSE, []), (Order.CANCEL, [("scan", "RunCancelled")])):
        with pytest.raises((RunCancelled, RunPaused)):
            send(world, Orders(run_1=order), monkeypatch, step={"id": "s", "path": "scan", "undo": {}})
        assert world.history.starts == []
        assert [(end.path, end.error.type if end.error else None) for end in world.history.ends] == told


def test_a_cancel_comes_before_a_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunCancelled):
        send(world, Orders(run_1=Order.PAUSE, mother=Order.CANCEL), monkeypatch)


def test_a_step_of_a_finally_heeds_no_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(world, Orders(run_1=Order.CANCEL), monkeypatch, False) == {"number": 1}


def test_a_step_of_an_express_run_heeds_a_cancel_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(world, Orders(run_1=Order.PAUSE), monkeypatch, {"pausable": False}) == {"number": 1}
    with pytest.raises(RunCancelled):
        send(world, Orders(run_1=Order.CANCEL), monkeypatch, {"pausable": False})


def test_a_table_that_cannot_be_read_or_written_stops_no_action(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = Orders(run_1=Order.CANCEL)
    orders.broken = world.history.broken = True
    assert send(world, orders, monkeypatch) == {"number": 1}


def test_the_strongest_order_counts() -> None:
    orders = [Control(order, "ann", NOON) for order in (Order.CANCEL, Order.PAUSE, Order.STOP)]
    assert strongest(orders) is orders[2]
    assert strongest(orders[:2]) is orders[0]
    assert strongest([]) is None
