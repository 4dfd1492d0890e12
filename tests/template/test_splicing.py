"""Generated resources come into and out of a user's template without a trace on what the user wrote."""

import random

import pytest
import yaml

from stepsmith.diagnostics import Diagnostics
from stepsmith.source import SourceFile
from stepsmith.template.marks import Resource, render
from stepsmith.template.splicing import TemplateError, read_template, splice, sync

HAND_WRITTEN = """\
# A template of somebody's own.
Transform: AWS::Serverless-2016-10-31   # keep

Globals: {Function: {Timeout: 3}}

Resources:

  # The table.
  Table:   # its name
    Type: AWS::DynamoDB::Table
    Properties:
      Description: |+
        two blank lines end this


  # The topic.
  Topic:
    Type: AWS::SNS::Topic
    Condition: !And
      - !Equals [!Ref Stage, 'prod']

      # deep
      - !Not [!Equals ["a", "b"]]
        # deeper than Topic, so Topic's

  # The last one.
  Queue: {Type: AWS::SQS::Queue,
    Properties: {}}

# After all resources.

Outputs:
  A: {Value: 1}
"""
WITHOUT_OUTPUTS = HAND_WRITTEN[: HAND_WRITTEN.index("\n# After")]
ANCHORS = """\
Resources:
    First:
        Type: AWS::SQS::Queue
        Properties: &common
            Tags: []
    Second:
        Type: AWS::SQS::Queue
        Properties: *common

    Third:
        Type: AWS::SNS::Topic
        Metadata:
            - "quoted
# no comment

  over lines"
"""
VARIANTS = {
    "plain": HAND_WRITTEN,
    "windows": HAND_WRITTEN.replace("\n", "\r\n"),
    "mixed": HAND_WRITTEN.replace("\n", "\r\n", 12),
    "no-final-newline": HAND_WRITTEN.rstrip("\n"),
    "resources-last": WITHOUT_OUTPUTS,
    "resources-last-no-newline": WITHOUT_OUTPUTS.rstrip("\n"),
    "windows-no-newline": WITHOUT_OUTPUTS.rstrip("\n").replace("\n", "\r\n"),
    "trailing-comments": WITHOUT_OUTPUTS + "\n\n  # key depth\n# outer\n\n",
    "anchors": ANCHORS,
    "unusual-line-ends": HAND_WRITTEN.replace("# A template", "# A\x85 # template\u2028#"),
    "document-marks": "---\n" + WITHOUT_OUTPUTS + "...\n",
    "byte-order-mark": "\ufeff" + HAND_WRITTEN,
}


def block(name: str, text: str = "x", kind: str = "AWS::SQS::Queue") -> str:
    body = {"Type": kind, "Properties": {"Text": text, "List": [text, {"Deep": text}]}}
    return render(Resource(name, "workflows/order.yaml", body))


def contents(text: str) -> dict[str, object]:
    """The resources of a template as data, with tags kept as texts."""

    class Loader(yaml.SafeLoader):
        pass

    def tagged(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            return f"!{suffix} {node.value}"
        if isinstance(node, yaml.SequenceNode):
            return [suffix, *loader.construct_sequence(node, deep=True)]
        return {suffix: loader.construct_mapping(node, deep=True)}

    Loader.add_multi_constructor("!", tagged)
    return yaml.load(text, Loader=Loader)["Resources"]


@pytest.mark.parametrize("name", VARIANTS)
def test_everything_hand_written_survives_any_sequence_of_changes(name):
    original = text = VARIANTS[name]
    hand_written = contents(original)
    rng = random.Random(f"{name}")
    ids = ["Alpha", "Beta", "Gamma", "Delta", "Zeta"]
    for _ in range(25):
        chosen = rng.sample(ids, rng.randint(0, len(ids)))
        kinds = {each: rng.choice(["AWS::Serverless::Function", "AWS::SQS::Queue"]) for each in chosen}
        wanted = {each: block(each, rng.choice(["x", "a: b", "é\n\n"]), kinds[each]) for each in chosen}
        text = sync(text, wanted)
        assert sync(text, wanted) == text
        now = contents(text)
        assert {key: now[key] for key in hand_written} == hand_written
        assert sorted(now) == sorted([*hand_written, *chosen])
        assert sync(text, {}) == original


def test_resources_stand_in_the_order_wanted_whenever_they_were_added():
    wanted = {name: block(name) for name in ("Cc", "Aa", "Dd", "Bb")}
    together = sync(HAND_WRITTEN, wanted)
    for first in wanted:
        one_by_one = sync(HAND_WRITTEN, {first: wanted[first]})
        assert list(contents(sync(one_by_one, wanted))) == list(contents(together))
    assert list(contents(together)) == ["Table", "Topic", "Queue", "Cc", "Aa", "Dd", "Bb"]


def test_a_changed_block_changes_only_its_own_lines():
    text = sync(HAND_WRITTEN, {"Aa": block("Aa", "one"), "Bb": block("Bb", "same")})
    changed = sync(text, {"Aa": block("Aa", "two"), "Bb": block("Bb", "same")})
    before, after = text.splitlines(), changed.splitlines()
    differing = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split()[0] for line in differing] == ["Digest:", "Text:", "-", "-"]


