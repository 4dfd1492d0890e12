"""A tiny scheduler of generators in virtual time, for the reference interpreter: pauses, groups that run at
once, and signals.

Times are whole microseconds. When a member of a group fails, the others are given up where they stand (their
generators are closed). What happens
at the very same moment has no order on AWS, so a failure that ties with another member's move is `Ambiguous`.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Pause:
    microseconds: int


@dataclass(frozen=True)
class Together:
    """Runs the members, at most `at_once` at a time; yields the list of what they return."""

    members: list[Process]
    at_once: int


@dataclass(eq=False)
class Signal:
    """Something that happens once; a process that yields it makes it happen."""

    happened: bool = False
    waiting: list[_Task] = field(default_factory=list)


@dataclass(frozen=True)
class Until:
    """Waits until a signal has happened."""

    signal: Signal


Process: TypeAlias = Generator[Any, Any, Any]


class Ambiguous(Exception):  # noqa: N818 - not an error of anybody
    """The order of two things that happen at one moment decides the outcome."""


class OutOfTime(Exception):  # noqa: N818 - not an error of anybody
    """What was run has not ended in its time."""


@dataclass(eq=False)
class _Task:
    body: Process
    group: _Group | None
    index: int = 0
    moved: int = -1
    """When it last moved."""
    inner: _Group | None = None
    alive: bool = True

    def family(self) -> list[_Task]:
        return [self, *(each for task in (self.inner.tasks if self.inner else []) for each in task.family())]


@dataclass(eq=False)
class _Group:
    parent: _Task
    waiting: list[_Task]
    results: list[Any]
    left: int
    tasks: list[_Task] = field(default_factory=list)


class Scheduler:
    def __init__(self, problems: tuple[type[Exception], ...]) -> None:
        self.now = 0
        self._problems = problems
        """The exceptions with which a process may fail."""
        self._queue: list[tuple[int, int, _Task]] = []
        self._count = 0
        self._result: Any = None

    def run(self, body: Process, until: int | None = None) -> Any:
        """What `body` returns; raises what it raises, and OutOfTime when it has not ended at the time `until`."""
        main = _Task(body, None)
        self._push(0, main)
        while self._queue:
            when, _, task = heapq.heappop(self._queue)
            if task.alive:
                if until is not None and when >= until:
                    if when == until:
                        raise Ambiguous
                    self.now = until
                    raise OutOfTime
                self.now = when
                self._move(task, None, None)
        return self._result

    def _push(self, when: int, task: _Task) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, task))

    def _move(self, task: _Task, value: Any, error: Exception | None) -> None:
        task.moved = self.now
        task.inner = None
        try:
            command = task.body.throw(error) if error is not None else task.body.send(value)
        except StopIteration as end:
            self._ended(task, end.value)
        except self._problems as problem:
            self._failed(task, problem)
        else:
            match command:
                case Pause(microseconds):
                    self._push(self.now + microseconds, task)
                case Until(signal) if signal.happened:
                    self._move(task, None, None)
                case Until(signal):
                    signal.waiting.append(task)
                case Signal():
                    command.happened = True
                    for each in command.waiting:
                        self._push(self.now, each)
                    self._move(task, None, None)
                case Together(members, at_once):
                    group = _Group(task, [], [None] * len(members), len(members))
                    group.waiting = [_Task(body, group, index) for index, body in enumerate(members)]
                    task.inner = group
                    if not members:
                        self._move(task, [], None)
                    for _ in range(min(at_once, len(members))):
                        self._start_one(group)

    def _start_one(self, group: _Group) -> None:
        task = group.waiting.pop(0)
        group.tasks.append(task)
        self._push(self.now, task)

    def _ended(self, task: _Task, value: Any) -> None:
        task.alive = False
        group = task.group
        if group is None:
            self._result = value
            return
        group.results[task.index] = value
        group.left -= 1
        if group.waiting:
            self._start_one(group)
        if group.left == 0:
            self._move(group.parent, group.results, None)

    def _failed(self, task: _Task, problem: Exception) -> None:
        task.alive = False
        group = task.group
        if group is None:
            raise problem
        due = {id(each) for when, _, each in self._queue if when == self.now}
        for sibling in group.tasks:
            if sibling is task:
                continue
            for each in sibling.family():
                if each.moved == self.now or (each.alive and id(each) in due):
                    raise Ambiguous
                each.alive = False
                each.body.close()
        self._move(group.parent, None, problem)
