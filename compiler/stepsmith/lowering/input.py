"""The state that refuses an input which breaks the declared schema, and fills in the defaults.

It costs one Choice. What follows may rely on the declared types, so that expressions can be short.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stepsmith.asl.states import ChoiceState, FailState, Origin, Role, Rule
from stepsmith.document import Json
from stepsmith.expressions import jsonata, regexes
from stepsmith.expressions.jsonata import Code
from stepsmith.lowering.codes import PARENTS, Place
from stepsmith.lowering.context import Context
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.folding import fold_to_state, state_for
from stepsmith.lowering.names import INPUT
from stepsmith.model.workflow import InputProperty
from stepsmith.schema import Schema, as_schema, show

RAW: Final = jsonata.verbatim("$states.context.Execution.Input")
GIVEN: Final = jsonata.variable("given")
"""The input within an expression that reads it often."""
STARTED_BY: Final = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""The key by which Step Functions links a run to the one that started it (developer guide, "Start workflow executions
from a Task state"); it is never a property of the workflow."""
OUR_KEYS: Final = (STARTED_BY, PARENTS)
"""What a machine that starts this one adds to the input."""
CHECK, REFUSED = "workflow.input", "workflow.refused"
_JSONATA_TYPES: Final = {
    "string": "string",
    "boolean": "boolean",
    "null": "null",
    "array": "array",
    "object": "object",
}
_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


def lower_input(context: Context, edge: Edge) -> str:
    """The first state of the machine: the check of the input when one is declared, else where `edge` leads."""
    declared = context.workflow.input
    if declared is None:
        return state_for(context, edge)
    filled = _filled(declared)
    folded = fold_to_state(context, edge, Place(input=filled.text))
    span = context.workflow.name_span
    assign: dict[str, Json] = {INPUT: jsonata.field(filled.text), **folded.assign}
    refused = FailState(
        name=REFUSED,
        origin=Origin(Role.REFUSED, span, description="The input breaks the schema that the workflow declares."),
        error="InputInvalid",
        cause=jsonata.field(_of_given(_problems(declared)).text),
    )
    check = ChoiceState(
        name=CHECK,
        origin=Origin(
            Role.INPUT,
            span,
            description="Refuses an input that breaks the declared schema.",
            folded=folded.steps,
        ),
        rules=(Rule(jsonata.field(_of_given(_obeys(declared)).text), folded.next or "", assign),),
        default=context.add(refused),
    )
    return context.add(check)


def _of_given(body: Code) -> Code:
    return jsonata.block([("given", RAW)], body)


def _filled(declared: tuple[InputProperty, ...]) -> Code:
    """The input with its defaults: those of absent properties only, null stays null."""
    defaults: dict[str, Json] = {item.name: item.default for item in declared if item.has_default}
    if not defaults:
        return RAW
    return jsonata.call("merge", Code(f"[{jsonata.constant(defaults).text}, {RAW.text}]"))


# -- is it right? ---------------------------------------------------------------------------------


def _obeys(declared: tuple[InputProperty, ...]) -> Code:
    tests = [_is_type(GIVEN, "object"), _no_other_keys(GIVEN, [*(item.name for item in declared), *OUR_KEYS])]
    tests += [_property_obeys(item) for item in declared]
    return jsonata.chain("and", tests)


def _property_obeys(item: InputProperty) -> Code:
    value = jsonata.steps(GIVEN, [item.name])
    test = obeys(value, item.schema)
    there = jsonata.call("exists", value)
    if item.required:
        return jsonata.chain("and", [there, test])
    return jsonata.conditional(there, test, jsonata.constant(True))


