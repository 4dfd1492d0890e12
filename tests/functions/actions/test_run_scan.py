"""`run_scan`: what it finds, what it leaves out and says so, and that nothing leads it elsewhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.actions import run_scan as module
from stepsmith_functions.actions.run_scan import ScanIncomplete
from stepsmith_functions.history.items import table_definition
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import AwsRefused, InvalidParams
from stepsmith_functions.runtime.files import FileMissing, PathNotAllowed
from stepsmith_functions.runtime.scanning import compiling, definitions, scanner, targets
from stepsmith_functions.runtime.scanning.bundle import RulesInvalid

# Put together here, so that no scanner takes the project's own files for threats.
OURS = b"-".join([b"STEPSMITH", b"HARMLESS", b"SCAN", b"TEST", b"FILE"])
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"-".join([b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"])


@pytest.fixture
def root(world: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "srv"
    folder.mkdir()
    world.environment["FILE_ROOTS"] = str(folder)
    return folder


@pytest.fixture
def use(world: Any) -> Callable[[str], None]:
    """Puts rules into use, whatever they are."""

    def put(text: str) -> None:
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        release = {
            "version": "v1",
            "key": "definitions/bundles/v1",
            "sha256": digest,
            "rules": 1,
            "source": "test",
            "published_at": "2026-01-02T03:04:05+00:00",
            "operation": "o",
        }
        s3 = clients.of_process().get("s3")
        s3.put_object(Bucket="data-bucket", Key="definitions/bundles/v1", Body=content)
        s3.put_object(
            Bucket="data-bucket", Key=definitions.POINTER, Body=json.dumps({"current": release, "previous": None})
        )

    return put


@pytest.fixture
def exclude(world: Any) -> Callable[..., None]:
    clients.of_process().get("dynamodb").create_table(**table_definition("history"))
    world.environment["HISTORY_TABLE"] = "history"

    def add(**entry: str) -> None:
        world.call("add_exclusion", {**entry, "reason": "known"})

    return add


def put(*items: tuple[str, bytes], bucket: str = "uploads-example") -> None:
    s3 = clients.of_process().get("s3")
    s3.create_bucket(Bucket=bucket)
    for key, body in items:
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def names(answer: Any) -> list[str]:
    return [finding["file"] for finding in answer["findings"]]


def skipped(answer: Any) -> dict[str, int]:
    return {entry["reason"]: entry["files"] for entry in answer["skipped"]}


# --- what it finds --------------------------------------------------------------------------------------------------


@pytest.mark.row("S4-059")
def test_the_sample_event(world: Any) -> None:
    put(("incoming/a.txt", b"nothing"), ("incoming/deep/b.bin", OURS), ("incoming/c.com", EICAR), ("other", OURS))
    answer = world.send("run_scan", world.sample("run_scan"))
    assert (answer["files_scanned"], answer["threats_found"]) == (3, 2)
    assert [(found["file"], found["rule"]) for found in answer["findings"]] == [
        ("s3://uploads-example/incoming/c.com", "EICAR_Test_File"),
        ("s3://uploads-example/incoming/deep/b.bin", "Stepsmith_Test_File"),
    ]
    assert answer["findings"][0]["sha256"] == hashlib.sha256(EICAR).hexdigest()
    assert answer["findings"][0]["size"] == len(EICAR)
    assert (answer["complete"], answer["findings_left_out"], answer["rules_version"]) == (True, 0, "packaged")


def test_a_file_a_folder_and_the_root(world: Any, root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "bad").write_bytes(b"x" * 5000 + OURS)
    (root / "good").write_bytes(b"fine")
    (root / "empty").touch()
    bad = str(root / "sub" / "bad")
    for path, count in [("sub/bad", 1), (bad, 1), ("sub", 1), ("sub/", 1), (".", 3), (str(root), 3), (f"{root}/", 3)]:
        answer = world.call("run_scan", {"path": path})
        assert (answer["files_scanned"], names(answer)) == (count, [bad]), path


def test_an_object_a_prefix_and_a_bucket(world: Any) -> None:
    put(("a/bad", OURS), ("a/good", b""), ("a/", b""), ("ab", OURS))
    for path, found in [
        ("s3://uploads-example/a/bad", ["a/bad"]),
        ("s3://uploads-example/a", ["a/bad"]),
        ("s3://uploads-example/a/", ["a/bad"]),
        ("s3://uploads-example/", ["a/bad", "ab"]),
        ("s3://uploads-example", ["a/bad", "ab"]),
    ]:
        answer = world.call("run_scan", {"path": path})
        assert names(answer) == [f"s3://uploads-example/{key}" for key in found], path


def test_a_file_counts_once_however_many_rules_match(world: Any, root: Path, use: Any) -> None:
    use(
        'rule b : worm { meta: severity = "HIGH" condition: true }'
        'rule a : trojan worm { meta: severity = "critical" description = "Bad." condition: true }'
        "rule c { meta: severity = 9 condition: true } private rule hidden { condition: true }"
    )
    (root / "x").write_bytes(b"x")
    answer = world.call("run_scan", {"path": "x"})
    [found] = answer["findings"]
    assert (answer["threats_found"], answer["rules_version"]) == (1, "v1")
    assert (found["rule"], found["severity"], found["description"]) == ("a", "critical", "Bad.")
    assert (found["rules"], found["tags"]) == (["a", "b", "c"], ["trojan", "worm"])


def test_more_findings_than_a_result_holds_are_counted(
    world: Any, root: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("rule every { condition: true }")
    for number in range(8):
        (root / f"f{number}").touch()
    monkeypatch.setattr(module, "MOST_FINDINGS", 5)
    answer = world.call("run_scan", {"path": "."})
    assert (answer["threats_found"], len(answer["findings"]), answer["findings_left_out"]) == (8, 5, 3)
    monkeypatch.setattr(module, "LARGEST_FINDINGS", 3 * len(json.dumps(answer["findings"][0])) + 1)
    answer = world.call("run_scan", {"path": "."})
    assert (answer["threats_found"], len(answer["findings"]), answer["findings_left_out"]) == (8, 3, 5)


def test_a_quick_scan_has_limits_that_a_full_one_has_not(
    world: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "large").write_bytes(OURS + bytes(17 << 20))
    for number in range(4):
        (root / f"f{number}").touch()
    answer = world.call("run_scan", {"path": "."})
    assert (answer["files_scanned"], answer["complete"]) == (4, True)
    assert answer["skipped"] == [{"reason": "too_large", "files": 1, "examples": [str(root / "large")]}]
    answer = world.call("run_scan", {"path": ".", "scan_type": "full"})
    assert (answer["files_scanned"], names(answer), answer["skipped"]) == (5, [str(root / "large")], [])
    monkeypatch.setitem(module._EXTENTS, "quick", module._Extent(largest=1, most_files=3, longest=1))
    answer = world.call("run_scan", {"path": "."})
    assert (answer["files_scanned"], answer["complete"]) == (3, False)
    monkeypatch.setitem(module._EXTENTS, "quick", module._Extent(largest=1, most_files=4, longest=1))
    assert world.call("run_scan", {"path": "f0"})["complete"]


# --- exclusions -----------------------------------------------------------------------------------------------------


@pytest.mark.row("S4-067")
def test_excluded_by_path_folder_content_and_content_at_a_path(world: Any, root: Path, exclude: Any) -> None:
    other = OURS + b"2"
    for name, content in [("a", OURS), ("b/c", OURS), ("b/d", other), ("bb", other), ("e", other)]:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)

    def left() -> list[str]:
        return [os.path.relpath(name, root) for name in names(world.call("run_scan", {"path": "."}))]

    assert left() == ["a", "bb", "e", "b/c", "b/d"]
    exclude(file_path="a")
    assert "a" not in left()
    exclude(file_path="b/", sha256=hashlib.sha256(other).hexdigest())
    assert left() == ["bb", "e", "b/c"]
    exclude(file_path=f"{root}/b/")
    assert left() == ["bb", "e"]
    exclude(file_path=str(root / "e"), sha256="0" * 64)
    exclude(file_path="/etc/passwd")
    assert left() == ["bb", "e"]
    exclude(sha256=hashlib.sha256(other).hexdigest())
    answer = world.call("run_scan", {"path": "."})
    assert (names(answer), skipped(answer)) == ([], {"excluded": 5})


def test_excluded_objects(world: Any, exclude: Any) -> None:
    put(("a/x", OURS), ("b/x", OURS), ("c", OURS))
    exclude(file_path="s3://uploads-example/a/")
    exclude(file_path="s3://uploads-example/c")
    answer = world.call("run_scan", {"path": "s3://uploads-example/"})
    assert (names(answer), skipped(answer)) == (["s3://uploads-example/b/x"], {"excluded": 2})


def test_without_a_register_nothing_is_excluded_and_a_broken_one_is_no_excuse(world: Any, root: Path) -> None:
    (root / "a").write_bytes(OURS)
    assert len(names(world.call("run_scan", {"path": "a"}))) == 1
    world.environment["HISTORY_TABLE"] = "none"
    with pytest.raises(AwsRefused):
        world.call("run_scan", {"path": "a"})


# --- what is passed over, and what is refused -----------------------------------------------------------------------


def test_symlinks_pipes_sockets_and_the_quarantine(world: Any, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(OURS)
    (root / "link").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    (root / "held").write_bytes(OURS)
    world.call("quarantine_file", {"file_path": "held"})
    answer = world.call("run_scan", {"path": "."})
    assert (answer["files_scanned"], answer["findings"]) == (0, [])
    assert skipped(answer) == {"not_a_file": 2, "quarantined": 1, "symlink": 3}


@pytest.mark.parametrize("path", ["../outside", "link", "link/secret", "/etc/passwd", "sub/../../x", "pipe", "a\0b"])
def test_a_path_that_leads_elsewhere(world: Any, root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(root / "pipe")
    with pytest.raises(PathNotAllowed):
        world.call("run_scan", {"path": path})


@pytest.mark.parametrize("path", ["s3://", "s3://UPPER/x", "s3:/b/k", "s3://a_b/"])
def test_what_names_no_bucket(world: Any, root: Path, path: str) -> None:
    with pytest.raises(PathNotAllowed):
        world.call("run_scan", {"path": path})


@pytest.mark.parametrize("path", ["absent", "absent/", "sub/absent", "s3://uploads-example/absent", "s3://no-bucket/"])
def test_what_is_missing(world: Any, root: Path, path: str) -> None:
    put(("present", b""))
    with pytest.raises(FileMissing):
        world.call("run_scan", {"path": path})


def test_no_roots_no_files(world: Any, tmp_path: Path) -> None:
    with pytest.raises(PathNotAllowed, match="FILE_ROOTS"):
        world.call("run_scan", {"path": str(tmp_path)})


@pytest.mark.parametrize("name", ["$(touch owned)", "; rm -rf .", "`id`", "a\nb", "-rf", "%s{}", "*"])
def test_names_are_only_names(world: Any, root: Path, name: str) -> None:
    (root / name).write_bytes(OURS)
    (root / "other").write_bytes(b"fine")
    assert names(world.call("run_scan", {"path": name})) == [str(root / name)]
    assert sorted(path.name for path in root.iterdir()) == sorted([name, "other"])


def test_a_name_that_is_no_text_and_a_folder_that_is_too_deep(
    world: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / os.fsdecode(b"bad\xff")).write_bytes(OURS)
    (root / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.setattr(targets, "DEEPEST", 2)
    answer = world.call("run_scan", {"path": "."})
    assert names(answer) == [rf"{root}/a/bad\xff"]
    assert skipped(answer) == {"too_deep": 1}


def test_what_may_not_be_read(world: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "closed").mkdir()
    (root / "file").touch()
    real = os.open

    def refusing(path: Any, *more: Any, **named: Any) -> int:
        if path in ("closed", "file"):  # root, as which tests may run, could read a file of mode 0
            raise PermissionError(errno.EACCES, "no")
        return real(path, *more, **named)

    monkeypatch.setattr(os, "open", refusing)
    assert skipped(world.call("run_scan", {"path": "."})) == {"unreadable": 2}


def test_what_vanishes_meanwhile(world: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders that are gone, or have become links, when their turn comes."""
    for name in ("a", "b"):
        (root / name).mkdir()
    (root / "0").touch()
    (root / "1").touch()

    def swap(self: Any, content: bytes, seconds: int) -> Any:
        (root / "1").unlink(missing_ok=True)
        if (root / "b").is_dir() and not (root / "b").is_symlink():
            (root / "a").rmdir()
            (root / "b").rmdir()
            (root / "b").symlink_to("/etc")
        return []

    monkeypatch.setattr(scanner.Scanner, "matches", swap)
    answer = world.call("run_scan", {"path": "."})
    assert (answer["files_scanned"], skipped(answer)) == (1, {"unreadable": 1, "vanished": 2})