def test_line_ends_follow_the_file():
    text = sync(VARIANTS["windows"], {"Aa": block("Aa")})
    assert "\n" not in text.replace("\r\n", "")


def test_indentation_follows_the_file():
    assert "\n    Aa:\n      Type:" in sync(ANCHORS, {"Aa": block("Aa")})


def test_a_template_of_generated_resources_only_is_kept_up_to_date():
    text = "Resources:\n" + "".join("  " + line + "\n" for line in block("Bb").splitlines())
    wanted = {"Aa": block("Aa"), "Bb": block("Bb")}
    assert list(contents(sync(text, wanted))) == ["Aa", "Bb"]
    assert sync(sync(text, wanted), {"Bb": block("Bb")}) == text


# --- edits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Serverless::Function"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Text: x", "Text: y"),
        ("      Text: x\n", ""),
        ("Text: x", "Text: x # why"),
        ("      List:", "      # c\n      List:"),
    ],
)
def test_an_edit_is_reported_at_its_resource_and_left_alone(kind, old, new):
    text = sync(HAND_WRITTEN, {"Aa": block("Aa", "x", kind)})
    edited = text.replace(old, new)
    assert edited != text
    for wanted in ({"Aa": block("Aa", "z", kind)}, {}):
        diagnostics = Diagnostics()
        template = read_template(SourceFile("template.yaml", edited), diagnostics)
        assert splice(template, wanted, diagnostics) == edited
        (found,) = diagnostics
        line = edited.splitlines().index("  Aa:") + 1
        assert (found.slug, str(found.span)) == ("template-edited", f"template.yaml:{line}:3")
        assert splice(template, wanted, Diagnostics(), force=True) == sync(HAND_WRITTEN, wanted)


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Serverless::Function"])
def test_a_broken_digest_counts_as_an_edit_unless_the_rest_is_what_is_wanted(kind):
    text = sync(HAND_WRITTEN, {"Aa": block("Aa", "x", kind)})
    at = text.index("sha256:")
    broken = text[: at + 7] + "0123456789abcdef" + text[at + 23 :]
    with pytest.raises(TemplateError, match="somebody edited it"):
        sync(broken, {"Aa": block("Aa", "y", kind)})
    assert sync(broken, {"Aa": block("Aa", "x", kind)}) == text


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Serverless::Function"])
def test_a_resource_that_says_keep_is_never_touched(kind):
    text = sync(HAND_WRITTEN, {"Aa": block("Aa", "x", kind)})
    mine = text.replace("  Aa:\n", "  Aa:\n    # Stepsmith: keep, it runs in our VPC\n").replace(
        "Text: x", "Text: mine"
    )
    for wanted in ({"Aa": block("Aa", "y", kind)}, {}):
        assert sync(mine, wanted) == mine


def test_a_resource_of_somebody_else_is_not_taken_over():
    with pytest.raises(TemplateError, match="Topic is to be generated") as caught:
        sync(HAND_WRITTEN, {"Topic": block("Topic")})
    (found,) = caught.value.diagnostics
    assert found.slug == "template-taken"
    assert HAND_WRITTEN.splitlines()[found.span.start.line - 1] == "  Topic:"


# --- what is no template ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no Resources in block style"),
        ("Resources: {}\n", "no Resources in block style"),
        ("Resources: {A: {Type: X}}\n", "no Resources in block style"),
        ("Resources:\n  ? A\n  : {Type: X}\n", "no Resources in block style"),
        ("- Resources\n", "no Resources in block style"),
        ("Resources:\n  A: {Type: X}\n  B: {Type: X}\n  A: {Type: Y}\n", "A is there twice"),
        ("Resources:\n\tA: 1\n", "no YAML"),
        ("A: 1\n---\nB: 1\n", "no YAML"),
        ("a: [" * 3000, "no YAML"),
        ("Resources:\n  A: \x00\n", "no YAML"),
    ],
)
def test_what_is_no_template_in_block_style_is_refused(text, message):
    with pytest.raises(TemplateError, match=message) as caught:
        sync(text, {"Aa": block("Aa")})
    assert {found.slug for found in caught.value.diagnostics} == {"template-invalid"}


def test_aliases_of_aliases_cost_nothing():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    text = "\n".join(lines) + "\nResources:\n  A: {Type: X, Deep: *a29}\n  B: *a29\n"
    assert sync(sync(text, {"Aa": block("Aa")}), {}) == text
