"""The Lambda that keeps the start and the end of runs: the handler of Step Functions' status events.

Besides what `deployment` reads, the environment may have `WORKFLOW_MAPS`: the folder with the workflows' source
maps. What is done with an event is the business of `runs`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from stepsmith_functions.history.deployment import run_store, shared_state
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.executions import ROLLBACK_SUFFIX, Change, Executions, change_of_event
from stepsmith_functions.history.origins import Origins, origins_of_definition, read_origins
from stepsmith_functions.history.runs import Recorder
from stepsmith_functions.history.values import from_text
from stepsmith_functions.history.visits import History
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.places import leave

_logger = logging.getLogger(__name__)


def handler(event: Mapping[str, object], _context: object = None) -> None:
    """A status event is recorded, a scheduled event sweeps, anything else is passed over.

    Raises HistoryError when it has to be called again.
    """
    if event.get("detail-type") == "Scheduled Event":
        _logger.info("settled %d runs", deployed_recorder().sweep(datetime.now(UTC)))
        return
    change = change_of_event(event)
    if change is None:
        _logger.info("an event that is about no run: %s", event.get("detail-type"))
        return
    if run_ending(change.status)[0].is_final and not change.name.endswith(ROLLBACK_SUFFIX):
        _give_up_place(change.run_id)
    _logger.info("run %s of %s: %s", change.run_id, change.workflow, deployed_recorder().record(change).value)


def _give_up_place(run_id: str) -> None:
    """Lets another run have the place of one that is over; what goes wrong is left to the lease's end."""
    try:
        leave(shared_state(), run_id, datetime.now(UTC), for_good=True)
    except Exception:
        _logger.exception("the place of run %s was not given up", run_id)


def deployed_recorder(environment: Mapping[str, str] = os.environ) -> Recorder:
    """What keeps the runs of this deployment. Raises KeyError when a variable is absent."""
    executions = Executions(clients.of_process().get("stepfunctions"))
    folder = environment.get("WORKFLOW_MAPS")
    origins = DeployedOrigins(executions, Path(folder) if folder else None)
    return Recorder(run_store(environment), executions, origins)


class DeployedOrigins:
    """Where states came from: the source maps that were deployed, else the definition that the execution runs.

    The maps lie in the folder `WORKFLOW_MAPS`, `WORKFLOW.map.json` each. A map that does not know a state of the
    execution is of another version of the workflow and is not used. What goes on with a run has its map with it.
    """

    def __init__(self, executions: Executions, folder: Path | None) -> None:
        self._executions = executions
        self._folder = folder

    def find(self, change: Change, history: History) -> Origins:
        entered = {visit.state for visit in history.visits}
        mapped = self._mapped(change.name)
        if mapped is not None and entered <= mapped.states.keys():
            return mapped
        return origins_of_definition(self._executions.definition(change.execution_arn))

    def _mapped(self, workflow: str) -> Origins | None:
        if self._folder is None or Path(workflow).name != workflow:
            return None
        try:
            source_map = from_text((self._folder / f"{workflow}.map.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return read_origins(source_map) if isinstance(source_map, Mapping) else None
