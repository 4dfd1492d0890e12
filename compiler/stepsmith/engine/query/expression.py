"""Expressions, parsed once and evaluated with variables bound, never pasted into their text.

jsonata-python does the parsing and the evaluating; paths such as ``$states.input.order.id``, which are most of what
workflows contain, are walked here without it. This module refuses to say which state or field failed: it raises
`QueryError` with the reason, and who asked for the value knows the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any, Final, TypeAlias

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from jsonata.utils import Utils

from stepsmith.engine.query.corrections import CorrectedJsonata, compile_regex, corrected_functions
from stepsmith.engine.query.functions import FunctionError, aws_functions
from stepsmith.engine.values import Json

Bound: TypeAlias = Any
"""A value in the library's form, where null has a marker of its own; the library has no types."""

Frame = Jsonata.Frame
NULL: Final = Utils.NULL_VALUE
_EXACT: Final = 2**53
_BIG = re.compile(r"[0-9]{16}")
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


def _parser_2_0_6() -> Parser:
    """A parser without the operators that JSONata got after 2.0.6, which AWS refuses (measured)."""
    parser = Parser()
    for operator in ("?:", "??"):
        del parser.symbol_table[operator]
    return parser


_PARSER: Final = _parser_2_0_6()


def _parse(text: str) -> Parser.Symbol:
    try:
        return _PARSER.parse(text, compile_regex)
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


class VariableFrame(Jsonata.Frame):  # type: ignore[misc]
    """A scope's variables: as the library wants them for its own evaluation, and as plain JSON for plain paths."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.plain: dict[str, Json] = {}

    def assign(self, name: str, value: Json, *, may_hold_null: bool = True) -> None:
        """Set one variable."""
        self.plain[name] = value
        self.bindings[name] = bound(value) if may_hold_null else value


class Evaluator:
    """Evaluates expressions for one engine: holds the functions that depend on its clock, ids and random numbers."""

    def __init__(self, now: Callable[[], datetime], ids: Callable[[], str], random: Random) -> None:
        self._jsonata = CorrectedJsonata()
        self._root = Frame(None)
        self._root.bindings.update(corrected_functions())
        self._root.bindings.update(aws_functions(ids, random))
        self._now = now
        self.big_numbers = False

    def scope(self, parent: VariableFrame | None) -> VariableFrame:
        """A frame for the variables of a scope inside `parent`, or of an outermost one."""
        return VariableFrame(self._root if parent is None else parent)

    def watch(self, text: str) -> None:
        """Look at JSON text that comes in: from the first number too large for a double's digits, results are checked.

        Measured: such a number keeps its digits in a definition and loses them in an expression.
        """
        if not self.big_numbers and _BIG.search(text):
            self.big_numbers = True

    def evaluate(
        self,
        query: Expression,
        scope: VariableFrame,
        states: Mapping[str, Json],
        bound_states: Callable[[], Mapping[str, Bound]],
    ) -> Json:
        """The value of an expression, with `scope`'s variables and `states` as ``$states``.

        `bound_states` gives the same in the library's form, for when it is needed. Raises QueryError when the
        evaluation fails, is undefined, or is nothing that JSON can hold.
        """
        path = query.path
        if path is not None:
            found = _walk(path, scope, states)
            if not isinstance(found, _Undefined):
                return plain(found) if self.big_numbers else found
        try:
            frame = Frame(scope)
            frame.bindings["states"] = bound_states()
            result = self._jsonata.run(query.ast, frame, self._now)
            if result is None:
                raise QueryError("returned nothing (undefined).")
            return plain(result)
        except QueryError:
            raise
        except ExpressionSyntaxError as problem:
            raise QueryError(f"could not be parsed. {problem.message}") from None
        except JException as problem:
            raise QueryError(f"threw an error during evaluation. {problem.error}: {problem}") from None
        except FunctionError as problem:
            raise QueryError(f"threw an error during evaluation. {problem}") from None
        except RecursionError:
            raise QueryError("threw an error during evaluation. D1011: Stack overflow.") from None
        except Exception as problem:  # the library leaks Python's own exceptions
            text = str(problem) or type(problem).__name__
            raise QueryError(f"threw an error during evaluation. {text}") from None


def _walk(path: tuple[str, ...], scope: VariableFrame, states: Mapping[str, Json]) -> Json | _Undefined:
    """The value at a plain path, or nothing where JSONata's own rules are needed."""
    name = path[0]
    value: Json
    if name == "states":
        value = states
    else:
        frame: Any = scope
        while isinstance(frame, VariableFrame) and name not in frame.plain:
            frame = frame.parent
        if not isinstance(frame, VariableFrame):
            return _UNDEFINED
        value = frame.plain[name]
    for name in path[1:]:
        if not isinstance(value, dict) or name not in value:
            return _UNDEFINED
        value = value[name]
    return value


def bound(value: Json) -> Bound:
    """A value as the library wants it, where null has a marker of its own. What holds no null is not copied."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        changed = {}
        for key, member in value.items():
            if (member is None or isinstance(member, (dict, list))) and (other := bound(member)) is not member:
                changed[key] = other
        return {**value, **changed} if changed else value
    if isinstance(value, list):
        replaced = None
        for at, item in enumerate(value):
            if (item is None or isinstance(item, (dict, list))) and (other := bound(item)) is not item:
                replaced = list(value) if replaced is None else replaced
                replaced[at] = other
        return value if replaced is None else replaced
    return value


def plain(value: Bound) -> Json:
    """A result of the library as a JSON value of its own. Raises QueryError for functions, regexes and alike."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return value if -_EXACT <= value <= _EXACT else _rounded(value)
        case float():
            if math.isfinite(value):
                return value
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"  # measured
        case dict():
            return {key: plain(member) for key, member in value.items()}
        case list():
            return [plain(member) for member in value]
        case _ if value is NULL:
            return None
        case _:
            raise QueryError("returned an unsupported result type.")


def _rounded(value: int) -> int:
    try:
        return int(float(value))
    except OverflowError:
        raise QueryError("returned a number that is out of range.") from None
