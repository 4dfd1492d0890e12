"""Lowers the rollback of a run: one section of the machine that undoes what has completed, latest first.

Which steps have completed, in which order and with which output, only the run knows: steps in branches, iterations and
rounds, and what a sibling finished while its Parallel was failing already. So the section asks the ledger, a function
that reads it out of the history, and then goes through what it got: a Choice, and a Task for each step that has an
undo. None of this is on the way of a run that succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stepsmith.analysis.facts import Point
from stepsmith.asl.names import ROLLBACK_SUFFIX, machine_id
from stepsmith.asl.states import (
    Catcher,
    ChoiceState,
    FailState,
    Origin,
    Retrier,
    Role,
    Rule,
    StateMachine,
    SucceedState,
    TaskState,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.integrations import integration_of
from stepsmith.lowering.children import WAIT
from stepsmith.lowering.codes import ENTRY
from stepsmith.lowering.context import Context, LoweringError, Reading, in_order
from stepsmith.lowering.deadlines import is_late
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.errors import EVERY_FAILURE, TRANSIENT_RETRIER, control_retriers, retriers
from stepsmith.lowering.failing import ROLLBACK
from stepsmith.lowering.frames import Guard
from stepsmith.lowering.handing import HandedCodes, output_binding, paths_of_output
from stepsmith.lowering.input import STARTED_BY
from stepsmith.lowering.payloads import payload
from stepsmith.lowering.raising import EVERYTHING, Raised, raise_error
from stepsmith.model.steps import UNDO, ActionStep, AwsStep, ChildStep, Step, Undo
from stepsmith.permissions import merged, permissions_of

LEDGER: Final = "LedgerFunction"
"""The function that knows what has completed (`stepsmith_functions.rollback.ledger`)."""
NEXT: Final = "workflow.undo"
ENDED: Final = "workflow.rolled-back"
DECIDED: Final = "workflow.undone"
FAILED: Final = "workflow.rollback-failed"
STILL_RUNNING: Final = Retrier(("StepStillRunning",), interval=5, max_attempts=400, backoff=1.0)
"""Lambda goes on with what Step Functions has given up: it is waited for, for longer than any function may take."""
UNREADABLE: Final = Retrier(EVERY_FAILURE, interval=2, max_attempts=8, backoff=2.0, max_delay=60)
LONGEST_ROLLBACK: Final = 7 * 24 * 3600
"""Seconds that undoing a run after its end may take."""
LONGEST_MESSAGE: Final = 12_000
"""Characters of the error's message that are kept: as JSON they must fit a Cause of 32,768."""


def lower_rollback(context: Context) -> Guard:
    """The section, and the guard that leads into it. What follows it are the guards around."""
    held = context.names.rollback("error")
    guard = Guard(None, Edge(ROLLBACK), held, None, context.workflow.steps, is_default=True, leaving=True)
    if not context.workflow.undoable:
        raise_error(context, ROLLBACK, None, _ending(context, held, nothing=True))
        return guard
    raise_error(context, ENDED, None, _ending(context, held, nothing=False))
    _lower_undos(context, ENDED, OWN)
    return guard


