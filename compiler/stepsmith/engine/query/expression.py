"""Expressions, parsed once and evaluated with variables bound, never pasted into their text.

jsonata-python does the parsing and the evaluating; paths such as ``$states.input.order.id``, which are most of what
workflows contain, are walked here without it. This module refuses to say which state or field failed: it raises
`QueryError` with the reason, and who asked for the value knows the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any, Final

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.utils import Utils

from stepsmith.engine.query.corrections import CorrectedJsonata, corrected_functions
from stepsmith.engine.query.functions import FunctionError, aws_functions
from stepsmith.engine.values import Json

Frame = Jsonata.Frame
NULL: Final = Utils.NULL_VALUE
_PATH = re.compile(r"\$([A-Za-z][A-Za-z0-9_]*)((?:\.[A-Za-z][A-Za-z0-9_]*)*)")
_NO_PLAIN_STEP = frozenset({"and", "or", "in", "true", "false", "null", "function"})


class QueryError(Exception):
    """An expression gave no JSON value. `reason` is the sentence that follows the expression in AWS's causes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExpressionSyntaxError(Exception):
    """A text that is no JSONata. `position` counts characters from the text's start; -1 when it is not known."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Expression:
    """One JSONata text. Parsing waits until the first evaluation, so that a machine is read without it."""

    __slots__ = ("_ast", "path", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._ast: Parser.Symbol | None = None
        plain = _PATH.fullmatch(text.strip())
        self.path: tuple[str, ...] | None = None
        if plain is not None:
            path = (plain[1], *plain[2].split(".")[1:])
            if _NO_PLAIN_STEP.isdisjoint(path[1:]):
                self.path = path

    @property
    def ast(self) -> Parser.Symbol:
        """The parsed expression. Raises ExpressionSyntaxError."""
        if self._ast is None:
            self._ast = _parse(self.text)
        return self._ast

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _parse(text: str) -> Parser.Symbol:
    try:
        return Parser().parse(text)
    except JException as problem:
        raise ExpressionSyntaxError(str(problem), int(problem.location)) from None
    except RecursionError:
        raise ExpressionSyntaxError("the expression is nested too deeply", -1) from None
    except Exception as problem:  # the parser leaks Python's own exceptions for some texts
        raise ExpressionSyntaxError(str(problem) or type(problem).__name__, -1) from None


@lru_cache(maxsize=16_384)
def expression(text: str) -> Expression:
    """The expression of this text; equal texts share one."""
    return Expression(text)


def is_expression(text: str) -> bool:
    """Whether a string of a definition is an expression: it starts with exactly ``{%`` and ends with ``%}``."""
    return len(text) >= 4 and text.startswith("{%") and text.endswith("%}")


def expression_text(text: str) -> str:
    """The JSONata inside ``{% … %}``."""
    return text[2:-2].strip()


class _Undefined:
    __slots__ = ()


_UNDEFINED: Final = _Undefined()


class Evaluator:
    """Evaluates expressions for one engine: holds the functions that depend on its clock, ids and random numbers."""

    def __init__(self, now: Callable[[], datetime], ids: Callable[[], str], random: Random) -> None:
        self._jsonata = CorrectedJsonata()
        self._root = Frame(None)
        self._root.bindings.update(Jsonata.static_frame.bindings)
        self._root.bindings.update(corrected_functions(self._jsonata))
        self._root.bindings.update(aws_functions(ids, random))
        self._now = now

    def root(self) -> Any:
        """The frame that every outermost variable scope is made in."""
        return self._root

    def evaluate(self, query: Expression, scope: Any, states: Mapping[str, Json]) -> Json:
        """The value of an expression, with `scope`'s variables and `states` as ``$states``.

        Raises QueryError when it fails, is undefined, or is nothing that JSON can hold.
        """
        path = query.path
        if path is not None:
            found = _walk(path, scope, states)
            if not isinstance(found, _Undefined):
                return found
        frame = Frame(scope)
        frame.bindings["states"] = states
        try:
            result = self._jsonata.run(query.ast, frame, self._now)
            if result is None:
                raise QueryError("returned nothing (undefined).")
            return plain(result)
        except QueryError:
            raise
        except ExpressionSyntaxError as problem:
            raise QueryError(f"could not be parsed. {problem.message}") from None
        except (JException, FunctionError) as problem:
            code = getattr(problem, "error", None)
            text = str(problem)
            raise QueryError(f"threw an error during evaluation. {f'{code}: ' if code else ''}{text}") from None
        except RecursionError:
            raise QueryError("threw an error during evaluation. D1011: Stack overflow.") from None
        except Exception as problem:  # the library leaks Python's own exceptions
            text = str(problem) or type(problem).__name__
            raise QueryError(f"threw an error during evaluation. {text}") from None


def _walk(path: tuple[str, ...], scope: Any, states: Mapping[str, Json]) -> Json | _Undefined:
    """The value at a plain path, or nothing where JSONata's own rules are needed."""
    if path[0] == "states":
        value: Any = states
    else:
        value = scope.lookup(path[0])
        if value is None or not isinstance(value, (str, int, float, dict, list)):
            if value is NULL and len(path) == 1:
                return None
            return _UNDEFINED
    for name in path[1:]:
        if not isinstance(value, dict) or name not in value:
            return _UNDEFINED
        value = value[name]
    return value  # type: ignore[no-any-return]


def bind(value: Json) -> Any:
    """A variable's value as the library wants it: null at the top has a marker of its own."""
    return NULL if value is None else value


def unbind(value: Any) -> Json:
    """The JSON value of a bound variable."""
    return None if value is NULL else value


def plain(value: Any) -> Json:
    """A result of the library as a JSON value of its own. Raises QueryError for functions, regexes and alike."""
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
            return value
        case dict():
            return {key: plain(member) for key, member in value.items()}
        case list():
            return [plain(member) for member in value]
        case _ if value is NULL:
            return None
        case _:
            raise QueryError("returned an unsupported result type.")
