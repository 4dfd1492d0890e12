"""Lambda: Invoke calls the functions of the stack in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepsmith.local.functions import FunctionUnknownError
from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.services import compact


def invoke_function(
    desk: Desk, name: str, body: Any, headers: Mapping[str, str], response_headers: dict[str, str]
) -> bytes | None:
    """Lambda's Invoke for boto3 callers, in place of moto's echo or its Docker containers."""
    from moto.awslambda.exceptions import UnknownFunctionException

    text = body.decode() if isinstance(body, bytes) else body
    if (headers.get("X-Amz-Invocation-Type") or "RequestResponse") == "DryRun":
        return b""
    try:
        answer = desk.invoke(name, json.loads(text or "{}"))
    except FunctionUnknownError as error:
        raise UnknownFunctionException(error.arn) from None
    response_headers["x-amz-executed-version"] = "$LATEST"
    if answer.fault:
        response_headers["x-amz-function-error"] = "Unhandled"
        return compact(answer.fault.payload()).encode()
    return compact(answer.payload).encode()
