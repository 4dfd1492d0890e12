"""The steps of a workflow: a closed union with one member per verb of the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from stepsmith.expressions.syntax import Template
from stepsmith.model.calls import CallPattern
from stepsmith.model.policies import CircuitBreaker, Handler, RateLimit, RetryPolicy, Then
from stepsmith.model.values import ObjectValue, Value
from stepsmith.source import Span


@dataclass(frozen=True, slots=True)
class Need:
    """One of a step's `needs`."""

    id: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every step may carry besides its verb: its name and the modifiers."""

    id: str
    """Unique in the file; the name of the step's state."""
    span: Span = field(compare=False, repr=False)
    """The step's `-`; its line is the step's line everywhere."""
    id_span: Span = field(compare=False, repr=False)
    """The id as written, else the verb."""
    title: str = ""
    """The `name` modifier: for people."""
    description: str = ""
    condition: Template | None = None
    """The `if` modifier."""
    timeout: int | None = None
    """Seconds."""
    heartbeat: int | None = None
    """Seconds."""
    retry: RetryPolicy | None = None
    on_failure: tuple[Handler, ...] | None = None
    """None: the step says nothing, an empty tuple: it says `fail`."""
    rollback: Undo | None = None
    """What undoes this step in a rollback."""
    stays: bool = False
    """Its author says that a rollback has nothing to undo of it (`rollback: none`)."""
    output: Value | None = None
    """The `output` modifier, which reshapes the result."""
    needs: tuple[Need, ...] | None = None
    """The `needs` modifier as written; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStep(Common):
    """Runs an action of the catalogue as a Lambda function."""

    action: str
    action_span: Span = field(compare=False, repr=False)
    params: ObjectValue
    rate_limit: RateLimit | None = None
    circuit_breaker: CircuitBreaker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStep(Common):
    """Runs another workflow of the project; `waits` for its end, which is the step's."""

    workflow: str
    workflow_span: Span = field(compare=False, repr=False)
    params: ObjectValue
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsStep(Common):
    """Calls an operation of an AWS service, without a Lambda function."""

    service: str
    operation: str
    pattern: CallPattern
    call_span: Span = field(compare=False, repr=False)
    """Where service and operation are written."""
    params: ObjectValue

    @property
    def call(self) -> str:
        """The call as its author wrote it, without the pattern."""
        return f"{self.service}:{self.operation}"

    @property
    def waits(self) -> bool:
        """Whether someone must answer with the task token."""
        return self.pattern is CallPattern.TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStep(Common):
    """Sets variables, read as `vars.NAME`. Its values see the variables as they were before the step."""

    values: ObjectValue


@dataclass(frozen=True, slots=True)
class Case:
    """One branch of a `switch`; `condition` None is the last `else`."""

    condition: Template | None
    steps: Block
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStep(Common):
    """Takes the first case whose condition is true; with no match and no `else` the workflow goes on."""

    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep(Common):
    """Pauses for some seconds, or until a time (ISO 8601 with an offset)."""

    seconds: int | Template | None = None
    until: str | Template | None = None


class OnTimeout(StrEnum):
    """What an approval comes to when nobody has decided in time."""

    FAIL = "fail"
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalStep(Common):
    """Waits until people have decided, at most `timeout` seconds, which an approval always has."""

    request: ObjectValue
    """`message` and, where they are given, `approvers` and `notify`."""
    quorum: int
    """How many must approve; one rejection rejects."""
    remind: int | None
    """Seconds between two reminders."""
    on_timeout: OnTimeout


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep(Common):
    """Ends the run successfully, with `result` as its output."""

    result: Value | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailStep(Common):
    """Raises an error where it stands."""

    error: str
    cause: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatStep(Common):
    """Runs its steps again and again: `until` is tested after a round, `go_on` (`while`) before it."""

    until: Template | None
    go_on: Template | None
    most: int
    """Rounds; past them the step fails with RepeatExhausted."""
    delay: int | None
    """Seconds between rounds."""
    steps: Block


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of a `parallel`."""

    name: str
    steps: Block
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelStep(Common):
    """Runs its branches at once and joins them. `keyed`: its output is a mapping by branch name, else a list."""

    branches: tuple[Branch, ...]
    keyed: bool
    made: bool = False
    """It is no step of an author's: it holds steps of a graph that run at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStep(Common):
    """A list of steps with `needs`; it stands in the place of the list, as its only step.

    `steps` are its steps nested into sequences and made `parallel`s; it has no state of its own.
    """

    nodes: Block
    """The steps as written."""
    waits: Mapping[str, tuple[str, ...]]
    """By id of a node: the nodes that it needs, by `needs` or by reading them, as far as others do not imply them."""
    added: tuple[tuple[str, str], ...]
    """Pairs of nodes of which the second waits for the first without needing it, directly or not."""
    steps: Block

    @property
    def last(self) -> Step:
        """The step whose output is the list's, as in any list: the one that is written last."""
        return self.nodes[-1]


