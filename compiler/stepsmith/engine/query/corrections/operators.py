"""The evaluator: jsonata-python's, with operators corrected and without the hooks that cost more than the work."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from stepsmith.engine.query.corrections.text import joined, to_string, utf16_order

NULL = Utils.NULL_VALUE
EVALUATION_STEPS = 5_000_000
"""Steps after which an evaluation is given up: AWS gives one second, and a count is the same on every machine."""


class CorrectedJsonata(Jsonata):  # type: ignore[misc]
    """An evaluator of parsed expressions, made once per engine."""

    def __init__(self) -> None:
        super().__init__("null")
        self.input: Any = None
        self.environment: Any = None
        self._steps = 0
        self._now: Callable[[], datetime] | None = None
        self._moment: int | None = None
        self._by_type: dict[str, Callable[[Any, Any, Any], Any]] = {
            "path": self.evaluate_path,
            "binary": self.evaluate_binary,
            "unary": self.evaluate_unary,
            "name": self.evaluate_name,
            "string": self._literal,
            "number": self._literal,
            "value": self._literal,
            "wildcard": lambda expr, value, _: self.evaluate_wildcard(expr, value),
            "descendant": lambda expr, value, _: self.evaluate_descendants(expr, value),
            "parent": lambda expr, _, environment: environment.lookup(expr.slot.label),
            "condition": self.evaluate_condition,
            "block": self.evaluate_block,
            "bind": self.evaluate_bind_expression,
            "regex": lambda expr, _, __: self.evaluate_regex(expr),
            "function": lambda expr, value, environment: self.evaluate_function(expr, value, environment, Utils.NONE),
            "variable": self.evaluate_variable,
            "lambda": self.evaluate_lambda,
            "partial": self.evaluate_partial_application,
            "apply": self.evaluate_apply_expression,
            "transform": self.evaluate_transform_expression,
        }

    def run(self, ast: Any, frame: Any, now: Callable[[], datetime]) -> Any:
        """The raw value of a parsed expression: None for undefined, the library's marker for null."""
        Jsonata.CURRENT.jsonata = self  # where the library's functions look for the evaluator
        self._steps = 0
        self._now = now
        self._moment = None
        return self.eval(ast, None, frame)

    @property
    def timestamp(self) -> int:
        """Milliseconds for `$now` and `$millis`, the same throughout one evaluation (measured)."""
        if self._moment is None:
            self._moment = 0 if self._now is None else round(self._now().timestamp() * 1000)
        return self._moment

    @timestamp.setter
    def timestamp(self, _: int) -> None:
        self._moment = None

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002 - the library's name
        """One node. Leaves out the library's hooks and thread hand-over, which cost more than the work."""
        self._steps += 1
        if self._steps > EVALUATION_STEPS:
            raise JException("D1012", -1, 1000)
        outer_input, outer_environment = self.input, self.environment
        self.input, self.environment = input, environment
        try:
            kind = expr.type
            evaluate = self._by_type.get(kind)
            result: Any = None if evaluate is None else evaluate(expr, input, environment)
            if expr.predicate is not None:
                for item in expr.predicate:
                    result = self.evaluate_filter(item.expr, result, environment)
            if kind != "path" and expr.group is not None:
                result = self.evaluate_group_expression(expr.group, result, environment)
            if type(result) is Utils.JList and result.sequence and not result.tuple_stream:
                if expr.keep_array:
                    result.keep_singleton = True
                if not result:
                    return None
                if len(result) == 1 and not result.keep_singleton:
                    return result[0]
            return result
        finally:
            self.input, self.environment = outer_input, outer_environment

    def _literal(self, expr: Any, _: Any, __: Any) -> Any:
        value = expr.value
        if value is None:
            return NULL
        return joined(value) if isinstance(value, str) and not value.isascii() else value

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Arithmetic in doubles. `x / 0` is an infinity, which a field shows as text; `x % 0` fails (measured)."""
        if lhs is not None and not Utils.is_numeric(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not Utils.is_numeric(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        left, right = float(lhs), float(rhs)
        match op:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case "/" if right == 0:
                result = math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
            case "/":
                result = left / right
            case _:
                if right == 0:
                    raise JException("D1001", -1, "NaN")
                result = math.fmod(left, right)
        return int(result) if math.isfinite(result) and result == int(result) else result

    def evaluate_comparison_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Order, with texts compared by UTF-16 unit as JavaScript and Java do."""
        if isinstance(lhs, str) and isinstance(rhs, str) and not (lhs.isascii() and rhs.isascii()):
            return super().evaluate_comparison_expression(utf16_order(lhs), utf16_order(rhs), op)
        return super().evaluate_comparison_expression(lhs, rhs, op)

    def evaluate_includes_expression(self, lhs: Any, rhs: Any) -> Any:
        """`in` compares scalars by type and value, objects and arrays by identity."""
        if lhs is None or rhs is None:
            return False
        return any(_identical(lhs, item) for item in (rhs if isinstance(rhs, list) else [rhs]))

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        """`&`, with undefined as the empty text."""
        return ("" if lhs is None else to_string(lhs, None)) + ("" if rhs is None else to_string(rhs, None))


def _identical(one: Any, other: Any) -> bool:
    if isinstance(one, (list, dict)) or isinstance(other, (list, dict)):
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one is NULL or one is None:
        return other is NULL or other is None
    return bool(one == other)
