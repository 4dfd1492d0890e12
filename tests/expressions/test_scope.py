"""Names, presence and narrowing: what may be read where, and what is said when it may not."""

from __future__ import annotations

import pytest

from stepsmith.diagnostics import Diagnostics, Severity
from stepsmith.document import Json, ScalarNode
from stepsmith.expressions import Binding, Presence, Scope, narrow, parse_condition
from stepsmith.expressions.types import ANY, INTEGER, TEXT, ListType, ObjectType, Property, from_schema
from stepsmith.source import SourceFile
from tests.expressions.evaluation import EvaluationError, compiled, condition, evaluate

INPUT = from_schema(
    {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "pid": {"type": "integer"},
            "file": {"type": "object", "properties": {"size": {"type": "number"}}, "required": ["size"]},
            "hosts": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["host", "file", "hosts"],
    }
)

RESULT = ObjectType({"pid": Property(INTEGER), "note": Property(TEXT, required=False)}, closed=True)


def _step(presence: Presence, reason: str = "") -> Binding:
    output = Binding(RESULT, "$kill.output", presence, reason)
    return Binding(members={"output": output, "status": Binding(TEXT, "$kill.status")}, noun="property of a step")


SCOPE = Scope(
    {
        "input": Binding(INPUT, "$in", noun="input property"),
        "steps": Binding(
            members={
                "kill": _step(Presence.MAYBE, "step 'kill' may have been skipped"),
                "my-step": _step(Presence.ALWAYS),
                "later": _step(Presence.NEVER, "step 'later' runs after this"),
            },
            noun="step",
        ),
        "vars": Binding(members={"total": Binding(INTEGER, "$total")}, noun="variable"),
        "env": Binding(open_member=lambda name: Binding(TEXT, f"$env_{name}"), noun="environment variable"),
        "item": Binding(ANY, "$item"),
    }
)


@pytest.mark.parametrize(
    ("source", "slug", "message", "help_text"),
    [
        ("inptu.host", "unknown-name", 'there is no "inptu" here', 'did you mean "input"?'),
        ("critical", "unknown-name", 'there is no "critical" here', "if it is text, quote it: 'critical'"),
        ("input.hots", "unknown-input", 'there is no input property "hots"', 'did you mean "hosts"?'),
        ("input['zzz']", "unknown-input", 'there is no input property "zzz"', "there is file, host, hosts, pid"),
        ("input.file.siez", "unknown-property", 'input.file has no property "siez"', 'did you mean "size"?'),
        ("steps.kil.output", "unknown-step", 'there is no step "kil"', 'did you mean "kill"?'),
        ("steps.kill.result", "unknown-property", 'steps.kill has no property "result"', "it has output, status"),
        ("vars.totl", "unknown-variable", 'there is no variable "totl"', 'did you mean "total"?'),
        ("steps", "not-a-value", "steps has no value of its own", "read steps.kill"),
        ("steps.kill ~ 'x'", "not-a-value", "steps.kill has no value of its own", "read steps.kill.output"),
        ("steps.later.output", "never-available", "step 'later' runs after this", ""),
        ("steps.later.output | default(1)", "never-available", "never there", ""),
        ("steps.kill.output", "maybe-missing", "step 'kill' may have been skipped", "| default(…)"),
        ("steps.kill.output.pid + 1", "maybe-missing", "steps.kill.output.pid may be missing here", "default"),
        ("input.pid", "maybe-missing", "input.pid is optional", "`input.pid is defined`"),
        ("steps.my-step.output", "hyphen-in-name", '"my-step" is read as a subtraction', "steps['my-step'].output"),
        ("input.host.name", "unknown-property", "input.host is text", ""),
        ("input.hosts.name", "unknown-property", "a list of text", "x[0]"),
        ("input.hosts['a']", "unknown-property", 'has no property "a"', "x[0]"),
        ("input.file[0]", "type-mismatch", "its properties have names", "x['name']"),
        ("input.host.__class__", "unknown-property", "__class__ is no data", ""),
    ],
)
def test_mistakes_with_names(source: str, slug: str, message: str, help_text: str) -> None:
    """Each mistake has its slug, says what is wrong and what to write instead."""
    found = compiled("{{ " + source + " }}", SCOPE)
    assert found.translation is None
    (diagnostic,) = found.diagnostics
    assert diagnostic.slug == slug
    assert message in diagnostic.message
    assert help_text in diagnostic.help


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("input.host", "$in.host"),
        ("input.file.size", "$in.file.size"),
        ("steps['my-step'].output.pid", "$kill.output.pid"),
        ("vars.total", "$total"),
        ("env.REGION", "$env_REGION"),
        ("env['REGION']", "$env_REGION"),
        ("steps.kill.output | default(none)", "$exists($kill.output) ? $kill.output : null"),
        ("steps.kill.output.pid | default(0)", "$exists($kill.output.pid) ? $kill.output.pid : 0"),
        ("steps.kill.output is defined", "$exists($kill.output)"),
        ("input.pid is defined and input.pid > 1", "$exists($in.pid) and $in.pid > 1"),
        ("input.pid is undefined or input.pid > 1", "$not($exists($in.pid)) or $in.pid > 1"),
        ("input.pid if input.pid is defined else 0", "$exists($in.pid) ? $in.pid : 0"),
        ("0 if input.pid is not defined else input.pid", "$not($exists($in.pid)) ? 0 : $in.pid"),
        ("input.hosts[0] | default('')", "($fn_1 := $in.hosts[0]; $exists($fn_1) ? $fn_1 : '')"),
        ("input.host ~ '!'", "$in.host & '!'"),
        ("'k' in input.file", "$exists($lookup($in.file, 'k'))"),
    ],
)
def test_known_types_give_the_short_form(source: str, code: str) -> None:
    """What is known to be there is read without a guard, and types choose the operator."""
    found = compiled("{{ " + source + " }}", SCOPE)
    assert not found.diagnostics
    assert found.code == code


