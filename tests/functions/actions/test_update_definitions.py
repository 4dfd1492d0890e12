"""`update_definitions`: what is published, what is refused, and that the last good rules stay whatever happens."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.actions.update_definitions import DigestMismatch
from stepsmith_functions.runtime import clients, http
from stepsmith_functions.runtime.errors import AwsRefused, InvalidParams
from stepsmith_functions.runtime.files import FileChanged, FileMissing
from stepsmith_functions.runtime.http import AddressNotAllowed, AnswerTooLarge, HttpClientError, HttpServerError
from stepsmith_functions.runtime.s3 import NotConfigured
from stepsmith_functions.runtime.scanning import bundle, compiling, definitions
from stepsmith_functions.runtime.scanning.bundle import RulesInvalid
from tests.support.certificates import certificate

RULE = b"rule a { condition: true }"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(content: bytes, name: str = "bundle") -> dict[str, str]:
    """Puts a bundle into a bucket; returns the params that name it."""
    s3 = clients.of_process().get("s3")
    s3.create_bucket(Bucket="rules-example")
    s3.put_object(Bucket="rules-example", Key=name, Body=content)
    return {"source": f"s3://rules-example/{name}", "sha256": digest(content)}


def keys() -> list[str]:
    found = clients.of_process().get("s3").list_objects_v2(Bucket="data-bucket", Prefix="definitions/")
    return [entry["Key"] for entry in found.get("Contents", ())]


def pointer() -> Any:
    s3 = clients.of_process().get("s3")
    return json.loads(s3.get_object(Bucket="data-bucket", Key=definitions.POINTER)["Body"].read())


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content, method)
    return made.getvalue()


def tarred(*members: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for given, content in members:
            member = given if isinstance(given, tarfile.TarInfo) else tarfile.TarInfo(given)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


# --- publishing -----------------------------------------------------------------------------------------------------


@pytest.mark.row("S4-058")
def test_the_sample_event_publishes_the_rules_that_ship(world: Any) -> None:
    answer = world.send("update_definitions", world.sample("update_definitions"))
    assert answer == {"version": pointer()["current"]["version"], "rules": 2, "updated": True}
    assert answer["version"].startswith("20260102T030405Z-")
    assert keys() == [f"definitions/bundles/{answer['version']}", definitions.POINTER]
    again = world.call("update_definitions", {})
    assert again == {**answer, "updated": False}
    assert world.send("update_definitions", world.sample("update_definitions")) == answer


def test_the_scan_uses_what_was_published(world: Any, tmp_path: Path) -> None:
    world.environment["FILE_ROOTS"] = str(tmp_path)
    (tmp_path / "x").write_bytes(b"needle")
    assert world.call("run_scan", {"path": "x"})["threats_found"] == 0
    given = put(b'rule n { strings: $a = "needle" condition: $a }')
    version = world.call("update_definitions", given)["version"]
    answer = world.call("run_scan", {"path": "x"})
    assert (answer["threats_found"], answer["rules_version"]) == (1, version)


def test_the_bundle_before_is_kept_and_older_ones_go(world: Any) -> None:
    versions = []
    for number in range(4):
        given = put(b"rule r%d { condition: true }" % number)
        versions.append(world.call("update_definitions", given)["version"])
        world.clock.sleep(60)
    kept = [f"definitions/bundles/{version}" for version in versions[-2:]]
    assert keys() == [*kept, definitions.POINTER]
    assert (pointer()["current"]["key"], pointer()["previous"]["key"]) == (kept[1], kept[0])
    # What was in use before can be put into use again.
    back = {"source": f"s3://data-bucket/{kept[0]}", "sha256": pointer()["previous"]["sha256"]}
    assert world.call("update_definitions", back)["updated"]
    assert world.call("update_definitions", back)["updated"] is False


@pytest.mark.parametrize(
    "content",
    [
        RULE,
        zipped(("a.yar", RULE), ("sub/b.yara", RULE), ("README.md", b"\xff")),
        tarred(("a.yar", RULE), ("./sub/b.yara", RULE), ("LICENSE", b"\xff")),
    ],
    ids=["text", "zip", "tar.gz"],
)
def test_each_kind_of_bundle(world: Any, content: bytes) -> None:
    answer = world.call("update_definitions", put(content))
    assert (answer["rules"], answer["updated"]) == (1 if content == RULE else 2, True)


def test_a_published_bundle_that_was_tampered_with_is_published_anew(world: Any) -> None:
    given = put(RULE)
    version = world.call("update_definitions", given)["version"]
    clients.of_process().get("s3").put_object(
        Bucket="data-bucket", Key=f"definitions/bundles/{version}", Body=b"rule no { condition: false }"
    )
    assert world.call("update_definitions", given)["updated"]
    assert world.call("update_definitions", given)["updated"] is False


def test_two_at_once_do_not_overwrite_each_other(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.call("update_definitions", {})
    real = compiling.compiled

    def meanwhile(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(compiling, "compiled", real)
        world.call("update_definitions", put(b"rule other { condition: true }", "other"))
        return real(*given, **named)

    monkeypatch.setattr(compiling, "compiled", meanwhile)
    with pytest.raises(FileChanged):
        world.call("update_definitions", put(RULE))
    assert pointer()["current"]["source"] == "s3://rules-example/other"


# --- where from, and which digest -----------------------------------------------------------------------------------


@pytest.fixture
def https(web: Any, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The web server as `https://rules.test`."""
    server, trusting = certificate(tmp_path, "rules.test")
    handle, client_of = web.handle, http.client_of

    def over_tls(channel: socket.socket) -> None:
        with server.wrap_socket(channel, server_side=True) as secure:
            handle(secure)

    def client(context: Any, **named: Any) -> Any:
        return replace(
            client_of(context, **named),
            resolve=lambda host, port: ["127.0.0.1"] if host == "rules.test" else ["169.254.169.254"],
            dial=lambda address, port, seconds: socket.create_connection((address, web.port), seconds),
            tls=lambda: trusting,
        )

    monkeypatch.setattr(web, "handle", over_tls)
    monkeypatch.setattr(http, "client_of", client)
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "true"
    return web


