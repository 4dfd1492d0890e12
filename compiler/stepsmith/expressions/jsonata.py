"""The one place that writes JSONata text: quoting, operators with their strengths, functions, whole expressions.

What is written here is JSONata 2.0.6 (the version that Step Functions documents), never `?:`, `??`, `$eval`, `$`,
`$$` or a bare name. Callers combine `Code` values and never join text themselves, so that brackets and quotes are
right by construction.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from stepsmith.document import Json
from stepsmith.expressions import helpers
from stepsmith.expressions.helpers import RESERVED_PREFIX as RESERVED_PREFIX

# How strongly an operator binds: the binding powers of JSONata's own parser; an atom needs no brackets anywhere.
ATOM, POSTFIX, NEGATE, MULTIPLY, ADD, COMPARE, AND, OR, CONDITIONAL = 100, 75, 70, 60, 50, 40, 30, 25, 20

_STRENGTH = {
    "*": MULTIPLY, "/": MULTIPLY, "%": MULTIPLY,
    "+": ADD, "-": ADD, "&": ADD,
    "=": COMPARE, "!=": COMPARE, "<": COMPARE, "<=": COMPARE, ">": COMPARE, ">=": COMPARE, "in": COMPARE,
    "and": AND, "or": OR,
}  # fmt: skip

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_SIMPLE_PATH = re.compile(r"\$[A-Za-z0-9_]+(\.([A-Za-z_][A-Za-z0-9_]*|`[^`]*`))*")
_ESCAPED = re.compile(r"%\}|\{%|\$\{|[\x00-\x1f\x7f\u2028\u2029\\]")
_SHORT_ESCAPES = {
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\\": r"\\",
    "%}": r"%\u007d",
    "{%": r"{\u0025",
    "${": r"$\u007b",
}

# More operands than this are written as balanced groups, since each level of a chain costs one level of evaluation
# depth.
_LONGEST_CHAIN = 8

# The service is reported to stop near an evaluation depth of 100.
DEEPEST = 90

# Integers beyond are not exact in JSONata, whose numbers are doubles.
LARGEST_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of JSONata: its text, how strongly it binds, how deep its evaluation goes, which helpers it calls."""

    text: str
    strength: int = ATOM
    depth: int = 1
    helpers: frozenset[str] = frozenset()
    is_array: bool = False  # the text is one complete array constructor

    def bracketed(self, least: int) -> str:
        """The text, in parentheses when it binds less strongly than `least`."""
        return self.text if self.strength >= least else f"({self.text})"


def quote(text: str) -> str:
    """`text` as a JSONata string. `%}`, `{%` and `${` never appear in it, so that neither the mark of an expression
    nor a substitution of the deployment (SAM's DefinitionSubstitutions) can be read into data."""
    mark = '"' if "'" in text else "'"
    body = _ESCAPED.sub(lambda m: _SHORT_ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text)
    if mark == '"':
        body = body.replace('"', '\\"')
    return f"{mark}{body}{mark}"


def field(code: str) -> str:
    """The text of an ASL field that holds the expression `code`."""
    return f"{{% {code} %}}"


def literal(value: Json) -> Json:
    """A plain value as the content of an ASL field that may hold expressions.

    Text that Step Functions or the deployment would read as more than text becomes an expression that builds it: `{%
    … %}`, and
    `${`, which DefinitionSubstitutions replaces wherever it stands in the definition. So do negative numbers and
    those with an exponent, which moto's reading of a definition does not know.
    """
    match value:
        case str():
            read_as_more = "${" in value or (value.startswith("{%") and value.endswith("%}"))
            return field(quote(value)) if read_as_more else value
        case bool() | None:
            return value
        case int() | float():
            return value if re.fullmatch(r"\d+(\.\d+)?", json.dumps(value)) else field(literal_code(value))
        case list():
            return [literal(item) for item in value]
        case dict():
            if any("${" in key for key in value):
                return field(literal_code(value))
            return {key: literal(item) for key, item in value.items()}
        case _:
            assert_never(value)


