"""Pass, Choice, Succeed and Fail: states that end in the moment they begin."""

from __future__ import annotations

from stepsmith.engine.core import Core
from stepsmith.engine.errors import NO_CHOICE_MATCHED, Failure
from stepsmith.engine.execution import Visit
from stepsmith.engine.flow import context_for, evaluation_failed, fail, finish
from stepsmith.engine.limits import CAUSE_CHARACTERS, ERROR_CHARACTERS
from stepsmith.engine.machine import Choice, Fail, Pass, Succeed
from stepsmith.engine.templates import Context, FieldError, Query, Template
from stepsmith.engine.values import json_type, to_text


def begin_pass(core: Core, visit: Visit, state: Pass) -> None:
    """Put out the Output, or the input."""
    finish(core, visit, visit.input, {}, state.assign, state.output, state.next)


def begin_succeed(core: Core, visit: Visit, state: Succeed) -> None:
    """End the run with the Output, or the input."""
    finish(core, visit, visit.input, {}, (), state.output, None)


def begin_choice(core: Core, visit: Visit, state: Choice) -> None:
    """Go on by the first rule that holds. A condition that yields no boolean is a failed evaluation, not false."""
    context = context_for(core, visit, {})
    try:
        for rule in state.rules:
            holds = rule.condition.render(context)
            if holds is True:
                finish(core, visit, visit.input, {}, rule.assign, rule.output, rule.next)
                return
            if holds is not False:
                if isinstance(rule.condition, Query):
                    raise rule.condition.unexpected("boolean", holds)
                raise FieldError(
                    None, None, f"A Condition must be a boolean but was '{json_type(holds)}': {to_text(holds)}"
                )
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    if state.default is None:
        fail(
            core,
            visit,
            Failure(
                NO_CHOICE_MATCHED,
                f"An error occurred while executing the state '{state.name}' (entered at the event id "
                f"#{visit.entered_event}). Failed to transition out of the state. The state does not point to a next "
                "state.",
            ),
        )
        return
    finish(core, visit, visit.input, {}, state.assign, state.output, state.default)


def begin_fail(core: Core, visit: Visit, state: Fail) -> None:
    """End the run badly with the Error and Cause that the state names."""
    context = context_for(core, visit, {})
    try:
        error = _text(state.error, context, ERROR_CHARACTERS)
        cause = _text(state.cause, context, CAUSE_CHARACTERS)
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    fail(core, visit, Failure(error, cause))


def _text(template: Template | None, context: Context, most: int) -> str | None:
    """A text of at most so many characters; AWS cuts what is longer (API model)."""
    if template is None:
        return None
    value = template.render(context)
    if isinstance(value, str):
        return value[:most]
    if isinstance(template, Query):
        raise template.unexpected("string", value)
    raise FieldError(None, None, f"A Fail state's Error and Cause must be strings but one was '{json_type(value)}'.")