def test_over_https(world: Any, https: Any) -> None:
    content = RULE + b"//" + b" " * 300_000
    https.answer(200, content)
    given = {"source": "https://rules.test/bundle.yar?key=hidden", "sha256": digest(content)}
    assert world.call("update_definitions", given)["updated"]
    assert https.received[0].target == "/bundle.yar?key=hidden"
    assert pointer()["current"]["source"] == "https://rules.test/bundle.yar"


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (404, {}, HttpClientError),
        (500, {}, HttpServerError),
        (302, {"location": "http://rules.test/"}, HttpClientError),
        (302, {"location": "https://inside.test/"}, AddressNotAllowed),
    ],
)
def test_a_server_that_gives_nothing(world: Any, https: Any, status: int, headers: Any, error: Any) -> None:
    world.call("update_definitions", {})
    https.answer(status, **headers)
    with pytest.raises(error):
        world.call("update_definitions", {"source": "https://rules.test/", "sha256": digest(RULE)})
    assert pointer()["current"]["source"] == definitions.PACKAGED


def test_a_private_address_and_an_answer_without_end(world: Any, https: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"source": "https://rules.test/", "sha256": digest(RULE)}
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "false"
    with pytest.raises(AddressNotAllowed):
        world.call("update_definitions", given)
    assert https.received == []
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "true"
    monkeypatch.setattr("stepsmith_functions.actions.update_definitions.LARGEST_BUNDLE", 1000)
    https.answer(200, RULE + b" " * 1000)
    with pytest.raises(AnswerTooLarge):
        world.call("update_definitions", given)
    with pytest.raises(AnswerTooLarge):
        world.call("update_definitions", put(RULE + b" " * 1000))


def test_the_deployments_source_and_digest(world: Any, https: Any) -> None:
    given = put(RULE)
    world.environment |= {"DEFINITIONS_SOURCE": given["source"], "DEFINITIONS_SHA256": given["sha256"]}
    assert world.call("update_definitions", {})["updated"]
    world.environment["DEFINITIONS_SHA256"] = "https://rules.test/bundle.sha256"
    https.answer(200, f"{given['sha256']}  bundle\n".encode())
    assert world.call("update_definitions", {})["updated"] is False
    world.environment["DEFINITIONS_SHA256"] = put(b"no digest", "bundle.sha256")["source"]
    with pytest.raises(DigestMismatch, match="does not begin"):
        world.call("update_definitions", {})
    del world.environment["DEFINITIONS_SHA256"]
    with pytest.raises(NotConfigured):
        world.call("update_definitions", {})
    assert world.call("update_definitions", {"sha256": given["sha256"]})["updated"] is False
    world.environment["DEFINITIONS_SOURCE"] = "ftp://rules.test/"
    with pytest.raises(NotConfigured):
        world.call("update_definitions", {"sha256": "0" * 64})


def test_another_digest(world: Any) -> None:
    world.call("update_definitions", {})
    with pytest.raises(DigestMismatch, match=digest(RULE)):  # the digest that the bundle has
        world.call("update_definitions", {**put(RULE), "sha256": "0" * 64})
    with pytest.raises(DigestMismatch):
        world.call("update_definitions", {"sha256": "0" * 64})
    assert pointer()["current"]["source"] == definitions.PACKAGED


def test_what_is_missing(world: Any) -> None:
    given = put(RULE)
    with pytest.raises(FileMissing):
        world.call("update_definitions", {**given, "source": "s3://rules-example/absent"})
    with pytest.raises(InvalidParams, match="sha256"):
        world.call("update_definitions", {"source": given["source"]})
    world.environment["DATA_BUCKET"] = ""
    with pytest.raises(NotConfigured):
        world.call("update_definitions", given)
    world.environment["DATA_BUCKET"] = "no-such-bucket"
    with pytest.raises(AwsRefused):
        world.call("update_definitions", given)


