"""`delete_file`: what it deletes is gone for good, and everything else stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.actions import delete_file as module
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.files import FileChanged, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine.manifest import AlreadyQuarantined


@pytest.fixture
def root(world: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    world.environment["FILE_ROOTS"] = str(folder)
    return folder


def delete(world: Any, path: object) -> Any:
    return world.call("delete_file", {"file_path": str(path)}, "r1")


def test_the_sample_event(world: Any) -> None:
    client = clients.of_process().get("s3")
    client.create_bucket(Bucket="uploads-example")
    client.put_object(Bucket="uploads-example", Key="incoming/invoice.pdf.exe", Body=b"x")
    assert world.send("delete_file", world.sample("delete_file")) == {"deleted": True}
    with pytest.raises(FileMissing):
        world.send("delete_file", world.sample("delete_file"))


@pytest.mark.row("S4-055")
def test_a_file(world: Any, root: Path) -> None:
    (root / "f").write_text("x")
    (root / "g").write_text("y")
    assert delete(world, "f") == {"deleted": True}
    assert os.listdir(root) == ["g"]
    with pytest.raises(FileMissing):
        delete(world, "f")


@pytest.mark.parametrize("path", ["link", "linked/f", "folder", "../out/f", "/etc/passwd"])
def test_what_it_must_not_touch(world: Any, root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "f").write_text("x")
    (root / "link").symlink_to(tmp_path / "out" / "f")
    (root / "linked").symlink_to(tmp_path / "out")
    (root / "folder").mkdir()
    with pytest.raises(PathNotAllowed):
        delete(world, path)
    assert (tmp_path / "out" / "f").exists()
    assert (root / "link").is_symlink()


def test_a_file_that_is_replaced_meanwhile_stays(world: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "f").write_text("x")
    look = os.fstat

    def swap(descriptor: int) -> os.stat_result:
        info = look(descriptor)
        (root / "new").write_text("newer")
        (root / "new").rename(root / "f")
        return info

    monkeypatch.setattr(module.os, "fstat", swap)
    with pytest.raises(FileChanged):
        delete(world, "f")
    monkeypatch.undo()
    assert (root / "f").read_text() == "newer"
    assert os.listdir(root) == ["f"]


def test_what_lies_in_quarantine(world: Any, root: Path) -> None:
    (root / "f").write_text("x")
    kept = world.call("quarantine_file", {"file_path": "f"})["quarantine_path"]
    for path in (kept, "s3://data-bucket/quarantine/x/content"):
        with pytest.raises(AlreadyQuarantined):
            delete(world, path)
    assert Path(kept).exists()


def test_an_object_that_is_replaced_meanwhile_stays(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients.of_process().get("s3")
    client.put_object(Bucket="data-bucket", Key="k", Body=b"x")
    head = client.head_object

    def swap(**arguments: Any) -> Any:
        answer = head(**arguments)
        client.put_object(Bucket="data-bucket", Key="k", Body=b"newer")
        return answer

    monkeypatch.setattr(client, "head_object", swap)
    with pytest.raises(FileChanged):
        delete(world, "s3://data-bucket/k")
    assert client.get_object(Bucket="data-bucket", Key="k")["Body"].read() == b"newer"
