"""Puts generated resources into the text of a template, line by line.

A template belongs to its user: every byte outside the generated resources survives, comments, line ends and a
missing final newline included. Nothing is overwritten that a person has edited or written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from stepsmith.diagnostics import Diagnostic, Diagnostics
from stepsmith.source import SourceFile, Span
from stepsmith.template.marks import OWNER, digest, is_commented, is_kept, is_sealed

# What PyYAML counts as the end of a line.
_LINE = re.compile(r"[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029]|$)")
_SECRETS_PREFIX: Final = re.compile(r"(ssm:/([\w.-]+/)*|[\w/+=.@-]*)", re.ASCII)
"""Without what a policy would take for a wildcard (API references of both services)."""
_LINE_ENDS = "\r\n\x85\u2028\u2029"


class TemplateError(ValueError):
    """The template cannot be brought up to date; `diagnostics` say why."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(f"{found.span}: {found.message}" for found in diagnostics))
        self.diagnostics = tuple(diagnostics)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of `Resources`: lines from `first` to just before `end`, without trailing blank lines."""

    name: str
    first: int
    end: int
    text: tuple[str, ...]
    """Its lines from column 0, without line ends."""
    generated: bool
    kept: bool


@dataclass(frozen=True)
class Template:
    """A template as lines, and its entries of `Resources` in the order written."""

    source: SourceFile
    lines: tuple[str, ...]
    entries: tuple[Entry, ...]
    column: int
    """Where the names of resources begin, from 0."""
    names: frozenset[str]
    """What the user's part declares: parameters, conditions, and the resources that are not generated."""
    secrets_prefix: str = ""
    """`SECRETS_PREFIX` of all functions; empty where the handlers' default holds."""

    @property
    def line_end(self) -> str:
        return "\r\n" if self.lines[0].endswith("\r\n") else "\n"

    @property
    def start(self) -> Span:
        """The beginning of the file, for what is missing from it."""
        return self.source.span(0, 0)

    def span(self, entry: Entry) -> Span:
        """Where the entry's name stands."""
        return self._line_span(entry.first, self.column, self.column + len(entry.name))

    def _line_span(self, line: int, start: int, end: int) -> Span:
        base = sum(map(len, self.lines[:line]))
        return self.source.span(base + start, base + end)


def sync(text: str, wanted: Mapping[str, str]) -> str:
    """`text` with exactly the generated resources `wanted` (logical id to sealed block, see `marks.render`).

    Raises TemplateError when the text is no template in block style, when a generated resource was edited,
    and when a wanted name belongs to a resource that was not generated.
    """
    diagnostics = Diagnostics()
    template = read_template(SourceFile("template.yaml", text), diagnostics)
    spliced = splice(template, wanted, diagnostics) if template else text
    if diagnostics.has_errors:
        raise TemplateError(tuple(diagnostics))
    return spliced


# --- reading ------------------------------------------------------------------------------------------------


