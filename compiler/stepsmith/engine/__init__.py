"""A Step Functions interpreter for state machines in JSONata mode.

Pure: definition, input, a task handler and a clock go in, history events and an outcome come out. Single-threaded and
discrete-event, with exact virtual time. Its purpose is to do what AWS does; it knows nothing of handlers, services,
moto or YAML.
"""

from stepsmith.engine.clock import Clock, RealClock, VirtualClock
from stepsmith.engine.engine import Engine
from stepsmith.engine.errors import (
    EngineError,
    ExecutionNotRedrivable,
    Failure,
    InvalidDefinition,
    InvalidOutput,
    InvalidToken,
    TaskTimedOut,
    TaskTokenError,
    UnsupportedQueryLanguage,
)
from stepsmith.engine.events import Event, api_event
from stepsmith.engine.execution import Execution, Status
from stepsmith.engine.machine import Machine
from stepsmith.engine.reader import read_machine
from stepsmith.engine.tasks import (
    Purpose,
    TaskCall,
    TaskFailed,
    TaskHandler,
    TaskOutcome,
    TaskSucceeded,
    TaskWaiting,
)
from stepsmith.engine.templates import Evaluation
from stepsmith.engine.validation import Problem, validate
from stepsmith.engine.values import Json

__all__ = [
    "Clock",
    "Engine",
    "EngineError",
    "Evaluation",
    "Event",
    "Execution",
    "ExecutionNotRedrivable",
    "Failure",
    "InvalidDefinition",
    "InvalidOutput",
    "InvalidToken",
    "Json",
    "Machine",
    "Problem",
    "Purpose",
    "RealClock",
    "Status",
    "TaskCall",
    "TaskFailed",
    "TaskHandler",
    "TaskOutcome",
    "TaskSucceeded",
    "TaskTimedOut",
    "TaskTokenError",
    "TaskWaiting",
    "UnsupportedQueryLanguage",
    "VirtualClock",
    "api_event",
    "read_machine",
    "validate",
]
