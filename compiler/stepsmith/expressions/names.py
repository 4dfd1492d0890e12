"""Names: what a reference's root and namespaces stand for in a scope, and whether what they name is there."""

from __future__ import annotations

from dataclasses import replace

from jinja2 import nodes

from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.lookups import Place, unknown_member
from stepsmith.expressions.scope import Binding, Path, Presence, Scope
from stepsmith.expressions.tree import chain_of
from stepsmith.expressions.values import Doubt, Maybe, Refused


def binding_of(scope: Scope, node: nodes.Expr) -> tuple[Binding | None, Path]:
    """The binding that a name, or a path through namespaces, stands for; None behind a value."""
    chain = chain_of(node)
    if chain is None or not all(isinstance(step, str) for step in chain[1]):
        return None, ()
    root, steps = chain
    if root not in scope.names:
        raise unknown_name(scope, root)
    binding = scope.names[root]
    for count, name in enumerate(steps):
        member = binding.member(str(name))
        if member is None:
            if binding.is_namespace:
                known = tuple(binding.members or ())
                raise unknown_member(binding.noun, str(name), known, shown((root, *steps[:count])))
            return None, ()
        binding = member
    return binding, (root, *steps)


_WHERE = "read it in a later step of the same list; a loop gives out what its steps did as its own output"


def bound(scope: Scope, binding: Binding, path: Path) -> Place:
    """What a binding reads. Refuses a namespace, and what is never there."""
    label = shown(path)
    if binding.presence is Presence.NEVER:
        why = f": {binding.absent}" if binding.absent else ""
        raise Refused("never-available", f"{label} is never there at this place{why}", _WHERE)
    if binding.code is None:
        names = one_of(f"{label}.{name}" for name in (binding.members or ()))
        raise Refused("not-a-value", f"{label} has no value of its own", f"read {names}" if names else "")
    sure = binding.presence is Presence.ALWAYS or path in scope.proven
    doubt = None if sure else Doubt(binding.absent or "it is not always set", binding.strict)
    code = j.verbatim(binding.code)
    read = Maybe(code, binding.type, label, sure, doubt, simple=j.is_path(binding.code))
    return Place(read, binding.strict, binding.noun)


def as_proven(scope: Scope, node: nodes.Expr, found: Place) -> Place:
    """What was found, surely there when a condition around it has proven it."""
    chain = chain_of(node)
    if chain is None or (chain[0], *chain[1]) not in scope.proven:
        return found
    if found.read.present and found.read.doubt is None:
        return found
    # A value that a union with null may be is there, but what is below it need not be.
    return replace(found, read=replace(found.read, present=True, doubt=None))


def unknown_name(scope: Scope, name: str) -> Refused:
    """The refusal of a name that is not in scope."""
    help_text = did_you_mean(name, scope.names)
    if not help_text:
        help_text = f"if it is text, quote it: '{name}'; names that exist here: {one_of(scope.names)}"
    return Refused("unknown-name", f'there is no "{name}" here', help_text)


def shown(path: Path) -> str:
    """A path as the author writes it."""
    shown = str(path[0])
    for step in path[1:]:
        shown += f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
    return shown
