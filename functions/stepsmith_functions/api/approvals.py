"""The Lambda that decides: behind the links of approvals, and for the command line.

Of HTTP it hears API Gateway's payload 2.0. GET shows a page and decides nothing, since mail scanners follow links;
POST decides. A link's secret is all that it asks for. The command line invokes the function itself, which IAM guards:
`{"operation": "list"}`, `{"operation": "decide", "approval", "name", "approves", "comment"}` and
`{"operation": "cancel", "run"}`, which withdraws the approvals of a run that was told to end, as its record says, and
of the runs that it waits for. A scheduled event sends answers that are still owed, and looks for such orders.

No other function may answer tasks. Neither secrets nor tokens are logged.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from aws_lambda_powertools.logging import Logger

from stepsmith_functions.api.pages import HEADERS, LONGEST_COMMENT, done_page, note_page, question_page
from stepsmith_functions.approvals.deciding import Decider, settle_owed, vote_of, withdraw_cancelled
from stepsmith_functions.approvals.hosting import store_of
from stepsmith_functions.approvals.links import id_in, link_of
from stepsmith_functions.approvals.records import (
    Approval,
    ApprovalError,
    ApprovalStatus,
    DecidedError,
    ExpiredError,
    Link,
    Vote,
    VotedError,
    cancellation,
)
from stepsmith_functions.approvals.shown import approval_shown
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.approvals.tasks import StepFunctionsAnswers
from stepsmith_functions.approvals.telling import ToldHistory
from stepsmith_functions.history.values import Json
from stepsmith_functions.runtime import hosting, log
from stepsmith_functions.runtime.hosting import Host
from stepsmith_functions.runtime.settings import Settings

MOST_LOOKED_AT: Final = 1000
"""Approvals that wait, among which those of cancelled runs are looked for."""
_LARGEST_BODY: Final = 64 * 1024
_STATUS: Final[Mapping[type[ApprovalError], int]] = {DecidedError: 409, VotedError: 409, ExpiredError: 410}


def handler(event: Mapping[str, Json], _context: object = None) -> dict[str, Json]:
    """Answers a request, a command or the schedule."""
    host = hosting.host()
    desk = _Desk(host, Settings.from_environment(host.environment), log.logger())
    if "requestContext" in event:
        return desk.answer(event)
    if event.get("detail-type") == "Scheduled Event":
        settled = settle_owed(desk.store, desk.decider, host.clock.now(), desk.logger)
        return {"settled": settled, "withdrawn": desk.withdraw(desk.store.due(limit=MOST_LOOKED_AT))}
    return desk.command(event)


@dataclass(frozen=True)
class _Desk:
    host: Host
    settings: Settings
    logger: Logger

    @property
    def store(self) -> ApprovalStore:
        return store_of(self.host, self.settings)

    @property
    def decider(self) -> Decider:
        answers = StepFunctionsAnswers(self.host.clients.get("stepfunctions"))
        return Decider(self.store, answers, ToldHistory(self.host, self.settings, self.logger, self.store))

    def withdraw(self, candidates: Iterable[Approval]) -> int:
        """Withdraws those whose run was told to end; how many there were."""
        controls = self.host.history.control(self.settings)
        if controls is None:
            return 0
        return withdraw_cancelled(candidates, self.decider, controls.controls, self.host.clock.now(), self.logger)

    # -- over HTTP ------------------------------------------------------------------------------------

    def answer(self, event: Mapping[str, Json]) -> dict[str, Json]:
        method = _text(event, "requestContext", "http", "method")
        name, secret = _text(event, "pathParameters", "approval"), _text(event, "pathParameters", "secret")
        found = self._found(name, secret)
        if found is None:
            text = "This link is not, or no longer, valid. A later message may hold a newer one."
            return _response(404, note_page("Nothing here", text))
        approval, link = found
        if method == "POST":
            return self._decide(approval, link, _comment(event))
        problem = self._closed(approval, link)
        return _failed(problem) if problem else _response(200, question_page(approval, link))

    def _found(self, name: str, secret: str) -> tuple[Approval, Link] | None:
        approval_id = id_in(name)
        approval = self.store.find(approval_id) if approval_id else None
        link = link_of(approval, secret) if approval else None
        return (approval, link) if approval and link else None

    def _closed(self, approval: Approval, link: Link) -> ApprovalError | None:
        """Why nothing can be decided by this link any more."""
        if any(vote.approver == link.approver for vote in approval.votes):
            return VotedError("You have decided already.")
        if approval.status in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED):
            return DecidedError(f"It was {approval.status} by {approval.by}.")
        if approval.withdrawn is not None:
            return ExpiredError(f"Nobody needs to decide any more: {cancellation(approval.withdrawn)}.")
        if approval.status is ApprovalStatus.EXPIRED or self.host.clock.now() >= approval.deadline:
            return ExpiredError("The run no longer waits for this decision.")
        return None

    def _decide(self, approval: Approval, link: Link, comment: str) -> dict[str, Json]:
        def vote(known: Approval) -> Vote:
            by = known.names[link.approver]
            return Vote(by, link.approves, self.host.clock.now(), comment, link.approver, "link")

        try:
            after = self.decider.cast(approval.id, vote)
        except ApprovalError as error:
            return _failed(error)
        except Exception:
            self.logger.exception("a decision could not be passed on", extra={"approval": approval.id})
            text = (
                "Your decision is kept, but the run could not be told yet. Send the form again, or wait a few minutes."
            )
            return _response(503, note_page("Not yet", text))
        self.logger.info("a person has decided", extra={"approval": after.id, "approves": link.approves})
        return _response(200, done_page(after, link))

    # -- for the command line -------------------------------------------------------------------------

    def command(self, event: Mapping[str, Json]) -> dict[str, Json]:
        """`{"approvals": […]}`, `{"approval": …}`, `{"withdrawn": NUMBER}`, or `{"problem": TEXT}` for a vote that does
        not count."""
        if event.get("operation") == "list":
            now = self.host.clock.now()
            waiting = [
                each for each in self.store.due() if each.status is ApprovalStatus.WAITING and now < each.deadline
            ]
            return {"approvals": [approval_shown(each) for each in waiting]}
        if event.get("operation") == "cancel":
            run_id = _text(event, "run")
            # Those of the run itself are read as they are; its children's by an index, which follows in a moment.
            inner = [each for each in self.store.due(limit=MOST_LOOKED_AT) if run_id in each.parents]
            return {"withdrawn": self.withdraw([*self.store.of_run(run_id), *inner])}
        if event.get("operation") != "decide":
            return {"problem": "an operation is list, decide or cancel"}
        name, comment, approves = _text(event, "name"), _text(event, "comment"), event.get("approves") is True
        if not name:
            return {"problem": "somebody must decide: `name` is missing"}
        try:
            after = self.decider.cast(
                _text(event, "approval"),
                lambda known: vote_of(
                    known, name, approves, comment[:LONGEST_COMMENT], self.host.clock.now(), "command"
                ),
            )
        except ApprovalError as error:
            return {"problem": str(error)}
        return {"approval": approval_shown(after)}


def _comment(event: Mapping[str, Json]) -> str:
    body = event.get("body")
    if not isinstance(body, str) or len(body) > _LARGEST_BODY:
        return ""
    if event.get("isBase64Encoded") is True:
        try:
            body = base64.b64decode(body, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return ""
    given = parse_qs(body, max_num_fields=10).get("comment", [""])[0]
    return "".join(letter for letter in given if letter.isprintable() or letter == "\n").strip()[:LONGEST_COMMENT]


def _failed(error: ApprovalError) -> dict[str, Json]:
    return _response(_STATUS.get(type(error), 404), note_page("This is decided no more", str(error)))


def _response(status: int, page: str) -> dict[str, Json]:
    return {"statusCode": status, "headers": dict(HEADERS), "body": page}


def _text(event: Mapping[str, Json], *path: str) -> str:
    value: Json = event
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
