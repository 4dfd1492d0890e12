"""`stepsmith graph`: formats, files, runs, and what it says where it cannot draw."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from stepsmith.project import Project
from tests.cli.conftest import Call, lines_with


def test_text_is_the_default(project: Project, call: Call) -> None:
    called = call("graph", "greeting")
    assert (called.status, called.err) == (0, "")
    assert called.lines == [
        "greeting 2.0.0",
        "├─ hello  action greet",
        "└─ again  action greet  if input.times > 1",
    ]


def test_the_name_of_the_file_tells_the_format(project: Project, call: Call) -> None:
    for name, start in (("a.svg", "<svg "), ("a.mmd", "flowchart TD\n"), ("a.txt", "greeting 2.0.0\n")):
        called = call("graph", "workflows/greeting.yaml", "-o", name)
        assert (called.status, called.out, called.err) == (0, "", "")
        assert Path(name).read_text().startswith(start)
    assert call("graph", "greeting", "--format", "mermaid", "-o", "b.svg").status == 0
    assert Path("b.svg").read_text().startswith("flowchart TD")
    ElementTree.parse("a.svg")


def test_a_run_is_drawn_on_its_workflow(project: Project, call: Call) -> None:
    assert call("run", "greeting", "-p", "who=nobody").status == 1
    assert "├─ ✗ hello  action greet  NobodyThere" in call("graph", "greeting", "--run", "latest").lines
    assert ">NobodyThere</text>" in call("graph", "greeting", "--run", "latest", "--format", "svg").out
    (project.workflows_folder / "other.yaml").write_text("name: other\nsteps: [{action: greet, params: {who: you}}]\n")
    called = call("graph", "other", "--run", "latest")
    assert called.status == 2
    assert "there are no runs of other yet" in called.err
    known = json.loads(call("runs", "--json").out)
    runs = known if isinstance(known, list) else known["runs"]
    called = call("graph", "other", "--run", runs[0]["run_id"])
    assert called.status == 2
    assert "is one of greeting, not of other" in called.err
    assert call("graph", "greeting", "--run", "nothing").status == 2


def test_what_can_be_read_is_drawn_beside_its_mistakes(project: Project, call: Call) -> None:
    path = project.workflows_folder / "greeting.yaml"
    path.write_text(path.read_text().replace("input.who }}", "input.whom }}"))
    called = call("graph", "greeting")
    assert called.status == 1
    assert lines_with("did you mean", called.err.splitlines())
    assert lines_with("├─ hello  action greet", called.lines)
    path.write_text("[")
    called = call("graph", "greeting")
    assert (called.status, called.out) == (1, "")


def test_a_wrong_call_exits_2(project: Project, call: Call) -> None:
    assert call("graph", "nothing").status == 2
    assert call("graph", "greeting", "--format", "gif").status == 2
    called = call("graph", "greeting", "-o", "nowhere/a.svg")
    assert called.status == 2
    assert "nowhere/a.svg cannot be written" in called.err


def test_without_resvg_png_says_what_to_install(project: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    called = call("graph", "greeting", "-o", "a.png")
    assert called.status == 2
    assert "PNG needs the package resvg-py" in called.err
    assert "pip install 'stepsmith[graph]'" in called.err
    assert not Path("a.png").exists()


class Resvg(ModuleType):
    """Stands in for the renderer: its images are made of the letters that can be drawn."""

    fonts = True

    def svg_to_bytes(self, svg_string: str, zoom: float) -> bytes:
        letters = "".join(ElementTree.fromstring(svg_string).itertext()).strip() if self.fonts else ""
        return f"PNG {zoom:.0f} {letters}".encode()


def test_png_is_what_resvg_makes_of_the_drawing(project: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = Resvg("resvg_py")
    monkeypatch.setitem(sys.modules, "resvg_py", renderer)
    assert call("graph", "greeting", "-o", "a.png").status == 0
    assert Path("a.png").read_bytes().startswith(b"PNG 2 ")
    assert b"hello" in Path("a.png").read_bytes()
    renderer.fonts = False
    called = call("graph", "greeting", "-o", "b.png")
    assert called.status == 2
    assert "no font" in called.err
    assert not Path("b.png").exists()
