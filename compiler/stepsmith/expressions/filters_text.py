"""Filters over text. Given another value they work on its text form, its compact JSON."""

from __future__ import annotations

from stepsmith.expressions import jsonata as j
from stepsmith.expressions import regexes
from stepsmith.expressions.table import Call, Row, needed, optional
from stepsmith.expressions.types import ANY, BOOLEAN, INTEGER, NULL, TEXT, ListType, union
from stepsmith.expressions.uses import (
    argument_text,
    by_attribute,
    each,
    known_text,
    let,
    literal_boolean,
    literal_integer,
    literal_text,
    subject_items,
    subject_text,
)
from stepsmith.expressions.values import Refused, Value, as_text, expect, required_text


def upper(call: Call) -> Value:
    return Value(j.call("uppercase", subject_text(call).code), TEXT, subject_text(call).total)


def lower(call: Call) -> Value:
    return Value(j.call("lowercase", subject_text(call).code), TEXT, subject_text(call).total)


def capitalize(call: Call) -> Value:
    def write(text: Value) -> Value:
        first = j.call("uppercase", j.call("substring", text.code, j.constant(0), j.constant(1)))
        rest = j.call("lowercase", j.call("substring", text.code, j.constant(1)))
        return Value(j.binary("&", first, rest), TEXT, text.total)

    return let(call, subject_text(call), write)


def title(call: Call) -> Value:
    return Value(j.helper("title", subject_text(call).code), TEXT)


def trim(call: Call) -> Value:
    chars = call.literal("chars")
    text = subject_text(call)
    if chars is None:
        return Value(j.helper("trim", text.code), TEXT, text.total)
    if not isinstance(chars, str) or not chars:
        raise Refused("filter-argument", f"{call.name}: `chars` must be a quoted text that is not empty")
    either_end = regexes.any_of(chars)
    pattern = j.regex(f"^{either_end}+|{either_end}+$")
    return Value(j.call("replace", text.code, pattern, j.constant("")), TEXT, text.total)


def replace(call: Call) -> Value:
    text, old, new = subject_text(call), argument_text(call, "old"), argument_text(call, "new")
    if known_text(old) == "":
        raise Refused("filter-argument", "replace: the text to replace is empty")
    if call.given("count") and call.literal("count") is not None:
        count = literal_integer(call, "count", -1)
        code = j.helper("replace_some", text.code, old.code, new.code, j.constant(count))
        return Value(code, TEXT)
    if known_text(old) is None:
        return Value(j.helper("replace", text.code, old.code, new.code), TEXT)
    parts = j.call("split", text.code, old.code)
    return Value(j.call("join", parts, new.code), TEXT, text.total and new.total)


def join(call: Call) -> Value:
    separator = argument_text(call, "separator")
    return _joined(call, subject_items(call), separator)


def _joined(call: Call, items: Value, separator: Value) -> Value:
    attribute = by_attribute(call) if call.name == "join" else (lambda one: one)
    name_given = call.name == "join" and call.given("attribute")
    texts = items
    if name_given or not _texts(items):
        texts = each(call, items, lambda one: as_text(attribute(one)))
    return Value(j.call("join", texts.code, separator.code), TEXT, texts.total and separator.total)


def _texts(items: Value) -> bool:
    return isinstance(items.type, ListType) and Value(items.code, items.type.item).only("string")


def joined_by(call: Call) -> Value:
    """The method: the receiver is the separator."""
    return _joined(call, call.argument("items"), required_text(call.subject(), "join"))


def split(call: Call) -> Value:
    text = required_text(call.subject(), "split")
    separator = call.argument("separator")
    if separator.only("null"):

        def words(inner: Value) -> Value:
            parts = j.call("split", inner.code, j.regex(r"[\t-\r ]+"))
            code = j.conditional(j.comparison("=", inner.code, j.constant("")), j.array([]), parts)
            return Value(code, ListType(TEXT), text.total)

        return let(call, Value(j.helper("trim", text.code), TEXT, text.total), words)
    separator = required_text(separator, "split's separator")
    if known_text(separator) == "":
        raise Refused("filter-argument", "split: the separator is empty", "for the characters use `| list`")
    return Value(j.call("split", text.code, separator.code), ListType(TEXT), text.total and separator.total)


def truncate(call: Call) -> Value:
    length = literal_integer(call, "length", 0)
    end, leeway = literal_text(call, "end"), call.literal("leeway")
    spare = 5 if leeway is None else literal_integer(call, "leeway", 0)
    if length < len(end):
        raise Refused("filter-argument", f"truncate: the length must be at least that of the end, {len(end)}")
    kill = literal_boolean(call, "killwords")
    arguments = [j.constant(length), j.constant(kill), j.constant(end), j.constant(spare)]
    return Value(j.helper("truncate", subject_text(call).code, *arguments), TEXT)