class S3Format(StrEnum):
    """How the items of a loop lie in S3."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    """The first row names the columns; every value is text."""
    OBJECTS = "objects"
    """The items are the objects themselves, as S3 lists them."""


@dataclass(frozen=True, slots=True)
class S3Items:
    """The items of a distributed loop in S3: one file, or with the format `objects` all that begins with a prefix."""

    uri: Value
    format: S3Format
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEachStep(Common):
    """Runs its steps once per item of a list. `distributed`: each item is an execution of its own."""

    items: Value | S3Items
    distributed: bool = False
    results: Value | None = None
    """The `s3://` URI under which a distributed loop writes its results, which are then not its output."""
    item_name: str
    index_name: str | None
    concurrency: int
    tolerate: int
    """How many items may fail."""
    tolerate_percent: int | None
    """The same in per cent of the items."""
    steps: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class TryStep(Common):
    """A block with handlers for the failures inside it, and steps that run last whatever happened."""

    steps: Block
    catch: tuple[Handler, ...]
    finally_steps: Block


Step: TypeAlias = (
    ActionStep
    | ChildStep
    | AwsStep
    | SetStep
    | SwitchStep
    | WaitStep
    | ApprovalStep
    | StopStep
    | FailStep
    | RepeatStep
    | ParallelStep
    | ForEachStep
    | TryStep
    | GraphStep
)
Block: TypeAlias = tuple[Step, ...]
Undo: TypeAlias = ActionStep | ChildStep | AwsStep
"""A step that undoes another: one task. Its id is that of the step that it undoes, with UNDO after it."""
UNDO: Final = ".rollback"


def inner_blocks(step: Step) -> tuple[Block, ...]:
    """The lists of steps that stand directly inside `step`'s verb (not those of its handlers)."""
    match step:
        case ActionStep() | ChildStep() | AwsStep() | SetStep() | WaitStep() | StopStep() | FailStep():
            return ()
        case ApprovalStep():
            return ()
        case SwitchStep():
            return tuple(case.steps for case in step.cases)
        case RepeatStep() | ForEachStep() | GraphStep():
            return (step.steps,)
        case ParallelStep():
            return tuple(branch.steps for branch in step.branches)
        case TryStep():
            return (step.steps, step.finally_steps)
        case _:
            assert_never(step)


def handlers_of(step: Step) -> tuple[Handler, ...]:
    """The handlers that stand on `step`: those of `on_failure` and, for a `try`, those of `catch`."""
    own = step.on_failure or ()
    return (*step.catch, *own) if isinstance(step, TryStep) else own


def owner_of(step_id: str) -> str:
    """The step that an undo undoes; any other step itself."""
    return step_id.removesuffix(UNDO)


def is_call(step: Step) -> bool:
    """Whether the step is one call to the machine that it stands in, which sees no step inside of it."""
    return isinstance(step, ActionStep | AwsStep | ChildStep | ApprovalStep) or (
        isinstance(step, ForEachStep) and step.distributed
    )


def rolls_back(step: Step) -> bool:
    """Whether a failure of `step` itself may begin a rollback, whatever the workflow says."""
    return any(handler.then is Then.ROLLBACK for handler in handlers_of(step))


def walk(block: Block) -> Iterator[Step]:
    """Every step of `block` and of the blocks and handlers inside it, in the order written."""
    for step in block:
        yield step
        for inner in inner_blocks(step):
            yield from walk(inner)
        for handler in handlers_of(step):
            yield from walk(handler.steps)


def is_written(step: Step) -> bool:
    """Whether an author wrote it; the others are what became of a list with `needs`."""
    return not isinstance(step, GraphStep) and not (isinstance(step, ParallelStep) and step.made)


def in_sequence(block: Block) -> Block:
    """What runs one after another where `block` stands: its steps, or what became of a list with `needs`."""
    return block[0].steps if len(block) == 1 and isinstance(block[0], GraphStep) else block


def behind(block: Block, count: int) -> Block:
    """`block` without the first `count` of what runs one after another."""
    if len(block) == 1 and isinstance(graph := block[0], GraphStep) and count < len(graph.steps):
        return (replace(graph, steps=graph.steps[count:]),)
    return in_sequence(block)[count:]


def written_in(step: Step) -> Iterator[Step]:
    """The step as an author wrote it: itself, or the steps that were put into what `needs` made."""
    if is_written(step):
        yield step
        return
    for block in inner_blocks(step):
        for inner in block:
            yield from written_in(inner)


def first_written(block: Block) -> Step | None:
    """A step that runs first when `block` runs."""
    step = block[0] if block else None
    if isinstance(step, GraphStep):
        return first_written(step.steps)
    if isinstance(step, ParallelStep) and step.made:
        return first_written(step.branches[0].steps)
    return step