def test_conditions_of_known_types_need_no_helper() -> None:
    """Truth is asked by type."""
    found = condition("input.host == 'a' and input.hosts and not input.file.size", SCOPE)
    assert found.code == "$in.host = 'a' and $count($in.hosts) > 0 and $not($in.file.size != 0)"


def test_unguarded_reads_warn_where_the_binding_is_lenient() -> None:
    """`strict=False` makes the error a warning; the read still names itself when it fails."""
    scope = Scope({"input": Binding(INPUT, "$in", strict=False, noun="input property")})
    found = compiled("pid {{ input.pid }}", scope)
    assert [(d.slug, d.severity) for d in found.diagnostics] == [("maybe-missing", Severity.WARNING)]
    with pytest.raises(EvaluationError, match=r"input\.pid is not defined"):
        evaluate(found.code, {"in": {"host": "a"}})


@pytest.mark.parametrize(
    ("text", "truth", "proven"),
    [
        ("{{ steps.kill.output is defined }}", True, True),
        ("{{ steps.kill.output is defined }}", False, False),
        ("{{ steps.kill.output is undefined }}", False, True),
        ("{{ not steps.kill.output is defined }}", False, True),
        ("{{ steps.kill.output is defined and input.host == 'a' }}", True, True),
        ("{{ steps.kill.output is defined or input.host == 'a' }}", True, False),
        ("{{ steps.kill.output is undefined or input.host == 'a' }}", False, True),
        ("{{ steps.kill.output.pid is defined }}", True, True),
        ("{{ steps.kill.output | default(none) }}", True, True),
        ("{{ steps.kill.output | default('x') }}", True, False),
        ("steps.kill.output is defined", True, True),
    ],
)
def test_a_condition_proves_what_is_there(text: str, truth: bool, proven: bool) -> None:
    """Behind the condition the reference can be read plainly, in the branch where it holds."""
    source = SourceFile("t", text)
    template = parse_condition(ScalarNode(text, source.span(0, len(text))), source, Diagnostics())
    assert template is not None
    found = compiled("{{ steps.kill.output }}", narrow(SCOPE, template, truth))
    assert found.slugs == ([] if proven else ["maybe-missing"])


def test_a_proof_is_forgotten_when_the_name_is_bound_again() -> None:
    """A loop's name that hides another takes its proof away."""
    scope = Scope({"item": Binding(ANY, "$a", Presence.MAYBE, "why")}).proving(("item",))
    assert compiled("{{ item }}", scope).slugs == []
    again = scope.with_name("item", Binding(ANY, "$b", Presence.MAYBE, "why"))
    assert compiled("{{ item }}", again).slugs == ["maybe-missing"]
    assert compiled("{{ item }}", scope.without("item")).slugs == ["unknown-name"]


@pytest.mark.parametrize(
    ("source", "total"),
    [
        ("input.host", True),
        ("input.pid | default(1)", True),
        ("input.hosts[0]", False),
        ("input.host ~ input.file.size", True),
        ("1 / input.file.size", False),
        ("item", True),
        ("item.name", False),
        ("{'a': input.host, 'b': [1]}", True),
        ("input.host | regex_search('a')", False),
    ],
)
def test_total_says_that_an_expression_cannot_fail(source: str, total: bool) -> None:
    """`total` is a promise to the lowering, which then needs no guard."""
    found = compiled("{{ " + source + " }}", SCOPE)
    assert found.translation is not None
    assert found.translation.total is total