def wordcount(call: Call) -> Value:
    found = j.call("match", subject_text(call).code, j.regex("[A-Za-z0-9_]+"))
    return Value(j.call("count", found), INTEGER)


def urlencode(call: Call) -> Value:
    value = call.subject()
    help_text = "encode each value of an object by itself"
    expect(value, "urlencode", "string", "number", "boolean", "null", help_text=help_text)
    if not value.may("array", "object"):
        return Value(j.helper("url", as_text(value).code), TEXT)

    def write(of: Value) -> Value:
        data = [j.comparison("=", j.call("type", of.code), j.constant(kind)) for kind in ("array", "object")]
        refused = j.call("error", j.constant("urlencode needs text"))
        code = j.conditional(j.chain("or", data), refused, j.helper("url", as_text(of).code))
        return Value(code, TEXT)

    return let(call, value, write)


def b64encode(call: Call) -> Value:
    text = subject_text(call)
    known = known_text(text)
    if known is not None and not known.isascii():
        call.warn("base64-of-unicode", "engines disagree on base64 of text beyond ASCII", "encode it where it is used")
    return Value(j.call("base64encode", text.code), TEXT)


def b64decode(call: Call) -> Value:
    return Value(j.call("base64decode", required_text(call.subject(), "b64decode").code), TEXT)


def string(call: Call) -> Value:
    return subject_text(call)


def tojson(call: Call) -> Value:
    value = call.subject()
    code = j.helper("json", value.code) if value.may("string") else j.call("string", value.code)
    return Value(code, TEXT, value.total)


def fromjson(call: Call) -> Value:
    return Value(j.call("parse", required_text(call.subject(), "fromjson").code), ANY)


def regex_search(call: Call) -> Value:
    pattern = regexes.read(literal_text(call, "pattern"), **_flags(call))
    found = j.index(j.call("match", subject_text(call).code, pattern.code), j.constant(0))
    wanted = []
    for reference in call.rest():
        number = regexes.group_number(known_text(reference), pattern.groups)
        wanted.append(number)
    name = call.fresh()
    match = j.variable(name)
    if not wanted:
        result, type_ = j.steps(match, ["match"]), union(TEXT, NULL)
    else:
        groups = [_group(match, number) for number in wanted]
        result, type_ = j.array(groups), union(ListType(TEXT), NULL)
    chosen = j.conditional(j.call("exists", match), result, j.constant(None))
    return Value(j.block([(name, found)], chosen), type_)


def _group(match: j.Code, number: int) -> j.Code:
    if number == 0:
        return j.steps(match, ["match"])
    return j.index(j.steps(match, ["groups"]), j.constant(number - 1))


def regex_findall(call: Call) -> Value:
    pattern = regexes.read(literal_text(call, "pattern"), **_flags(call))
    if pattern.groups > 1:
        raise Refused("regex-not-supported", "regex_findall takes at most one group", "write (?:…) for the others")
    matches = j.call("match", subject_text(call).code, pattern.code)
    name = call.fresh()
    one = j.variable(name)
    body = j.steps(one, ["match"]) if not pattern.groups else _group(one, 1)
    return Value(j.mapped(matches, j.function([name], body), flat=True), ListType(TEXT))


def regex_replace(call: Call) -> Value:
    text = subject_text(call)
    source, new = literal_text(call, "pattern"), literal_text(call, "replacement")
    pattern = regexes.read(source, **_flags(call))
    template = regexes.replacement(new, pattern.groups)
    if template.references:
        return Value(j.call("replace", text.code, pattern.code, j.constant(template.text)), TEXT)
    parts = j.call("split", text.code, regexes.read(source, **_flags(call), capture=False).code)
    return Value(j.call("join", parts, j.constant(template.plain)), TEXT)


def _flags(call: Call) -> dict[str, bool]:
    return {name: literal_boolean(call, name) for name in ("ignorecase", "multiline")}


def bool_(call: Call) -> Value:
    value = call.subject()
    if value.only("boolean"):
        return value
    text = j.call("lowercase", as_text(value).code)
    words = j.array([j.constant(word) for word in ("true", "yes", "on", "1")])
    return Value(j.comparison("in", text, words), BOOLEAN, value.total)


def date_format(call: Call) -> Value:
    picture = regexes.date_picture(literal_text(call, "format"))
    text = required_text(call.subject(), "date_format")
    return Value(j.call("fromMillis", j.call("toMillis", text.code), j.constant(picture)), TEXT)


def timestamp_ms(call: Call) -> Value:
    return Value(j.call("toMillis", required_text(call.subject(), "timestamp_ms").code), INTEGER)


def from_ms(call: Call) -> Value:
    value = call.subject()
    expect(value, "from_ms", "number")
    return Value(j.call("fromMillis", value.code), TEXT)


