"""`restore_file`: what was quarantined is back exactly, and nothing that stands there is replaced."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.files import FileExists, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine import local
from stepsmith_functions.runtime.quarantine.manifest import QuarantineDamaged, QuarantineMissing
from stepsmith_functions.runtime.s3 import NotConfigured

TIME = 1_700_000_000_123_456_789
NO_SUCH = "0" * 32


@pytest.fixture
def root(world: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "in").mkdir(parents=True)
    world.environment["FILE_ROOTS"] = os.pathsep.join((str(tmp_path / "none"), str(folder)))
    return folder


@pytest.fixture
def sample(root: Path) -> Path:
    path = root / "in" / "evil.sh"
    path.write_bytes(b"content")
    path.chmod(0o751)
    os.utime(path, ns=(1, TIME))
    return path


@pytest.fixture
def uploads(world: Any) -> Any:
    client = clients.of_process().get("s3")
    client.create_bucket(Bucket="uploads-example")
    client.put_object(
        Bucket="uploads-example", Key="k", Body=b"content", Metadata={"a": "b"}, ContentType="x/y", Tagging="t=1"
    )
    return client


def quarantine(world: Any, path: object, **more: Any) -> Any:
    return world.call("quarantine_file", {"file_path": str(path), **more}, "r1")


def restore(world: Any, identity: str, run: str | None = "r2") -> Any:
    return world.call("restore_file", {"quarantine_id": identity}, run)


@pytest.mark.row("S4-066")
@pytest.mark.parametrize("directory", [None, "jail/today"])
def test_a_file_is_back_exactly(world: Any, root: Path, sample: Path, directory: str | None) -> None:
    inode = sample.stat().st_ino
    held = quarantine(world, sample, **({"quarantine_dir": directory} if directory else {}))
    assert restore(world, held["quarantine_id"]) == {"file_path": str(sample)}
    found = sample.stat()
    assert sample.read_bytes() == b"content"
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns, found.st_ino) == (0o751, TIME, inode)
    assert not Path(held["quarantine_path"]).exists()


def test_a_copied_file_is_back_exactly_too(world: Any, root: Path, sample: Path) -> None:
    os.link(sample, root / "second")
    held = quarantine(world, sample)
    restore(world, held["quarantine_id"])
    found = sample.stat()
    assert (sample.read_bytes(), stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (b"content", 0o751, TIME)


def test_a_folder_that_is_gone_is_made_again(world: Any, root: Path, sample: Path) -> None:
    held = quarantine(world, sample)
    sample.parent.rmdir()
    restore(world, held["quarantine_id"])
    assert sample.read_bytes() == b"content"


def test_a_folder_of_the_quarantine_that_is_not_mounted(world: Any, root: Path, sample: Path) -> None:
    held = quarantine(world, sample, quarantine_dir="jail")
    (root / "jail").rename(root / "elsewhere")
    with pytest.raises(FileMissing):
        restore(world, held["quarantine_id"])
    (root / "elsewhere").rename(root / "jail")
    assert restore(world, held["quarantine_id"]) == {"file_path": str(sample)}


@pytest.mark.row("S4-074")
def test_the_same_step_finds_it_restored_and_another_does_not(world: Any, sample: Path) -> None:
    held = quarantine(world, sample)
    first = restore(world, held["quarantine_id"])
    assert restore(world, held["quarantine_id"]) == first
    with pytest.raises(QuarantineMissing):
        restore(world, held["quarantine_id"], "r3")


def test_it_can_be_quarantined_again(world: Any, sample: Path) -> None:
    held = quarantine(world, sample)
    restore(world, held["quarantine_id"])
    assert quarantine(world, sample) == held
    assert not sample.exists()


def test_a_first_try_cut_off_after_the_move_is_finished(
    world: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = quarantine(world, sample)
    with monkeypatch.context() as patch:
        patch.setattr(local.files, "write_atomically", lambda *_: (_ for _ in ()).throw(TimeoutError()))
        with pytest.raises(TimeoutError):
            restore(world, held["quarantine_id"])
    assert restore(world, held["quarantine_id"]) == {"file_path": str(sample)}


def test_nothing_is_replaced(world: Any, sample: Path) -> None:
    held = quarantine(world, sample)
    sample.write_bytes(b"newer")
    with pytest.raises(FileExists):
        restore(world, held["quarantine_id"])
    assert sample.read_bytes() == b"newer"
    assert Path(held["quarantine_path"]).exists()


def test_a_folder_that_became_a_link_is_refused(world: Any, sample: Path, tmp_path: Path) -> None:
    held = quarantine(world, sample)
    sample.parent.rmdir()
    sample.parent.symlink_to(tmp_path)
    with pytest.raises(PathNotAllowed):
        restore(world, held["quarantine_id"])
    assert not (tmp_path / "evil.sh").exists()


def test_what_was_tampered_with_stays(world: Any, root: Path, sample: Path) -> None:
    held = quarantine(world, sample)
    kept = Path(held["quarantine_path"])
    kept.chmod(0o600)
    kept.write_bytes(b"other")
    with pytest.raises(QuarantineDamaged):
        restore(world, held["quarantine_id"])
    (root / ".quarantine" / f"{held['quarantine_id']}.json").write_text("{}")
    with pytest.raises(QuarantineDamaged):
        restore(world, held["quarantine_id"])


def test_a_forged_manifest_leads_nowhere_outside(world: Any, root: Path, sample: Path, tmp_path: Path) -> None:
    held = quarantine(world, sample)
    path = root / ".quarantine" / f"{held['quarantine_id']}.json"
    manifest = json.loads(path.read_text())
    for forged in ({"origin": str(tmp_path / "out")}, {"store_root": "/etc", "store_parts": []}):
        path.write_text(json.dumps(manifest | forged))
        with pytest.raises(PathNotAllowed):
            restore(world, held["quarantine_id"])


def test_the_content_is_gone(world: Any, sample: Path) -> None:
    held = quarantine(world, sample)
    Path(held["quarantine_path"]).unlink()
    with pytest.raises(QuarantineMissing):
        restore(world, held["quarantine_id"])


def test_an_object_is_back_with_all_that_belongs_to_it(world: Any, uploads: Any) -> None:
    held = quarantine(world, "s3://uploads-example/k")
    assert restore(world, held["quarantine_id"]) == {"file_path": "s3://uploads-example/k"}
    found = uploads.get_object(Bucket="uploads-example", Key="k")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"content", {"a": "b"}, "x/y")
    tags = uploads.get_object_tagging(Bucket="uploads-example", Key="k")["TagSet"]
    assert tags == [{"Key": "t", "Value": "1"}]
    assert restore(world, held["quarantine_id"]) == {"file_path": "s3://uploads-example/k"}
    with pytest.raises(QuarantineMissing):
        restore(world, held["quarantine_id"], "r3")


def test_an_object_in_the_way(world: Any, uploads: Any) -> None:
    held = quarantine(world, "s3://uploads-example/k")
    uploads.put_object(Bucket="uploads-example", Key="k", Body=b"newer")
    with pytest.raises(FileExists):
        restore(world, held["quarantine_id"])


def test_an_object_restored_by_a_try_that_was_cut_off(
    world: Any, uploads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = quarantine(world, "s3://uploads-example/k")
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "put_object", lambda **_: (_ for _ in ()).throw(TimeoutError()))
        with pytest.raises(TimeoutError):
            restore(world, held["quarantine_id"])
    assert restore(world, held["quarantine_id"])["file_path"] == "s3://uploads-example/k"


def test_an_object_whose_content_changed(world: Any, uploads: Any) -> None:
    held = quarantine(world, "s3://uploads-example/k")
    key = held["quarantine_path"].removeprefix("s3://data-bucket/")
    uploads.put_object(Bucket="data-bucket", Key=key, Body=b"CONTENT")
    with pytest.raises(QuarantineDamaged):
        restore(world, held["quarantine_id"])
    uploads.delete_object(Bucket="data-bucket", Key=key)
    with pytest.raises(QuarantineDamaged):
        restore(world, held["quarantine_id"])


def test_the_sample_event_and_other_unknown_ids(world: Any, root: Path) -> None:
    with pytest.raises(QuarantineMissing):
        world.send("restore_file", world.sample("restore_file"))
    with pytest.raises(QuarantineMissing):
        restore(world, f"file-{NO_SUCH}")
    for identity in ("x", "../../etc/passwd", f"file-{NO_SUCH}/..", f"file-{NO_SUCH}\n"):
        with pytest.raises(InvalidParams):
            restore(world, identity)
    del world.environment["DATA_BUCKET"]
    with pytest.raises(NotConfigured):
        restore(world, f"s3-{NO_SUCH}")
