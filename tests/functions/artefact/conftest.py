"""The scene that each action is put into."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from moto import mock_aws

from stepsmith_functions.history.items import table_definition
from tests.functions.artefact.scene import PARAMETERS, PUBLIC, RULES, SENDER, SIGNING, UPLOADS, Functions, Scene
from tests.support.certificates import certificate
from tests.support.deployment import BUCKET, TABLE, Deployment
from tests.support.emulated_aws import EmulatedAws
from tests.support.web import serving


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts all cases of an action side by side, so that one process of its function serves them."""
    places = [at for at, item in enumerate(items) if _action_of(item)]
    for at, item in zip(places, sorted((items[at] for at in places), key=_action_of), strict=True):
        items[at] = item


def _action_of(item: pytest.Item) -> str:
    """The action that a case of this folder is about, `""` for any other test."""
    if item.path.parent != Path(__file__).parent or not isinstance(item, pytest.Function):
        return ""
    return str(item.callspec.params.get("action", "")) if hasattr(item, "callspec") else ""


@pytest.fixture(scope="module")
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds what the functions' environment names, for as long as they run."""
    return tmp_path_factory.mktemp("function")


@pytest.fixture(scope="module")
def tls(folder: Path) -> ssl.SSLContext:
    server, _ = certificate(folder, "*.example.com")
    return server


@pytest.fixture(scope="module")
def functions(action: str, aws: EmulatedAws, folder: Path, tls: ssl.SSLContext) -> Iterator[Functions]:
    """The processes for the cases of one action, warm from one to the next."""
    environment = {
        "AWS_ENDPOINT_URL": aws.url,
        "SSL_CERT_FILE": str(folder / "cert.pem"),
        "TEST_NETWORK": str(folder / "network.json"),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"),
    }
    with ExitStack() as stack:
        deployment = Deployment.under_test({**PARAMETERS, "FileRoots": str(folder / "files")})
        yield Functions(deployment, environment, stack)


@pytest.fixture
def scene(aws: EmulatedAws, folder: Path, tls: ssl.SSLContext, functions: Functions) -> Iterator[Scene]:
    """The deployment's table, bucket, sender and secret, the buckets beside it, and a web at every example.com."""
    root = folder / "files"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    with mock_aws(), serving(tls) as web:
        aws.forget()
        scene = Scene(aws, web, root, folder / "network.json", functions)
        scene.client("dynamodb").create_table(**table_definition(TABLE))
        for bucket in (BUCKET, UPLOADS, RULES):
            scene.client("s3").create_bucket(Bucket=bucket)
        scene.client("ses").verify_email_identity(EmailAddress=SENDER)
        scene.client("secretsmanager").create_secret(Name=SIGNING, SecretString="correct horse battery")
        names = {f"{host}.example.com": PUBLIC for host in ("soc", "intel", "rules")}
        scene.reach({**names, "inside.example.com": "10.0.0.7"}, {f"{PUBLIC}:443": web.port})
        yield scene
