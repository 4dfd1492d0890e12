"""The deployment's settings: the one place that reads the environment.

Nothing is checked here beyond its spelling; an action that needs a setting which is absent says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a deployment decides. Each field names its environment variable."""

    history_table: str | None = None
    """HISTORY_TABLE: DynamoDB table of the history; absent, nothing is recorded."""
    data_bucket: str | None = None
    """DATA_BUCKET: S3 bucket for quarantine, reports and large results."""
    file_roots: tuple[str, ...] = ()
    """FILE_ROOTS: folders in which actions may touch files, separated as in PATH; none by default."""
    default_instance: str | None = None
    """DEFAULT_INSTANCE_ID: the instance for actions that work on a machine."""
    kill_document: str | None = None
    """KILL_PROCESS_DOCUMENT: the SSM document that ends a process; absent, AWS-RunShellScript is used."""
    alerts_sender: str | None = None
    """ALERTS_SENDER: the SES identity that e-mails come from."""
    allow_private_addresses: bool = False
    """ALLOW_PRIVATE_ADDRESSES: `true` lets HTTP actions reach private, loopback and link-local addresses."""
    signing_secret: str | None = None
    """WEBHOOK_SIGNING_SECRET: name or ARN of the Secrets Manager secret that signs webhooks."""
    approvals_url: str | None = None
    """APPROVALS_URL: address of the API that links of approvals lead to; absent, messages hold no links."""
    secrets_prefix: str = "stepsmith/"
    """SECRETS_PREFIX: what stands before NAME for `secrets.NAME`: `ssm:/PATH/` in the SSM Parameter Store, anything
    else in Secrets Manager."""
    scan_targets: tuple[str, ...] = ()
    """SCAN_TARGETS: hosts and CIDR blocks that a network scan may touch, separated by commas."""
    definitions_source: str | None = None
    """DEFINITIONS_SOURCE: where the rules of scans come from, `https://` or `s3://`; absent, those shipped with the
    code."""
    definitions_sha256: str | None = None
    """DEFINITIONS_SHA256: the digest of that bundle, or the `https://` or `s3://` address of a file that begins with
    it."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in `environment`, the process's own by default. An empty variable counts as absent."""
        given = os.environ if environment is None else environment

        def text(name: str) -> str | None:
            return given.get(name, "").strip() or None

        return cls(
            history_table=text("HISTORY_TABLE"),
            data_bucket=text("DATA_BUCKET"),
            file_roots=tuple(root for root in (text("FILE_ROOTS") or "").split(os.pathsep) if root),
            default_instance=text("DEFAULT_INSTANCE_ID"),
            kill_document=text("KILL_PROCESS_DOCUMENT"),
            alerts_sender=text("ALERTS_SENDER"),
            allow_private_addresses=(text("ALLOW_PRIVATE_ADDRESSES") or "").lower() == "true",
            signing_secret=text("WEBHOOK_SIGNING_SECRET"),
            approvals_url=text("APPROVALS_URL"),
            secrets_prefix=text("SECRETS_PREFIX") or "stepsmith/",
            scan_targets=tuple(part.strip() for part in (text("SCAN_TARGETS") or "").split(",") if part.strip()),
            definitions_source=text("DEFINITIONS_SOURCE"),
            definitions_sha256=text("DEFINITIONS_SHA256"),
        )
