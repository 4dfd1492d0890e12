"""The parsed definition: one frozen class per type of state.

Nouns only. `reader` makes them of JSON, `states` runs them. A template is a value that may hold expressions;
`Assign` is kept as pairs in the order of the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsmith.engine.templates import Template
from stepsmith.engine.values import Json

Assign: TypeAlias = tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class Retrier:
    """A retry policy; `interval` and `max_delay` in seconds, `max_attempts` counts retries."""

    errors: tuple[str, ...]
    interval: float = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay: float | None = None
    full_jitter: bool = False


@dataclass(frozen=True, slots=True)
class Catcher:
    """Where to go on after a failure, and what to put out and assign there instead of the state's own."""

    errors: tuple[str, ...]
    next: str
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """Puts out its input or its Output."""

    name: str
    next: str | None
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Has something done by a resource."""

    name: str
    next: str | None
    resource: str
    arguments: Template | None = None
    timeout: Template | None = None
    heartbeat: Template | None = None
    role_arn: Template | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """One condition and what follows when it is the first to hold."""

    condition: Template
    next: str
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Goes on by the first rule that holds. `assign` and `output` count only when the default is taken."""

    name: str
    rules: tuple[ChoiceRule, ...]
    default: str | None = None
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Lets time pass: either `seconds` or `timestamp` is set."""

    name: str
    next: str | None
    seconds: Template | None = None
    timestamp: Template | None = None
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Succeed:
    """Ends its branch well."""

    name: str
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Ends its branch badly."""

    name: str
    error: Template | None = None
    cause: Template | None = None


@dataclass(frozen=True, slots=True)
class Parallel:
    """Runs branches side by side."""

    name: str
    next: str | None
    branches: tuple[StateGraph, ...]
    arguments: Template | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    assign: Assign = ()
    output: Template | None = None


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Where a distributed Map gets its items from."""

    resource: str
    arguments: Template | None
    config: Mapping[str, Json]
    max_items: Template | None


@dataclass(frozen=True, slots=True)
class ItemBatcher:
    """How a distributed Map packs items into child executions."""

    max_items: Template | None
    max_bytes: Template | None
    batch_input: Template | None


@dataclass(frozen=True, slots=True)
class ResultWriter:
    """Where a distributed Map puts its results. Without a resource they are only transformed."""

    resource: str | None
    arguments: Template | None
    transformation: str
    output_type: str


@dataclass(frozen=True, slots=True)
class Map:
    """Runs one processor for each item; in distributed mode as child executions."""

    name: str
    next: str | None
    processor: StateGraph
    distributed: bool = False
    express_children: bool = False
    items: Template | None = None
    item_selector: Template | None = None
    max_concurrency: Template | None = None
    tolerated_count: Template | None = None
    tolerated_percentage: Template | None = None
    label: str | None = None
    reader: ItemReader | None = None
    batcher: ItemBatcher | None = None
    writer: ResultWriter | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    assign: Assign = ()
    output: Template | None = None


State: TypeAlias = Pass | Task | Choice | Wait | Succeed | Fail | Parallel | Map
RetryingState: TypeAlias = Task | Parallel | Map


@dataclass(frozen=True, slots=True)
class StateGraph:
    """The states of a machine, a branch or an item processor."""

    start_at: str
    states: Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Machine:
    """A state machine that can be run. `timeout` is in seconds."""

    graph: StateGraph
    timeout: float | None = None
    comment: str = ""
    definition: Mapping[str, Json] = field(default_factory=dict, repr=False, compare=False)
