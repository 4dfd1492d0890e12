"""Signatures by which the receiver of a webhook knows that it is ours, fresh and whole.

`X-Stepsmith-Signature: t=<seconds since 1970>,v1=<hex>`, where the hex is HMAC-SHA256 of `<t>.<body>` under the
shared secret. A receiver recomputes it over the bytes that came and refuses an old `t`.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

HEADER = "x-stepsmith-signature"


def signature(secret: str, body: bytes, now: datetime) -> str:
    """The value of the header for `body`, signed at `now`."""
    moment = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
