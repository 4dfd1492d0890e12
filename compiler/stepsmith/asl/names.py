"""The names that Step Functions reserves: what no variable of a machine may be called."""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "string length substring substringBefore substringAfter uppercase lowercase trim pad contains split "
    "join match replace eval base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent "
    "decodeUrl number abs floor ceil round power sqrt random formatNumber formatBase formatInteger "
    "parseInteger sum max min average boolean not exists count append sort reverse shuffle distinct zip "
    "keys lookup spread merge sift each error assert type now millis fromMillis toMillis map filter "
    "single reduce partition range hash uuid parse "
)
FUNCTIONS: Final = frozenset(_NAMES.split())
"""JSONata 2.0.6's functions and those that Step Functions adds; a variable of that name hides the function."""

RESERVED_VARIABLES: Final = FUNCTIONS | {"states"}
LONGEST_VARIABLE: Final = 80
LONGEST_STATE: Final = 80


def environment_key(name: str) -> str:
    """The key of a value of the environment among the definition's substitutions: `API_URL` is `EnvApiUrl`."""
    return "Env" + "".join(part.capitalize() for part in name.split("_"))


ROLLBACK_SUFFIX: Final = ".rollback"
"""Behind the name of a workflow's machine: the machine that undoes a run of it after its end."""


RESUME_SUFFIX: Final = ".resume"
"""Behind the name of a workflow's machine: the machine whose versions go on with runs of it that ended badly."""


def resume_id(workflow: str) -> str:
    """The logical id of the state machine whose versions go on with a workflow's runs."""
    return machine_id(workflow).removesuffix("Machine") + "ResumeMachine"


def rollback_id(workflow: str) -> str:
    """The logical id of the state machine that undoes a workflow's runs."""
    return machine_id(workflow).removesuffix("Machine") + "RollbackMachine"


def machine_id(workflow: str) -> str:
    """The logical id of a workflow's state machine in the template."""
    return "".join(word.capitalize() for word in workflow.split("-")) + "Machine"
