"""`quarantine_file`: files and objects leave their place once, and no path leads outside the roots."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.runtime import clients, files
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.files import FileChanged, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine import local
from stepsmith_functions.runtime.quarantine.manifest import AlreadyQuarantined
from stepsmith_functions.runtime.quarantine.s3 import ObjectTooLarge
from stepsmith_functions.runtime.s3 import NotConfigured

CONTENT = b"X5O-harmless"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def root(world: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    world.environment["FILE_ROOTS"] = str(folder)
    return folder


@pytest.fixture
def sample(root: Path) -> Path:
    path = root / "in" / "evil.sh"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    path.chmod(0o755)
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    return path


@pytest.fixture
def uploads(world: Any) -> Any:
    client = clients.of_process().get("s3")
    client.create_bucket(Bucket="uploads-example")
    client.put_object(Bucket="uploads-example", Key="incoming/invoice.pdf.exe", Body=CONTENT, Metadata={"a": "b"})
    return client


def quarantine(world: Any, path: object, run: str | None = None, **more: Any) -> Any:
    return world.call("quarantine_file", {"file_path": str(path), **more}, run)


@pytest.mark.row("S4-115")
def test_a_file_is_moved_locked_and_described(world: Any, root: Path, sample: Path) -> None:
    result = quarantine(world, sample, "r1")
    kept = Path(result["quarantine_path"])
    assert not sample.exists()
    assert kept == root / ".quarantine" / result["quarantine_id"]
    assert kept.read_bytes() == CONTENT
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert (result["sha256"], result["size"]) == (DIGEST, len(CONTENT))
    manifest = json.loads((root / ".quarantine" / f"{result['quarantine_id']}.json").read_text())
    assert manifest["origin"] == str(sample)
    assert (manifest["mode"], manifest["mtime_ns"]) == (0o755, 1_700_000_000_123_456_789)
    assert (manifest["run_id"], manifest["step_path"]) == ("r1", "s")
    assert stat.S_IMODE((root / ".quarantine").stat().st_mode) == 0o700


def test_relative_path_stands_below_the_first_root(world: Any, root: Path, sample: Path) -> None:
    assert quarantine(world, "in/evil.sh")["sha256"] == DIGEST
    assert not sample.exists()


@pytest.mark.row("S4-054")
def test_another_folder_may_hold_it(world: Any, root: Path, sample: Path) -> None:
    result = quarantine(world, sample, quarantine_dir="jail/today")
    assert result["quarantine_path"] == str(root / "jail" / "today" / result["quarantine_id"])
    assert Path(result["quarantine_path"]).read_bytes() == CONTENT


def test_the_same_step_finds_its_own_work(world: Any, sample: Path) -> None:
    first = quarantine(world, sample, "r1")
    assert quarantine(world, sample, "r1") == first


def test_another_step_is_told(world: Any, sample: Path) -> None:
    quarantine(world, sample, "r1")
    with pytest.raises(AlreadyQuarantined):
        quarantine(world, sample, "r2")
    assert world.history.ends[-1].error.type == "AlreadyQuarantined"


def test_a_new_file_at_the_same_place_is_quarantined_too(world: Any, sample: Path) -> None:
    first = quarantine(world, sample, "r1")
    sample.write_bytes(b"again")
    second = quarantine(world, sample, "r2")
    assert second["quarantine_id"] != first["quarantine_id"]
    assert Path(first["quarantine_path"]).exists()
    assert Path(second["quarantine_path"]).read_bytes() == b"again"


def test_what_lies_in_quarantine_stays(world: Any, sample: Path) -> None:
    with pytest.raises(AlreadyQuarantined):
        quarantine(world, quarantine(world, sample)["quarantine_path"])


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "in/../../outside",
        "/etc/passwd",
        "",
        "in/\0x",
        "{root}",
        "{root}x/a",
        "{root}/../outside",
    ],
)
def test_paths_outside_are_refused(world: Any, root: Path, path: str) -> None:
    (root.parent / "outside").write_text("x")
    (root.parent / "rootx").mkdir()
    (root.parent / "rootx" / "a").write_text("x")
    with pytest.raises((PathNotAllowed, InvalidParams)):
        quarantine(world, path.replace("{root}", str(root)))
    assert (root.parent / "outside").exists()
    assert (root.parent / "rootx" / "a").exists()


def test_no_root_no_file(world: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(PathNotAllowed, match="FILE_ROOTS"):
        quarantine(world, tmp_path / "f")


def test_symlinks_are_refused_wherever_they_stand(world: Any, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("x")
    (root / "file-link").symlink_to(outside / "f")
    (root / "folder-link").symlink_to(outside)
    (root / "f").write_text("y")
    (root / "jail").symlink_to(outside)
    for path, directory in (
        ("file-link", None),
        ("folder-link/f", None),
        ("f", "jail"),
        ("f", "folder-link/x"),
    ):
        with pytest.raises(PathNotAllowed):
            quarantine(world, path, **({"quarantine_dir": directory} if directory else {}))
    assert sorted(os.listdir(outside)) == ["f"]
    assert (root / "f").read_text() == "y"


def test_a_linked_quarantine_folder_is_refused(world: Any, root: Path, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / ".quarantine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PathNotAllowed):
        quarantine(world, sample)
    assert sample.exists()
    assert not os.listdir(tmp_path / "elsewhere")


def test_only_regular_files(world: Any, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(PathNotAllowed):
            quarantine(world, name)


def test_a_missing_file(world: Any, root: Path) -> None:
    for path in ("gone", "no/such/folder"):
        with pytest.raises(FileMissing):
            quarantine(world, path, "r1")
    assert [end.error.type for end in world.history.ends] == ["FileMissing", "FileMissing"]


def test_a_folder_that_cannot_be_written(world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EROFS, "read-only")

    monkeypatch.setattr(files, "write_atomically", refuse)
    with pytest.raises(PathNotAllowed, match="EROFS"):
        quarantine(world, sample)
    assert sample.exists()


def test_a_second_name_of_the_file_is_neither_locked_nor_lost(world: Any, root: Path, sample: Path) -> None:
    os.link(sample, root / "second")
    result = quarantine(world, sample)
    assert not sample.exists()
    assert stat.S_IMODE((root / "second").stat().st_mode) == 0o755
    assert Path(result["quarantine_path"]).stat().st_ino != (root / "second").stat().st_ino
    assert Path(result["quarantine_path"]).read_bytes() == CONTENT


def test_across_file_systems_it_is_copied_and_removed(
    world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def refuse(source: str, target: str, **folders: int) -> None:
        if source == sample.name and target.startswith("file-"):
            raise OSError(errno.EXDEV, "cross-device link")
        rename(source, target, **folders)

    monkeypatch.setattr(local.os, "rename", refuse)
    kept = Path(quarantine(world, sample)["quarantine_path"])
    assert not sample.exists()
    assert kept.read_bytes() == CONTENT
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400


def test_a_copy_that_was_cut_off_before_the_removal_is_finished(
    world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(sample, sample.with_name("second"))
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", lambda *_: (_ for _ in ()).throw(TimeoutError()))
        with pytest.raises(TimeoutError):
            quarantine(world, sample, "r1")
    assert sample.exists()
    assert quarantine(world, sample, "r1")["sha256"] == DIGEST
    assert not sample.exists()


def test_a_file_swapped_before_the_move_is_left_in_place(
    world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = local._described

    def swap(*args: Any) -> Any:
        manifest = described(*args)
        sample.unlink()
        sample.write_bytes(b"other")
        return manifest

    monkeypatch.setattr(local, "_described", swap)
    with pytest.raises(FileChanged):
        quarantine(world, sample, "r1")
    assert sample.read_bytes() == b"other"


def test_a_write_up_to_the_move_is_in_the_manifest(world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = local._described

    def write(*args: Any) -> Any:
        manifest = described(*args)
        sample.write_bytes(b"longer content")
        return manifest

    monkeypatch.setattr(local, "_described", write)
    result = quarantine(world, sample, "r1")
    assert result["sha256"] == hashlib.sha256(b"longer content").hexdigest()
    assert quarantine(world, sample, "r1") == result


def test_the_sample_event(world: Any, uploads: Any) -> None:
    result = world.send("quarantine_file", world.sample("quarantine_file"))
    identity = result["quarantine_id"]
    assert result == {
        "quarantine_id": identity,
        "quarantine_path": f"s3://data-bucket/quarantine/{identity}/content",
        "sha256": DIGEST,
        "size": len(CONTENT),
    }
    kept = uploads.get_object(Bucket="data-bucket", Key=f"quarantine/{identity}/content")
    assert kept["Body"].read() == CONTENT
    assert kept["Metadata"] == {"a": "b"}
    assert "Contents" not in uploads.list_objects_v2(Bucket="uploads-example")
    assert world.send("quarantine_file", world.sample("quarantine_file")) == result
    with pytest.raises(AlreadyQuarantined):
        quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", "another")


def test_in_a_versioned_bucket_the_version_itself_goes(world: Any, uploads: Any) -> None:
    uploads.put_bucket_versioning(Bucket="uploads-example", VersioningConfiguration={"Status": "Enabled"})
    uploads.put_object(Bucket="uploads-example", Key="k", Body=CONTENT)
    quarantine(world, "s3://uploads-example/k")
    versions = uploads.list_object_versions(Bucket="uploads-example", Prefix="k")
    assert "Versions" not in versions
    assert "DeleteMarkers" not in versions


def test_missing_objects_and_buckets(world: Any, uploads: Any) -> None:
    for uri in ("s3://uploads-example/none", "s3://no-such-bucket/none"):
        with pytest.raises(FileMissing):
            quarantine(world, uri)


def test_an_object_replaced_meanwhile_is_kept(world: Any, uploads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = uploads.copy_object

    def replace(**arguments: Any) -> Any:
        answer = copy(**arguments)
        uploads.put_object(Bucket="uploads-example", Key="incoming/invoice.pdf.exe", Body=b"new")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "copy_object", replace)
        with pytest.raises(FileChanged):
            quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", "r1")
    standing = uploads.get_object(Bucket="uploads-example", Key="incoming/invoice.pdf.exe")
    assert standing["Body"].read() == b"new"
    again = quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", "r1")
    assert again["sha256"] == hashlib.sha256(b"new").hexdigest()


def test_a_first_try_cut_off_after_the_copy_is_finished(
    world: Any, uploads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "delete_object", lambda **_: (_ for _ in ()).throw(TimeoutError()))
        with pytest.raises(TimeoutError):
            quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", "r1")
    assert quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", "r1")["sha256"] == DIGEST
    assert "Contents" not in uploads.list_objects_v2(Bucket="uploads-example")


def test_an_object_too_large_to_copy(world: Any, uploads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    head = uploads.head_object
    monkeypatch.setattr(uploads, "head_object", lambda **arguments: {**head(**arguments), "ContentLength": 6 * 1024**3})
    with pytest.raises(ObjectTooLarge):
        quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe")


def test_objects_in_quarantine_stay_and_folders_are_plain(world: Any, uploads: Any) -> None:
    with pytest.raises(AlreadyQuarantined):
        quarantine(world, "s3://data-bucket/quarantine/x/content")
    with pytest.raises(PathNotAllowed):
        quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", quarantine_dir="../reports")
    result = quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe", quarantine_dir="mail/2026")
    assert result["quarantine_path"].startswith("s3://data-bucket/quarantine/mail/2026/s3-")


def test_without_a_data_bucket(world: Any, uploads: Any) -> None:
    del world.environment["DATA_BUCKET"]
    with pytest.raises(NotConfigured):
        quarantine(world, "s3://uploads-example/incoming/invoice.pdf.exe")
