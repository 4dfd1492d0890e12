"""The params of a call of AWS must fit the service's model: none unknown, none missing, none of the wrong type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from stepsmith.analysis.facts import Use
from stepsmith.checks.context import CheckContext
from stepsmith.checks.params import may_fit
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    KINDS,
    NUMBER,
    OBJECT,
    TEXT,
    ListType,
    Type,
    describe,
    kinds,
    type_of,
    union,
)
from stepsmith.expressions.types import describe_kinds as in_words
from stepsmith.integrations import Integration, Place
from stepsmith.model.steps import AwsStep
from stepsmith.model.values import Field, ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.services import (
    AnyShape,
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)


def check_call_params(context: CheckContext, use: Use, step: AwsStep, integration: Integration) -> None:
    checker = _Params(context, use, step, integration)
    assert integration.model is not None
    name = integration.model.input
    shape = integration.model.shapes[name] if name else StructureShape(())
    assert isinstance(shape, StructureShape)
    checker.structure(step.params, shape, ())


@dataclass
class _Params:
    context: CheckContext
    use: Use
    step: AwsStep
    integration: Integration

    def value(self, value: Value, member_shape: str, place: Place) -> None:
        shape = self.integration.takes(place, member_shape)
        if isinstance(value, Templated):
            self.templated(value, shape, place)
            return
        match shape:
            case StructureShape() if isinstance(value, ObjectValue):
                self.structure(value, shape, place)
            case ListShape() if isinstance(value, ListValue):
                for item in value.items:
                    self.value(item, shape.item, (*place, "[]"))
                if len(value.items) < shape.least:
                    self.wrong(value, place, f"must have at least {_counted(shape.least, 'item')}")
            case MapShape() if isinstance(value, ObjectValue):
                for field in value.fields:
                    self.value(field.value, shape.value, (*place, field.key))
            case BlobShape():
                return
            case AnyShape():
                if shape.kinds and not _kinds_of(value) & shape.kinds:
                    self.wrong(value, place, f"must be {in_words(shape.kinds)}, not {_noun(value)}")
            case TextShape() if isinstance(value, Literal) and isinstance(value.value, str):
                self.text(value, value.value, shape, place)
            case NumberShape() if _is_number(value, shape):
                self.number(value, shape, place)
            case BooleanShape() if isinstance(value, Literal) and isinstance(value.value, bool):
                return
            case TimestampShape() if isinstance(value, Literal) and (
                isinstance(value.value, str) or _is_number(value, NumberShape(False))
            ):
                return
            case _:
                self.wrong(value, place, f"must be {_wanted(shape)}, not {_noun(value)}", _quoting(value, shape))

    def templated(self, value: Templated, shape: Shape, place: Place) -> None:
        # What is wrong in the expression itself is told by the check of expressions.
        translation = self.context.translated(self.use, value.template)
        if translation is not None and not may_fit(translation.type, _type(shape)):
            message = f"must be {_wanted(shape)}, the expression yields {describe(translation.type)}"
            to_text = "string" in kinds(_type(shape)) and kinds(translation.type) <= {"number", "boolean"}
            self.wrong(value, place, message, "put `| string` behind it" if to_text else "")

    def structure(self, value: ObjectValue, shape: StructureShape, place: Place) -> None:
        members = self.integration.members(shape, place)
        given = {field.key for field in value.fields}
        for name, member in members.items():
            if name not in given and (member.required or self.needs_token(member)):
                self.missing(value, name, member, place)
        for field in value.fields:
            found = members.get(field.key)
            if found is None:
                self.unknown(field, members, place)
            else:
                self.value(field.value, found.shape, (*place, found.name))
        if shape.union and len(given & members.keys()) > 1:
            self.wrong(value, place, f"must have only one of {one_of(given)}")

    def needs_token(self, member: Member) -> bool:
        """SDKs make up an idempotency token, AWS SDK integrations do not (measured)."""
        return member.idempotency_token and self.integration.optimised is None

    def missing(self, value: ObjectValue, name: str, member: Member, place: Place) -> None:
        token = member.idempotency_token and not member.required
        where = f"{self.integration.name} needs" if not place else f"{_shown(place)} needs"
        help_text = f"add {name}: {'under params' if not place else f'to {_shown(place)}'}"
        if token:
            help_text = f'add {name}: "{{{{ run.id }}}}-{self.step.id}", or what else stays the same in a retry'
        span = self.step.call_span if not place else value.span
        self.context.diagnostics.error("missing-param", f'{where} the param "{name}"', span, help_text)

    def unknown(self, field: Field, members: Mapping[str, Member], place: Place) -> None:
        owner = _shown(place) if place else self.integration.name
        known = f"its params: {one_of(members)}" if members else "it has none"
        self.context.diagnostics.error(
            "unknown-param",
            f'{owner} has no param "{field.key}"',
            field.key_span,
            did_you_mean(field.key, members, known),
        )

    def text(self, value: Value, text: str, shape: TextShape, place: Place) -> None:
        if len(text) < shape.least:
            self.wrong(value, place, f"must have at least {_counted(shape.least, 'character')}")
        elif shape.choices and text not in shape.choices:
            # A warning: AWS adds values more often than people update their models.
            self.context.diagnostics.warning(
                "wrong-param",
                f'{_shown(place)} is "{text}", which AWS does not list',
                value.span,
                did_you_mean(text, shape.choices, f"it lists {one_of(shape.choices)}"),
            )

    def number(self, value: Value, shape: NumberShape, place: Place) -> None:
        number = value.value if isinstance(value, Literal) else None
        assert isinstance(number, int | float)
        if shape.least is not None and number < shape.least:
            self.wrong(value, place, f"must be at least {shape.least}")
        elif shape.most is not None and number > shape.most:
            self.wrong(value, place, f"must be at most {shape.most}")

    def wrong(self, value: Value, place: Place, message: str, help_text: str = "") -> None:
        self.context.diagnostics.error("wrong-param", f'the param "{_shown(place)}" {message}', value.span, help_text)


def _shown(place: Place) -> str:
    return ".".join(place).replace(".[]", "[]")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_number(value: Value, shape: NumberShape) -> bool:
    if not isinstance(value, Literal) or isinstance(value.value, bool):
        return False
    return isinstance(value.value, int if shape.integer else int | float)


def _kinds_of(value: Value) -> frozenset[str]:
    match value:
        case ObjectValue():
            return frozenset({"object"})
        case ListValue():
            return frozenset({"array"})
        case Literal():
            return kinds(type_of(value.value))
        case Templated():
            return KINDS
        case _:
            assert_never(value)


def _noun(value: Value) -> str:
    return in_words(_kinds_of(value))


def _type(shape: Shape) -> Type:
    """What an expression may yield for the shape."""
    match shape:
        case TextShape():
            return TEXT
        case NumberShape():
            return INTEGER if shape.integer else NUMBER
        case BooleanShape():
            return BOOLEAN
        case TimestampShape():
            return union(TEXT, NUMBER)
        case BlobShape():
            return ANY
        case AnyShape():
            types: dict[str, Type] = {
                "string": TEXT,
                "number": NUMBER,
                "boolean": BOOLEAN,
                "array": ListType(),
                "object": OBJECT,
            }
            return union(*(type_ for kind, type_ in types.items() if kind in shape.kinds))
        case ListShape():
            return ListType()
        case MapShape() | StructureShape():
            return OBJECT
        case _:
            assert_never(shape)


def _wanted(shape: Shape) -> str:
    return describe(_type(shape))


def _quoting(value: Value, shape: Shape) -> str:
    """How a scalar that should be a text is written."""
    if isinstance(shape, TextShape) and isinstance(value, Literal) and value.value is not None:
        text = str(value.value).lower() if isinstance(value.value, bool) else value.value
        return f'write it in quotes: "{text}"'
    return ""