def lower_rollback_machine(context: Context) -> StateMachine | None:
    """The machine that undoes a run after its end: one that failed, was stopped or ran out of time. It is started with
    `{"run": {"id", "execution"}}`. None where no step can be undone."""
    if not context.workflow.undoable:
        return None
    context.begin_another()
    failed = jsonata.variable(context.names.rollback("failed"))
    problem = jsonata.variable(context.names.rollback("problem"))
    origin = Origin(Role.END, context.workflow.name_span)
    succeeded = context.add(SucceedState(name=ENDED, origin=origin, output={}))
    told = jsonata.conditional(
        jsonata.comparison("=", problem, jsonata.constant("")), jsonata.constant("an undo failed"), problem
    )
    broken = FailState(name=FAILED, origin=origin, error="RollbackFailed", cause=jsonata.field(told.text))
    decide = ChoiceState(
        name=DECIDED,
        origin=_origin(context, "Whether every undo succeeded."),
        rules=(Rule(jsonata.field(failed.text), context.add(broken)),),
        default=succeeded,
        output={},
    )
    _lower_undos(context, context.add(decide), ANOTHERS)
    return StateMachine(
        name=context.workflow.name + ROLLBACK_SUFFIX,
        start_at=ROLLBACK,
        states=tuple(in_order(context.frame.states, ROLLBACK)),
        comment=f"Undoes a run of {context.workflow.name} after its end.",
        timeout=LONGEST_ROLLBACK,
        environment=tuple(sorted(set(context.environment_read))),
        functions=tuple(sorted(context.functions)),
        machines=tuple(sorted(context.machines)),
        permissions=merged(context.permissions),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """The run that is undone: how its id and its execution read, and whether it is still going on."""

    id: str
    execution: str
    asked_by: str | None


OWN: Final = _Run("$states.context.Execution.Name", "$states.context.Execution.Id", ROLLBACK)
ANOTHERS: Final = _Run("$states.context.Execution.Input.run.id", "$states.context.Execution.Input.run.execution", None)


def _lower_undos(context: Context, done: str, run: _Run) -> None:
    """The states from the question to the ledger to the last undo; `done` follows them."""
    undo, at, now = (context.names.rollback(part) for part in ("undo", "at", "now"))
    failed, problem = context.names.rollback("failed"), context.names.rollback("problem")
    context.functions.add(LEDGER)
    asked: dict[str, Json] = {undo: "{% $states.result.Payload.undo %}", at: 0}
    asked[failed] = "{% $states.input.failed = true or $states.result.Payload.problem != '' %}"
    asked[problem] = "{% $states.result.Payload.problem %}"
    unreadable: dict[str, Json] = {undo: [], at: 0, failed: True}
    unreadable[problem] = "{% 'the ledger of completed steps could not be read: ' & $states.errorOutput.Error %}"
    context.add(
        TaskState(
            name=ROLLBACK,
            origin=_origin(context, "Asks which steps have completed."),
            resource="arn:${Partition}:states:::lambda:invoke",
            arguments={"FunctionName": f"${{{LEDGER}}}", "Payload": _question(context, run)},
            retry=(TRANSIENT_RETRIER, STILL_RUNNING, UNREADABLE),
            catch=(Catcher((EVERYTHING,), NEXT, unreadable, output={}),),
            assign=asked,
            output={},
            next=NEXT,
        )
    )
    entry = jsonata.index(jsonata.variable(undo), jsonata.variable(at))
    onward: dict[str, Json] = {
        now: jsonata.field(entry.text),
        at: jsonata.field(jsonata.binary("+", jsonata.variable(at), jsonata.constant(1)).text),
    }
    more = jsonata.steps(entry, ["more"])
    rules = [
        Rule(
            jsonata.field(jsonata.call("exists", more).text),
            ROLLBACK,
            output={"after": jsonata.field(more.text), "failed": jsonata.field(f"${failed}")},
        )
    ]
    for step in context.workflow.undoable:
        is_this = jsonata.comparison("=", jsonata.steps(entry, ["step"]), jsonata.constant(step.id))
        output: Json = {"undoes": jsonata.field(jsonata.steps(entry, ["path"]).text)}
        rules.append(Rule(jsonata.field(is_this.text), _undo(context, step, f"${now}", failed, run), onward, output))
    origin = _origin(context, "Takes the step that completed last of those not undone yet.")
    context.add(ChoiceState(name=NEXT, origin=origin, rules=tuple(rules), default=done, output={}))


def _origin(context: Context, description: str) -> Origin:
    return Origin(Role.HELPER, context.workflow.name_span, description=description)


def _question(context: Context, run: _Run) -> Json:
    """What the ledger is asked: of which run, by which state, and what the undos need of each step."""
    steps: dict[str, Json] = {}
    for step in context.workflow.undoable:
        told: dict[str, Json] = {}
        if isinstance(step, ActionStep):
            told["output"] = paths_of_output(context, step)  # type: ignore[assignment]
            signature = context.catalog.get(step.action)
            told["seconds"] = signature.timeout if signature is not None else 900
        else:
            told["variable"] = context.names.undo(step.id)
        steps[step.id] = told
    after = "$states.input.after"
    return {
        "run": {
            "id": jsonata.field(run.id),
            "workflow": context.workflow.name,
            "execution": jsonata.field(run.execution),
        },
        "asked_by": run.asked_by,
        "steps": steps,
        "after": jsonata.field(f"$exists({after}) ? {after} : null"),
    }


def _ending(context: Context, held: str, *, nothing: bool) -> Raised:
    """The error that the run began to fail with, and in its cause how the rollback went."""
    error = jsonata.variable(held)
    message = jsonata.steps(error, ["message"])
    status = jsonata.constant("rolled_back")
    if context.workflow.timeout is not None:
        status = jsonata.conditional(is_late(error), jsonata.constant("timed_out"), status)
    if not nothing:
        failed = jsonata.variable(context.names.rollback("failed"))
        problem = jsonata.variable(context.names.rollback("problem"))
        status = jsonata.conditional(failed, jsonata.constant("rollback_failed"), status)
        told = jsonata.chain("&", [message, jsonata.constant(" ("), problem, jsonata.constant(")")])
        without = jsonata.comparison("=", problem, jsonata.constant(""))
        message = jsonata.conditional(without, message, told)
    cut = jsonata.call("substring", message, jsonata.constant(0), jsonata.constant(LONGEST_MESSAGE))
    pairs: list[tuple[Code, Code]] = [
        (jsonata.constant("message"), cut),
        (jsonata.constant("status"), status),
        (jsonata.constant("step"), jsonata.steps(error, ["step"])),
    ]
    cause = jsonata.call("string", jsonata.obj(pairs))
    kind, text, step = (jsonata.field(jsonata.steps(error, [name]).text) for name in ("type", "message", "step"))
    return Raised(kind, text, jsonata.field(cause.text), step)


# -- an undo --------------------------------------------------------------------------------------


def _undo(context: Context, step: Step, entry: str, failed: str, run: _Run) -> str:
    """The state that undoes `step`, whose entry of the ledger is `entry`; the next one follows in any case."""
    undo = step.rollback
    if undo is None:
        raise LoweringError(f"{step.span}: {step.id} has no undo")
    point = context.analysis.points[undo.id]
    codes = HandedCodes(entry, run.id, context.workflow.name, context.codes(ENTRY))
    extra = {}
    with context.reading_by(Reading(codes)):
        extra["output"] = output_binding(context, step, point, entry)
    with context.reading_by(Reading(codes, extra)):
        resource, arguments = _call(context, undo, point, entry)
    gone: dict[str, Json] = {failed: True}
    return context.add(
        TaskState(
            name=undo.id,
            origin=Origin(Role.STEP, undo.span, undo.id, undo.description),
            resource=resource,
            arguments=arguments,
            timeout=undo.timeout,
            retry=(
                *_while_still_running(context, undo),
                *retriers(
                    undo.retry or context.workflow.retry, context.catalog, transient=isinstance(undo, ActionStep)
                ),
            ),
            catch=(Catcher((EVERYTHING,), NEXT, gone, output={}),),
            output={},
            next=NEXT,
        )
    )


def _while_still_running(context: Context, undo: Undo) -> tuple[Retrier, ...]:
    """An undo is not paused; one that must not be repeated is waited for, as any such action."""
    signature = context.catalog.get(undo.action) if isinstance(undo, ActionStep) else None
    return control_retriers(pausable=False, repeatable=signature is None or signature.repeatable)


def _call(context: Context, undo: Undo, point: Point, entry: str) -> tuple[str, Json]:
    match undo:
        case ActionStep():
            signature = context.catalog.get(undo.action)
            if signature is None:
                raise LoweringError(f"{undo.span}: the unknown action {undo.action} passed the checks")
            context.functions.add(signature.function_id)
            undone = jsonata.path(entry, "path")
            path = jsonata.chain("&", [jsonata.verbatim(undone), jsonata.constant(UNDO)])
            more: dict[str, Json] = {"undoes": jsonata.field(undone)}
            sent = payload(context, undo, point, ENTRY, path=jsonata.field(path.text), more=more)
            return "arn:${Partition}:states:::lambda:invoke", {
                "FunctionName": f"${{{signature.function_id}}}",
                "Payload": sent,
            }
        case AwsStep():
            integration = integration_of(undo, context.services)
            context.permissions += permissions_of(undo, integration, context.workflow)
            return integration.resource, context.write(undo.params, point).json
        case ChildStep():
            machine = machine_id(undo.workflow)
            context.machines.add(machine)
            given = context.write(undo.params, point).json
            if not isinstance(given, dict):
                raise LoweringError(f"{undo.span}: the params of a workflow are no mapping")
            started_by: Json = "{% $states.context.Execution.Id %}"
            return WAIT, {"StateMachineArn": f"${{{machine}}}", "Input": {**given, STARTED_BY: started_by}}