def literal_code(value: Json) -> str:
    """The value as JSONata source. Raises ValueError for a number that JSON does not have (NaN, infinity)."""
    return constant(value).text


def path(base: str, *names: str) -> str:
    """The path from the value of `base` through the properties `names`."""
    return steps(verbatim(base), names).text


# --- values ---------------------------------------------------------------------------------------------------------


def verbatim(text: str) -> Code:
    """JSONata that another part of the compiler chose, such as the place of a step's output."""
    return Code(text) if is_path(text) else Code(f"({text})")


def is_path(text: str) -> bool:
    """Whether JSONata is only a variable and names behind it, which cannot fail and is cheap to write twice."""
    return _SIMPLE_PATH.fullmatch(text) is not None


def variable(name: str) -> Code:
    return Code(f"${name}")


def constant(value: Json) -> Code:
    match value:
        case None:
            return Code("null")
        case bool():
            return Code("true" if value else "false")
        case str():
            return Code(quote(value))
        case int() | float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is no JSON number")
            if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_INTEGER:
                value = int(value)
            return Code(json.dumps(value), ATOM if value >= 0 else NEGATE)
        case list():
            return array([constant(item) for item in value])
        case dict():
            return obj([(constant(key), constant(item)) for key, item in value.items()])
        case _:
            assert_never(value)


def array(items: Sequence[Code]) -> Code:
    """An array constructor. JSONata splices an item that is an array, unless it is itself a constructor: see
    `nested`."""
    return _over(f"[{', '.join(item.text for item in items)}]", *items, is_array=True)


def nested(code: Code) -> Code:
    """An item of an array constructor whose value is an array, written so that it is not spliced."""
    return code if code.is_array else array([code])


def nested_if_array(code: Code) -> Code:
    """As `nested`, for a value that may be an array or not; one that is undefined is left out."""
    item = variable("item")
    is_array = binary("=", call("type", item), constant("array"))
    return block([("item", code)], conditional(is_array, array([array([item])]), item))


def obj(pairs: Sequence[tuple[Code, Code]]) -> Code:
    """An object constructor. A pair whose value is undefined is dropped by JSONata; values here never are."""
    inner = ", ".join(f"{key.text}: {value.text}" for key, value in pairs)
    return _over(f"{{{inner}}}", *(part for pair in pairs for part in pair))


# --- references -----------------------------------------------------------------------------------------------------


def _step(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name) and name not in _WORDS:
        return name
    if name and "`" not in name and not _ESCAPED.search(name):
        return f"`{name}`"
    return quote(name)


def steps(base: Code, names: Iterable[str]) -> Code:
    """A path of property names. Never on a value that may be a list: JSONata would map over it."""
    text = "".join(f".{_step(name)}" for name in names)
    return Code(base.bracketed(POSTFIX) + text, POSTFIX, base.depth + bool(text), base.helpers)


def index(base: Code, at: Code) -> Code:
    """The item of a list. Two indexes beside each other would not index twice, hence the brackets."""
    inner = f"({base.text})" if base.text.endswith("]") else base.bracketed(POSTFIX)
    return _over(f"{inner}[{at.text}]", base, at, strength=POSTFIX)


# --- operations -----------------------------------------------------------------------------------------------------


def _over(text: str, *parts: Code, strength: int = ATOM, is_array: bool = False) -> Code:
    depth = max((part.depth for part in parts), default=0) + 1
    return Code(text, strength, depth, frozenset().union(*(part.helpers for part in parts)), is_array)


def call(name: str, *arguments: Code) -> Code:
    """A call of a built-in function, every argument given: JSONata would take a missing one from the context."""
    return _over(f"${name}({', '.join(argument.text for argument in arguments)})", *arguments)


