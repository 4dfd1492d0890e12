"""The mark by which a generated resource is known again, and the digest that shows whether it was edited.

Most resources carry the mark in their `Metadata`, where it reaches the deployed stack. A function carries it
in a comment on the line below its name, since `sam build` builds functions of one `CodeUri` together only while
their `Metadata` is equal (measured with SAM CLI 1.170: a digest in the `Metadata` of each of six functions makes
six builds of one; the comment leaves it at one). A comment that a tool strips makes the resource one of the
user's, which is reported and never overwritten.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepsmith.template.cloudformation import Value, dump, names_in

OWNER = "Stepsmith"
_FUNCTION = "AWS::Serverless::Function"
_UNSEALED = "0" * 16
_COMMENT = re.compile(r"\s*# Stepsmith: made from (?P<origin>.+), sha256:(?P<digest>[0-9a-f]{16})\s*")
_DIGEST = re.compile(r"\s+Digest: sha256:(?P<digest>[0-9a-f]{16})\s*")
_KEEP = re.compile(r"\s*# Stepsmith: keep\b.*")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource to be generated: its logical id, the file it is made from, and its body, `Type` first."""

    logical_id: str
    origin: str
    body: Mapping[str, Value]
    provides: tuple[str, ...] = ()
    """Logical ids that SAM makes of it, which others may name."""

    def names(self) -> frozenset[str]:
        """What the template must have for this resource to stand."""
        return frozenset(names_in(self.body))


def render(resource: Resource) -> str:
    """The resource's marked and sealed YAML, which begins with its logical id at column 0."""
    kind, rest = resource.body["Type"], {key: value for key, value in resource.body.items() if key != "Type"}
    if kind == _FUNCTION:
        first, *lines = dump(resource.logical_id, resource.body).splitlines()
        lines = [first, f"  # {OWNER}: made from {resource.origin}, sha256:{_UNSEALED}", *lines]
    else:
        mark: Value = {OWNER: {"Source": resource.origin, "Digest": f"sha256:{_UNSEALED}"}}
        lines = dump(resource.logical_id, {"Type": kind, "Metadata": mark, **rest}).splitlines()
    return "\n".join(lines).replace(_UNSEALED, digest(lines), 1) + "\n"


def digest(lines: Sequence[str]) -> str:
    """What seals `lines` (a block from column 0, without line ends), whatever digest stands in them."""
    at, found = _seal(lines)
    unsealed = [*lines]
    if found is not None:
        unsealed[at] = lines[at].replace(found, _UNSEALED, 1)
    return hashlib.sha256("\n".join(unsealed).encode()).hexdigest()[:16]


def is_sealed(lines: Sequence[str]) -> bool:
    """Whether the block is as it was generated."""
    _, found = _seal(lines)
    return found is not None and found == digest(lines)


def is_commented(lines: Sequence[str]) -> bool:
    """Whether the block carries the mark of a generated function."""
    return len(lines) > 1 and _COMMENT.fullmatch(lines[1]) is not None


def is_kept(lines: Sequence[str]) -> bool:
    """Whether its owner asks for the resource to be left alone, by `# Stepsmith: keep` below its name."""
    return len(lines) > 1 and _KEEP.fullmatch(lines[1]) is not None


def _seal(lines: Sequence[str]) -> tuple[int, str | None]:
    """The line and the text of the block's digest."""
    for at, line in enumerate(lines[:8]):
        found = _COMMENT.fullmatch(line) or _DIGEST.fullmatch(line)
        if found:
            return at, found["digest"]
    return 0, None
