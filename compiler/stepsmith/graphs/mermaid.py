"""A workflow as a Mermaid flowchart, which GitHub, GitLab and many wikis draw where they find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stepsmith.graphs.marks import Mark
from stepsmith.graphs.picture import Lane, Node, Picture, Role

_CLASSES: Final = {
    "event": "fill:#eef2ff,stroke:#6366f1,color:#1e1b4b",
    "decision": "fill:#fefce8,stroke:#ca8a04,color:#422006",
    "fork": "fill:#475569,stroke:#475569",
    "handler": "fill:#fef2f2,stroke:#dc2626,color:#450a0a,stroke-dasharray:4 3",
    "ending": "fill:#f1f5f9,stroke:#475569,color:#0f172a",
    "succeeded": "fill:#dcfce7,stroke:#16a34a,color:#052e16",
    "failed": "fill:#fee2e2,stroke:#dc2626,color:#450a0a",
    "running": "fill:#dbeafe,stroke:#2563eb,color:#172554",
    "undone": "fill:#fef9c3,stroke:#ca8a04,color:#422006",
    "skipped": "fill:#f8fafc,stroke:#94a3b8,color:#64748b,stroke-dasharray:4 3",
    "untouched": "fill:#ffffff,stroke:#cbd5e1,color:#94a3b8",
}
"""The looks of boxes, by their class; all are readable on light and on dark pages."""
_STATUS_CLASS: Final = {
    "succeeded": "succeeded",
    "skipped": "skipped",
    "failed": "failed",
    "cancelled": "undone",
    "rolled_back": "undone",
    "rollback_failed": "failed",
}


def mermaid(picture: Picture, marks: Mapping[str, Mark] | None = None) -> str:
    """The chart's text. With `marks` each step has the colour of how it went in that run."""
    return _Chart(marks).text(picture)


@dataclass(frozen=True, slots=True)
class _Loose:
    """An arrow that does not point anywhere yet."""

    source: str
    label: str = ""
    dotted: bool = False


