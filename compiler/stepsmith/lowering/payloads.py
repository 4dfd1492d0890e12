"""What a handler is sent: the params of its step, and which run and step it works for."""

from __future__ import annotations

from collections.abc import Mapping

from stepsmith.analysis.facts import Point
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.lowering.codes import Place
from stepsmith.lowering.context import Context
from stepsmith.lowering.params import lower_params
from stepsmith.model.steps import ActionStep, Step, WaitStep
from stepsmith.model.values import Value
from stepsmith.model.workflow import WorkflowType

RETRY_COUNT = "{% $states.context.State.RetryCount %}"
VISIT = (
    "{% $substringBefore($states.context.State.EnteredTime, 'Z') & '#' & "
    "$pad($string($states.context.Execution.RedriveCount), -4, '0') %}"
)
"""Names one visit of a state: the same for its retries, another one in a block that is tried again and in a redrive.
A later one sorts after it as text: a moment without its Z does, with a fraction or without, since # sorts before the
point and the digits. Four digits are enough for redrives: each adds three events at least, and a history takes 25,000
(documented, docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""
AN_HOUR = 3600


def payload(
    context: Context,
    step: ActionStep,
    point: Point,
    entry: Place,
    *,
    path: Json = None,
    more: Mapping[str, Json] | None = None,
) -> Json:
    """What the handler gets: the params, and which run and step it works for. `path` stands in for the step's own,
    `more` is told of the step besides."""
    run: dict[str, Json] = {"id": context.run_id(), "workflow": context.workflow.name}
    if context.workflow.version is not None:
        run["version"] = jsonata.literal(context.workflow.version)
    if (control := control_of(context, step)) is not None:
        run["control"] = {**control, **_concurrency(context)}
    params = lower_params(context, step.params, point, entry)
    return {
        "params": params.values,
        **({"secrets": params.secrets} if params.secrets else {}),
        "run": run,
        "step": {
            "id": step.id,
            "path": path if path is not None else step_path(context, step, entry),
            "action": step.action,
            "line": step.span.start.line,
            "attempt": RETRY_COUNT,
            "visit": VISIT,
            **_limits(context, step, point, entry),
            **(more or {}),
        },
    }


def control_of(context: Context, step: Step) -> dict[str, Json] | None:
    """Whose orders a step heeds; None for one that runs whatever is ordered."""
    if step.id in context.sheltered:
        return None
    return {"pausable": pausable(context), "parents": context.run_parents()}


def _concurrency(context: Context) -> dict[str, Json]:
    """How many runs may be under way, where the workflow says so, and how long a run keeps its place in silence."""
    found = context.workflow.concurrency
    if found is None:
        return {}
    key = jsonata.literal(context.workflow.name) if found.key is None else context.write(found.key, Point()).json
    lease = AN_HOUR + max((_silence(step) for step in context.workflow.every_step()), default=0)
    return {
        "concurrency": {"key": key, "limit": found.limit, "on_limit": found.on_limit.value, "lease": lease},
    }


def _silence(step: Step) -> int:
    """The seconds that a step is written to take at most, where it says so."""
    waits = step.seconds if isinstance(step, WaitStep) and isinstance(step.seconds, int) else 0
    return max(waits, step.timeout or 0)


def _limits(context: Context, step: ActionStep, point: Point, entry: Place) -> dict[str, Json]:
    """What the step shares with other runs, where it says so."""

    def key(value: Value | None) -> Json:
        return jsonata.literal(step.action) if value is None else context.write(value, point, entry).json

    told: dict[str, Json] = {}
    if (rate := step.rate_limit) is not None:
        told["rate_limit"] = {"key": key(rate.key), "limit": rate.limit, "per": rate.per}
    if (breaker := step.circuit_breaker) is not None:
        told["circuit_breaker"] = {
            "key": key(breaker.key),
            "threshold": breaker.threshold,
            "window": breaker.window,
            "cooldown": breaker.cooldown,
        }
    return {"limits": told} if told else {}


def pausable(context: Context) -> bool:
    """An express run ends within five minutes, which is what a pause would wait for."""
    return context.workflow.type is not WorkflowType.EXPRESS


def step_path(context: Context, step: Step, entry: Place) -> Json:
    """The path that tells branches and iterations apart, such as `scan_all[2].scan`."""
    if not context.frame.path:
        return step.id
    texts: list[str] = []
    codes: list[Code] = []
    for part in (*context.frame.path, f".{step.id}"):
        if isinstance(part, str):
            texts.append(part)
            continue
        codes += [jsonata.constant("".join(texts)), jsonata.verbatim(entry.loops.get((part.loop, True), part.code))]
        texts = []
    codes.append(jsonata.constant("".join(texts)))
    if len(codes) == 1:
        return "".join(texts)
    return jsonata.field(jsonata.chain("&", codes).text)
