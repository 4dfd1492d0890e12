"""The action `update_definitions`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from pydantic import Field

from stepsmith_functions.runtime import http, s3
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import InvalidParams, PermanentError
from stepsmith_functions.runtime.files import FileChanged, FileMissing
from stepsmith_functions.runtime.http import (
    AddressNotAllowed,
    AnswerTooLarge,
    HttpClientError,
    HttpServerError,
    HttpThrottled,
    HttpUnreachable,
)
from stepsmith_functions.runtime.s3 import NotConfigured
from stepsmith_functions.runtime.scanning import bundle, compiling, definitions
from stepsmith_functions.runtime.scanning.bundle import LARGEST_BUNDLE, RulesInvalid
from stepsmith_functions.runtime.scanning.definitions import PACKAGED, Release

_DOWNLOAD = 60.0
"""Seconds for one call: a bundle is larger than what actions fetch otherwise."""
_AFTERWARDS = 5.0
"""Seconds for publishing what compiled."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class DigestMismatch(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The bundle is not the one whose digest was given."""


class UpdateDefinitionsParams(Params):
    source: str | None = Field(
        default=None,
        pattern=r"^(https|s3)://",
        max_length=2048,
        description="A YARA file, or a .zip or .tar.gz of them, as `https://` or `s3://`; if left out, the "
        "deployment's, and where that names none, the rules that ship with the code.",
    )
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Of the bundle, in lower-case hexadecimal; needed with `source`, else the deployment's.",
    )


class UpdateDefinitionsResult(Result):
    version: str = Field(description="Of the rules in use, as time and beginning of the digest.")
    rules: int = Field(description="How many there are.")
    updated: bool = Field(description="False where the same bundle was in use already.")


@action(
    effect="write",
    repeatable=True,
    timeout=180,
    memory=1769,
    errors=(
        DigestMismatch,
        RulesInvalid,
        FileMissing,
        FileChanged,
        NotConfigured,
        HttpClientError,
        HttpServerError,
        HttpThrottled,
        HttpUnreachable,
        AddressNotAllowed,
        AnswerTooLarge,
    ),
    permissions=(
        Statement(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), ("${DataBucket.Arn}/definitions/*",)),
        Statement(("s3:GetObject",), ("arn:${AWS::Partition}:s3:::${DefinitionsBucket}/*",)),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("${DataBucket.Arn}", "arn:${AWS::Partition}:s3:::${DefinitionsBucket}")),
    ),
    environment={
        "DATA_BUCKET": "${DataBucket}",
        "DEFINITIONS_SOURCE": "${DefinitionsSource}",
        "DEFINITIONS_SHA256": "${DefinitionsSha256}",
        "ALLOW_PRIVATE_ADDRESSES": "${AllowPrivateAddresses}",
    },
    layers=("Scanning",),
    example={},
)
def update_definitions(params: UpdateDefinitionsParams, context: ActionContext) -> UpdateDefinitionsResult:
    """Fetches the rules of scans, checks them and puts them into use.

    A bundle of up to 16 MiB must have the digest that is known of it, compile, and be through with a megabyte in ten
    seconds; it may not include files. Then it replaces the rules in use at once: `run_scan` finds the old ones or
    the new ones, never a part, and after any error still the old ones. The bundle before is kept. Bundles in S3 come
    from the deployment's DefinitionsBucket, or from below `definitions/` in the data bucket.
    """
    bucket = s3.data_bucket(context.settings)
    source, expected = _asked(params, context)
    before = definitions.standing(context.clients.get("s3"), bucket)
    current = before.pointer.current if before else None
    if current and current.sha256 == expected and definitions.is_whole(current, context, bucket):
        return _result(current, updated=context.run_id is not None and current.operation == context.operation_id())
    content = bundle.packaged() if source == PACKAGED else _get(source, context, LARGEST_BUNDLE)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise DigestMismatch(f"the bundle's digest is {digest}, not {expected}")
    sources = bundle.sources_of(content)
    ready = compiling.compiled(sources, context.remaining_seconds() - _AFTERWARDS, trial=True)
    # What stands after the path may be a key to the server.
    origin = source.partition("?")[0]
    return _result(definitions.publish(content, origin, ready.rules, before, context, bucket), updated=True)


def _result(release: Release, *, updated: bool) -> UpdateDefinitionsResult:
    return UpdateDefinitionsResult(version=release.version, rules=release.rules, updated=updated)


def _asked(params: UpdateDefinitionsParams, context: ActionContext) -> tuple[str, str]:
    """Where the bundle comes from, and the digest that it must have."""
    if params.source:
        if params.sha256 is None:
            raise InvalidParams("sha256: is needed with a source")
        return params.source, params.sha256
    if context.settings.definitions_source:
        return context.settings.definitions_source, params.sha256 or _known_digest(context)
    return PACKAGED, params.sha256 or hashlib.sha256(bundle.packaged()).hexdigest()


def _known_digest(context: ActionContext) -> str:
    """The digest that the deployment knows of its source's bundle."""
    known = context.settings.definitions_sha256
    if known is None:
        raise NotConfigured("nothing says which digest the bundle has (DEFINITIONS_SHA256 is empty)")
    if _DIGEST.fullmatch(known):
        return known
    match = _DIGEST.match(_get(known, context, 1 << 16).decode("ascii", "replace").lower())
    if match is None:
        raise DigestMismatch("the file that should hold the bundle's digest does not begin with one")
    return match[0]


def _get(source: str, context: ActionContext, largest: int) -> bytes:
    item = s3.object_of(source)
    if item:
        content = s3.read(context.clients.get("s3"), item, largest + 1)
        if content is None:
            raise FileMissing(f"there is no {source}")
        if len(content) > largest:
            raise AnswerTooLarge(f"{source} is larger than {largest} bytes")
        return content
    if not source.startswith("https://"):
        raise NotConfigured("the deployment's source of rules is no https:// or s3:// address")
    client = replace(http.client_of(context, seconds=_DOWNLOAD), largest=largest)
    return client.deliver(http.Request("GET", source), context.remaining_seconds() - _AFTERWARDS).body


handler = update_definitions.handler
