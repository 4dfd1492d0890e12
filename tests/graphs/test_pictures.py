"""Pictures of workflows: every step, lane and way is in them, and every format is well-formed."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from stepsmith.graphs import style
from stepsmith.graphs.marks import Mark, marks_of, with_made
from stepsmith.graphs.mermaid import escaped, mermaid
from stepsmith.graphs.picture import Picture, every_node
from stepsmith.graphs.svg import svg
from stepsmith.graphs.text import text_lines
from tests.graphs.conftest import drawn

SVG = "{http://www.w3.org/2000/svg}"
MARKS = {
    "set": Mark("succeeded"),
    "get": Mark("failed", 3, 41.5, error="HttpClientError"),
    "note": Mark("succeeded", seconds=0.25),
    "route": Mark("succeeded"),
    "one": Mark("failed", 5, 9.0, 3, "HttpServerError"),
    "keep": Mark("skipped", 0, 0.0),
    "both": Mark("running"),
}


def test_the_tree_for_a_terminal(sample: Picture) -> None:
    assert (
        "\n".join(text_lines(sample))
        == """\
every-verb 2.1.0  A workflow with everything that can be drawn.
on event GuardDuty Finding; on rate(1 day); on POST /everything; timeout 1h; retry 2
├─ set  tries, started
├─ get  action fetch  (timeout 30s)
│  ├─ on HttpClientError
│  │  ├─ tell  action store
│  │  └─ fail  Gone
│  └─ on any error  (then go on)
│     └─ note  action store
├─ route  switch
│  ├─ if input.deep
│  │  └─ all  for_each url of input.urls  (10% may fail)
│  │     └─ each url, 4 at once
│  │        ├─ one  action fetch
│  │        └─ keep  action store  if steps.one.output.size > 0
│  ├─ if input.url == 'https://example.com/a/very/long/address'
│  │  └─ stop
│  └─ else go on
├─ both  parallel
│  ├─ network
│  │  └─ up  repeat at most 5 times
│  │     └─ until steps.probe.output.ok  (10s between rounds)
│  │        └─ probe  action ping
│  ├─ disk
│  │  ├─ pause  wait 5m
│  │  └─ file  action store  if input.deep  (on failure: go on)
│  └─ quick
│     └─ p2  action ping
├─ careful  try
│  ├─ try
│  │  └─ risky  action store  (retry 4 on Lambda.TooManyRequestsException)
│  ├─ on States.Timeout  (then go on)
│  │  └─ late  action ping
│  └─ finally
│     └─ tidy  action store
└─ finally
   └─ bye  action store"""
    )


def test_the_tree_of_a_run(sample: Picture) -> None:
    lines = list(text_lines(sample, MARKS))
    assert "├─ ✗ get  action fetch  (timeout 30s)  HttpClientError, 3 attempts, 41.5 s" in lines
    assert "│  │        ├─ ✗ one  action fetch  HttpServerError, 3 times, 5 attempts, 9 s" in lines
    assert "│  │        └─ ○ keep  action store  if steps.one.output.size > 0" in lines
    assert "├─ ▸ both  parallel" in lines
    assert "│  │  ├─ · pause  wait 5m" in lines


def test_the_tree_without_line_drawing(sample: Picture) -> None:
    "\n".join(text_lines(sample, MARKS, ascii_only=True)).encode("ascii")


def test_a_chart_has_each_box_once_and_only_arrows_between_boxes(sample: Picture) -> None:
    text = mermaid(sample, MARKS)
    lines = text.splitlines()
    assert lines[0] == "flowchart TD"
    boxes = re.findall(r"^ +(?:subgraph )?(n\d+)(?:\[|\(|\{)", text, re.MULTILINE)
    assert len(boxes) == len(set(boxes))
    arrows = re.findall(r'^  (n\d+) -\.?->(?:\|"[^"]*"\|)? (n\d+)$', text, re.MULTILINE)
    assert {name for arrow in arrows for name in arrow} <= set(boxes)
    subgraphs = sum(line.strip().startswith("subgraph ") for line in lines)
    assert subgraphs == sum(line.strip() == "end" for line in lines) > 5
    known = r'(subgraph )?n\d+[\[({/]+"[^"]*"[\])}/]+|n\d+ -\.?->.* n\d+|end|direction TB|classDef \w+ .+|class \S+ \w+'
    assert [line for line in lines[1:] if not re.fullmatch(known, line.strip())] == []
    classes = dict(re.findall(r"^  class (\S+) (\w+)$", text, re.MULTILINE))
    assert set(classes.values()) == set(re.findall(r"classDef (\w+)", text))
    assert all(name in boxes for names in classes for name in names.split(","))


def test_every_step_is_in_every_picture(sample: Picture) -> None:
    tree, chart, drawing = "\n".join(text_lines(sample)), mermaid(sample), svg(sample)
    nodes = list(every_node(sample))
    assert len(nodes) == 21
    for node in nodes:
        assert re.search(rf"─ {node.id}(  |$)", tree, re.MULTILINE)
        assert re.search(rf'"{node.id}[<,"]', chart)
        assert f">{node.id}</text>" in drawing


def test_what_leaves_a_step_in_a_chart() -> None:
    text = mermaid(
        drawn(
            """
