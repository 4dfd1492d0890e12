"""Secrets come from Secrets Manager or the Parameter Store, are kept for a while, and are masked in every spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from moto import mock_aws

from stepsmith_functions.runtime import clients, secrets
from stepsmith_functions.runtime.errors import SecretUnavailable


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[secrets.AwsSecrets]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.reset()
        yield secrets.AwsSecrets(clients.of_process())
        clients.reset()


def test_a_secret_is_fetched_once(store: secrets.AwsSecrets) -> None:
    manager = clients.of_process().get("secretsmanager")
    manager.create_secret(Name="stepsmith/TOKEN", SecretString="first-value")
    assert store.fetch("stepsmith/TOKEN") == "first-value"
    manager.put_secret_value(SecretId="stepsmith/TOKEN", SecretString="second-value")
    assert store.fetch("stepsmith/TOKEN") == "first-value"


def test_missing_and_too_short_secrets(store: secrets.AwsSecrets) -> None:
    clients.of_process().get("secretsmanager").create_secret(Name="short", SecretString="abc")
    for name in ("none", "short"):
        with pytest.raises(SecretUnavailable) as caught:
            store.fetch(name)
        assert "abc" not in str(caught.value)


def test_a_parameter_is_decrypted_and_fetched_once(store: secrets.AwsSecrets) -> None:
    ssm = clients.of_process().get("ssm")
    ssm.put_parameter(Name="/stepsmith/TOKEN", Value="first-value", Type="SecureString")
    assert store.fetch("ssm:/stepsmith/TOKEN") == "first-value"
    ssm.put_parameter(Name="/stepsmith/TOKEN", Value="second-value", Type="SecureString", Overwrite=True)
    assert store.fetch("ssm:/stepsmith/TOKEN") == "first-value"


def test_the_two_stores_are_told_apart(store: secrets.AwsSecrets) -> None:
    clients.of_process().get("ssm").put_parameter(Name="/a/TOKEN", Value="from-ssm", Type="SecureString")
    clients.of_process().get("secretsmanager").create_secret(Name="/a/TOKEN", SecretString="from-manager")
    assert (store.fetch("ssm:/a/TOKEN"), store.fetch("/a/TOKEN")) == ("from-ssm", "from-manager")


def test_missing_and_too_short_parameters(store: secrets.AwsSecrets) -> None:
    clients.of_process().get("ssm").put_parameter(Name="/short", Value="abc", Type="SecureString")
    for name in ("ssm:/none", "ssm:/short", "ssm:"):
        with pytest.raises(SecretUnavailable) as caught:
            store.fetch(name)
        assert "abc" not in str(caught.value)


def test_every_spelling_is_masked() -> None:
    value = 'pä"ss/w&rd'
    spellings = (value, json.dumps(value), json.dumps(value, ensure_ascii=False), quote(value, safe=""))
    with secrets.hiding():
        secrets.hide(value)
        for text in (*spellings, base64.b64encode(value.encode()).decode()):
            assert "ss" not in secrets.masked(f"<{text}>").replace("***", "")
        assert secrets.masked_json({value: [1, None, f"x{value}"]}) == {"***": [1, None, "x***"]}
    assert secrets.masked(value) == value
