"""A tiny scheduler of generators in virtual time, for the reference interpreter: pauses, groups that run at
once, what has a limited time, what goes on by itself, and signals.

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


@dataclass(frozen=True)
class Within:
    """Runs the body and yields what it returns; gives it up after so many microseconds, with OutOfTime."""

    body: Process
    microseconds: int


@dataclass(frozen=True)
class Apart:
    """Lets the body, which may not fail, run by itself, from now until it ends."""

    body: Process


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
    alone: bool = False
    """It has one member, whose result is the group's."""
    tasks: list[_Task] = field(default_factory=list)


@dataclass(eq=False)
class _Limit:
    """The time of a task is up."""

    of: _Task


class Scheduler:
    def __init__(self, problems: tuple[type[Exception], ...]) -> None:
        self.now = 0
        self._problems = problems
        """The exceptions with which a process may fail."""
        self._queue: list[tuple[int, int, _Task | _Limit]] = []
        self._count = 0
        self._result: Any = None

    def run(self, body: Process) -> tuple[Any, int]:
        """What `body` returns, and when; raises what it raises. Goes on until all that runs by itself has ended."""
        main = _Group(_Task(body, None), [], [], 0)
        self._push(0, main.parent)
        while self._queue:
            when, _, task = heapq.heappop(self._queue)
            if isinstance(task, _Limit):
                self._out_of_time(task.of, when)
            elif task.alive:
                self.now = when
                self._move(task, None, None)
        return self._result, main.parent.moved

    def _push(self, when: int, task: _Task | _Limit) -> None:
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
            self._obey(task, command)

    def _obey(self, task: _Task, command: Any) -> None:
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
                group = self._group(task, members)
                if not members:
                    self._move(task, [], None)
                for _ in range(min(at_once, len(members))):
                    self._start_one(group)
            case Within(body, microseconds):
                group = self._group(task, [body])
                group.alone = True
                self._push(self.now + microseconds, _Limit(group.waiting[0]))
                self._start_one(group)
            case Apart(body):
                self._push(self.now, _Task(body, None, index=1))
                self._move(task, None, None)

    @staticmethod
    def _group(task: _Task, members: list[Process]) -> _Group:
        task.inner = group = _Group(task, [], [None] * len(members), len(members))
        group.waiting = [_Task(body, group, index) for index, body in enumerate(members)]
        return group

    def _start_one(self, group: _Group) -> None:
        task = group.waiting.pop(0)
        group.tasks.append(task)
        self._push(self.now, task)

    def _ended(self, task: _Task, value: Any) -> None:
        task.alive = False
        group = task.group
        if group is None:
            if task.index == 0:
                self._result = value
            return
        group.results[task.index] = value
        group.left -= 1
        if group.waiting:
            self._start_one(group)
        if group.left == 0:
            self._move(group.parent, group.results[0] if group.alone else group.results, None)

    def _failed(self, task: _Task, problem: Exception) -> None:
        task.alive = False
        group = task.group
        if group is None:
            raise problem
        for sibling in group.tasks:
            if sibling is not task:
                self._give_up(sibling, self.now)
        self._move(group.parent, None, problem)

    def _out_of_time(self, task: _Task, when: int) -> None:
        if not task.alive:
            if task.moved == when:
                raise Ambiguous
            return
        assert task.group is not None
        self._give_up(task, when)
        self.now = when
        self._move(task.group.parent, None, OutOfTime())

    def _give_up(self, task: _Task, now: int) -> None:
        # A task whose time is up at this moment is as ambiguous as one that would go on.
        due = {id(each.of if isinstance(each, _Limit) else each) for when, _, each in self._queue if when == now}
        for each in task.family():
            if each.moved == now or (each.alive and id(each) in due):
                raise Ambiguous
            each.alive = False
            each.body.close()
