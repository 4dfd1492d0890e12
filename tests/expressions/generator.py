"""Random expressions with the data that they read: mostly well typed, now and then a missing name or a wrong kind."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from stepsmith.document import Json

TEXTS = ["", "a", "Ab c", " lead", "x.y.z", "it's", 'q"q', "back\\slash", "$1 cost", "%} {{ x", "12", "-3.5"]
TEXTS += ["yes", "é ü", "a,b,,c", "line\nend"]
NUMBERS: list[int | float] = [0, 1, 2, 3, 7, -1, -5, 10, 100, 0.5, 2.5, -1.25, 12.75]
NAMES = ["a", "b", "k-y", "items", "value"]
KINDS = ("text", "number", "boolean", "texts", "numbers", "object", "objects", "mixed")

_TESTS = ["string", "mapping", "number", "none", "iterable", "integer", "float", "boolean"]
_MAYBE = ["input.missing", "input.object.a", "input.missing.deep", "input.text"]
_TEXTUAL = ["'on'", "'n', 'gt', 1", "'name', 'in', input.texts"]
_KIND_TESTS = ["'string'", "'none'", "'iterable'"]
_OF_OBJECT = ["keys()", "values()", "items()", "get('a')", "get('a', 1)"]
_CONTAINERS = ["texts", "text", "object", "mixed"]
_KEYS = ["'n'", "'name'"]
_MAPPED = ["'upper'", "'trim'", "'replace', 'a', input.other"]
_SWAP = r"'\\2\\1'"


@dataclass
class Case:
    """One expression and the value of `input` that it reads."""

    source: str
    data: dict[str, Json]


def quoted(text: str) -> str:
    body = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{body}'"


class Generator:
    """Makes cases from a seed; equal seeds make equal cases."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.data: dict[str, Json] = {}

    def case(self) -> Case:
        self.data = {
            "text": self._text(),
            "other": self._text(),
            "number": self._number(),
            "count": self.random.randint(0, 4),
            "flag": self.random.random() < 0.5,
            "nothing": None,
            "texts": [self._text() for _ in range(self.random.choice([0, 1, 1, 2, 3]))],
            "numbers": [self._number() for _ in range(self.random.choice([0, 1, 1, 2, 3]))],
            "object": {
                name: self.random.choice([self._text(), self._number()])
                for name in self.random.sample(NAMES, self.random.randint(0, 3))
            },
            "objects": [
                {"name": self._text(), "n": self._number(), "on": self.random.random() < 0.5}
                for _ in range(self.random.choice([0, 1, 2, 3]))
            ],
            "mixed": [
                self.random.choice([self._text(), self._number(), None, [], [1], ["a", []], {}])
                for _ in range(self.random.choice([0, 1, 2, 3]))
            ],
        }
        kind = self.random.choice(KINDS)
        return Case(self.expression(kind, self.random.choice([1, 2, 2, 3])), self.data)

    def _text(self) -> str:
        return self.random.choice(TEXTS)

    def _number(self) -> int | float:
        return self.random.choice(NUMBERS)

    def expression(self, kind: str, depth: int) -> str:
        roll = self.random.random()
        if roll < 0.03:
            kind = self.random.choice(KINDS)
        if roll > 0.97:
            return self.random.choice(["input.missing", "input.object.missing", "input.missing.deep"])
        if depth <= 0:
            return self._leaf(kind)
        made: str = getattr(self, f"_make_{kind}")(depth - 1)
        return made

    def _leaf(self, kind: str) -> str:
        choose = self.random.choice
        match kind:
            case "text":
                return choose(["input.text", "input.other", "input['text']", quoted(self._text())])
            case "number":
                return choose(["input.number", "input.count", str(abs(self._number())), str(self.random.randint(0, 9))])
            case "boolean":
                return choose(["input.flag", "true", "false"])
            case "object" if self.random.random() < 0.3:
                return "{'a': 1, 'b': 'x'}"
            case "texts" if self.random.random() < 0.3:
                return f"[{quoted(self._text())}, input.text]"
            case "numbers" if self.random.random() < 0.3:
                return choose(["[3, 1, 2]", "[input.number]", "range(4)", "range(1, input.count)"])
        return f"input.{kind}"

    def _make_text(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"({e('text', d)} ~ {e(choose(KINDS), d)})",
                lambda: f"({e('text', d)} + {e('text', d)})",
                lambda: f"({e('text', d)} | {choose(['upper', 'lower', 'trim', 'capitalize', 'title', 'string'])})",
                lambda: f"({e('text', d)} | replace({quoted(choose(['a', '.', ' ', '$1']))}, {e('text', d)}))",
                lambda: f"({e('text', d)} | replace('a', '$&', {self.random.randint(0, 2)}))",
                lambda: f"({e(choose(['texts', 'numbers', 'mixed']), d)} | join({quoted(choose(['', ', ', '$']))}))",
                lambda: f"({e(choose(KINDS), d)} | tojson)",
                lambda: f"({e('text', d)} if {e('boolean', d)} else {e('text', d)})",
                lambda: f"({e('text', d)} or {e('text', d)})",
                lambda: f"({e('text', d)} and {e('text', d)})",
                lambda: f"({e('text', d)}[{choose(['1:', ':2', '-2:', '1:3', '::-1', ':-1'])}])",
                lambda: f"""({e("text", d)} | truncate({choose(["5", "4, true", "6, false, '..'"])}, leeway=0))""",
                lambda: f"({e('texts', d)} | {choose(['first', 'last', 'min', 'max'])} | default('none'))",
                lambda: f"(input.object.{choose(NAMES[:2])} | default({e('text', d)}))",
                lambda: f"({e('text', d)} | default({e('text', d)}, true))",
                lambda: f"({e('text', d)} | urlencode)",
                lambda: f"({e('text', d)} | reverse)",
                lambda: f"({e('text', d)} | regex_replace('[a-z]+', 'X'))",
                lambda: f"({e('text', d)} | regex_replace('([a-z])(.)', {_SWAP}))",
                lambda: f"({e('boolean', d)} | ternary({e('text', d)}, {e('text', d)}))",
                lambda: f"""input.text.{choose(["upper()", "lower()", "strip()", "replace('a', 'b')"])}""",
            ]
        )()

    def _make_number(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"({e('number', d)} {choose(['+', '-', '*', '/', '//', '%'])} {e('number', d)})",
                lambda: f"(-{e('number', d)})",
                lambda: f"({e(choose(['text', 'texts', 'object', 'mixed']), d)} | length)",
                lambda: f"({e('number', d)} | {choose(['abs', 'int', 'float', 'round', 'round(1)'])})",
                lambda: f"""({e("number", d)} | round({choose(["0", "1"])}, {choose(["'ceil'", "'floor'"])}))""",
                lambda: f"({e('text', d)} | int({choose(['', '-1'])}))",
                lambda: f"({e('text', d)} | float)",
                lambda: f"({e('numbers', d)} | sum)",
                lambda: f"({e('objects', d)} | sum(attribute='n'))",
                lambda: f"({e('numbers', d)} | {choose(['min', 'max', 'first', 'last'])} | default(0))",
                lambda: f"({e('number', d)} if {e('boolean', d)} else {e('number', d)})",
                lambda: f"({e('number', d)} or {e('number', d)})",
                lambda: f"(input.numbers[{choose(['0', '-1', '1', 'input.count'])}] | default(9))",
                lambda: f"len({e('texts', d)})",
                lambda: f"({e('text', d)} | wordcount)",
            ]
        )()

    def _make_boolean(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"({e('number', d)} {choose(['<', '<=', '>', '>=', '==', '!='])} {e('number', d)})",
                lambda: f"({e('text', d)} {choose(['<', '<=', '==', '!='])} {e('text', d)})",
                lambda: f"(0 {choose(['<', '<='])} {e('number', d)} < 10)",
                lambda: f"({e('texts', d)} == {e('texts', d)})",
                lambda: f"({e('mixed', d)} == {e('mixed', d)})",
                lambda: f"({e('text', d)} {choose(['in', 'not in'])} {e(choose(_CONTAINERS), d)})",
                lambda: f"({e('number', d)} in {e('numbers', d)})",
                lambda: f"({e('texts', d)} in {e('mixed', d)})",
                lambda: f"({e('boolean', d)} and {e('boolean', d)})",
                lambda: f"({e('boolean', d)} or {e('boolean', d)})",
                lambda: f"(not {e(choose(KINDS), d)})",
                lambda: f"bool({e(choose(KINDS), d)})",
                lambda: f"({e(choose(KINDS), d)} is {choose(_TESTS)})",
                lambda: f"({e('number', d)} is {choose(['odd', 'even', 'divisibleby 3', 'gt 2', 'ne 1'])})",
                lambda: f"({choose(_MAYBE)} is {choose(['defined', 'undefined'])})",
                lambda: f"""({e("text", d)} is {choose(["upper", "lower", "match('[a-z]')", "search('[0-9]')"])})""",
                lambda: f"({e('text', d)} | bool)",
                lambda: f"{choose(['any', 'all'])}({e(choose(['texts', 'numbers', 'mixed']), d)})",
                lambda: f"input.text.{choose(['startswith', 'endswith'])}({e('text', d)})",
            ]
        )()

    def _make_texts(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"[{e('text', d)}, {e('text', d)}]",
                lambda: f"({e('texts', d)} + {e('texts', d)})",
                lambda: f"({e('texts', d)} | sort{choose(['', '(reverse=true)', '(case_sensitive=true)'])})",
                lambda: f"({e('texts', d)} | unique{choose(['', '(case_sensitive=true)'])} | list)",
                lambda: f"""({e("texts", d)} | map({choose(_MAPPED)}) | list)""",
                lambda: f"({e('texts', d)} | {choose(['select', 'reject'])} | list)",
                lambda: f"({e('texts', d)} | select('in', {e('texts', d)}) | list)",
                lambda: f"({e('texts', d)}[{choose(['1:', ':1', '-1:', '::-1'])}])",
                lambda: f"""({e("text", d)} | split({choose(["','", "'.'", ""])}))""",
                lambda: f"({e('objects', d)} | map(attribute='name') | list)",
                lambda: f"({e('texts', d)} | {choose(['union', 'intersect', 'difference'])}({e('texts', d)}))",
                lambda: f"({e(choose(['text', 'object', 'texts']), d)} | list)",
                lambda: f"({e('texts', d)} | reverse | list)",
                lambda: f"({e('text', d)} | regex_findall('[a-z]+'))",
            ]
        )()

    def _make_numbers(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"[{e('number', d)}, {e('number', d)}]",
                lambda: f"({e('numbers', d)} | sort{choose(['', '(reverse=true)'])})",
                lambda: f"({e('numbers', d)} | unique | list)",
                lambda: f"""({e("numbers", d)} | map({choose(["'abs'", "'round'", "'string'"])}) | list)""",
                lambda: f"""({e("numbers", d)} | select({choose(["'gt', 1", "'odd'", "'lt', input.count"])}) | list)""",
                lambda: f"({e('numbers', d)} | reject('gt', {e('number', d)}) | list)",
                lambda: f"({e('objects', d)} | map(attribute='n') | list)",
                lambda: f"({e('numbers', d)} + {e('numbers', d)})",
                lambda: f"""range({e("number", 0)})" if d else "range(3)""",
            ]
        )()

    def _make_object(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"{{'a': {e(choose(KINDS), d)}, 'k-y': {e('text', d)}}}",
                lambda: f"({e('object', d)} | combine({e('object', d)}))",
                lambda: f"({e('object', d)} | combine({{'a': {{'z': 1}}}}, recursive=true))",
                lambda: f"({e('objects', d)} | first | default({{}}))",
                lambda: f"({e('object', d)} | dict2items | items2dict)",
            ]
        )()

    def _make_objects(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"""({e("objects", d)} | selectattr({choose(_TEXTUAL)}) | list)""",
                lambda: f"""({e("objects", d)} | rejectattr({choose(["'on'", "'n', 'lt', 2"])}) | list)""",
                lambda: (
                    f"""({e("objects", d)} | sort(attribute={choose(_KEYS)}, reverse={choose(["true", "false"])}))"""
                ),
                lambda: f"({e('objects', d)} | {choose(['reverse', 'list'])} | list)",
                lambda: f"({e('objects', d)} | batch(2) | first | default([]))",
            ]
        )()

    def _make_mixed(self, d: int) -> str:
        e, choose = self.expression, self.random.choice
        return choose(
            [
                lambda: f"[{e(choose(KINDS), d)}, {e(choose(KINDS), d)}]",
                lambda: f"[{e(choose(KINDS), d)}]",
                lambda: f"({e('mixed', d)} + {e('mixed', d)})",
                lambda: f"({e('mixed', d)} | {choose(['flatten', 'flatten(1)', 'list'])})",
                lambda: f"({e('mixed', d)} | batch({choose(['1', '2'])}) | list)",
                lambda: f"({e('mixed', d)} | {choose(['select', 'reject'])} | list)",
                lambda: f"""({e("mixed", d)} | {choose(["select", "reject"])}({choose(_KIND_TESTS)}) | list)""",
                lambda: f"({e('mixed', d)} | map('string') | list)",
                lambda: f"({e('mixed', d)}[{choose(['1:', ':1', '::-1'])}])",
                lambda: f"({e('mixed', d)} | {choose(['first', 'last'])} | default('none'))",
                lambda: f"({e('object', d)} | {choose(['items', 'dictsort'])} | list)",
                lambda: f"""({e("object", d)}).{choose(_OF_OBJECT)}""",
                lambda: f"({e('mixed', d)} if {e(choose(KINDS), d)} else {e('texts', d)})",
            ]
        )()
