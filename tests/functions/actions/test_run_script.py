"""`run_script`: trusted scripts with untrusted arguments, and what bounds them."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.actions import run_script as module
from stepsmith_functions.actions.run_script import DigestMismatch, ScriptFailed, ScriptInvalid, ScriptNotFound
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.files import PathNotAllowed


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "SCRIPTS", tmp_path)
    return tmp_path


def run(world: Any, script: str, *args: str, **more: Any) -> Any:
    return world.call("run_script", {"script": script, "args": list(args), **more}, "r1")


def test_the_sample_event(world: Any) -> None:
    answer = world.send("run_script", world.sample("run_script"))
    assert answer["exit_code"] == 0
    assert answer["stdout"].endswith("% /\n")


@pytest.mark.row("S4-062")
def test_arguments_arrive_as_they_are(world: Any, scripts: Path) -> None:
    (scripts / "echo.py").write_text("#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    hostile = ["; rm -rf /", "$(id)", "`id`", "a b", "*", "-rf", "\n", "'\"", "| cat", "ü", ""]
    assert json.loads(run(world, "echo.py", *hostile)["stdout"]) == hostile


def test_it_sees_nothing_of_ours(world: Any, scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret-token")
    (scripts / "env.sh").write_text("#!/bin/sh\nenv; pwd; ls -A; cat\n")
    out = run(world, "env.sh")["stdout"]
    assert "AWS" not in out
    assert "secret-token" not in out
    assert "script-" in out


def test_other_exit_codes(world: Any, scripts: Path) -> None:
    (scripts / "fail.sh").write_text("#!/bin/bash\necho so it goes >&2\nexit 3\n")
    with pytest.raises(ScriptFailed, match="ended with 3: so it goes"):
        run(world, "fail.sh")
    assert run(world, "fail.sh", expect=[0, 3]) == {"exit_code": 3, "stdout": "", "stderr": "so it goes\n"}


def test_time_is_bounded_for_it_and_its_children(world: Any, scripts: Path) -> None:
    (scripts / "slow.sh").write_text("#!/bin/sh\necho begun >&2\nsleep 60 & sleep 60\n")
    event = world.sample("run_script") | {"params": {"script": "slow.sh"}}
    start = time.monotonic()
    with pytest.raises(ScriptFailed, match=r"within 1 s: begun"):
        world.send("run_script", event, left=6000)
    assert time.monotonic() - start < 4


def test_output_is_bounded(world: Any, scripts: Path) -> None:
    (scripts / "loud.sh").write_text("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\necho end >&2\n")
    answer = run(world, "loud.sh")
    assert answer["stdout"] == "x" * 60_000
    assert answer["stderr"] == "end\n"


def test_files_are_bounded(world: Any, scripts: Path) -> None:
    (scripts / "big.sh").write_text("#!/bin/sh\nulimit -c; ulimit -n\n")
    assert run(world, "big.sh")["stdout"] == "0\n256\n"


@pytest.mark.parametrize(
    "name", ["../conftest.py", "/bin/sh", "a/b.sh", ".hidden", "x.exe", "s3://data-bucket/other/x.sh"]
)
def test_names_that_lead_elsewhere(world: Any, scripts: Path, name: str) -> None:
    with pytest.raises(PathNotAllowed):
        run(world, name, sha256="0" * 64)


def test_scripts_that_are_none(world: Any, scripts: Path) -> None:
    with pytest.raises(ScriptNotFound):
        run(world, "none.sh")
    for content in (b"echo no shebang", b"#!/usr/bin/perl\n", b"#!/bin/sh -x\n", b"#!/bin/sh\n" + b"#" * (1 << 20)):
        (scripts / "bad.sh").write_bytes(content)
        with pytest.raises(ScriptInvalid):
            run(world, "bad.sh")


def test_a_script_in_s3_is_named_with_its_digest(world: Any) -> None:
    content = b'#!/bin/sh\nprintf %s "$1"\n'
    client = clients.of_process().get("s3")
    client.put_object(Bucket="data-bucket", Key="scripts/say.sh", Body=content)
    digest = hashlib.sha256(content).hexdigest()
    assert run(world, "s3://data-bucket/scripts/say.sh", "hi", sha256=digest)["stdout"] == "hi"
    with pytest.raises(DigestMismatch):
        run(world, "s3://data-bucket/scripts/say.sh", sha256="0" * 64)
    with pytest.raises(InvalidParams, match="sha256"):
        run(world, "s3://data-bucket/scripts/say.sh")
    with pytest.raises(ScriptNotFound):
        run(world, "s3://data-bucket/scripts/none.sh", sha256=digest)


@pytest.mark.parametrize("params", [{"args": ["a\0b"]}, {"args": "a"}, {"args": [1]}, {"expect": []}, {"script": ""}])
def test_what_is_no_call(world: Any, scripts: Path, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        world.call("run_script", {"script": "x.sh", **params})
