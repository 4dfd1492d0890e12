"""Has a run of a deployed stack undone there: what `stepsmith rollback --stack` does.

It starts the workflow's machine NAME.rollback, as the recorder does after a run that was ended from outside, and waits
for nothing: the recorder keeps what becomes of it.
"""

from __future__ import annotations

import argparse

from stepsmith.asl.names import rollback_id
from stepsmith.cli.console import Console
from stepsmith.cli.deployed import StackHistories
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.stack_machines import described
from stepsmith_functions.history.executions import Executions, rollback_name
from stepsmith_functions.history.records import RunRecord
from stepsmith_functions.history.store import HistoryError

_MOST_ATTEMPTS = 1000


def execute(arguments: argparse.Namespace, console: Console, place: StackHistories, run: RunRecord) -> int:
    """Starts to undo `run`, which is over. Raises CommandError where that cannot be."""
    if arguments.real_time:
        raise CommandError("--real-time is for runs of this machine, not for those of a stack")
    needed = rollback_id(run.workflow)
    machine = place.resources.get(needed)
    if machine is None:
        raise CommandError(
            f"no step of {run.workflow} says how it is undone: the stack {place.stack} has no {needed}",
            help="write rollback: {action: …, params: {…}} on it; stepsmith build and sam deploy bring it there",
            status=Exit.PROBLEMS,
        )
    short = run.run_id[:8]
    if run.execution_arn is None:
        raise CommandError(f"run {short} can't be undone: it was never started", status=Exit.PROBLEMS)
    attempt = _next_attempt(place, machine, run)
    try:
        undoing = Executions(place.states()).roll_back(run.execution_arn, run.run_id, attempt=attempt)
    except HistoryError as error:
        raise CommandError(f"run {short} can't be undone: {error}", status=Exit.PROBLEMS) from error
    if arguments.json:
        told = {"run_id": run.run_id, "workflow": run.workflow, "execution_arn": undoing, "attempt": attempt}
        console.print_json(told)
    else:
        console.print(f"run {short} of {run.workflow} is being undone")
        console.print(console.style(f"stepsmith show {short}{place.flags} shows how it goes", "dim"))
    return Exit.DONE


def _next_attempt(place: StackHistories, machine: str, run: RunRecord) -> int:
    """The number of the first attempt that nobody has made. Raises CommandError where one is under way."""
    executions = machine.replace(":stateMachine:", ":execution:", 1)
    for attempt in range(1, _MOST_ATTEMPTS):
        found = described(place, f"{executions}:{rollback_name(run.run_id, attempt)}")
        if found is None:
            return attempt
        if found.status == "RUNNING":
            raise CommandError(
                f"run {run.run_id[:8]} is being undone already",
                help=f"stepsmith show {run.run_id[:8]}{place.flags} shows how it goes",
                status=Exit.PROBLEMS,
            )
    raise CommandError(f"run {run.run_id[:8]} was tried to be undone too often", status=Exit.PROBLEMS)