def test_the_quarantine_of_the_bucket_is_left_alone(world: Any) -> None:
    put(("quarantine/x/content", OURS), ("up/a", OURS), bucket="data-bucket")
    answer = world.call("run_scan", {"path": "s3://data-bucket/"})
    assert (names(answer), skipped(answer)) == (["s3://data-bucket/up/a"], {"quarantined": 1})
    assert len(names(world.call("run_scan", {"path": "s3://data-bucket/quarantine/x/"}))) == 1


# --- rules ----------------------------------------------------------------------------------------------------------


def test_rules_that_were_replaced_behind_the_pointer(world: Any, root: Path, use: Any) -> None:
    use("rule a { condition: true }")
    (root / "x").touch()
    assert len(names(world.call("run_scan", {"path": "x"}))) == 1
    clients.of_process().get("s3").put_object(Bucket="data-bucket", Key="definitions/bundles/v1", Body=b"rule b {}")
    with pytest.raises(RulesInvalid, match="not the one that was published"):
        world.call("run_scan", {"path": "x"})
    clients.of_process().get("s3").put_object(Bucket="data-bucket", Key=definitions.POINTER, Body=b"{}")
    with pytest.raises(RulesInvalid, match="cannot be read"):
        world.call("run_scan", {"path": "x"})


