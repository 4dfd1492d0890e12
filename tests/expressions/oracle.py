"""Jinja2 itself as the oracle: StrictUndefined, with the documented rules patched in where we differ on purpose."""

from __future__ import annotations

import base64
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import jinja2.runtime
from jinja2 import Environment, StrictUndefined, Undefined, nodes
from jinja2.filters import FILTERS as STOCK_FILTERS
from jinja2.tests import TESTS as STOCK_TESTS


class Missing(StrictUndefined):
    """A missing value that stays missing along a chain: `default` tolerates it anywhere."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> Any:
        return self


class OracleError(Exception):
    """Jinja2, or one of the rules, refuses the value."""


def number_text(value: float) -> str:
    """A number as JavaScript prints it, at most 15 significant digits."""
    if isinstance(value, int) and abs(value) < 2**53:
        return str(value)
    rounded = float(f"{value:.15g}")
    if rounded == int(rounded) and abs(rounded) < 1e21:
        return str(int(rounded))
    text = repr(rounded)
    mantissa, _, exponent = text.partition("e")
    if exponent:
        power = int(exponent)
        if power < -6:
            return f"{mantissa}e-{-power}" if -power > 6 else text
        if power >= 21:
            return f"{mantissa}e+{power}"
    if abs(rounded) < 1e-6:
        digits = f"{Decimal(text):e}".split("e")
        return f"{digits[0].rstrip('0').rstrip('.')}e-{abs(int(digits[1]))}"
    return format(Decimal(text), "f")


def json_text(value: Any) -> str:
    match value:
        case Undefined():
            str(value)
            raise AssertionError
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return number_text(value)
        case dict():
            return "{" + ",".join(f"{json_text(k)}:{json_text(v)}" for k, v in value.items()) + "}"
    return "[" + ",".join(json_text(item) for item in value) + "]"


def text(value: Any) -> str:
    """The text form of a value."""
    return value if isinstance(value, str) else json_text(value)


def real(value: Any) -> Any:
    """The value, lists in place of tuples and generators; raises for a missing one."""
    if isinstance(value, Undefined):
        raise OracleError("missing")
    if isinstance(value, dict):
        return {k: real(v) for k, v in value.items()}
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    return [real(item) for item in value]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OracleError("no number")
    return value


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return value + 0
    if isinstance(value, str):
        stripped = value.strip(" \t\r\n")
        if re.fullmatch(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?", stripped):
            return float(stripped)
    return None


def to_int(value: Any, default: Any = 0) -> Any:
    number = _read_number(real(value))
    return default if number is None else math.trunc(number)


def to_float(value: Any, default: Any = 0.0) -> Any:
    number = _read_number(real(value))
    return default if number is None else number


def rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
    number = Decimal(repr(_number(real(value))))
    if method == "common":
        return float(number.quantize(Decimal(1).scaleb(-precision), rounding=ROUND_HALF_EVEN))
    function = {"ceil": math.ceil, "floor": math.floor}[method]
    return function(float(number) * 10**precision) / 10**precision


def _fold(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return value.lower() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list | dict | tuple):
        raise OracleError("items that are lists or objects")
    return (type(value) in (int, float), value)


def unique_of(items: Any, key: Callable[[Any], Any] = lambda x: x) -> list[Any]:
    seen: list[Any] = []
    kept = []
    for item in real(items):
        mark = _plain(key(item))
        if mark not in seen:
            seen.append(mark)
            kept.append(item)
    return kept


def flattened(value: Any, levels: int = 0) -> list[Any]:
    result: list[Any] = []
    if not isinstance(value, list | tuple):
        raise OracleError("no list")
    for item in value:
        if isinstance(item, list | tuple):
            result += list(item) if levels == 1 else flattened(item, levels - 1)
        else:
            result.append(item)
    return result


def _list(value: Any) -> list[Any]:
    value = real(value)
    if not isinstance(value, list):
        raise OracleError("no list")
    return value


def combined(first: Any, *others: Any, recursive: bool = False) -> Any:
    if not all(isinstance(real(each), dict) for each in (first, *others)):
        raise OracleError("no object")
    result = dict(real(first))
    for other in others:
        for key, value in real(other).items():
            both = recursive and isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = combined(result[key], value, recursive=True) if both else value
    return result


def on_text(name: str) -> Callable[..., Any]:
    """A stock filter over the text form of its subject."""
    stock = STOCK_FILTERS[name]

    def apply(*args: Any, **kwargs: Any) -> Any:
        takes_context = hasattr(stock, "jinja_pass_arg")
        head, value, rest = (args[:1], args[1], args[2:]) if takes_context else ((), args[0], args[1:])
        return stock(*head, text(real(value)), *rest, **kwargs)

    if hasattr(stock, "jinja_pass_arg"):
        apply.jinja_pass_arg = stock.jinja_pass_arg  # type: ignore[attr-defined]
    return apply


def words(value: Any, separator: str | None = None) -> list[str]:
    if not isinstance(value, str):
        raise OracleError("no text")
    return value.split(separator)


def joined(value: Any, separator: Any = "", attribute: str | None = None) -> str:
    items = real(value)
    if attribute is not None:
        items = [item[attribute] for item in items]
    return text(separator).join(text(item) for item in items)


def replaced(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    if old == "":
        raise OracleError("empty")
    return text(real(value)).replace(text(old), text(new), -1 if count is None else count)


def summed(value: Any, attribute: str | None = None, start: Any = 0) -> Any:
    return sum((_number(item if attribute is None else item[attribute]) for item in _list(value)), start)


def strict(test: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            if isinstance(value, Undefined):
                raise OracleError("missing")
        return test(*args, **kwargs)

    if hasattr(test, "jinja_pass_arg"):
        apply.jinja_pass_arg = test.jinja_pass_arg  # type: ignore[attr-defined]
    return apply


def title(value: Any) -> str:
    parts = re.split(r"([ \-(\[{<\t\n\r\f\v])", text(real(value)))
    return "".join(part[:1].upper() + part[1:].lower() for part in parts)


def _no_data(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise OracleError("data")
    return value


def as_bool(value: Any) -> bool:
    return text(real(value)).lower() in ("true", "yes", "on", "1")


FILTERS: dict[str, Callable[..., Any]] = {
    "string": lambda value: text(real(value)),
    "tojson": lambda value: json_text(real(value)),
    "fromjson": json.loads,
    "int": to_int,
    "float": to_float,
    "round": rounded,
    "abs": lambda value: abs(_number(real(value))),
    "sum": summed,
    "join": joined,
    "replace": replaced,
    "split": words,
    "title": title,
    "bool": as_bool,
    "upper": on_text("upper"),
    "lower": on_text("lower"),
    "capitalize": lambda value: text(real(value))[:1].upper() + text(real(value))[1:].lower(),
    "trim": lambda value, chars=None: text(real(value)).strip(" \t\n\v\f\r" if chars is None else chars),
    "truncate": on_text("truncate"),
    "wordcount": lambda value: len(re.findall(r"[A-Za-z0-9_]+", text(real(value)))),
    "urlencode": lambda value: quote(text(_no_data(real(value))), safe="/"),
    "b64encode": lambda value: base64.b64encode(text(real(value)).encode()).decode(),
    "length": lambda value: len(real(value)),
    "list": lambda value: list(real(value)),
    "reverse": lambda value: value[::-1] if isinstance(value, str) else list(real(value))[::-1],
    "unique": lambda value, case_sensitive=False: unique_of(value, (lambda x: x) if case_sensitive else _fold),
    "union": lambda a, b: unique_of([*_list(a), *_list(b)]),
    "intersect": lambda a, b: unique_of([x for x in _list(a) if _plain(x) in [_plain(y) for y in _list(b)]]),
    "difference": lambda a, b: unique_of([x for x in _list(a) if _plain(x) not in [_plain(y) for y in _list(b)]]),
    "flatten": lambda value, levels=0: flattened(real(value), levels),
    "combine": combined,
    "items": lambda value: [list(pair) for pair in real(value).items()],
    "dict2items": lambda value: [{"key": k, "value": v} for k, v in real(value).items()],
    "items2dict": lambda value: {item["key"]: item["value"] for item in real(value)},
    "ternary": lambda value, a, b: a if real(value) else b,
    "regex_replace": lambda value, pattern, new: re.sub(pattern, new, text(real(value))),
    "regex_findall": lambda value, pattern: re.findall(pattern, text(real(value))),
    "regex_search": lambda value, pattern: (m := re.search(pattern, text(real(value)))) and m[0],
}

TESTS: dict[str, Callable[..., Any]] = {
    **{name: strict(test) for name, test in STOCK_TESTS.items() if name not in ("defined", "undefined")},
    "integer": strict(lambda v: isinstance(v, int | float) and not isinstance(v, bool) and v == math.floor(v)),
    "float": strict(lambda v: isinstance(v, int | float) and not isinstance(v, bool) and v != math.floor(v)),
    "contains": strict(lambda container, item: item in container),
    "match": strict(lambda value, pattern: re.match(pattern, text(value)) is not None),
    "search": strict(lambda value, pattern: re.search(pattern, text(value)) is not None),
    "upper": strict(lambda value: text(value) == text(value).upper() != text(value).lower()),
    "lower": strict(lambda value: text(value) == text(value).lower() != text(value).upper()),
    "odd": strict(lambda value: _number(value) % 2 == 1),
    "even": strict(lambda value: _number(value) % 2 == 0),
}


METHODS = re.compile(r"\.(keys|values|items|get|upper|lower|strip|split|replace|startswith|endswith|join)\(")


class DataEnvironment(Environment):
    """`x.name` reads data only, never a method; `x.method_name`, into which calls are rewritten, only methods."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Undefined):
            return obj
        if attribute.startswith("method_"):
            if not isinstance(obj, str | dict):
                raise OracleError("no such method")
            method = getattr(obj, attribute.removeprefix("method_"))
            if attribute.endswith(("keys", "values", "items")):
                return lambda: real(method())
            return method
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return obj
        if isinstance(argument, Undefined):
            raise OracleError("missing")
        try:
            if isinstance(obj, dict) and not isinstance(argument, str):
                return self.undefined(obj=obj, name=argument)
            return obj[argument]
        except (KeyError, IndexError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        """`<` and its kin refuse booleans, as Python does not."""
        for compare in source.find_all(nodes.Compare):
            operands = [compare, *compare.ops]
            for left, right in pairwise(operands):
                if isinstance(right, nodes.Operand) and right.op in ("lt", "lteq", "gt", "gteq"):
                    for side in (left, right):
                        side.expr = nodes.Filter(side.expr, "orderable", [], [], None, None, lineno=compare.lineno)
        return super()._generate(source, *args, **kwargs)


def _orderable(value: Any) -> Any:
    if isinstance(value, bool):
        raise OracleError("a boolean has no order")
    return value


def _environment() -> DataEnvironment:
    environment = DataEnvironment(undefined=Missing, optimized=False)
    environment.filters |= FILTERS
    environment.filters["orderable"] = _orderable
    environment.filters["to_json"] = FILTERS["tojson"]
    environment.filters["count"] = FILTERS["length"]
    environment.filters |= {
        name: strict(environment.filters[name]) for name in environment.filters if name not in ("default", "d")
    }
    environment.tests |= TESTS
    environment.globals |= {"range": lambda *bounds: list(range(*bounds))}
    environment.globals |= {"len": FILTERS["length"], "str": FILTERS["string"], "bool": lambda v: bool(real(v))}
    environment.globals |= {name: environment.filters[name] for name in ("sum", "list", "round")}
    environment.globals |= {"sorted": sorted, "min": min, "max": max}
    environment.globals |= {"abs": FILTERS["abs"], "any": lambda v: any(real(v)), "all": lambda v: all(real(v))}
    return environment


_ENVIRONMENT = _environment()


@contextmanager
def _text_rules() -> Iterator[None]:
    stock = jinja2.runtime.str_join
    jinja2.runtime.str_join = lambda parts: "".join(text(real(part)) for part in parts)
    try:
        yield
    finally:
        jinja2.runtime.str_join = stock


@lru_cache(maxsize=512)
def _compiled(source: str) -> Any:
    return _ENVIRONMENT.compile_expression(source, undefined_to_none=False)


def value_by_jinja(source: str, variables: dict[str, Any]) -> Any:
    """What Jinja2 gives for an expression. Raises OracleError where it raises anything."""
    source = METHODS.sub(r".method_\1(", source)
    with _text_rules(), warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python's, of the code that Jinja2 makes
        try:
            return real(_compiled(source)(**variables))
        except OracleError:
            raise
        except Exception as error:
            raise OracleError(f"{type(error).__name__}: {error}") from None
