"""What can be known before a run is checked before a run: one module per subject, all problems in one run."""

from __future__ import annotations

from collections.abc import Callable

from stepsmith.checks.actions import check_actions
from stepsmith.checks.approvals import check_approvals
from stepsmith.checks.aws import check_aws
from stepsmith.checks.children import check_children
from stepsmith.checks.context import CheckContext
from stepsmith.checks.deadlines import check_deadlines
from stepsmith.checks.errors import check_error_names
from stepsmith.checks.expressions import check_expressions
from stepsmith.checks.flow import check_flow
from stepsmith.checks.input import check_input
from stepsmith.checks.params import check_params
from stepsmith.checks.rollback import check_rollback
from stepsmith.checks.secrets import check_environment, check_secrets
from stepsmith.checks.triggers import check_triggers

Check = Callable[[CheckContext], None]

ALL_CHECKS: tuple[Check, ...] = (
    check_input,
    check_actions,
    check_flow,
    check_deadlines,
    check_expressions,
    check_params,
    check_children,
    check_aws,
    check_approvals,
    check_error_names,
    check_secrets,
    check_environment,
    check_triggers,
    check_rollback,
)


def run_checks(context: CheckContext) -> None:
    """Runs every check; what they find goes into the context's diagnostics."""
    for check in ALL_CHECKS:
        check(context)
