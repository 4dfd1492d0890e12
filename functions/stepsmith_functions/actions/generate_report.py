"""The action `generate_report`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import Field, JsonValue

from stepsmith_functions.runtime import s3
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.recording import RecordedStep
from stepsmith_functions.runtime.reports import html, markdown, yaml
from stepsmith_functions.runtime.reports.report import Document, Report, ReportType
from stepsmith_functions.runtime.s3 import NotConfigured, S3Object

PREFIX = "reports/"
Format: TypeAlias = Literal["json", "yaml", "html", "markdown"]


class GenerateReportParams(Params):
    report_type: ReportType = Field(
        description="`incident`: what happened and when; `compliance`: each step as a control with its evidence; "
        "`summary`: how each step ended."
    )
    format: Format = Field(default="html", description="Of the stored file.")
    title: str | None = Field(
        default=None, min_length=1, max_length=300, description="If left out, names type and workflow."
    )
    data: JsonValue = Field(default=None, description="What else the report should say.")


class GenerateReportResult(Result):
    report_uri: str = Field(description="Where the report is, as an `s3://` URI.")
    format: Format = Field(description="As asked for.")
    size: int = Field(description="Bytes.")


@dataclass(frozen=True, slots=True)
class _Kind:
    suffix: str
    content_type: str
    render: Callable[[Document], str]


def _json(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


_KINDS: dict[Format, _Kind] = {
    "json": _Kind("json", "application/json", _json),
    "yaml": _Kind("yaml", "application/yaml", yaml.render),
    "html": _Kind("html", "text/html; charset=utf-8", html.render),
    "markdown": _Kind("md", "text/markdown; charset=utf-8", markdown.render),
}


@action(
    effect="write",
    repeatable=True,
    timeout=60,
    memory=512,
    errors=(NotConfigured,),
    permissions=(Statement(("s3:PutObject",), ("${DataBucket.Arn}/reports/*",)),),
    environment={"DATA_BUCKET": "${DataBucket}"},
    example={
        "report_type": "incident",
        "format": "html",
        "title": "Malicious file on web-1",
        "data": {"file_path": "/srv/uploads/invoice.pdf.exe", "severity": "high"},
    },
)
def generate_report(params: GenerateReportParams, context: ActionContext) -> GenerateReportResult:
    """Writes a report on the run and stores it in S3.

    It says what the run's history holds at that moment, and `data`. Without a history, or when the history cannot be
    read, it says so and holds `data` alone. A repeated call of the same step replaces its report.
    """
    bucket = s3.data_bucket(context.settings)
    steps, notes = _history(context)
    report = Report(
        type=params.report_type,
        title=params.title or _default_title(params.report_type, context),
        generated_at=context.clock.now(),
        workflow=context.workflow,
        run_id=context.run_id,
        steps=steps,
        data=params.data,
        notes=notes,
    )
    kind = _KINDS[params.format]
    # A lone surrogate, which JSON can carry, has no UTF-8.
    body = kind.render(report.document()).encode("utf-8", "backslashreplace")
    target = S3Object(bucket, _key(params.report_type, kind.suffix, context))
    context.clients.get("s3").put_object(Bucket=target.bucket, Key=target.key, Body=body, ContentType=kind.content_type)
    return GenerateReportResult(report_uri=target.uri, format=params.format, size=len(body))


def _history(context: ActionContext) -> tuple[Sequence[RecordedStep], list[str]]:
    """The steps of the run, the report's own excepted, and what there is to say about their absence."""
    if context.run_id is None:
        return (), ["This report was not written by a run."]
    reader = context.open_history()
    if reader is None:
        return (), ["This deployment keeps no history of its runs, or it could not be opened."]
    try:
        steps = reader.steps_of_run(context.run_id)
    except Exception as error:
        context.logger.exception("the history was not read")
        return (), [f"The history of the run could not be read ({type(error).__name__})."]
    return [step for step in steps if step.path != context.step_path], []


def _default_title(report_type: ReportType, context: ActionContext) -> str:
    kind = report_type.capitalize()
    return f"{kind} report: {context.workflow}" if context.workflow else f"{kind} report"


def _key(report_type: ReportType, suffix: str, context: ActionContext) -> str:
    def name(text: str | None) -> str:
        return re.sub(r"[^A-Za-z0-9_.-]", "_", text or "none").strip(".") or "none"

    folder = f"{name(context.workflow)}/{name(context.run_id)}"
    return f"{PREFIX}{folder}/{report_type}-{context.operation_id()}.{suffix}"


handler = generate_report.handler
