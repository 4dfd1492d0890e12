"""The types of results that the language itself gives: a decision, a run that was started, the items of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stepsmith.expressions.types import ANY, BOOLEAN, INTEGER, TEXT, NumberType, ObjectType, Property, Type
from stepsmith.model.steps import S3Format

S3_ITEMS: Final[Mapping[S3Format, Type]] = {
    S3Format.JSON: ANY,
    S3Format.JSONL: ANY,
    S3Format.CSV: ObjectType({}, closed=False, rest=TEXT),
    S3Format.OBJECTS: ObjectType(
        {name: Property(TEXT) for name in ("Key", "Etag", "StorageClass")}
        | {"Size": Property(INTEGER), "LastModified": Property(NumberType())},
        closed=False,
    ),
}
WRITTEN: Final = ObjectType({"map_run": Property(TEXT), "bucket": Property(TEXT), "key": Property(TEXT)}, closed=True)
"""The output of a distributed loop that writes its results to S3: where their manifest lies."""

DECISION: Final = ObjectType(
    {"approved": Property(BOOLEAN), "by": Property(TEXT), "comment": Property(TEXT), "at": Property(TEXT)}, closed=True
)
"""The result of an approval."""

STARTED: Final = ObjectType({"run_id": Property(TEXT)}, closed=True)
"""The result of a step that starts a workflow and does not wait for it."""
