"""Makes a program that went wrong smaller while it goes wrong in the same way, so that people can read it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import yaml

from stepsmith.pipeline import compile_bytes
from tests.compiler.strategies import Program
from tests.support.machines import CATALOG


def shrink(program: Program, still_wrong: Callable[[Program], bool], most: int = 3000) -> Program:
    """The smallest program found in `most` attempts for which `still_wrong` holds."""
    tree = yaml.safe_load(program.text)
    smaller = True
    while smaller and most > 0:
        smaller = False
        for candidate in _smaller(tree):
            most -= 1
            if most <= 0:
                break
            attempt = _compiled(program, candidate)
            if attempt is not None and still_wrong(attempt):
                tree, program, smaller = candidate, attempt, True
                break
    return program


def _compiled(program: Program, tree: Any) -> Program | None:
    text = yaml.safe_dump(tree, sort_keys=False, width=100_000, allow_unicode=True)
    try:
        compilation = compile_bytes("random.yaml", text.encode(), CATALOG)
    except Exception:  # a crash of the compiler is looked for by another predicate
        return None
    return replace(program, text=text, compilation=compilation) if compilation.asl is not None else None


def _smaller(tree: Any) -> Iterator[Any]:
    """Copies of the tree with one thing less: a step, a key, or a block in place of the step that holds it."""
    places = sorted(_places(tree, ()), key=len)
    for path in places:
        yield _without(tree, path)
    for path in places:
        for inner in _blocks(_at(tree, path)):
            smaller = copy.deepcopy(tree)
            if isinstance(path[-1], int):
                holder = _at(smaller, path[:-1])
                holder[path[-1] : path[-1] + 1] = copy.deepcopy(inner)
                yield smaller


def _places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        if path[:1] != ("input",) and (key, path) not in (("input", ()), ("name", ())):
            yield (*path, key)
            yield from _places(value, (*path, key))


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


def _without(tree: Any, path: tuple[Any, ...]) -> Any:
    smaller = copy.deepcopy(tree)
    del _at(smaller, path[:-1])[path[-1]]
    return smaller


def _blocks(node: Any) -> Iterator[list[Any]]:
    """Lists of steps inside a step."""
    if isinstance(node, list):
        if node and all(isinstance(item, dict) and "id" in item for item in node):
            yield node
        else:
            for item in node:
                yield from _blocks(item)
    elif isinstance(node, dict):
        for value in node.values():
            yield from _blocks(value)