name: ways
input: {on: {type: boolean}}
steps:
  - {id: a, action: ping, if: "{{ input.on }}", on_failure: [{steps: [{id: h, action: ping}]}]}
  - {id: b, action: ping}
"""
        )
    )
    names = {match[2].split("<br/>")[0]: match[1] for match in re.finditer(r'(n\d+)[\[({]+"([^"]*)"', text)}
    arrows = re.findall(r'^  (n\d+) (-\.?->)(?:\|"([^"]*)"\|)? (n\d+)$', text, re.MULTILINE)
    back = {name: label for label, name in names.items()}
    assert [(back[source], line, label, back[target]) for source, line, label, target in arrows] == [
        ("ways", "-->", "", "if input.on"),
        ("if input.on", "-->", "yes", "a"),
        ("a", "-.->", "on any error", "h"),
        ("h", "-->", "", "fail"),
        ("a", "-->", "", "b"),
        ("if input.on", "-->", "no", "b"),
        ("b", "-->", "", "end"),
    ]


def test_labels_cannot_break_out_of_their_quotes() -> None:
    assert escaped('a "b" <i> & #quot; `c`\nd') == ("a #quot;b#quot; #lt;i#gt; #amp; #35;quot; #96;c#96;<br/>d")


def test_a_drawing_is_well_formed_and_stays_within_its_page(sample: Picture) -> None:
    root = ElementTree.fromstring(svg(sample, MARKS))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert root.get("viewBox") == f"0 0 {width:.0f} {height:.0f}"
    for x, y, wide, high in rectangles(root):
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height
    for text in root.iter(f"{SVG}text"):
        wide = style.text_width(text.text or "", float(text.get("font-size", "")))
        start = float(text.get("x", "")) - {"middle": wide / 2, "end": wide}.get(text.get("text-anchor", ""), 0)
        assert start >= 0
        assert start + wide <= width + 1


def test_boxes_lie_beside_or_inside_one_another(sample: Picture) -> None:
    found = rectangles(ElementTree.fromstring(svg(sample)))
    assert len(found) > 40
    for one, other in combinations(sorted(set(found), key=lambda box: -box[2] * box[3]), 2):
        assert apart(one, other) or inside(other, one), (one, other)


Rectangle = tuple[float, float, float, float]


def rectangles(root: ElementTree.Element) -> list[Rectangle]:
    return [
        (
            float(item.get("x", "")),
            float(item.get("y", "")),
            float(item.get("width", "")),
            float(item.get("height", "")),
        )
        for item in root.iter(f"{SVG}rect")
        if item.get("width") != "100%"
    ]


def apart(one: Rectangle, other: Rectangle) -> bool:
    return (
        one[0] + one[2] <= other[0] + 0.2
        or other[0] + other[2] <= one[0] + 0.2
        or one[1] + one[3] <= other[1] + 0.2
        or other[1] + other[3] <= one[1] + 0.2
    )


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    return (
        inner[0] >= outer[0] - 0.2
        and inner[1] >= outer[1] - 0.2
        and inner[0] + inner[2] <= outer[0] + outer[2] + 0.2
        and inner[1] + inner[3] <= outer[1] + outer[3] + 0.2
    )


def test_texts_fit_their_boxes(sample: Picture) -> None:
    root = ElementTree.fromstring(svg(sample, MARKS))
    boxes = rectangles(root)
    for text in root.iter(f"{SVG}text"):
        if text.get("text-anchor") == "end" or float(text.get("y", "")) < 80:
            continue
        wide = style.text_width(text.text or "", float(text.get("font-size", "")))
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        start = x - wide / 2 if text.get("text-anchor") == "middle" else x
        around = [box for box in boxes if box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]]
        innermost = min(around, key=lambda box: box[2] * box[3])
        assert innermost[0] <= start
        assert start + wide <= innermost[0] + innermost[2], text.text


def test_a_run_gives_its_colours_attempts_and_times(sample: Picture) -> None:
    plain, marked = svg(sample), svg(sample, MARKS)
    assert "3 attempts, 41.5 s" in marked
    assert ">HttpClientError</text>" in marked
    failed = style.look_of("action", "failed", ran=True, block=False)
    assert failed.fill not in plain
    assert marked.count(f'fill="{failed.fill}"') == 2
    assert marked.count("<circle ") == len(MARKS)


def test_a_drawing_of_hostile_words_is_well_formed() -> None:
    text = f"""