@dataclass
class _Chart:
    marks: Mapping[str, Mark] | None
    lines: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    used: dict[str, list[str]] = field(default_factory=dict)
    depth: int = 1
    count: int = 0

    def text(self, picture: Picture) -> str:
        title = picture.name + (f" {picture.version}" if picture.version else "")
        start = self.box(title, "([", "])", "event")
        loose = [_Loose(start)]
        if picture.triggers:
            triggers = self.box("\n".join(picture.triggers), "[/", "/]", "event")
            self.arrows([_Loose(triggers)], start)
        loose = self.block(picture.nodes, loose)
        if picture.finally_nodes:
            last = self.lane(Lane(Role.FINALLY, "finally", picture.finally_nodes), "finally")
            self.arrows(loose, last)
            loose = [_Loose(last)]
        self.arrows(loose, self.box("end", "([", "])", "ending"))
        classes = [f"  classDef {name} {_CLASSES[name]}" for name in _CLASSES if name in self.used]
        members = [f"  class {','.join(self.used[name])} {name}" for name in _CLASSES if name in self.used]
        return "\n".join(["flowchart TD", *self.lines, *self.edges, *classes, *members]) + "\n"

    # -- steps ------------------------------------------------------------------------------------

    def block(self, nodes: Sequence[Node], loose: list[_Loose]) -> list[_Loose]:
        """Draws steps one after another; gives the arrows that leave the last."""
        for node in nodes:
            loose = self.step(node, loose)
        return loose

    def step(self, node: Node, loose: list[_Loose]) -> list[_Loose]:
        passing: list[_Loose] = []
        if node.condition is not None:
            decision = self.box(f"if {node.condition}", "{{", "}}", "decision")
            self.arrows(loose, decision)
            loose, passing = [_Loose(decision, "yes")], [_Loose(decision, "no")]
        drawn, after = self.verb(node, loose)
        for lane in node.handlers:
            after += self.handler(lane, drawn)
        return after + passing

    def verb(self, node: Node, loose: list[_Loose]) -> tuple[str, list[_Loose]]:
        """Draws what the step does; gives what its handlers hang on, and the arrows that leave it."""
        if node.verb == "switch":
            return self.switch(node, loose)
        if node.lanes:
            return self.container(node, loose)
        shape = ("([", "])") if node.ends else ("[", "]")
        drawn = self.box(self.label(node), *shape, self.look(node) or ("ending" if node.ends else ""))
        self.arrows(loose, drawn)
        return drawn, [] if node.ends else [_Loose(drawn)]

    def switch(self, node: Node, loose: list[_Loose]) -> tuple[str, list[_Loose]]:
        drawn = self.box(self.label(node), "{", "}", self.look(node) or "decision")
        self.arrows(loose, drawn)
        after: list[_Loose] = []
        for lane in node.lanes:
            after += self.block(lane.nodes, [_Loose(drawn, lane.title if lane.nodes else "else")])
        return drawn, after

    def container(self, node: Node, loose: list[_Loose]) -> tuple[str, list[_Loose]]:
        """A box around steps. Arrows meet the box, not what is in it: so they stay few."""
        rounds = [words for lane in node.lanes if lane.role is Role.LOOP for words in (lane.title, lane.then) if words]
        drawn = self.open(", ".join([*self.label(node).split("\n"), *rounds]), self.look(node))
        # Only what an arrow points at is drawn side by side.
        fork = self.box(" ", "((", "))", "fork") if node.verb in ("parallel", "graph") else ""
        for lane in node.lanes:
            if lane.role is Role.BRANCH and lane.title:
                self.arrows([_Loose(fork)], self.lane(lane, lane.title))
            elif lane.role is Role.BRANCH:
                self.block(lane.nodes, [_Loose(fork)])
            elif lane.role in (Role.BODY, Role.LOOP):
                self.block(lane.nodes, [])
        self.close()
        self.arrows(loose, drawn)
        after = [_Loose(drawn)]
        for lane in node.lanes:
            if lane.role is Role.HANDLER:
                after += self.handler(lane, drawn)
        for lane in node.lanes:
            if lane.role is Role.FINALLY:
                last = self.lane(lane, "finally")
                self.arrows(after, last)
                after = [_Loose(last)]
        return drawn, after

    def lane(self, lane: Lane, title: str) -> str:
        """The steps of a lane in a box of their own."""
        drawn = self.open(title)
        self.block(lane.nodes, [])
        self.close()
        return drawn

    def handler(self, lane: Lane, source: str) -> list[_Loose]:
        """The steps of a handler; what leaves them goes on only where the handler does."""
        goes_on = lane.then == "then go on"
        if not lane.nodes:
            return [_Loose(source, lane.title, dotted=True)] if goes_on else []
        after = self.block(lane.nodes, [_Loose(source, lane.title, dotted=True)])
        if goes_on or not after:
            return after
        self.arrows(after, self.box(lane.then.removeprefix("then "), "([", "])", "handler"))
        return []

    # -- words ------------------------------------------------------------------------------------

    def label(self, node: Node) -> str:
        does = node.detail if node.verb == node.id else f"{node.verb} {node.detail}".strip()
        lines = [node.id, does, ", ".join(node.notes)]
        if self.marks is not None and (mark := self.marks.get(node.id)) is not None:
            lines.append(", ".join([mark.status.replace("_", " "), *([mark.error] if mark.error else []), *mark.facts]))
        return "\n".join(line for line in lines if line)

    def look(self, node: Node) -> str:
        if self.marks is None:
            return ""
        mark = self.marks.get(node.id)
        return _STATUS_CLASS.get(mark.status, "running") if mark else "untouched"

    # -- lines ------------------------------------------------------------------------------------

    def box(self, label: str, before: str, after: str, look: str) -> str:
        name = self.name()
        self.line(f'{name}{before}"{escaped(label)}"{after}')
        if look:
            self.used.setdefault(look, []).append(name)
        return name

    def open(self, label: str, look: str = "") -> str:
        name = self.name()
        self.line(f'subgraph {name}["{escaped(label)}"]')
        if look:
            self.used.setdefault(look, []).append(name)
        self.depth += 1
        self.line("direction TB")
        return name

    def close(self) -> None:
        self.depth -= 1
        self.line("end")

    def arrows(self, loose: Sequence[_Loose], target: str) -> None:
        """Points every loose arrow at `target`. Edges stand outside of subgraphs, or they would pull boxes in."""
        for arrow in loose:
            line = "-.->" if arrow.dotted else "-->"
            label = f'|"{escaped(arrow.label)}"|' if arrow.label else ""
            self.edges.append(f"  {arrow.source} {line}{label} {target}")

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def line(self, text: str) -> None:
        self.lines.append("  " * self.depth + text)


def escaped(text: str) -> str:
    """A text between the quotes of a label: Mermaid has entities of its own, and a label may be HTML."""
    # "#" comes first: every entity begins with it.
    for char, entity in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(char, entity)
    return text.replace("\n", "<br/>")
