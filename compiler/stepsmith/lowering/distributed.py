"""Lowers a distributed for_each: each item is an execution of its own, perhaps read from S3."""

from __future__ import annotations

import re

from stepsmith.analysis.facts import Point
from stepsmith.asl.states import (
    Distributed,
    Origin,
    PassState,
    Role,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.codes import ENTRY, Captures
from stepsmith.lowering.context import Context
from stepsmith.lowering.edges import Edge, End
from stepsmith.lowering.folding import state_for
from stepsmith.lowering.frames import Frame, Number
from stepsmith.lowering.joining import begun, joined
from stepsmith.lowering.names import LOOP, RUN
from stepsmith.model.steps import ActionStep, ForEachStep, S3Format, S3Items, walk
from stepsmith.model.values import Literal, Value


def lower_distributed(context: Context, step: ForEachStep, edge: Edge, point: Point) -> Edge:
    """A loop whose items are executions of their own. They see no variable of the outside (measured), so that what they
    read of it comes with each item."""
    outer = context.frame
    chain = (*outer.chain, step.id + LOOP)
    # The path of a step also tells the iterations and rounds around the loop.
    counted = {name for part in outer.path if isinstance(part, Number) for name in re.findall(r"\$(\w+)", part.code)}
    captures = Captures(chain, frozenset(point.variables), {RUN} | (counted if _calls_actions(step) else set()))
    captures.has_input = context.workflow.input is not None
    index = context.names.loop(step.id, index=True, wanted=step.index_name or "index")
    frame = Frame(
        chain=chain,
        path=(*begun(outer.path, step.id), "[", Number(step.id, f"${index}"), "]"),
        captures=captures,
    )
    tolerant = step.tolerate > 0 or step.tolerate_percent is not None
    wrap = tolerant and step.results is None
    processor = context.sub_machine(frame, lambda: _child_execution(context, step, captures, wrap))
    selector: dict[str, Json] = {"index": "{% $states.context.Map.Item.Index %}"}
    if (step.id, False) in context.analysis.loop_names_read:
        selector = {"item": "{% $states.context.Map.Item.Value %}", **selector}
    selector["outer"] = {name: _captured(context, name) for name in sorted(captures.names)}
    whole = "$states.result"
    if step.results is not None:
        details = jsonata.steps(jsonata.verbatim(whole), ["ResultWriterDetails"])
        parts = {
            "map_run": jsonata.steps(jsonata.verbatim(whole), ["MapRunArn"]),
            "bucket": jsonata.steps(details, ["Bucket"]),
            "key": jsonata.steps(details, ["Key"]),
        }
        whole = jsonata.obj([(jsonata.constant(key), code) for key, code in parts.items()]).text
    elif wrap:
        each = jsonata.function(["one"], jsonata.or_null(jsonata.steps(jsonata.variable("one"), ["output"])))
        whole = jsonata.mapped(jsonata.verbatim(whole), each, flat=False).text
    config = Distributed(
        label=step.id.replace("_", "-")[:40].strip("-"),
        reader=_item_reader(context, step.items, point) if isinstance(step.items, S3Items) else None,
        writer=_result_writer(context, step.results, point) if step.results is not None else None,
        tolerated_count=step.tolerate or None,
        tolerated_percentage=step.tolerate_percent,
    )
    context.labels.append(config.label)
    return joined(context, step, edge, point, (jsonata.field(whole), whole), {}, (processor,), selector, config)


def _calls_actions(step: ForEachStep) -> bool:
    return any(isinstance(inner, ActionStep) for inner in walk(step.steps))


def _child_execution(context: Context, step: ForEachStep, captures: Captures, wrap: bool) -> str:
    """The states of one item, which begin by taking in what was handed to them."""
    end = End(f"{step.id}.end", step.span, last=step.steps[-1], wrap=wrap)
    start = state_for(context, context.block(step.steps, Edge(end)))
    assign: dict[str, Json] = {
        **context.item_variables(step),
        **{name: jsonata.field(jsonata.path("$states.input.outer", name)) for name in sorted(captures.names)},
    }
    origin = Origin(Role.HELPER, step.span, step.id)
    return context.add(PassState(name=f"{step.id}.item", origin=origin, assign=assign, output={}, next=start))


def _captured(context: Context, name: str) -> Json:
    """What is handed in under `name`, as the loop's surroundings read it."""
    if name != RUN:
        if context.frame.captures is not None:
            context.frame.captures.names.add(name)
        return jsonata.field(f"${name}")
    if context.frame.captures is not None:
        return jsonata.field(f"${RUN}")
    execution = "$states.context.Execution"
    return {
        "id": jsonata.field(f"{execution}.Name"),
        "started_at": jsonata.field(f"{execution}.StartTime"),
        "attempt": jsonata.field(f"{execution}.RedriveCount + 1"),
        "parents": context.run_parents(),
    }


def _bucket_and_key(context: Context, uri: Value, point: Point) -> tuple[Json, Json]:
    """The two parts of an `s3://` URI as fields."""
    if isinstance(uri, Literal):
        bucket, _, key = str(uri.value).removeprefix("s3://").partition("/")
        return jsonata.literal(bucket), jsonata.literal(key)
    code = context.inline(uri, point, ENTRY)
    text = jsonata.verbatim(code if code is not None else _code(context.write(uri, point).json))
    rest = jsonata.call("substringAfter", text, jsonata.constant("s3://"))
    slash = jsonata.constant("/")
    bucket_code = jsonata.call("substringBefore", rest, slash)
    return jsonata.field(bucket_code.text), jsonata.field(jsonata.call("substringAfter", rest, slash).text)


def _code(value: Json) -> str:
    return str(value).removeprefix("{% ").removesuffix(" %}")


def _item_reader(context: Context, items: S3Items, point: Point) -> Json:
    bucket, key = _bucket_and_key(context, items.uri, point)
    if items.format is S3Format.OBJECTS:
        return {
            "Resource": "arn:${Partition}:states:::s3:listObjectsV2",
            "Arguments": {"Bucket": bucket, "Prefix": key},
        }
    config: dict[str, Json] = {"InputType": items.format.upper()}
    if items.format is S3Format.CSV:
        config["CSVHeaderLocation"] = "FIRST_ROW"
    return {
        "Resource": "arn:${Partition}:states:::s3:getObject",
        "ReaderConfig": config,
        "Arguments": {"Bucket": bucket, "Key": key},
    }


def _result_writer(context: Context, results: Value, point: Point) -> Json:
    bucket, prefix = _bucket_and_key(context, results, point)
    return {"Resource": "arn:${Partition}:states:::s3:putObject", "Arguments": {"Bucket": bucket, "Prefix": prefix}}