def obeys(value: Code, schema: Schema, depth: int = 0) -> Code:
    """A test, never failing, that a value which exists obeys `schema`."""
    declared = schema.get("type")
    types = [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []
    tests: list[Code] = []
    if types:
        alternatives = [_is_type(value, str(name)) for name in types]
        tests.append(jsonata.chain("or", alternatives))
    choices = schema.get("enum")
    if isinstance(choices, list):
        tests.append(jsonata.chain("or", [jsonata.comparison("=", value, jsonata.constant(each)) for each in choices]))
    if "const" in schema:
        tests.append(jsonata.comparison("=", value, jsonata.constant(schema["const"])))
    tests += _bounds(value, schema, guarded=len(types) == 1)
    tests += _parts(value, schema, depth)
    return jsonata.chain("and", tests) if tests else jsonata.constant(True)


def _bounds(value: Code, schema: Schema, *, guarded: bool) -> list[Code]:
    """Tests of ranges, lengths and patterns. Unless the type alone guards them, each holds for its own kind only."""

    def only(kind: str, test: Code) -> Code:
        return test if guarded else jsonata.conditional(_is_type(value, kind), test, jsonata.constant(True))

    tests: list[Code] = []
    for keyword, operator in (
        ("minimum", ">="),
        ("maximum", "<="),
        ("exclusiveMinimum", ">"),
        ("exclusiveMaximum", "<"),
    ):
        if keyword in schema:
            tests.append(only("number", jsonata.comparison(operator, value, jsonata.constant(schema[keyword]))))
    if "multipleOf" in schema:
        rest = jsonata.binary("%", value, jsonata.constant(schema["multipleOf"]))
        tests.append(only("number", jsonata.comparison("=", rest, jsonata.constant(0))))
    for keyword, operator, function, kind in (
        ("minLength", ">=", "length", "string"),
        ("maxLength", "<=", "length", "string"),
        ("minItems", ">=", "count", "array"),
        ("maxItems", "<=", "count", "array"),
    ):
        if keyword in schema:
            size = jsonata.call(function, value)
            tests.append(only(kind, jsonata.comparison(operator, size, jsonata.constant(schema[keyword]))))
    if isinstance(pattern := schema.get("pattern"), str):
        tests.append(only("string", jsonata.call("contains", value, regexes.read(pattern).code)))
    return tests


def _parts(value: Code, schema: Schema, depth: int) -> list[Code]:
    """Tests of a list's items and an object's properties."""
    tests: list[Code] = []
    items = schema.get("items")
    if isinstance(items, dict) and items:
        name = f"item{depth or ''}"
        each = jsonata.function([name], obeys(jsonata.variable(name), items, depth + 1))
        every = jsonata.call("not", jsonata.binary("in", jsonata.constant(False), jsonata.call("map", value, each)))
        tests.append(jsonata.conditional(_is_type(value, "array"), every, jsonata.constant(True)))
    properties = schema.get("properties")
    if isinstance(properties, dict):
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        inner: list[Code] = []
        if schema.get("additionalProperties", False) is False:
            inner.append(_no_other_keys(value, list(properties)))
        for key, node in properties.items():
            member = jsonata.steps(value, [key])
            there, test = jsonata.call("exists", member), obeys(member, as_schema(node), depth + 1)
            inner.append(
                jsonata.chain("and", [there, test])
                if key in names
                else jsonata.conditional(there, test, jsonata.constant(True))
            )
        if inner:
            tests.append(
                jsonata.conditional(_is_type(value, "object"), jsonata.chain("and", inner), jsonata.constant(True))
            )
    return tests


def _is_type(value: Code, name: str) -> Code:
    kind = jsonata.call("type", value)
    if name == "integer":
        number = jsonata.comparison("=", kind, jsonata.constant("number"))
        return jsonata.chain("and", [number, jsonata.comparison("=", value, jsonata.call("floor", value))])
    return jsonata.comparison("=", kind, jsonata.constant(_JSONATA_TYPES.get(name, "number")))


def _no_other_keys(value: Code, names: list[str]) -> Code:
    key = jsonata.variable("key")
    strange = jsonata.call("not", jsonata.binary("in", key, jsonata.constant(list(names))))
    found = jsonata.call("map", Code(f"[{jsonata.call('keys', value).text}]"), jsonata.function(["key"], strange))
    return jsonata.call("not", jsonata.binary("in", jsonata.constant(True), found))


# -- what is wrong? -------------------------------------------------------------------------------


def _problems(declared: tuple[InputProperty, ...]) -> Code:
    """The text that names each property that is missing, unknown or wrong."""
    nothing = Code("[]")
    names = [item.name for item in declared]
    parts = [
        jsonata.conditional(
            _property_obeys(item),
            nothing,
            jsonata.conditional(
                jsonata.call("exists", jsonata.steps(GIVEN, [item.name])),
                jsonata.constant(f"{item.name} must be {_wanted(item.schema)}"),
                jsonata.constant(f"{item.name} is missing"),
            ),
        )
        for item in declared
    ]
    known = f"known: {', '.join(names)}" if names else "none is known"
    parts.append(
        jsonata.conditional(
            _no_other_keys(GIVEN, [*names, *OUR_KEYS]),
            nothing,
            jsonata.constant(f"there is a property that is not declared ({known})"),
        )
    )
    inner = ", ".join(part.bracketed(jsonata.CONDITIONAL) for part in parts)
    listed = jsonata.call("join", Code(f"[{inner}]"), jsonata.constant("; "))
    return jsonata.conditional(_is_type(GIVEN, "object"), listed, jsonata.constant("the input must be an object"))


def _wanted(schema: Mapping[str, Json]) -> str:
    declared = schema.get("type")
    types = [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []
    choices = schema.get("enum")
    if isinstance(choices, list):
        return f"one of {', '.join(show(choice) for choice in choices)}"
    words = " or ".join(_WORDS.get(str(name), str(name)) for name in types) or "as declared"
    extras = {
        "minimum": "at least {}",
        "maximum": "at most {}", "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "multipleOf": "a multiple of {}", "minLength": "with at least {} characters",
        "maxLength": "with at most {} characters", "minItems": "with at least {} items",
        "maxItems": "with at most {} items", "pattern": "that matches {}",
    }  # fmt: skip
    more = [text.format(schema[key]) for key, text in extras.items() if key in schema]
    return ", ".join([words, *more])