def test_get_of_a_namespace_reads_a_member_or_the_default() -> None:
    """`context.get('n', 0)`, as conditions of the steps dialect have it."""
    found = Binding(INTEGER, "$found", Presence.MAYBE, "no step has given it yet")
    scope = Scope({"context": Binding(members={"n": found}, open_member=lambda _: found, noun="key of the context")})
    assert compiled("{{ context.get('n', 0) }}", scope).code == "$exists($found) ? $found : 0"
    assert condition("context.get('n', 0) > 0", scope, legacy=True).code == "($exists($found) ? $found : 0) > 0"
    assert compiled("{{ context.get('n') }}", scope).slugs == []
    assert condition("'n' in context", scope).code == "$exists($found)"
    assert condition("'n' not in context", scope).code == "$not($exists($found))"
    assert condition("context.get(context.n)", scope).slugs == ["unknown-function"]
    assert condition("'kil' in steps", SCOPE).slugs == ["unknown-step"]


def test_all_mistakes_of_one_expression_are_reported() -> None:
    """Translation goes on beside a mistake."""
    found = compiled("{{ input.hots ~ steps.kil.output ~ (1 | shout) }}", SCOPE)
    assert sorted(found.slugs) == ["unknown-filter", "unknown-input", "unknown-step"]


def test_places_of_a_reference_in_a_field() -> None:
    """A misspelt step of a path is underlined alone."""
    text = "x {{ input.hots.name }}"
    (diagnostic,) = compiled(text, SCOPE).diagnostics
    assert (diagnostic.span.start.column, diagnostic.span.end.column) == (12, 16)


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"a": {"b": {"c": 1}}}, 1), ({"a": {}}, "none"), ({}, "none"), ({"a": [{"b": {"c": 1}}]}, "none")],
)
def test_default_tolerates_a_missing_link_of_unknown_data(data: Json, expected: Json) -> None:
    """No path step is ever taken through a list."""
    code = compiled("{{ item.a.b.c | default('none') }}", SCOPE).code
    assert evaluate(code, {"item": data}) == expected


def test_items_of_a_typed_list_keep_their_type() -> None:
    """Attributes of items are checked too."""
    rows = ListType(ObjectType({"name": Property(TEXT)}, closed=True))
    scope = Scope({"rows": Binding(rows, "$rows")})
    found = compiled("{{ rows | map(attribute='nme') | list }}", scope)
    assert [(d.slug, d.help) for d in found.diagnostics] == [("unknown-property", 'did you mean "name"?')]
    assert compiled("{{ rows | map(attribute='name') | join }}", scope).code == (
        "$join([$map($rows, function($fn_1) { $fn_1.name })], '')"
    )


@pytest.mark.parametrize(
    ("source", "help_text"),
    [
        ("alert.severity == 'hihg'", 'did you mean "high"?'),
        ("'hihg' != alert.severity", 'did you mean "high"?'),
        ("alert.severity in ['lo', 'hi']", 'did you mean "low"?'),
        ("alert.severity == 'x'", "it is one of 'high', 'low'"),
        ("alert.count == '5'", "| int"),
        ("alert.count in ['5']", "| int"),
        ("alert.severity == 'high'", None),
        ("alert.severity in ['high', 'other']", None),
        ("alert.count == none", "is defined"),
        ("alert.note == none", None),
        ("alert.note == 'x'", None),
        ("alert.any == 'x'", None),
        ("alert.severity in alert.any", None),
        ("'hi' in alert.severity", None),
        ("1 == 1", None),
        ("'a' == 'b'", "it is one of"),
    ],
)
def test_a_comparison_that_never_holds_warns(source: str, help_text: str | None) -> None:
    """A misspelt choice and a number beside a text are found before a run."""
    schema: Json = {
        "properties": {
            "severity": {"enum": ["low", "high"]},
            "count": {"type": "integer"},
            "note": {"type": ["string", "null"]},
            "any": {},
        },
        "required": ["severity", "count", "note", "any"],
    }
    found = compiled("{{ " + source + " }}", Scope({"alert": Binding(from_schema(schema), "$alert")}))
    assert found.slugs == (["never-equal"] if help_text else [])
    if help_text:
        assert help_text in found.diagnostics[0].help
        assert found.diagnostics[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("source", "warned"),
    [
        ("alert.known | default(0) > 1", True),
        ("1 <= alert.known | default(0) < 5", True),
        ("alert.either >= 2", True),
        ("alert.perhaps < 2", False),
        ("alert.any > 2", False),
        ("alert.count | default(0) > 1", False),
        ("alert.known | default(0) == 1", False),
    ],
)
def test_an_order_of_what_may_have_none_warns(source: str, warned: bool) -> None:
    schema: Json = {
        "properties": {
            "known": {"type": "boolean"},
            "either": {"type": ["integer", "array"]},
            "perhaps": {"type": ["integer", "null"]},
            "count": {"type": "integer"},
            "any": {},
        },
        "required": ["either", "perhaps", "any"],
    }
    found = compiled("{{ " + source + " }}", Scope({"alert": Binding(from_schema(schema), "$alert")}))
    assert found.slugs == (["no-order"] if warned else [])
