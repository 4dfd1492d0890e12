"""`@action`: one typed function becomes a Lambda handler and a contract that everything else is made from.

A module declares its params, its result and its errors, then one plain function under the decorator, and
binds `handler = <function>.handler`, which is what `template.yaml` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast, get_type_hints

from pydantic import JsonValue

from stepsmith_functions.runtime import invocation
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Contract, Effect, Params, Result, Statement
from stepsmith_functions.runtime.errors import ActionError

P = TypeVar("P", bound=Params)
R = TypeVar("R", bound=Result)


class LambdaContext(Protocol):
    """What we use of the object that Lambda calls a handler with."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Action(Generic[P, R]):
    """A declared action. Calling it calls the plain function; `handler` is what Lambda calls."""

    contract: Contract
    params: type[P]
    function: Callable[[P, ActionContext], R] = field(repr=False)

    def __call__(self, params: P, context: ActionContext) -> R:
        return self.function(params, context)

    def handler(self, event: JsonValue, context: LambdaContext) -> JsonValue:
        """Runs the action on the event that the machine sends; returns the result model as plain JSON.

        `event` is `{"params": {...}, "run": {"id", "workflow", "version"?}, "step": {"id", "path",
        "attempt", "visit"?, "line"}, "secrets": [...]?}`; without run and step nothing is recorded.
        `run.control` is `{"pausable", "parents"}` where the step heeds a pause and a cancel. Raises what the gate
        raises in place of the action (see `gate`), the action's errors under their own names, InvalidParams for
        params that do not fit, AwsRefused and AwsUnavailable for AWS's own.
        """

        def run(params: JsonValue, given: ActionContext) -> Result:
            return self.function(invocation.parsed(self.params, params), given)

        return invocation.handle(
            self.contract.name,
            run,
            event,
            request_id=context.aws_request_id,
            remaining_ms=context.get_remaining_time_in_millis,
            repeatable=self.contract.repeatable,
        )

    def describe(self) -> dict[str, JsonValue]:
        """The contract as plain JSON, for the catalogue."""
        return self.contract.describe()


def action(
    *,
    effect: Effect,
    repeatable: bool,
    example: Mapping[str, JsonValue],
    name: str | None = None,
    timeout: int = 30,
    memory: int = 256,
    errors: tuple[type[ActionError], ...] = (),
    permissions: tuple[Statement, ...] = (),
    environment: Mapping[str, str] | None = None,
    layers: tuple[str, ...] = (),
) -> Callable[[Callable[[P, ActionContext], R]], Action[P, R]]:
    """Declares the function below as an action; its docstring's first line is what the catalogue shows.

    `timeout` is in seconds, `memory` in MB; `layers` are the logical ids of those that only some actions need.
    Raises TypeError when the function is not `(params: <Params>, context: ActionContext) -> <Result>` or has no
    docstring.
    """

    def declare(function: Callable[[P, ActionContext], R]) -> Action[P, R]:
        params, result = _models(function)
        documentation = inspect.getdoc(function) or ""
        summary, _, description = documentation.partition("\n")
        if not summary:
            raise TypeError(f"{function.__qualname__} has no docstring")
        return Action(
            Contract(
                name=name or function.__name__,
                module=function.__module__,
                summary=summary.rstrip().removesuffix("."),
                description=description.strip(),
                params=params,
                result=result,
                errors=errors,
                effect=effect,
                repeatable=repeatable,
                timeout=timeout,
                memory=memory,
                permissions=permissions,
                environment=environment or {},
                layers=layers,
                example=example,
            ),
            params,
            function,
        )

    return declare


def _models(function: Callable[[P, ActionContext], R]) -> tuple[type[P], type[R]]:
    hints = get_type_hints(function)
    params, result = hints.get("params"), hints.get("return")
    if not (
        isinstance(params, type)
        and issubclass(params, Params)
        and isinstance(result, type)
        and issubclass(result, Result)
        and hints.get("context") is ActionContext
    ):
        raise TypeError(f"{function.__qualname__} is not (params: Params, context: ActionContext) -> Result")
    return cast("tuple[type[P], type[R]]", (params, result))
