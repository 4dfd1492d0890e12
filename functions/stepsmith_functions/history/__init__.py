"""The history of runs: what was run, which steps it took, how each ended.

`records` and `store` say what a record and a store are; `dynamodb` and `local` keep records. `steps` writes what
handlers tell, `reader` gives it back to actions and `controls` what a person ordered; `shared` keeps what runs have
in common. `runs`, in the Lambda of `recorder`, writes what Step Functions tells. `events`, `reading`, `visits`,
`origins`, `rebuild` and `ending` read a run out of its execution's own history; `result` shows it. This file imports
nothing else until it is asked, so that a command or a handler pays only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepsmith_functions.history.controls import DynamoControls
    from stepsmith_functions.history.ledger import ToldSteps
    from stepsmith_functions.history.reader import HistoryReader
    from stepsmith_functions.history.shared import DynamoSharedState
    from stepsmith_functions.history.steps import DynamoStepRecorder


def recorder_for_steps() -> DynamoStepRecorder:
    """What a handler tells of its step to, on the deployment's table.

    The environment names it: `HISTORY_TABLE`, `DATA_BUCKET`, `HISTORY_DAYS`. Raises KeyError without them.
    """
    from stepsmith_functions.history.deployment import step_recorder

    return step_recorder()


def controls_for_steps() -> DynamoControls:
    """What a handler asks whether its run is paused or cancelled, on the deployment's table."""
    from stepsmith_functions.history.deployment import step_controls

    return step_controls()


def shared_for_steps() -> DynamoSharedState:
    """What a handler counts starts and failures of all runs in, on the deployment's table."""
    from stepsmith_functions.history.deployment import shared_state

    return shared_state()


def reader_for_steps() -> HistoryReader:
    """What a handler reads its run's steps from, on the deployment's table."""
    from stepsmith_functions.history.deployment import history_reader

    return history_reader()


def ledger_for_rollback() -> ToldSteps:
    """What a rollback reads of what the steps of its run told, on the deployment's table."""
    from stepsmith_functions.history.deployment import told_steps

    return told_steps()
