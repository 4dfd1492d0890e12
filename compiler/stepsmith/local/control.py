"""Heeds what commands in other processes order of a run here: to pause, to cancel, to stop.

The orders stand in the local history. A paused run waits in real time before its next action, whatever its clock is:
in virtual time it would otherwise ask again and again in no time. A watch in a thread of its own makes an order to stop
interrupt the run wherever it is, as Ctrl-C does.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stepsmith_functions.history.store import HistoryError, RunNotFoundError, RunStore
from stepsmith_functions.runtime.control import Control, Order, strongest

POLL: Final = 0.25
"""Seconds between two looks for an order."""


_STOP: Final = signal.SIGUSR1
"""Not SIGINT, which a shell has its jobs in the background ignore."""


class LocalControl:
    """The orders for the runs of this process. It is the `ControlReader` of its handlers, too.

    `file` is the history's, whose change tells that there may be an order. `held` is told when a run begins to wait,
    with the order, and when it goes on, with None.
    """

    def __init__(
        self,
        store: RunStore,
        file: Path,
        held: Callable[[Control | None], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._file = file
        self._held = held
        self._sleep = sleep
        self._known: dict[str, Control | None] = {}
        self._stamp: tuple[int, int] | None = None
        self._seen: Sequence[Control] | None = None
        self.stopped_by: Control | None = None
        """The order to stop that has interrupted the run."""

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        """The orders that stand for any of these runs. Raises HistoryError when the file cannot be read.

        A handler that asks first is told what `wait` has seen: an order that came meanwhile is for the next step, or
        a pause would cost five virtual minutes.
        """
        if self._seen is not None:
            seen, self._seen = self._seen, None
            return seen
        # Within a step a pause is not heeded here: the function's time runs on, and the next step waits.
        return [control for control in self._current(run_ids) if control.order is not Order.PAUSE]

    def standing(self, run_ids: Sequence[str]) -> Sequence[Control]:
        """The orders that stand for any of these runs at this moment, pauses included, whatever a handler was told."""
        self.refresh()
        return self._current(run_ids)

    def _current(self, run_ids: Sequence[str]) -> list[Control]:
        stamp = self._changed()
        if stamp != self._stamp:
            self._known, self._stamp = {}, stamp
        found = []
        for run_id in run_ids:
            if run_id not in self._known:
                self._known[run_id] = self._read(run_id)
            if (control := self._known[run_id]) is not None:
                found.append(control)
        return found

    def _changed(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self, run_id: str) -> Control | None:
        try:
            return self._store.run(run_id).control
        except RunNotFoundError:
            return None

    def refresh(self) -> None:
        """Reads the orders anew, also when the file looks unchanged: two writes of one moment leave one time."""
        with contextlib.suppress(HistoryError):
            self._known = {run_id: self._read(run_id) for run_id in list(self._known)}

    def wait(self, payload: object) -> Control | None:
        """Waits while the run of a handler's event is paused; the order to cancel it that stands then, if any.

        Raises KeyboardInterrupt for an order to stop.
        """
        run_ids = _controlled(payload)
        control = self._order(run_ids)
        if control is not None and control.order is Order.PAUSE:
            self._held(control)
            while control is not None and control.order is Order.PAUSE:
                self._sleep(POLL)
                self.refresh()
                control = self._order(run_ids)
            self._held(None)
        if control is not None and control.order is Order.STOP:
            self.stopped_by = control
            raise KeyboardInterrupt
        self._seen = () if control is None else (control,)
        return control

    def _order(self, run_ids: Sequence[str]) -> Control | None:
        try:
            return strongest(self._current(run_ids))
        except HistoryError:
            return None

    @contextmanager
    def watching(self, run_id: str) -> Iterator[None]:
        """Interrupts the thread that is in the block when the run is ordered to stop."""
        if threading.current_thread() is not threading.main_thread():  # signals reach no other
            yield
            return
        over, turn = threading.Event(), threading.Lock()
        self._known.setdefault(run_id, None)

        def watch() -> None:
            while not over.wait(POLL):
                self.refresh()
                control = self._known.get(run_id)
                with turn:
                    if control is not None and control.order is Order.STOP and not over.is_set():
                        self.stopped_by = control
                        _interrupt()
                        return

        threading.Thread(target=watch, name="stepsmith-control", daemon=True).start()
        before = signal.signal(_STOP, signal.default_int_handler)
        try:
            yield
        finally:
            with turn:
                over.set()
            signal.signal(_STOP, before)


def _interrupt() -> None:
    """Raises KeyboardInterrupt in the main thread, out of a sleep too."""
    signal.pthread_kill(threading.main_thread().ident or 0, _STOP)


def _controlled(payload: object) -> tuple[str, ...]:
    """The runs whose orders count for a handler's event: none for a step that heeds no order."""
    run = payload.get("run") if isinstance(payload, Mapping) else None
    control = run.get("control") if isinstance(run, Mapping) else None
    if not isinstance(run, Mapping) or not isinstance(control, Mapping):
        return ()
    parents = control.get("parents")
    ids = [run.get("id"), *(parents if isinstance(parents, list) else ())]
    return tuple(each for each in ids if isinstance(each, str))