@pytest.mark.parametrize(
    "params",
    [
        *({"source": source, "sha256": "0" * 64} for source in ("http://x.test/", "file:///etc/passwd", "a; id", "")),
        {"source": "s3://b/k", "sha256": "$(id)"},
        {"source": "s3://b/k", "sha256": "A" * 64},
        {"rules": 1},
    ],
)
def test_params_that_are_none(world: Any, params: Any) -> None:
    with pytest.raises(InvalidParams):
        world.call("update_definitions", params)


@pytest.mark.parametrize(
    "source", ["https://x.test/$(id)`id`;id", "https://u:p@x.test/", "https://x.test/a b", "s3://"]
)
def test_sources_that_are_no_address(world: Any, source: str) -> None:
    with pytest.raises((InvalidParams, NotConfigured, http.HttpUnreachable)):
        world.call("update_definitions", {"source": source, "sha256": "0" * 64})


# --- bundles that are refused ---------------------------------------------------------------------------------------


def linked() -> bytes:
    member = tarfile.TarInfo("a.yar")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return tarred((member, b""))


def linked_in_zip() -> bytes:
    member = zipfile.ZipInfo("a.yar")
    member.external_attr = 0o120777 << 16
    return zipped((member, b"/etc/passwd"))


def many() -> bytes:
    return zipped(*((f"{number}.yar", b"") for number in range(bundle.MOST_FILES + 1)))


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped(("a.yar", RULE), ("a.yar", RULE))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a path upwards in a zip": lambda: zipped(("../a.yar", RULE)),
    "a path upwards in a tar": lambda: tarred(("a/../../b.yar", RULE)),
    "a path upwards beside rules": lambda: zipped(("a.yar", RULE), ("../../etc/cron.d/x", b"")),
    "an absolute path": lambda: tarred(("/etc/a.yar", RULE)),
    "a drive": lambda: zipped(("C:a.yar", RULE)),
    "backslashes": lambda: tarred(("..\\a.yar", RULE)),
    "a control character": lambda: tarred(("a\n.yar", RULE)),
    "a link in a tar": linked,
    "a link in a zip": linked_in_zip,
    "a bomb in a zip": lambda: zipped(("a.yar", bytes(bundle.LARGEST_CONTENT + 1))),
    "a bomb of several files": lambda: zipped(*((f"{n}.yar", bytes(bundle.LARGEST_CONTENT // 2)) for n in range(3))),
    "a bomb in gzip": lambda: gzip.compress(bytes(bundle.LARGEST_CONTENT + bundle.MOST_FILES * 1024 + 1)),
    "bzip2, which cannot be bounded": lambda: zipped(("a.yar", RULE), method=zipfile.ZIP_BZIP2),
    "many files": many,
    "one name twice": twice,
    "no rules": lambda: zipped(("a.txt", RULE)),
    "an empty zip": lambda: zipped(),
    "half a zip": lambda: zipped(("a.yar", RULE))[:40],
    "half a gzip": lambda: tarred(("a.yar", RULE))[:-9],
    "a gzip of no tar": lambda: gzip.compress(RULE),
    "no text": lambda: b"\xff\xfe",
    "a NUL": lambda: RULE + b"\0",
    "nothing": lambda: b"",
    "no rule": lambda: b"// nothing here",
    "no syntax": lambda: b"rule a { condition: }",
    "an include": lambda: b'include "/etc/passwd"\n' + RULE,
    "a variable from outside": lambda: b'rule a { condition: filepath contains "x" }',
    "a module that is not there": lambda: b'import "cuckoo"\n' + RULE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_changes_nothing(world: Any, name: str) -> None:
    before = world.call("update_definitions", {})
    with pytest.raises(RulesInvalid):
        world.call("update_definitions", put(HOSTILE[name]()))
    assert pointer()["current"]["version"] == before["version"]
    assert len(keys()) == 2


def test_a_zip_that_lies_about_its_size(world: Any) -> None:
    content = zipped(("a.yar", b"//" + bytes(1 << 20)))
    # The size stands 22 bytes into the file's header and 24 into the directory's entry.
    patched = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(mark) + offset
        patched[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(RulesInvalid):
        world.call("update_definitions", put(bytes(patched)))


def test_rules_that_take_too_long_or_too_much(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "TRIAL", 1)
    slow = b"rule slow { condition: for all i in (1..1000000000000): (i > 0) }"
    with pytest.raises(RulesInvalid, match="longer than 1 s"):
        world.call("update_definitions", put(slow))
    program = compiling._PROGRAM
    for extra, message in [("while True: pass", "within 1 s"), ("bytearray(2 << 30)", "exit 1")]:
        monkeypatch.setattr(compiling, "_PROGRAM", program.replace("import yara\n", f"{extra}\nimport yara\n"))
        with pytest.raises(RulesInvalid, match=message):
            world.send("update_definitions", {"params": put(RULE)}, left=6_000)
    assert keys() == []


def test_rules_that_crash_the_compiler(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(RulesInvalid, match="exit -11"):
        world.call("update_definitions", put(RULE))
