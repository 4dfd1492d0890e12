"""Items of a distributed Map from S3, fetched through the task handler.

The handler is asked for ``s3:getObject`` and answers ``{"Body": text}``, or for ``s3:listObjectsV2`` and answers
``{"Contents": […]}``. Parquet files and S3 inventories, which are compressed, are refused as AWS refuses a file it
cannot read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from stepsmith.engine.machine import ItemReader
from stepsmith.engine.tasks import TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith.engine.values import Json

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


class ReaderError(Exception):
    """The items could not be read; the text is the cause of States.ItemReaderFailed."""


class Fetch:
    """Calls the task handler for S3 and adds up the virtual time that its answers take."""

    def __init__(self, call: Callable[[str, Json], TaskOutcome]) -> None:
        self._call = call
        self.seconds = 0.0

    def __call__(self, resource: str, arguments: Json) -> Mapping[str, Json]:
        """The response to one request. Raises ReaderError."""
        outcome = self._call(resource, arguments)
        self.seconds += outcome.after
        match outcome:
            case TaskSucceeded(output=output) if isinstance(output, Mapping):
                return output
            case TaskSucceeded():
                raise ReaderError("the response of Amazon S3 is no object")
            case TaskFailed(error=error, cause=cause):
                raise ReaderError(cause or error or "Amazon S3 refused the request")
            case TaskWaiting():
                raise ReaderError("a request to Amazon S3 cannot be answered later")


def read_items(reader: ItemReader, arguments: Json, most: int, fetch: Fetch) -> list[Json]:
    """The items, no more than `most` of them (0: all). Raises ReaderError."""
    if reader.resource.rsplit(":", 1)[-1] == "listObjectsV2":
        items = _objects(arguments, fetch, reader.resource)
        if reader.config.get("Transformation") == "LOAD_AND_FLATTEN":
            items = _flattened(reader, arguments, items, fetch)
    else:
        items = iter(parse_items(_body(fetch(reader.resource, arguments)), reader.config))
    taken: list[Json] = []
    for item in items:
        if most and len(taken) == most:
            break
        taken.append(item)
    return taken


def _body(response: Mapping[str, Json]) -> str:
    body = response.get("Body")
    if not isinstance(body, str):
        raise ReaderError("the object is no text")
    return body


def _objects(arguments: Json, fetch: Fetch, resource: str) -> Iterator[Json]:
    if not isinstance(arguments, Mapping):
        raise ReaderError("the arguments are no object")
    request = dict(arguments)
    while True:
        response = fetch(resource, request)
        contents = response.get("Contents") or []
        if not isinstance(contents, Sequence) or isinstance(contents, str):
            raise ReaderError("the response of Amazon S3 has no Contents")
        yield from contents
        token = response.get("NextContinuationToken")
        if not response.get("IsTruncated") or token is None:
            return
        request["ContinuationToken"] = token


def _flattened(reader: ItemReader, arguments: Json, listed: Iterator[Json], fetch: Fetch) -> Iterator[Json]:
    bucket = arguments.get("Bucket") if isinstance(arguments, Mapping) else None
    get_object = reader.resource.rsplit(":", 1)[0] + ":getObject"
    for entry in listed:
        key = entry.get("Key") if isinstance(entry, Mapping) else None
        yield from parse_items(_body(fetch(get_object, {"Bucket": bucket, "Key": key})), reader.config)


def parse_items(text: str, config: Mapping[str, Json]) -> Sequence[Json]:
    """The items in a file's text, as ReaderConfig says it is written. Raises ReaderError."""
    match config.get("InputType", "JSON"):
        case "JSON":
            return _json(text, config)
        case "JSONL":
            return [_loads(line) for line in text.splitlines() if line.strip()]
        case "CSV":
            return _csv(text, config)
        case other:
            raise ReaderError(f"files of type {other} cannot be read here")


def _loads(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError as problem:
        raise ReaderError(f"the file is not valid JSON: {problem}") from None
    return value


def _json(text: str, config: Mapping[str, Json]) -> Sequence[Json]:
    value = _loads(text)
    pointer = config.get("ItemsPointer", "")
    for token in str(pointer).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise ReaderError(f"the ItemsPointer {pointer} leads nowhere")
    if not isinstance(value, list):
        raise ReaderError("Attempting to map over non-iterable node.")
    return value


def _csv(text: str, config: Mapping[str, Json]) -> Sequence[Json]:
    """Rows as objects of texts. Recorded: missing columns are ``""``, surplus ones are dropped."""
    delimiter = _DELIMITERS.get(str(config.get("CSVDelimiter", "COMMA")), ",")
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)
    given = config.get("CSVHeaders")
    if config.get("CSVHeaderLocation") == "GIVEN" and isinstance(given, Sequence):
        headers = [str(header) for header in given]
    else:
        headers = next(rows, [])
    return [{header: row[at] if at < len(row) else "" for at, header in enumerate(headers)} for row in rows]