_PATTERN = (needed("pattern", literal=True),)
_REGEX_FLAGS = (optional("ignorecase", False, literal=True), optional("multiline", False, literal=True))

ROWS = (
    Row("upper", "any value", "text", upper, example="'eve' | upper", result="EVE", note="case by Unicode"),
    Row("lower", "any value", "text", lower, example="'EVE' | lower", result="eve", note="case by Unicode"),
    Row(
        "capitalize", "any value", "text", capitalize, example="'eVE of' | capitalize", result="Eve of",
        note="the first character is put in upper case, not in title case",
    ),
    Row("title", "any value", "text", title, example="'high-risk host' | title", result="High-Risk Host"),
    Row(
        "trim", "any value", "text", trim, (optional("chars", None, literal=True),), ("strip",),
        example="'  a  b ' | trim", result="a  b", note="white space is ASCII white space",
    ),
    Row(
        "replace", "any value", "text", replace,
        (needed("old"), needed("new"), optional("count", None, literal=True)),
        example="'a.b.c' | replace('.', '/')", result="a/b/c",
    ),
    Row(
        "join", "a list", "text", join,
        (optional("separator", ""), optional("attribute", None, literal=True)),
        example="[1, 'a'] | join(', ')", result="1, a", note="items that are no text are joined as JSON",
    ),
    Row(
        "split", "text", "list of text", split, (optional("separator", None),),
        example="'a,b' | split(',')", result=["a", "b"], note="without a separator: at ASCII white space",
    ),
    Row(
        "truncate", "any value", "text", truncate,
        (
            optional("length", 255, literal=True), optional("killwords", False, literal=True),
            optional("end", "...", literal=True), optional("leeway", None, literal=True),
        ),
        example="'one two three four' | truncate(9, leeway=0)", result="one...",
    ),
    Row(
        "wordcount", "any value", "integer", wordcount, example="'two words' | wordcount", result=2,
        note="a word is made of ASCII letters, digits and _",
    ),
    Row("urlencode", "text", "text", urlencode, example="'a b/c?' | urlencode", result="a%20b/c%3F"),
    Row(
        "b64encode", "any value", "text", b64encode, example="'abc' | b64encode", result="YWJj",
        note="not in Jinja2; use it for ASCII text",
    ),
    Row(
        "b64decode", "text", "text", b64decode, example="'YWJj' | b64decode", result="abc",
        note="not in Jinja2; use it for ASCII text",
    ),
    Row(
        "string", "any value", "text", string, example="[1, true] | string", result="[1,true]",
        note="compact JSON, not Python's repr",
    ),
    Row(
        "tojson", "any value", "text", tojson, aliases=("to_json",), example="{'a': ['x', 1]} | tojson",
        result='{"a":["x",1]}', note="compact, in the order of insertion, no HTML escapes",
    ),
    Row(
        "fromjson", "text", "any value", fromjson, aliases=("from_json",), example="'[1, 2]' | fromjson",
        result=[1, 2], note="not in Jinja2; text that is no JSON fails",
    ),
    Row(
        "regex_search", "any value", "text or null", regex_search, (*_PATTERN, *_REGEX_FLAGS), rest=True,
        example="'pid 42' | regex_search('[0-9]+')", result="42",
        note=r"not in Jinja2; with '\\1', … a list of groups",
    ),
    Row(
        "regex_findall", "any value", "list of text", regex_findall, (*_PATTERN, *_REGEX_FLAGS),
        example="'a1 b2' | regex_findall('[a-z]([0-9])')", result=["1", "2"], note="not in Jinja2",
    ),
    Row(
        "regex_replace", "any value", "text", regex_replace,
        (*_PATTERN, needed("replacement", literal=True), *_REGEX_FLAGS),
        example=r"'a1 b2' | regex_replace('([a-z])([0-9])', '\\2\\1')", result="1a 2b", note="not in Jinja2",
    ),
    Row(
        "bool", "any value", "boolean", bool_, example="'Yes' | bool", result=True,
        note="not in Jinja2; true, yes, on, 1 in any case are true, all else false",
    ),
    Row(
        "date_format", "text", "text", date_format, (needed("format", literal=True),),
        example="'2026-01-02T03:04:05Z' | date_format('%d.%m.%Y %H:%M')", result="02.01.2026 03:04",
        note="not in Jinja2; of ISO 8601 text, in UTC; %Y %m %d %H %M %S %%",
    ),
    Row(
        "timestamp_ms", "text", "integer", timestamp_ms, example="'1970-01-01T00:00:01Z' | timestamp_ms",
        result=1000, note="not in Jinja2; milliseconds since 1970 of ISO 8601 text",
    ),
    Row(
        "from_ms", "number", "text", from_ms, example="1000 | from_ms", result="1970-01-01T00:00:01.000Z",
        note="not in Jinja2; ISO 8601 of milliseconds since 1970",
    ),
)  # fmt: skip
