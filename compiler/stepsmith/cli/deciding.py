"""What `approve`, `reject`, `approvals` and `show` share: the approvals of this project's runs, or of a stack's.

Here they lie in the local history, and the process of the run takes up what is decided. Those of a stack are asked
of its function, which IAM guards. Needs nothing but SQLite until a stack is named.
"""

from __future__ import annotations

import argparse
import getpass
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import LATEST, unavailable
from stepsmith.project import project_of
from stepsmith_functions.approvals.deciding import Decider, vote_of
from stepsmith_functions.approvals.local import LocalApprovalStore
from stepsmith_functions.approvals.records import (
    Approval,
    ApprovalError,
    ApprovalStatus,
    NotAskedError,
    Vote,
    cancellation,
)
from stepsmith_functions.approvals.shown import approval_shown
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.history.values import Json

R = TypeVar("R")
Shown = Mapping[str, Json]
"""An approval as `approvals --json` shows it."""
FUNCTION: Final = "ApprovalDecisionFunction"
"""The logical id of the stack's function."""
_PATIENCE: Final = 3.0
"""Seconds in which a run that is alive takes up a decision."""


class Approvals(Protocol):
    """Where approvals are listed and decided."""

    def waiting(self) -> Sequence[Shown]: ...

    def decide(self, approval: str, name: str, approves: bool, comment: str) -> Shown:
        """The approval after the vote. Raises CommandError for one that does not count."""
        ...


class LocalApprovals:
    """Those of the project around the working folder."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = LocalApprovalStore(path)
        self._clock = clock
        self._sleep = sleep

    def waiting(self) -> Sequence[Shown]:
        found = self._read(lambda: self._store.due(limit=1000))
        return [approval_shown(each) for each in found if each.status is ApprovalStatus.WAITING]

    def decide(self, approval: str, name: str, approves: bool, comment: str) -> Shown:
        def vote(known: Approval) -> Vote:
            now = self._clock()
            # Virtual time stands still while a run waits: what it still waits for is in time.
            at = now if known.asked_at <= now < known.deadline else known.asked_at
            return vote_of(known, name, approves, comment, at, "command")

        try:
            after = self._read(lambda: Decider(self._store, None, None).cast(approval, vote))
        except ApprovalError as error:
            raise refused(error) from error
        return approval_shown(self._taken_up(after))

    def _taken_up(self, after: Approval) -> Approval:
        """The approval once its run has heard of the decision."""
        tries = int(_PATIENCE / 0.1)
        for _ in range(tries if after.status is not ApprovalStatus.WAITING else 0):
            known = self._read(lambda: self._store.find(after.id))
            if known is None or known.due is None:
                return known or after
            self._sleep(0.1)
        if after.status is not ApprovalStatus.WAITING:
            message = f"run {after.run_id[:8]} has not taken the decision up"
            raise CommandError(message, help="is its process still there? It waits with the run", status=Exit.PROBLEMS)
        return after

    @staticmethod
    def _read(read: Callable[[], R]) -> R:
        try:
            return read()
        except HistoryError as error:
            raise unavailable(error) from error


class StackApprovals:
    """Those of a deployed stack. Raises CommandError for whatever AWS refuses."""

    def __init__(self, stack: str) -> None:
        import boto3  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        self._refusals = (BotoCoreError, ClientError)
        self._stack = stack
        self._session = boto3.Session()
        self._function = self._called(
            lambda: self._session.client("cloudformation").describe_stack_resource(
                StackName=stack, LogicalResourceId=FUNCTION
            )["StackResourceDetail"]["PhysicalResourceId"]
        )

    def waiting(self) -> Sequence[Shown]:
        found = self._asked({"operation": "list"}).get("approvals")
        return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []

    def decide(self, approval: str, name: str, approves: bool, comment: str) -> Shown:
        answer = self._asked(
            {"operation": "decide", "approval": approval, "name": name, "approves": approves, "comment": comment}
        )
        problem, after = answer.get("problem"), answer.get("approval")
        if isinstance(problem, str) or not isinstance(after, Mapping):
            raise CommandError(str(problem), status=Exit.PROBLEMS)
        return after

    def _asked(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        def call() -> Mapping[str, object]:
            answer: Mapping[str, object] = self._session.client("lambda").invoke(
                FunctionName=self._function, Payload=json.dumps(event).encode()
            )
            return answer

        answer = self._called(call)
        text = answer["Payload"].read()  # type: ignore[attr-defined]
        if answer.get("FunctionError"):
            raise CommandError(f"the function of {self._stack} failed: see its log", status=Exit.PROBLEMS)
        value = json.loads(text)
        return value if isinstance(value, dict) else {}

    def _called(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except self._refusals as error:
            raise CommandError(f"stack {self._stack}: {error}", status=Exit.PROBLEMS) from error


def add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", help="of this deployed stack, instead of the runs here")


def approvals_of(arguments: argparse.Namespace) -> Approvals:
    if arguments.stack:
        return StackApprovals(arguments.stack)
    return LocalApprovals(project_of(None, Path.cwd()).history)


def login() -> str:
    """The name of the person who is logged in here."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def refused(error: ApprovalError) -> CommandError:
    help_ = "--as NAME says who decides" if isinstance(error, NotAskedError) else ""
    return CommandError(str(error), help=help_, status=Exit.PROBLEMS)