def read_template(source: SourceFile, diagnostics: Diagnostics) -> Template | None:
    """The template in `source`, or None after reporting why it is none that can be kept up to date."""
    try:
        # PyYAML's own reader, for its marks: libyaml's end elsewhere.
        root = yaml.compose(source.text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = mark.index if mark else 0
        problem = getattr(error, "problem", None) or "it is nested too deeply"
        diagnostics.error("template-invalid", f"the template is no YAML: {problem}", source.span(at, at))
        return None
    lines = tuple(found[0] for found in _LINE.finditer(source.text) if found[0])
    resources = _value(root, "Resources")
    if resources is None or not _is_block(resources, lines):
        at = resources.start_mark.index if resources else 0
        diagnostics.error(
            "template-invalid",
            "the template has no Resources in block style",
            source.span(at, at),
            "write Resources: and below it at least one resource, each on lines of its own",
        )
        return None
    assert isinstance(resources, yaml.MappingNode)
    column = resources.value[0][0].start_mark.column
    entries = tuple(_entries(resources, lines, column))
    declared = {entry.name for entry in entries if not entry.generated}
    for section in ("Parameters", "Conditions", "Mappings"):
        declared |= {key.value for key, _ in _pairs(_value(root, section))}
    prefix = _secrets_prefix(root, source, diagnostics)
    if prefix is None:
        return None
    template = Template(source, lines, entries, column, frozenset(declared), prefix)
    if len({entry.name for entry in entries}) < len(entries):
        _report_twice(template, diagnostics)
        return None
    return template


def _secrets_prefix(root: yaml.Node | None, source: SourceFile, diagnostics: Diagnostics) -> str | None:
    """The prefix that policies for secrets are made of; None after reporting one that they cannot be made of."""
    node = root
    for key in ("Globals", "Function", "Environment", "Variables", "SECRETS_PREFIX"):
        node = _value(node, key)
    if node is None:
        return ""
    if node.tag == "tag:yaml.org,2002:str" and _SECRETS_PREFIX.fullmatch(str(node.value)):
        return str(node.value)
    diagnostics.error(
        "template-invalid",
        "SECRETS_PREFIX is no plain beginning of names: the functions' policies are made of it",
        source.span(node.start_mark.index, node.end_mark.index),
        "write the beginning of names in Secrets Manager, such as stepsmith/, or for the Parameter Store one such as "
        "ssm:/stepsmith/",
    )
    return None


def _report_twice(template: Template, diagnostics: Diagnostics) -> None:
    seen: set[str] = set()
    for entry in template.entries:
        if entry.name in seen:
            diagnostics.error("template-invalid", f"{entry.name} is there twice", template.span(entry))
        seen.add(entry.name)


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    return next((value for name, value in _pairs(node) if name.value == key), None)


def _is_block(node: yaml.Node, lines: Sequence[str]) -> bool:
    """Whether `node` is a mapping with entries, each name of which begins its own line."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        return False
    return all(
        isinstance(key, yaml.ScalarNode) and not lines[key.start_mark.line][: key.start_mark.column].strip(" \ufeff")
        for key, _ in node.value
    )


def _entries(resources: yaml.MappingNode, lines: Sequence[str], column: int) -> Iterator[Entry]:
    pairs = resources.value
    starts = [key.start_mark.line for key, _ in pairs]
    for at, (key, value) in enumerate(pairs):
        first = starts[at]
        limit = starts[at + 1] if at + 1 < len(pairs) else _last_line(resources, lines)
        if value.start_mark.index <= key.start_mark.index:  # an alias
            content = _last_content(lines, limit, column)
        else:
            content = _content_end(key, value, limit, lines, column)
        end = _trimmed(lines, max(content, first + 1), limit, column)
        text = tuple(_dedented(line.rstrip(_LINE_ENDS), column) for line in lines[first:end])
        generated = is_commented(text) or _value(_value(value, "Metadata"), OWNER) is not None
        kept = is_kept(text)
        yield Entry(key.value, first, end, text, generated and not kept, kept)


def _last_line(resources: yaml.MappingNode, lines: Sequence[str]) -> int:
    end = resources.end_mark
    return len(lines) if end.line >= len(lines) else end.line + (end.column > 0)


def _dedented(line: str, column: int) -> str:
    return line[column:] if not line[:column].strip() else line


def _content_end(key: yaml.Node, value: yaml.Node, limit: int, lines: Sequence[str], column: int) -> int:
    """The line past the last that holds something of `value`, comments not counted."""
    while isinstance(value, yaml.CollectionNode) and not value.flow_style and value.value:
        last = value.value[-1]
        key, value = last if isinstance(value, yaml.MappingNode) else (value, last)
        if value.start_mark.index <= key.start_mark.index:  # an alias: its node was written elsewhere
            return _last_content(lines, limit, column)
    end: int = value.end_mark.line + (value.end_mark.column > 0)
    is_block_text = isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")
    keeps_blank_lines = value.value.endswith("\n\n") or not value.value.strip("\n") if is_block_text else True
    while not keeps_blank_lines and not lines[end - 1].strip():
        end -= 1
    return end


def _last_content(lines: Sequence[str], limit: int, column: int) -> int:
    """The same without the help of marks: what stands before `limit` less blank lines and outer comments."""
    while limit > 1:
        body = lines[limit - 1].lstrip(" ")
        if body.strip() and not (body.startswith("#") and len(lines[limit - 1]) - len(body) <= column):
            break
        limit -= 1
    return limit


def _trimmed(lines: Sequence[str], content: int, limit: int, column: int) -> int:
    """Where the entry ends: comments that are indented deeper than its name belong to it."""
    end = content
    for at in range(content, limit):
        body = lines[at].lstrip(" ")
        if body.startswith("#") and len(lines[at]) - len(body) > column:
            end = at + 1
        elif body.strip():
            break
    return end


# --- writing ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Edit:
    """Puts `text` in the place of the lines from `first` to just before `end`."""

    first: int
    end: int
    text: tuple[str, ...]


def splice(template: Template, wanted: Mapping[str, str], diagnostics: Diagnostics, force: bool = False) -> str:
    """The template's text with just `wanted` as its generated resources, new ones in that order.

    What stands in the way is reported and left alone; `force` overwrites generated resources that were
    edited.
    """
    blocks = {name: tuple(block.rstrip("\n").split("\n")) for name, block in wanted.items()}
    present = {entry.name: entry for entry in template.entries}
    edits = [
        edit
        for entry in template.entries
        if (edit := _update(template, entry, blocks.get(entry.name), diagnostics, force)) is not None
    ]
    edits += _insertions(template, blocks, present)
    return _apply(template, edits)


def _update(
    template: Template, entry: Entry, block: tuple[str, ...] | None, diagnostics: Diagnostics, force: bool
) -> _Edit | None:
    if entry.kept or (block is None and not entry.generated):
        return None
    if block is not None and not entry.generated:
        diagnostics.error(
            "template-taken",
            f"{entry.name} is to be generated, but a resource of that name was written by hand",
            template.span(entry),
            "rename it; to use it in place of the generated one, put `# Stepsmith: keep` on the line below its name",
        )
        return None
    if entry.text == block:
        return None
    undone = block is not None and digest(entry.text) == digest(block)
    if not (is_sealed(entry.text) or undone or force):
        diagnostics.error(
            "template-edited",
            f"{entry.name} is generated, and somebody edited it",
            template.span(entry),
            "undo the edit and change the workflow or action instead; to keep it as it is from now on, "
            "put `# Stepsmith: keep` on the line below its name",
        )
        return None
    if block is not None:
        return _Edit(entry.first, entry.end, block)
    first, end, lines = entry.first, entry.end, template.lines
    if not lines[first - 1].strip():
        first -= 1
    elif entry is template.entries[0] and end < len(lines) and not lines[end].strip():
        end += 1
    return _Edit(first, end, ())


def _insertions(
    template: Template, blocks: Mapping[str, tuple[str, ...]], present: Mapping[str, Entry]
) -> Iterator[_Edit]:
    """New blocks go behind the one that precedes them in `blocks`, the very first behind all there is."""
    at = template.entries[-1].end
    following = next((present[name] for name in blocks if name in present), None)
    if following is not None:
        index = template.entries.index(following)
        at = template.entries[index - 1].end if index else -1
    for name, block in blocks.items():
        if name in present:
            at = present[name].end
        elif at < 0:
            yield _Edit(template.entries[0].first, template.entries[0].first, (*block, ""))
        else:
            yield _Edit(at, at, ("", *block))


def _apply(template: Template, edits: Sequence[_Edit]) -> str:
    """The text after `edits`; those at one place keep their order."""
    lines, line_end, pad = list(template.lines), template.line_end, " " * template.column
    if not edits:
        return template.source.text
    unfinished = not lines[-1].endswith(tuple(_LINE_ENDS))
    if unfinished:
        lines[-1] += line_end
    ordered = sorted(edits, key=lambda edit: (edit.first, edit.end))
    for edit in reversed(ordered):
        lines[edit.first : edit.end] = [(pad + line if line else line) + line_end for line in edit.text]
    text = "".join(lines)
    return text.removesuffix(line_end) if unfinished else text
