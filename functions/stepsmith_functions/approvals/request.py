"""The Lambda that asks for approvals, and on a schedule reminds. It may not answer a task itself.

What it returns goes nowhere: the task waits for its token. What it raises fails the step.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.logging import Logger

from stepsmith_functions.approvals.asking import Asker, sweep
from stepsmith_functions.approvals.hosting import at_a_desk, store_of
from stepsmith_functions.approvals.links import new_secret
from stepsmith_functions.approvals.question import read_question
from stepsmith_functions.approvals.records import Approval
from stepsmith_functions.approvals.telling import ToldHistory
from stepsmith_functions.history.values import Json
from stepsmith_functions.runtime import gate, hosting, log
from stepsmith_functions.runtime.action import LambdaContext
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.hosting import Host
from stepsmith_functions.runtime.notifying import deliver
from stepsmith_functions.runtime.places import leave
from stepsmith_functions.runtime.secrets import AwsSecrets
from stepsmith_functions.runtime.settings import Settings


def handler(event: Mapping[str, Json], context: LambdaContext) -> dict[str, Json]:
    """Asks what the machine's event asks; a scheduled event sweeps.

    `event` is `{"params": {"message", "approvers"?, "notify"?, "quorum", "timeout", "remind"?}, "token", "run": {"id",
    "workflow", "version"?, "control"?: {"pausable", "parents"}}, "step": {"id", "path", "line", "attempt"}}`. Raises
    InvalidParams, RecipientInvalid and DeliveryFailed under these names, and RunPaused and RunCancelled as the gate of
    an action does.
    """
    host = hosting.host()
    settings = Settings.from_environment(host.environment)
    logger = log.logger()
    asker = _asker(host, settings, logger, context)
    if event.get("detail-type") == "Scheduled Event":
        return {"due": sweep(asker, host.clock.now())}
    approval, notify = read_question(event, host.clock.now())
    with log.keyed(run_id=approval.run_id, step=approval.path):
        boundary, keepers = _boundary(approval), _keepers(host, settings)
        gate.does_the_run_go_on(boundary, keepers)
        _step_aside(approval.run_id, host, settings, logger)

        def ended() -> Control | None:
            order = gate.control_of(boundary, keepers)
            return order if order is not None and order.order is not Order.PAUSE else None

        asked = asker.ask(approval, notify, ended)
        logger.info("people are asked for an approval", extra={"approvers": list(asked.names)})
    return {"asked": list(asked.names)}


def _boundary(approval: Approval) -> gate.Boundary:
    return gate.Boundary(
        run_id=approval.run_id,
        controlled=approval.controlled,
        pausable=True,
        parents=approval.parents,
        attempt=approval.attempt,
    )


def _keepers(host: Host, settings: Settings) -> gate.Keepers:
    return gate.Keepers(
        control=lambda: host.history.control(settings), begin=lambda: None, now=host.clock.now, logger=log.logger
    )


def _step_aside(run_id: str, host: Host, settings: Settings, logger: Logger) -> None:
    """While the run waits for people, another one of its workflow may have its place."""
    try:
        shared = host.history.shared(settings)
        if shared is not None:
            leave(shared, run_id, host.clock.now(), for_good=False)
    except Exception:
        logger.exception("the run's place was not given up")


def _asker(host: Host, settings: Settings, logger: Logger, context: LambdaContext) -> Asker:
    store = store_of(host, settings)

    def send(approval: Approval, recipient: str, subject: str, text: str) -> None:
        given = ActionContext(
            run_id=approval.run_id,
            workflow=approval.workflow,
            step_id=approval.step_id,
            step_path=approval.path,
            attempt=approval.attempt,
            settings=settings,
            clients=host.clients,
            clock=host.clock,
            ids=host.ids,
            secrets=host.secrets or AwsSecrets(host.clients),
            remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        deliver(recipient, subject, text, given)

    return Asker(
        store,
        ToldHistory(host, settings, logger, store),
        None if at_a_desk() else send,
        settings.approvals_url,
        logger,
        new_secret,
    )
