"""What a distributed Map does with its children's results: an array, or files in S3 with a manifest.

The files' names and the manifest follow the developer guide: ``SUCCEEDED_0.json``, ``FAILED_0.json``,
``manifest.json`` under ``PREFIX/MAP-RUN-ID/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stepsmith.engine.execution import Execution, Status
from stepsmith.engine.machine import ResultWriter
from stepsmith.engine.states.readers import Fetch
from stepsmith.engine.values import Json, timestamp_text, to_text, utf8_size


def describe(child: Execution) -> dict[str, Json]:
    """A child execution as result files and tolerated failures show it."""
    about: dict[str, Json] = {
        "ExecutionArn": child.arn,
        "Input": to_text(child.input),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "StartDate": timestamp_text(child.started),
        "StateMachineArn": child.state_machine_arn,
        "Status": str(child.status),
    }
    if child.stopped is not None:
        about["StopDate"] = timestamp_text(child.stopped)
    if child.output_text is not None:
        about["Output"] = child.output_text
        about["OutputDetails"] = {"Included": True}
    if child.error is not None:
        about["Error"] = child.error
    if child.cause is not None:
        about["Cause"] = child.cause
    return about


def transform(children: Sequence[Execution], transformation: str) -> list[Json]:
    """The children's results as the writer's Transformation wants them (documented)."""
    match transformation:
        case "COMPACT":
            return [child.output if child.status is Status.SUCCEEDED else describe(child) for child in children]
        case "FLATTEN":
            flat: list[Json] = []
            for child in children:
                if child.status is not Status.SUCCEEDED:
                    flat.append(describe(child))
                elif isinstance(child.output, list):
                    flat.extend(child.output)
                else:
                    flat.append(child.output)
            return flat
        case _:
            return [describe(child) for child in children]


def write_results(
    writer: ResultWriter,
    resource: str,
    arguments: Json,
    children: Sequence[Execution],
    map_run_arn: str,
    fetch: Fetch,
) -> dict[str, Json]:
    """Put the results in S3 and give the state's result. Raises ReaderError when S3 refuses."""
    place = arguments if isinstance(arguments, Mapping) else {}
    bucket = place.get("Bucket")
    prefix = str(place.get("Prefix", "")).rstrip("/")
    folder = "/".join(part for part in (prefix, map_run_arn.rsplit(":", 1)[-1]) if part)
    ending = "jsonl" if writer.output_type == "JSONL" else "json"
    files: dict[str, Json] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    groups = {
        "SUCCEEDED": [child for child in children if child.status is Status.SUCCEEDED],
        "FAILED": [child for child in children if child.status is not Status.SUCCEEDED],
    }
    for name, group in groups.items():
        if not group:
            continue
        entries = transform(group, writer.transformation)
        text = "\n".join(map(to_text, entries)) if ending == "jsonl" else to_text(entries)
        key = f"{folder}/{name}_0.{ending}"
        fetch(resource, {"Bucket": bucket, "Key": key, "Body": text})
        files[name] = [{"Key": key, "Size": utf8_size(text)}]
    manifest: dict[str, Json] = {
        "DestinationBucket": bucket,
        "MapRunArn": map_run_arn,
        "ResultFiles": files,
    }
    key = f"{folder}/manifest.json"
    fetch(resource, {"Bucket": bucket, "Key": key, "Body": to_text(manifest)})
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}
