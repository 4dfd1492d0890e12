"""The environment is read in one place, and an empty variable is an absent one."""

from __future__ import annotations

import os

from stepsmith_functions.runtime.settings import Settings


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
    )


def test_nothing_is_allowed_by_default() -> None:
    empty = Settings.from_environment({})
    assert empty == Settings() == Settings.from_environment({"FILE_ROOTS": " ", "ALLOW_PRIVATE_ADDRESSES": "yes"})
    assert empty.file_roots == ()
    assert not empty.allow_private_addresses
