"""Reads lists of steps: each is a mapping with exactly one verb; everything else in it is a modifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.dialects.native.policies import read_on_failure, read_retry
from stepsmith.dialects.native.reading import IDENTIFIER, ROOTS, VARIABLE, Reader
from stepsmith.dialects.native.undoing import read_rollback
from stepsmith.dialects.native.verbs import Common, Verb
from stepsmith.dialects.native.work import PLAIN, WORK_VERBS
from stepsmith.document import Entry, MappingNode, Node, ScalarNode, SequenceNode
from stepsmith.model.policies import Handler
from stepsmith.model.steps import (
    Block,
    Branch,
    Case,
    ForEachStep,
    Need,
    ParallelStep,
    RepeatStep,
    S3Format,
    S3Items,
    Step,
    SwitchStep,
    TryStep,
)
from stepsmith.model.values import Literal, Value
from stepsmith.ordering.graphs import graph_of, is_graph
from stepsmith.source import Span

MODIFIERS: Final = (
    "id",
    "name",
    "description",
    "if",
    "timeout",
    "heartbeat",
    "retry",
    "on_failure",
    "rollback",
    "output",
    "needs",
)


_BLOCKS: Final = ("switch", "parallel", "for_each", "repeat", "try")


def read_block(reader: Reader, node: Node, noun: str) -> Block:
    """A list of at least one step."""
    if not isinstance(node, SequenceNode):
        help = "put a `-` before each step" if isinstance(node, MappingNode) else ""  # noqa: A001
        reader.wrong_shape(node, noun, "a list of steps", help)
        return ()
    if not node.items:
        reader.diagnostics.error("empty-steps", f"{noun} holds no step", node.span, "write at least one step")
    dashes = node.dashes or tuple(item.span for item in node.items)
    read = [_step(reader, item, dash) for item, dash in zip(node.items, dashes, strict=True)]
    steps = tuple(step for step in read if step is not None)
    if not is_graph(steps):
        return steps
    return (graph_of(steps, reader.reserved.union(reader.ids), reader.diagnostics, whole=len(steps) == len(read)),)


def _step(reader: Reader, node: Node, dash: Span) -> Step | None:
    if not isinstance(node, MappingNode):
        reader.wrong_shape(node, "a step", "a mapping", "write it as a mapping, such as - action: send_notification")
        return None
    verbs = [entry for entry in node.entries if entry.key in VERBS]
    if len(verbs) > 1:
        settings = {name for entry in verbs for name in VERBS[entry.key].settings}
        verbs = [entry for entry in verbs if entry.key not in settings]
    if len(verbs) != 1:
        _report_verbs(reader, node, verbs)
        for entry in verbs:
            VERBS[entry.key].read(reader, node, entry, {"id": "", "id_span": dash, "span": dash})
        return None
    verb = VERBS[verbs[0].key]
    known = (verbs[0].key, *verb.settings, *(name for name in MODIFIERS if name not in verb.without))
    _report_keys(reader, node, verbs[0].key, known, verb.without)
    return verb.read(reader, node, verbs[0], _common(reader, node, verbs[0], dash))


def _report_verbs(reader: Reader, node: MappingNode, verbs: list[Entry]) -> None:
    if verbs:
        names = " and ".join(entry.key for entry in verbs)
        reader.diagnostics.error(
            "several-verbs",
            f"a step has one verb, this one has {names}",
            verbs[1].key_span,
            "make a step of each",
        )
        return
    strange = [entry for entry in node.entries if entry.key not in MODIFIERS]
    nearest = next((text for entry in strange if (text := did_you_mean(entry.key, VERBS))), "")
    span = strange[0].key_span if strange else node.span
    reader.diagnostics.error(
        "no-verb", "this step says nothing to do", span, nearest or f"write one of {one_of(VERBS)}"
    )


def _report_keys(
    reader: Reader, node: MappingNode, verb: str, known: tuple[str, ...], without: tuple[str, ...]
) -> None:
    for entry in node.entries:
        if entry.key in known:
            continue
        if entry.key in without:
            reader.diagnostics.error(
                "modifier-not-here",
                f"{article(verb)} {verb} step takes no `{entry.key}`",
                entry.key_span,
                "put it on the steps inside" if entry.key == "rollback" and verb in _BLOCKS else _known(known),
            )
        else:
            reader.diagnostics.error(
                "unknown-key",
                f'{article(verb)} {verb} step has no key "{entry.key}"',
                entry.key_span,
                did_you_mean(entry.key, known, _known(known)),
            )


def _known(keys: tuple[str, ...]) -> str:
    return f"known keys: {one_of(keys, 30)}"


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _common(reader: Reader, node: MappingNode, verb: Entry, dash: Span) -> Common:
    """The modifiers as keyword arguments of a step."""
    given = {entry.key: entry for entry in node.entries}
    title = (reader.text(given["name"].value, "name") or "") if "name" in given else ""
    step_id = reader.explicit_id(given["id"].value) if "id" in given else None
    span = given["id"].value.span if "id" in given else verb.key_span
    if step_id is None:
        value = verb.value.value if isinstance(verb.value, ScalarNode) else None
        # What begins with no letter, such as a duration or a template, would lose its beginning as an id.
        named = isinstance(value, str) and value[:1].isalpha()
        step_id = reader.default_id(title or (str(value) if named else verb.key), dash)
    return {
        "id": step_id,
        "id_span": span,
        "span": dash,
        "title": title,
        "description": (reader.text(given["description"].value, "description") or "") if "description" in given else "",
        "condition": reader.condition(given["if"], "if") if "if" in given else None,
        "timeout": reader.duration(given["timeout"].value, "timeout") if "timeout" in given else None,
        "heartbeat": reader.duration(given["heartbeat"].value, "heartbeat") if "heartbeat" in given else None,
        "retry": read_retry(reader, given["retry"].value) if "retry" in given else None,
        "on_failure": read_on_failure(
            reader, given["on_failure"].value, lambda node, noun: read_block(reader, node, noun)
        )
        if "on_failure" in given
        else None,
        **(read_rollback(reader, given["rollback"], step_id) if "rollback" in given else {}),
        "output": reader.value(given["output"].value) if "output" in given else None,
        "needs": _needs(reader, given["needs"].value) if "needs" in given else None,
    }


def _needs(reader: Reader, node: Node) -> tuple[Need, ...] | None:
    if isinstance(node, MappingNode) or (isinstance(node, ScalarNode) and not isinstance(node.value, str)):
        reader.wrong_shape(node, "needs", "a list of steps of the same list", "write needs: [fetch, scan]")
        return None
    return tuple(Need(name, span) for name, span in reader.texts(node, "needs"))


# -- verbs ----------------------------------------------------------------------------------------


def _switch(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    if not isinstance(verb.value, SequenceNode):
        reader.wrong_shape(
            verb.value, "switch", "a list of cases", "write - if: … / steps: … for each case, - else: … last"
        )
        return None
    cases = [_case(reader, item, last=item is verb.value.items[-1]) for item in verb.value.items]
    if not verb.value.items:
        reader.diagnostics.error("empty-steps", "switch holds no case", verb.value.span, "write at least one case")
    elif len(cases) == 1 and cases[0] is not None and cases[0].condition is None:
        reader.diagnostics.error(
            "missing-key", "switch has no case with `if`", cases[0].span, "put the steps in place of the switch"
        )
    return SwitchStep(cases=tuple(case for case in cases if case), **common)


def _case(reader: Reader, node: Node, *, last: bool) -> Case | None:
    mapping = reader.mapping(node, "a case", "write - if: … / steps: …")
    if mapping is None:
        return None
    otherwise, condition = mapping.entry("else"), mapping.entry("if")
    if otherwise is not None:
        reader.known_keys(mapping, ("else",), "an else case")
        if not last:
            reader.diagnostics.error(
                "else-not-last",
                "the cases after `else` are never reached",
                otherwise.key_span,
                "move `else` to the end",
            )
        return Case(None, read_block(reader, otherwise.value, "else"), mapping.span)
    reader.known_keys(mapping, ("if", "steps"), "a case")
    if condition is None:
        reader.diagnostics.error("missing-key", "a case needs `if` or `else`", mapping.span, "write - if: … / steps: …")
    block = _steps_of(reader, mapping, "a case")
    template = reader.condition(condition, "if") if condition else None
    return Case(template, block, mapping.span) if template is not None else None


def _steps_of(reader: Reader, mapping: MappingNode, noun: str) -> Block:
    """The `steps` that a block cannot do without."""
    steps = mapping.get("steps")
    if steps is None:
        reader.diagnostics.error(
            "missing-key", f"{noun} needs `steps`", mapping.span, "write steps: and a list of steps below it"
        )
        return ()
    return read_block(reader, steps, "steps")


def _repeat(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    mapping = reader.mapping(verb.value, "repeat", "write repeat: {until: …, steps: […]}")
    if mapping is None:
        return None
    reader.known_keys(mapping, ("until", "while", "max", "delay", "steps"), "repeat")
    until, go_on = mapping.entry("until"), mapping.entry("while")
    if (until is None) == (go_on is None):
        reader.diagnostics.error(
            "missing-key",
            "repeat needs one of `until` and `while`",
            mapping.span,
            'write until: "{{ … }}", tested after each round',
        )
    most = reader.whole(node_, "max", 1, 5000) if (node_ := mapping.get("max")) is not None else DEFAULT_ROUNDS
    return RepeatStep(
        until=reader.condition(until, "until") if until else None,
        go_on=reader.condition(go_on, "while") if go_on else None,
        most=most or DEFAULT_ROUNDS,
        delay=reader.duration(node_, "delay", least=0) if (node_ := mapping.get("delay")) is not None else None,
        steps=_steps_of(reader, mapping, "repeat"),
        **common,
    )


def _parallel(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    branches: list[Branch] = []
    if isinstance(verb.value, MappingNode):
        for entry in verb.value.entries:
            if not IDENTIFIER.fullmatch(entry.key):
                reader.diagnostics.error(
                    "bad-name",
                    f'"{entry.key}" is no name for a branch',
                    entry.key_span,
                    "use lower-case letters, digits, _ and -",
                )
            block = read_block(reader, entry.value, f"the branch {entry.key}")
            branches.append(Branch(entry.key, block, entry.key_span))
    elif isinstance(verb.value, SequenceNode):
        dashes = verb.value.dashes or tuple(item.span for item in verb.value.items)
        for number, (item, dash) in enumerate(zip(verb.value.items, dashes, strict=True)):
            only = SequenceNode((item,), item.span, (dash,))
            branches.append(Branch(str(number), read_block(reader, only, "parallel"), item.span))
    else:
        reader.wrong_shape(verb.value, "parallel", "a mapping of branch names to steps, or a list of steps")
        return None
    if not branches:
        reader.diagnostics.error(
            "empty-steps", "parallel holds no branch", verb.value.span, "write at least one branch"
        )
    keyed = isinstance(verb.value, MappingNode)
    return ParallelStep(branches=tuple(branches), keyed=keyed, **common) if branches else None


def _for_each(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    del node
    mapping = reader.mapping(verb.value, "for_each", 'write for_each: {in: "{{ input.files }}", steps: […]}')
    if mapping is None:
        return None
    reader.known_keys(mapping, FOR_EACH_KEYS, "for_each")
    mode = (
        reader.choice(node_, "mode", ("inline", "distributed")) if (node_ := mapping.get("mode")) is not None else None
    )
    distributed = mode == "distributed"
    results = mapping.entry("results")
    if results is not None and not distributed:
        reader.diagnostics.error(
            "modifier-not-here",
            "only a distributed loop writes its results to S3",
            results.key_span,
            "add mode: distributed",
        )
    items = mapping.get("in")
    if items is None:
        reader.diagnostics.error("missing-key", "for_each needs `in`", mapping.span, 'write in: "{{ input.files }}"')
    concurrency = (
        reader.whole(node_, "concurrency", 1, 10_000 if distributed else 40)
        if (node_ := mapping.get("concurrency")) is not None
        else 1
    )
    count, percent = _tolerate(reader, node_) if (node_ := mapping.get("tolerate")) is not None else (0, None)
    item_name = _loop_name(reader, mapping, "as") or "item"
    index_name = _loop_name(reader, mapping, "index_as")
    block = _steps_of(reader, mapping, "for_each")
    if items is None:
        return None
    return ForEachStep(
        items=_loop_items(reader, items, distributed=distributed),
        distributed=distributed,
        results=reader.value(results.value) if results is not None else None,
        item_name=item_name,
        index_name=index_name,
        concurrency=concurrency or 1,
        tolerate=count,
        tolerate_percent=percent,
        steps=block,
        **common,
    )


def _loop_items(reader: Reader, node: Node, *, distributed: bool) -> Value | S3Items:
    """What a loop runs over: a value, or `{s3: s3://…, format: …}`."""
    if not isinstance(node, MappingNode) or node.get("s3") is None:
        return reader.value(node)
    reader.known_keys(node, ("s3", "format"), "for_each.in")
    if not distributed:
        reader.diagnostics.error(
            "modifier-not-here", "only a distributed loop reads its items from S3", node.span, "add mode: distributed"
        )
    uri = node.entry("s3")
    assert uri is not None
    value = reader.value(uri.value)
    text = value.value if isinstance(value, Literal) else None
    if isinstance(value, Literal) and not (isinstance(text, str) and re.fullmatch(r"s3://[^/]+/.*", text)):
        reader.diagnostics.error(
            "bad-uri",
            "s3 must be an s3:// URI",
            uri.value.span,
            "write s3: s3://BUCKET/KEY, or a prefix with format: objects",
        )
    given = node.get("format")
    chosen = reader.choice(given, "format", tuple(S3Format)) if given is not None else None
    if chosen is None:
        ending = str(text).rpartition(".")[2] if isinstance(text, str) else ""
        chosen = ending if ending in tuple(S3Format) else S3Format.OBJECTS if str(text).endswith("/") else None
        if chosen is None and given is None:
            reader.diagnostics.error(
                "missing-key",
                "the format of the items can't be told from the URI",
                node.span,
                f"add format: one of {one_of(S3Format)}",
            )
    return S3Items(value, S3Format(chosen or S3Format.JSON), node.span)


def _loop_name(reader: Reader, mapping: MappingNode, key: str) -> str | None:
    node = mapping.get(key)
    value = reader.text(node, key) if node is not None else None
    if value is None or node is None:
        return None
    if not VARIABLE.fullmatch(value):
        reader.diagnostics.error(
            "bad-name", f'"{value}" is no name for a loop\'s item', node.span, "use letters, digits and _"
        )
        return None
    if value in ROOTS:
        reader.diagnostics.error(
            "reserved-name",
            f'"{value}" already means something in expressions',
            node.span,
            f"choose another; taken: {one_of(ROOTS)}",
        )
        return None
    return value


def _tolerate(reader: Reader, node: Node) -> tuple[int, int | None]:
    """A number of items, or a text such as 10%."""
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) <= 100:
        return 0, int(value[:-1])
    if isinstance(value, str):
        reader.wrong_shape(node, "tolerate", "a number of items or a text such as '10%'")
        return 0, None
    return reader.whole(node, "tolerate", 0) or 0, None


def _try(reader: Reader, node: MappingNode, verb: Entry, common: Common) -> Step | None:
    steps = read_block(reader, verb.value, "try")
    catch, last = node.get("catch"), node.get("finally")
    if catch is None and last is None:
        reader.diagnostics.error(
            "missing-key", "a try step needs `catch` or `finally`", verb.key_span, "write catch: and handlers"
        )
    handlers: tuple[Handler, ...] = ()
    if catch is not None and not isinstance(catch, SequenceNode):
        reader.wrong_shape(catch, "catch", "a list of handlers", "put a `-` before each handler")
    elif catch is not None:
        handlers = read_on_failure(reader, catch, lambda inner, noun: read_block(reader, inner, noun)) or ()
    return TryStep(
        steps=steps,
        catch=handlers,
        finally_steps=read_block(reader, last, "finally") if last is not None else (),
        **common,
    )


FOR_EACH_KEYS: Final = ("in", "as", "index_as", "concurrency", "tolerate", "mode", "results", "steps")
DEFAULT_ROUNDS: Final = 100

VERBS: Final[Mapping[str, Verb]] = {
    **WORK_VERBS,
    "switch": Verb(_switch, without=PLAIN),
    "parallel": Verb(_parallel, without=("heartbeat", "timeout", "rollback")),
    "for_each": Verb(_for_each, without=("heartbeat", "timeout", "rollback")),
    "repeat": Verb(_repeat, without=PLAIN),
    "try": Verb(_try, settings=("catch", "finally"), without=PLAIN),
}
