"""One call of a handler, from the machine's event to plain JSON.

It is the only place that tells the history about a step, and the last one that an error or a secret passes
on its way out. History that cannot be written is logged and forgotten: it never fails or repeats an action.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from stepsmith_functions.runtime import clients, gate, hosting, large, log, secrets
from stepsmith_functions.runtime.checkpoints import Checkpoints
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.errors import (
    OF_THE_GATE,
    ActionError,
    AwsRefused,
    AwsUnavailable,
    InvalidParams,
    InvalidResult,
    RunCancelled,
)
from stepsmith_functions.runtime.hosting import Host
from stepsmith_functions.runtime.recording import (
    Begun,
    Earlier,
    StepEnd,
    StepError,
    StepProgress,
    StepRecorder,
    StepStart,
)
from stepsmith_functions.runtime.secrets import AwsSecrets
from stepsmith_functions.runtime.settings import Settings

if TYPE_CHECKING:
    pass

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
"""Error codes that botocore's standard retry mode takes for throttling or time-outs."""


@dataclass(frozen=True, slots=True)
class _Call:
    """The event, read."""

    params: JsonValue
    secrets: JsonValue
    run_id: str | None
    workflow: str | None
    version: str | None
    step_id: str | None
    path: str | None
    attempt: int
    line: int | None
    handed: JsonValue
    undoes: str | None
    visit: str | None
    controlled: bool
    pausable: bool
    parents: tuple[str, ...]
    limits: JsonValue
    concurrency: JsonValue

    def boundary(self, caller: str, lease: timedelta) -> gate.Boundary:
        limits, concurrency = None, None
        if self.limits is not None or self.concurrency is not None:
            from stepsmith_functions.runtime.limits import key_of, limits_of
            from stepsmith_functions.runtime.places import concurrency_of

            limits, concurrency = limits_of(self.limits), concurrency_of(self.concurrency, key_of)
        return gate.Boundary(
            run_id=self.run_id,
            controlled=self.controlled,
            pausable=self.pausable,
            parents=self.parents,
            attempt=self.attempt,
            limits=limits,
            concurrency=concurrency,
            caller=caller,
            lease=lease,
        )


def parsed(model: type[M], params: JsonValue) -> M:
    """The params as `model`. Raises InvalidParams, which names the fields and never repeats a value."""
    try:
        return model.model_validate_json(json.dumps(_whole_numbers(params)))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        text = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'params'}: {p['msg']}" for p in problems)
    raise InvalidParams(text)


def handle(
    action: str,
    run: Callable[[JsonValue, ActionContext], BaseModel],
    event: JsonValue,
    *,
    request_id: str,
    remaining_ms: Callable[[], int],
    repeatable: bool = True,
) -> JsonValue:
    """Runs `run` on the event's params and returns its result as plain JSON (see `Action.handler`), unless the gate
    answers in its place."""
    host = hosting.host()
    settings = Settings.from_environment(host.environment)
    call = _read(event)
    keys = {"action": action, "run_id": call.run_id, "step": call.path, "attempt": call.attempt}
    with secrets.hiding(), log.keyed(function_request_id=request_id, **keys):
        store = host.secrets or AwsSecrets(host.clients)
        record = _Record(action, call, host, settings)
        lease = timedelta(milliseconds=remaining_ms())
        keepers = gate.Keepers(
            control=lambda: host.history.control(settings),
            begin=lambda: record.started(once=not repeatable, lease=lease),
            now=host.clock.now,
            logger=log.logger,
            shared=lambda: host.history.shared(settings),
        )
        boundary = call.boundary(request_id, lease)
        try:
            answer = gate.ask(boundary, keepers)
        except OF_THE_GATE as refusal:
            refused = {"error": type(refusal).__name__, "reason": str(refusal)}
            log.logger().info("the step does not begin", extra=refused)
            if isinstance(refusal, RunCancelled) and call.handed is not None:
                # Where a sibling was refused first, the machine does not hear of this one, and a rollback would take it
                # for one that may have taken effect.
                record.ended(None, StepError(type(refusal).__name__, str(refusal)))
            raise
        if isinstance(answer, gate.Done):
            log.logger().info("the step was done before")
            return answer.output
        context = ActionContext(
            run_id=call.run_id,
            workflow=call.workflow,
            step_id=call.step_id,
            step_path=call.path,
            attempt=answer.begun.attempts - 1 if answer.begun else call.attempt,
            settings=settings,
            clients=host.clients,
            clock=host.clock,
            ids=host.ids,
            secrets=store,
            open_history=lambda: _opened(lambda: host.history.reader(settings)),
            remaining_seconds=lambda: remaining_ms() / 1000,
            checkpoints=Checkpoints(
                control=lambda: gate.control_of(boundary, keepers),
                tell=record.progressed,
                clock=host.clock,
                remaining_seconds=lambda: remaining_ms() / 1000,
                may_be_given_up=repeatable and boundary.pausable,
                logger=log.logger,
            ),
        )
        try:
            params = secrets.filled(
                large.resolved(call.params, settings, host.clients),
                call.secrets,
                lambda name: secrets.hide(store.fetch(settings.secrets_prefix + name)),
            )
            output = _dumped(run(params, context))
            output = large.placed(output, _size(output), call.run_id, settings, host.clients)
        except Exception as error:
            failure = _translated(error)
            if isinstance(failure, ActionError):
                log.logger().warning("the step failed", extra={"error": type(failure).__name__, "reason": str(failure)})
            else:
                log.logger().exception("the action broke")
            record.ended(None, StepError(type(failure).__name__, secrets.masked(str(failure))))
            gate.tell(boundary, keepers, answer, failure)
            if failure is error:
                raise
            raise failure from None
        record.ended(output, None)
        gate.tell(boundary, keepers, answer, None)
        return output