def chosen(waiting: Sequence[Shown], run: str, step: str | None) -> Shown:
    """The approval that a run, or `latest`, and perhaps a step mean. Raises CommandError if it is not one."""
    latest = max((str(each["asked_at"]) for each in waiting), default="")
    of_run = [
        each
        for each in waiting
        if (run == LATEST and each["asked_at"] == latest) or (run != LATEST and str(each["run_id"]).startswith(run))
    ]
    found = [each for each in of_run if step is None or step in (each["step"], str(each["step"]).rpartition(".")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(f"{str(each['run_id'])[:8]} {each['step']}" for each in found[:5])
        raise CommandError(f"{len(found)} approvals wait", help=f"name the step too: {some}")
    if not waiting:
        raise CommandError("no approval waits", help="stepsmith runs lists the runs")
    about = f'step "{step}" of a run' if step is not None and of_run else f'a run that begins with "{run}"'
    raise CommandError(f"no approval waits in {about}", help="stepsmith approvals lists those that wait")


def decide(arguments: argparse.Namespace, console: Console, *, approves: bool) -> int:
    """Casts the vote of `approve` and `reject`."""
    approvals = approvals_of(arguments)
    approval = chosen(approvals.waiting(), arguments.run, arguments.step)
    name = arguments.name or login()
    after = approvals.decide(str(approval["id"]), name, approves, arguments.comment)
    if arguments.json:
        console.print_json(after)
        return Exit.DONE
    console.print(f"{console.style(str(after['step']), 'bold')}: {'approved' if approves else 'rejected'} by {name}")
    if after["status"] == "waiting":
        console.print(console.style(f"it still waits: {quorum_of(after)}", "dim"))
    return Exit.DONE


def configure_vote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, its beginning, or latest")
    parser.add_argument("step", metavar="STEP", nargs="?", help="the step, where several wait")
    parser.add_argument("--comment", default="", metavar="TEXT", help="why; the history keeps it")
    parser.add_argument("--as", dest="name", metavar="NAME", help="who decides (default: who is logged in)")
    parser.add_argument("--json", action="store_true", help="print the approval as JSON")
    add_stack(parser)


def quorum_of(approval: Shown) -> str:
    """How many of how many have approved."""
    votes, approvers = approval["votes"], approval["approvers"]
    given = (
        sum(each.get("approves") is True for each in votes if isinstance(each, Mapping))
        if isinstance(votes, list)
        else 0
    )
    of = f" of {len(approvers)}" if isinstance(approvers, list) and approvers else ""
    return f"{given} approved, {approval['quorum']}{of} must"


def decision_lines(run_id: str, console: Console) -> Iterator[str]:
    """Who decided what of a run here, when and why."""
    try:
        approvals = LocalApprovalStore(project_of(None, Path.cwd()).history).of_run(run_id)
    except HistoryError as error:
        raise unavailable(error) from error
    for approval in approvals:
        for vote in approval.votes:
            said = "approved" if vote.approves else "rejected"
            when = vote.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            why = f": {vote.comment}" if vote.comment else ""
            line = f"{approval.path} {said} by {vote.by} at {when}{why}"
            yield "  " + console.style(console.cut(line, console.width - 2), "green" if vote.approves else "red")
        if approval.withdrawn is not None:
            line = f"{approval.path} was withdrawn: {cancellation(approval.withdrawn)}"
            yield "  " + console.style(console.cut(line, console.width - 2), "red")
        if approval.status is ApprovalStatus.WAITING:
            yield f"  {approval.path} {console.cut(f'waits: {approval.message}', max(console.width - 20, 20))}"
