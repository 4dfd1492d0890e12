"""The action `run_script`."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field

from stepsmith_functions.runtime import processes, s3
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import InvalidParams, PermanentError
from stepsmith_functions.runtime.files import PathNotAllowed

SCRIPTS = Path(__file__).parents[2] / "scripts"
"""Beside the package, in the source tree and in Lambda alike."""
LARGEST_SCRIPT = 1 << 20
_PACKAGED = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(\.(sh|py))?")
_INTERPRETERS = {"sh": ["/bin/sh"], "bash": ["/bin/bash"], "python3": [sys.executable, "-I"]}
_SHEBANG = re.compile(rb"#!\s*(?:/usr/bin/env\s+|(?:/[\w.-]+)*/)(sh|bash|python3)\s*(?:\r?\n|$)")


class ScriptNotFound(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """There is no such script."""


class DigestMismatch(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The script is not the one whose digest was given."""


class ScriptInvalid(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The script is too large or does not begin with `#!` and sh, bash or python3."""


class ScriptFailed(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The script ended with an exit code that is not expected, or ran out of time."""


class RunScriptParams(Params):
    script: str = Field(
        min_length=1, max_length=1100, description="A file name under `scripts/`, or an `s3://` URI with its `sha256`."
    )
    args: list[Annotated[str, Field(max_length=8192, pattern=r"^[^\x00]*$")]] = Field(
        default_factory=list, max_length=100, description="Handed over one by one; no shell reads them."
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the script; needed for one in S3."
    )
    expect: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        default_factory=lambda: [0], min_length=1, description="Exit codes that are no error."
    )


class RunScriptResult(Result):
    exit_code: int = Field(description="One of the expected ones.")
    stdout: str = Field(description="Its beginning, up to 60000 bytes.")
    stderr: str = Field(description="Its beginning, up to 60000 bytes.")


@action(
    effect="write",
    repeatable=False,
    timeout=300,
    memory=512,
    errors=(ScriptNotFound, ScriptFailed, ScriptInvalid, DigestMismatch, PathNotAllowed),
    permissions=(
        Statement(("s3:GetObject",), ("${DataBucket.Arn}/scripts/*",)),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("${DataBucket.Arn}",)),
    ),
    environment={"DATA_BUCKET": "${DataBucket}"},
    example={"script": "disk_usage.sh", "args": ["/"]},
)
def run_script(params: RunScriptParams, context: ActionContext) -> RunScriptResult:
    """Runs a script of the deployment.

    A script is packaged under `scripts/` or lies below `scripts/` in the data bucket and is named with its SHA-256. It
    gets its arguments as a list, an empty folder, none of the function's environment and so no credentials, and ends
    when the function's time does. Scripts are trusted code: arguments may come from anywhere, scripts may not.
    """
    content = _content(params, context)
    if params.sha256 and hashlib.sha256(content).hexdigest() != params.sha256:
        raise DigestMismatch("the script's content has another digest")
    match = _SHEBANG.match(content)
    if match is None:
        raise ScriptInvalid("the script does not begin with #! and sh, bash or python3")
    seconds = max(context.remaining_seconds() - 5, 1)
    with tempfile.TemporaryDirectory(prefix="script-") as name:
        folder = Path(name)
        script = folder / ".script"
        script.write_bytes(content)
        command = [*_INTERPRETERS[match[1].decode()], str(script), *params.args]
        done = processes.run(command, folder, seconds)
    if done.exit_code is None:
        raise ScriptFailed(f"the script did not end within {seconds:g} s{_tail(done.stderr)}")
    if done.exit_code not in params.expect:
        raise ScriptFailed(f"the script ended with {done.exit_code}{_tail(done.stderr)}")
    return RunScriptResult(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def _content(params: RunScriptParams, context: ActionContext) -> bytes:
    item = s3.object_of(params.script)
    if item is None:
        if not _PACKAGED.fullmatch(params.script):
            raise PathNotAllowed("script: is neither a plain file name nor an s3:// URI")
        try:
            content: bytes | None = (SCRIPTS / params.script).read_bytes()
        except OSError:
            content = None
    else:
        if params.sha256 is None:
            raise InvalidParams("sha256: is needed for a script in S3")
        if item.bucket != s3.data_bucket(context.settings) or not item.key.startswith("scripts/"):
            raise PathNotAllowed("script: is not below scripts/ in the data bucket")
        content = s3.read(context.clients.get("s3"), item, LARGEST_SCRIPT + 1)
    if content is None:
        raise ScriptNotFound("there is no such script")
    if len(content) > LARGEST_SCRIPT:
        raise ScriptInvalid(f"the script is larger than {LARGEST_SCRIPT} bytes")
    return content


def _tail(text: str) -> str:
    tail = " ".join(text.split())[-300:]
    return f": {tail}" if tail else ""


handler = run_script.handler