def _read(event: JsonValue) -> _Call:
    if not isinstance(event, dict) or not isinstance(event.get("params", {}), dict):
        raise InvalidParams("the event is not an object with params")
    run, step = event.get("run"), event.get("step")
    run = run if isinstance(run, dict) else {}
    step = step if isinstance(step, dict) else {}
    control = run.get("control")
    control = control if isinstance(control, dict) else None
    parents = control.get("parents") if control else None

    def text(source: dict[str, JsonValue], key: str) -> str | None:
        value = source.get(key)
        return value if isinstance(value, str) and value else None

    def number(key: str) -> int | None:
        value = step.get(key)
        return int(value) if isinstance(value, int | float) else None

    return _Call(
        params=event.get("params", {}),
        secrets=event.get("secrets"),
        run_id=text(run, "id"),
        workflow=text(run, "workflow"),
        version=text(run, "version"),
        step_id=text(step, "id"),
        path=text(step, "path") or text(step, "id"),
        attempt=number("attempt") or 0,
        line=number("line"),
        handed=step.get("undo"),
        undoes=text(step, "undoes"),
        visit=text(step, "visit"),
        controlled=control is not None,
        pausable=control is not None and control.get("pausable") is True,
        parents=tuple(each for each in parents if isinstance(each, str)) if isinstance(parents, list) else (),
        limits=step.get("limits"),
        concurrency=control.get("concurrency") if control else None,
    )


class _Record:
    """Tells the history of one call, if it belongs to a run; swallows and logs what goes wrong there."""

    def __init__(self, action: str, call: _Call, host: Host, settings: Settings) -> None:
        self._clock = host.clock
        self._visit = call.visit
        self._start: StepStart | None = None
        self._recorder: StepRecorder | None = None
        self._identity: dict[str, Any] = {}
        if call.run_id and call.workflow and call.step_id and call.path:
            self._recorder = _opened(lambda: host.history.recorder(settings))
            self._identity = {
                "run_id": call.run_id,
                "workflow": call.workflow,
                "version": call.version,
                "step_id": call.step_id,
                "path": call.path,
                "action": action,
                "attempt": call.attempt,
                "line": call.line,
                "handed": call.handed,
                "undoes": call.undoes,
            }
            try:
                self._identity["params"] = secrets.filled(call.params, call.secrets, lambda _: secrets.MASK)
            except InvalidParams:
                self._identity["params"] = None
        self._started_at: datetime = host.clock.now()

    def started(self, *, once: bool, lease: timedelta) -> Begun | Earlier | None:
        if self._recorder is None:
            return None
        start = self._start = StepStart(
            started_at=self._started_at,
            visit=self._visit,
            once=once and self._visit is not None,
            until=self._started_at + lease,
            **self._identity,
        )
        return self._tell(lambda recorder: recorder.started(start))

    def progressed(self, progress: StepProgress) -> None:
        if (start := self._start) is not None:
            self._tell(lambda recorder: recorder.progressed(start, progress))

    def ended(self, output: JsonValue, error: StepError | None) -> None:
        self._tell(
            lambda recorder: recorder.ended(
                StepEnd(
                    output=output,
                    error=error,
                    started_at=self._started_at,
                    ended_at=self._clock.now(),
                    **self._identity,
                )
            )
        )

    def _tell(self, tell: Callable[[StepRecorder], T]) -> T | None:
        if self._recorder is not None:
            try:
                return tell(self._recorder)
            except Exception:
                log.logger().exception("the history was not written")
        return None


def _opened(open_history: Callable[[], T | None]) -> T | None:
    try:
        return open_history()
    except Exception:
        log.logger().exception("the history cannot be opened")
        return None


def _whole_numbers(value: JsonValue) -> JsonValue:
    """JSON has one kind of number, and Step Functions may write 42 as 42.0: whole floats become ints."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return value


def _dumped(result: BaseModel) -> JsonValue:
    output: JsonValue = result.model_dump(mode="json")
    return secrets.masked_json(output)


def _size(output: JsonValue) -> int:
    try:
        return large.size_of(output)
    except ValueError:
        raise InvalidResult("the result holds a number that JSON cannot write") from None


def _translated(error: Exception) -> Exception:
    """The error under the name that workflows know, with no secret and no refused value in its message."""
    module = type(error).__module__.partition(".")[0]
    if isinstance(error, ValidationError):
        fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        return InvalidResult(f"{error.title} does not take {fields}")
    if module in ("botocore", "boto3") and not isinstance(error, ActionError):
        return _of_aws(error)
    if secrets.masked(str(error)) != str(error):
        error.args = (secrets.masked(str(error)),)
        if secrets.masked(str(error)) != str(error):
            return InvalidResult(f"{type(error).__name__}, whose message holds a secret")
    return error


def _of_aws(error: Exception) -> ActionError:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    text = secrets.masked(str(error))
    if response:
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        temporary = status >= 500 or clients.code_of(error) in THROTTLED
    else:
        # What never got an answer: no connection, no time; the rest of botocore's errors are about the
        # call itself.
        temporary = any(base.__name__ in ("HTTPClientError", "ConnectionError") for base in type(error).__mro__)
    return AwsUnavailable(text) if temporary else AwsRefused(text)
