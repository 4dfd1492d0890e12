"""Schedules on the engine's clock: EventBridge rules with a `ScheduleExpression`, and EventBridge Scheduler.

moto keeps both and never fires one. After each call that may change them they are read from moto's records, and the
next moment of each new one is put on the engine's clock. They let no time pass: a run that ends does not wait for the
next morning's schedule.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from stepsmith.document import Json
from stepsmith.local.moto_seam.targets import SERVED, NoInputError, Sender, deliver, service_of, target_input
from stepsmith.local.timetable import next_time

SERVICES: Final = ("events", "scheduler")
_READS: Final = ("Get", "List", "Describe", "Test")
_PLACEHOLDERS: Final = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A schedule as it stood when it was read; another text, zone or period is another entry."""

    arn: str
    expression: str
    zone: str = "UTC"
    begins: datetime | None = None
    ends: datetime | None = None
    of_rule: bool = False
    last: bool = False
    """Whether it is deleted after its last time (ActionAfterCompletion)."""


@dataclass
class Schedules:
    """The schedules that are on the clock."""

    sender: Sender
    _since: dict[_Entry, datetime] = field(default_factory=dict)

    def after_call(self, service: str, operation: str) -> None:
        """Told after each answered request."""
        if service in SERVICES and not operation.startswith(_READS):
            self._read()

    def _read(self) -> None:
        found = {entry for entry, _ in _entries()}
        for gone in self._since.keys() - found:
            del self._since[gone]
        now = self.sender.desk.now()
        for entry in sorted(found - self._since.keys(), key=lambda item: item.arn):
            self._since[entry] = entry.begins or now
            # A rule's first time is a period after it was made; Scheduler begins at once.
            at_once = not entry.of_rule and entry.expression.startswith("rate")
            self._plan(entry, (entry.begins or now) if at_once else None)

    def _plan(self, entry: _Entry, moment: datetime | None = None) -> None:
        now = self.sender.desk.now()
        if moment is None or moment < now:
            after = max(now, entry.begins) if entry.begins else now
            moment = next_time(entry.expression, after, since=self._since[entry], zone=entry.zone)
        if moment is not None and (entry.ends is None or moment <= entry.ends):
            self.sender.desk.call_at(moment, partial(self._fire, entry, moment))
        elif entry.last:
            _forget(entry.arn)

    def _fire(self, entry: _Entry, moment: datetime) -> None:
        source = next((source for found, source in _entries() if found == entry), None)
        if source is None or entry not in self._since:
            return
        if entry.of_rule:
            self._fire_rule(source, moment)
        else:
            self._fire_schedule(entry, source, moment)
        self._plan(entry)

    def _fire_rule(self, rule: Any, moment: datetime) -> None:
        event = {
            "version": "0",
            "id": self.sender.desk.new_id(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": rule.account_id,
            "time": moment.timestamp(),
            "region": rule.region_name,
            "resources": [rule.arn],
            "detail": {},
        }
        for target in list(rule.targets):
            if service_of(target) in SERVED:
                with contextlib.suppress(NoInputError):
                    deliver(self.sender, target, target_input(target, event, rule.arn))

    def _fire_schedule(self, entry: _Entry, schedule: Any, moment: datetime) -> None:
        target: Mapping[str, Any] = schedule.target
        told = (entry.arn, moment.strftime("%Y-%m-%dT%H:%M:%SZ"), self.sender.desk.new_id(), "1")
        text = str(target.get("Input") or "{}")
        for name, value in zip(_PLACEHOLDERS, told, strict=True):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        data: Json
        try:
            data = json.loads(text)
        except ValueError:
            data = text
        if service_of(target) in SERVED:
            deliver(self.sender, target, data)


def _entries() -> Iterator[tuple[_Entry, Any]]:
    """The schedules that are enabled, with moto's record of each."""
    events = sys.modules.get("moto.events.models")
    for region in _regions(events.events_backends) if events else ():
        for bus in region.event_buses.values():
            for rule in bus.rules.values():
                if rule.scheduled_expression and rule.state == "ENABLED":
                    yield _Entry(rule.arn, rule.scheduled_expression, of_rule=True), rule
    scheduler = sys.modules.get("moto.scheduler.models")
    for region in _regions(scheduler.scheduler_backends) if scheduler else ():
        for group in region.schedule_groups.values():
            for schedule in group.schedules.values():
                if schedule.state == "ENABLED":
                    yield _entry_of(schedule), schedule


def _entry_of(schedule: Any) -> _Entry:
    return _Entry(
        schedule.arn,
        schedule.schedule_expression,
        schedule.schedule_expression_timezone or "UTC",
        _moment(schedule.start_date),
        _moment(schedule.end_date),
        last=schedule.action_after_completion == "DELETE",
    )


def _moment(value: Any) -> datetime | None:
    """Where moto keeps a date as it came over the wire, in seconds."""
    return datetime.fromtimestamp(float(value), UTC) if value else None


def _regions(backends: Any) -> Iterator[Any]:
    for account in list(backends.values()):
        yield from list(account.values())


def _forget(arn: str) -> None:
    group, name = arn.split("/")[-2:]
    account = arn.split(":")[4]
    region = arn.split(":")[3]
    sys.modules["moto.scheduler.models"].scheduler_backends[account][region].delete_schedule(group, name)
