"""The environment is read in one place, and an empty variable is an absent one."""

from __future__ import annotations

import os
from dataclasses import fields

import pytest

from stepsmith_functions.runtime.settings import Settings


@pytest.mark.row("S0-081")
def test_every_setting_is_read() -> None:
    settings = Settings.from_environment(
        {
            "HISTORY_TABLE": "t",
            "DATA_BUCKET": "b",
            "FILE_ROOTS": os.pathsep.join(("/a", "/b c", "")),
            "DEFAULT_INSTANCE_ID": "i-1",
            "KILL_PROCESS_DOCUMENT": "doc",
            "ALERTS_SENDER": "a@b",
            "ALLOW_PRIVATE_ADDRESSES": "True",
            "WEBHOOK_SIGNING_SECRET": "s",
            "SECRETS_PREFIX": "p/",
            "SCAN_TARGETS": "10.0.0.0/8, host,",
            "APPROVALS_URL": "https://a.example",
            "DEFINITIONS_SOURCE": "https://rules.example/r.zip",
            "DEFINITIONS_SHA256": "ab" * 32,
        }
    )
    assert settings == Settings(
        history_table="t",
        data_bucket="b",
        file_roots=("/a", "/b c"),
        default_instance="i-1",
        kill_document="doc",
        alerts_sender="a@b",
        allow_private_addresses=True,
        signing_secret="s",
        secrets_prefix="p/",
        scan_targets=("10.0.0.0/8", "host"),
        approvals_url="https://a.example",
        definitions_source="https://rules.example/r.zip",
        definitions_sha256="ab" * 32,
    )
    assert [field.name for field in fields(Settings) if getattr(settings, field.name) == field.default] == []


def test_nothing_is_allowed_by_default() -> None:
    empty = Settings.from_environment({})
    assert empty == Settings() == Settings.from_environment({"FILE_ROOTS": " ", "ALLOW_PRIVATE_ADDRESSES": "yes"})
    assert empty.file_roots == ()
    assert not empty.allow_private_addresses
