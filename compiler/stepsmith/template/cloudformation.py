"""Values of a CloudFormation resource and the YAML that they are written as.

Writes what the generators of this package make, one spelling for each value; reads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import yaml


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A function of CloudFormation in its short form, such as `!Sub 'arn:${AWS::Partition}:…'`."""

    name: str
    argument: str | tuple[Value, ...]


Value: TypeAlias = "bool | int | float | str | Intrinsic | Sequence[Value] | Mapping[str, Value] | None"


def ref(name: str) -> Intrinsic:
    return Intrinsic("Ref", name)


def get_att(name: str, attribute: str = "Arn") -> Intrinsic:
    return Intrinsic("GetAtt", f"{name}.{attribute}")


def sub(text: str) -> Intrinsic | str:
    """`text` with its `${Name}`s replaced by CloudFormation; a text that has none stays a plain text."""
    return Intrinsic("Sub", text) if "${" in text else text


def dump(name: str, body: Mapping[str, Value]) -> str:
    """The entry `name: body` as block YAML that begins at column 0 and ends with a newline."""
    return yaml.dump(
        {name: body},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=10**6,
    )


_SUBSTITUTION = re.compile(r"\$\{([^!}][^}]*)\}")


def names_in(value: Value) -> Iterator[str]:
    """What `value` refers to: parameters, resources, conditions, but not CloudFormation's own `AWS::…`."""
    for name in _all_names(value):
        if not name.startswith("AWS::"):
            yield name


def _all_names(value: Value) -> Iterator[str]:
    if isinstance(value, Intrinsic):
        yield from _names_of(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _all_names(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _all_names(item)


def _names_of(value: Intrinsic) -> Iterator[str]:
    argument = value.argument
    if isinstance(argument, str):
        if value.name == "Sub":
            for name in _SUBSTITUTION.findall(argument):
                yield name.strip().partition(".")[0]
        else:
            yield argument.partition(".")[0]
        return
    if value.name == "If":
        condition, *argument_rest = argument
        yield str(condition)
        yield from _all_names(argument_rest)
    else:
        yield from _all_names(argument)


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, repeats rather than anchors, and writes short intrinsics unquoted."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        style: str = super().choose_scalar_style()
        event = self.event
        if style != "'" or not isinstance(event, yaml.ScalarEvent):
            return style
        return "" if (event.tag or "").startswith("!") and _PLAIN.fullmatch(event.value) else style


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9:.]*[A-Za-z0-9]")


def _represent_intrinsic(dumper: _Dumper, value: Intrinsic) -> yaml.Node:
    if isinstance(value.argument, str):
        return dumper.represent_scalar(f"!{value.name}", value.argument)
    return dumper.represent_sequence(f"!{value.name}", value.argument, flow_style=True)


_Dumper.add_representer(Intrinsic, _represent_intrinsic)
_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))
