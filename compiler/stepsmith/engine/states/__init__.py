"""What each type of state does. One module per type; `begin` sends a visit to its own."""

from __future__ import annotations

from typing import assert_never

from stepsmith.engine.core import Core
from stepsmith.engine.execution import Visit
from stepsmith.engine.machine import Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait
from stepsmith.engine.states import distributed_map, inline_map, parallel, simple, task, wait


def begin(core: Core, visit: Visit) -> None:
    """Begin an attempt at the visited state."""
    state = visit.state
    match state:
        case Task():
            task.begin(core, visit, state)
        case Pass():
            simple.begin_pass(core, visit, state)
        case Choice():
            simple.begin_choice(core, visit, state)
        case Wait():
            wait.begin(core, visit, state)
        case Succeed():
            simple.begin_succeed(core, visit, state)
        case Fail():
            simple.begin_fail(core, visit, state)
        case Parallel():
            parallel.begin(core, visit, state)
        case Map():
            if state.distributed:
                distributed_map.begin(core, visit, state)
            else:
                inline_map.begin(core, visit, state)
        case _:
            assert_never(state)