@pytest.mark.parametrize("text", ["rule {", 'include "/etc/passwd"', 'rule a { condition: filename == "x" }', "//"])
def test_rules_that_do_not_compile(world: Any, root: Path, use: Any, text: str) -> None:
    use(text)
    (root / "x").touch()
    with pytest.raises(RulesInvalid):
        world.call("run_scan", {"path": "x"})


def test_rules_are_compiled_once(world: Any, root: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "x").touch()
    use("rule once { condition: true }")
    world.call("run_scan", {"path": "x"})
    monkeypatch.setattr(compiling, "compiled", lambda *_, **__: pytest.fail("compiled again"))
    world.call("run_scan", {"path": "x"})


def test_a_rule_may_speak_and_nobody_hears_it(world: Any, root: Path, use: Any, capfd: Any) -> None:
    use('import "console" rule loud { condition: console.log("leak") }')
    (root / "x").touch()
    assert len(names(world.call("run_scan", {"path": "x"}))) == 1
    assert "leak" not in "".join(capfd.readouterr())


# --- time -----------------------------------------------------------------------------------------------------------

SLOW = "rule slow { condition: filesize == 1 and for all i in (1..1000000000000): (i > 0) }"


def test_a_file_that_takes_too_long_is_passed_over(
    world: Any, root: Path, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(SLOW + " rule text { strings: $a = /HARMLESS-SCAN/ condition: $a }")
    (root / "a").write_bytes(b"x")
    (root / "b").write_bytes(OURS)
    monkeypatch.setitem(module._EXTENTS, "quick", module._Extent(largest=1000, most_files=9, longest=1))
    answer = world.call("run_scan", {"path": "."})
    assert (names(answer), skipped(answer)) == ([str(root / "b")], {"timed_out": 1})


def test_a_scan_that_runs_out_of_time_says_how_far_it_came(world: Any, root: Path, use: Any) -> None:
    use(SLOW + " rule text { strings: $a = /HARMLESS-SCAN/ condition: $a }")
    (root / "a").write_bytes(OURS)
    (root / "b").write_bytes(b"x")
    with pytest.raises(ScanIncomplete, match="after 1 files, with 1 threats"):
        world.send("run_scan", {"params": {"path": "."}}, left=7_000)
    with pytest.raises(ScanIncomplete, match="after 0 files"):
        world.send("run_scan", {"params": {"path": "."}}, left=5_500)


@pytest.mark.parametrize("params", [{}, {"path": ""}, {"path": ".", "scan_type": "deep"}, {"path": "x" * 4097}])
def test_params_that_are_none(world: Any, root: Path, params: Any) -> None:
    with pytest.raises(InvalidParams):
        world.call("run_scan", params)