name: hostile
description: 'a < b & "c"'
input: {{x: {{type: string}}}}
steps:
  - {{id: a, action: ping, name: "<script>", if: "{{{{ input.x == '</text><!--&' }}}}"}}
  - {{id: b, action: ping, if: "{{{{ input.x == '{"a" * 60}' }}}}"}}
"""
    root = ElementTree.fromstring(svg(drawn(text)))
    shown = "".join(item.text or "" for item in root.iter(f"{SVG}text"))
    assert "</text><!--&" in shown
    assert 'a < b & "c"' in shown
    assert "".join(["a"] * 30) in shown


def test_the_drawing_is_the_same_every_time(sample: Picture) -> None:
    assert svg(sample, MARKS) == svg(sample, dict(reversed(MARKS.items())))


def test_a_mark_sums_up_the_iterations_of_a_step() -> None:
    started, ended = "2026-05-04T12:00:00.000Z", "2026-05-04T12:00:02.500Z"

    def step(status: str, attempts: int, end: str | None = ended, **more: object) -> dict[str, object]:
        return {"id": "scan", "status": status, "attempts": attempts, "started_at": started, "ended_at": end, **more}

    steps = [
        step("succeeded", 1),
        step("failed", 3, error={"type": "Gone", "message": ""}),
        step("skipped", 0, started),
    ]
    mark = marks_of(steps)["scan"]  # type: ignore[arg-type]
    assert mark == Mark("failed", 4, 5.0, 3, "Gone")
    assert mark.facts == ("3 times", "4 attempts", "5 s")
    assert marks_of([step("succeeded", 1), step("running", 1, None)])["scan"].facts == ("2 times",)  # type: ignore[list-item]


@pytest.mark.parametrize("width", [40.0, 100.0, 1000.0])
def test_lines_are_broken_at_spaces_and_within_words_only_where_needed(width: float) -> None:
    text = "one two " + "x" * 50 + " three"
    lines = style.wrapped(text, 11.0, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(style.text_width(line, 11.0) <= width for line in lines)
    assert (len(lines) == 1) == (width == 1000)


GRAPH = """
name: graph
steps:
  - {id: scan, action: ping}
  - {id: ask, action: ping, needs: []}
  - {id: judge, action: ping, needs: [ask]}
  - {id: report, action: ping, needs: [scan, judge]}
"""


def test_a_graph_is_drawn_as_it_runs() -> None:
    shown = drawn(GRAPH)
    assert (
        "\n".join(text_lines(shown))
        == """\
graph
├─ scan.graph  graph
│  ├─ at once
│  │  └─ scan  action ping
│  └─ at once
│     ├─ ask  action ping
│     └─ judge  action ping  (needs ask)
└─ report  action ping  (needs scan, judge)"""
    )
    assert {node.id for node in every_node(shown) if not node.made} == {"scan", "ask", "judge", "report"}
    ElementTree.fromstring(svg(shown))
    assert "flowchart TD" in mermaid(shown)


def test_what_the_compiler_made_has_the_gravest_status_of_what_is_in_it() -> None:
    shown = drawn(GRAPH)
    marks = {"scan": Mark("succeeded"), "ask": Mark("failed")}
    assert with_made(marks, shown)["scan.graph"].status == "failed"
    assert with_made({}, shown) == {}