def helper(name: str, *arguments: Code) -> Code:
    """A call of one of our helpers."""
    code = call(helpers.RESERVED_PREFIX + name, *arguments)
    depth = max(code.depth, helpers.DEPTH[name] + 1)
    return Code(code.text, ATOM, depth, code.helpers | {name})


def binary(operator: str, left: Code, right: Code) -> Code:
    """An operator with two operands; all of JSONata's group to the left."""
    strength = _STRENGTH[operator]
    text = f"{left.bracketed(strength)} {operator} {right.bracketed(strength + 1)}"
    return _over(text, left, right, strength=strength)


def comparison(operator: str, left: Code, right: Code) -> Code:
    """A comparison, its operands bracketed when they are comparisons themselves."""
    text = f"{left.bracketed(COMPARE + 1)} {operator} {right.bracketed(COMPARE + 1)}"
    return _over(text, left, right, strength=COMPARE)


def chain(operator: str, operands: Sequence[Code]) -> Code:
    """Operands of `and`, `or` or `&`: in a row when few, as balanced groups when many."""
    if len(operands) == 1:
        return operands[0]
    if len(operands) <= _LONGEST_CHAIN:
        code = operands[0]
        for operand in operands[1:]:
            code = binary(operator, code, operand)
        return code
    middle = len(operands) // 2
    left, right = chain(operator, operands[:middle]), chain(operator, operands[middle:])
    strength = _STRENGTH[operator]
    text = f"{left.bracketed(strength + 1)} {operator} {right.bracketed(strength + 1)}"
    return _over(text, left, right, strength=strength)


def negate(code: Code) -> Code:
    return _over(f"-{code.bracketed(POSTFIX)}", code, strength=NEGATE)


def conditional(condition: Code, then: Code, otherwise: Code) -> Code:
    text = (
        f"{condition.bracketed(CONDITIONAL + 1)} ? {then.bracketed(CONDITIONAL + 1)} : "
        f"{otherwise.bracketed(CONDITIONAL)}"
    )
    return _over(text, condition, then, otherwise, strength=CONDITIONAL)


def block(bindings: Sequence[tuple[str, Code]], body: Code) -> Code:
    """`($name := …; body)`: operands that are used more than once are bound once."""
    if not bindings:
        return body
    text = "; ".join([*(f"${name} := {code.text}" for name, code in bindings), body.text])
    return _over(f"({text})", body, *(code for _, code in bindings))


def function(parameters: Sequence[str], body: Code) -> Code:
    return _over(f"function({', '.join(f'${name}' for name in parameters)}) {{ {body.text} }}", body)


def regex(pattern: str, flags: str = "") -> Code:
    """A regular expression whose pattern is already JavaScript's, `/` escaped."""
    return Code(f"/{pattern}/{flags}")


def mapped(items: Code, each: Code, *, flat: bool) -> Code:
    """`$map` as a real array whatever the number of results. `flat` says that no result is itself a list."""
    return _over(f"[$map({items.text}, {each.text}){'' if flat else '[]'}]", items, each, is_array=True)


def filtered(items: Code, keep: Code, *, flat: bool) -> Code:
    """`$filter` as a real array whatever the number of results. `flat` says that no item is itself a list."""
    return _over(f"[$filter({items.text}, {keep.text}){'' if flat else '[]'}]", items, keep, is_array=True)


def counted(low: Code, high: Code) -> Code:
    """The array of integers from `low` to `high`, both included; empty when `high` is less."""
    return _over(f"[{low.bracketed(OR)}..{high.bracketed(OR)}]", low, high, is_array=True)


def program(code: Code) -> str:
    """The whole expression: the definitions of the helpers that it calls, then the expression itself."""
    if not code.helpers:
        return code.text
    return f"({'; '.join([*helpers.definitions(code.helpers), code.text])})"


def or_null(code: Code) -> Code:
    """The value of `code`, or null where it is undefined."""
    return conditional(call("exists", code), code, constant(None))
