"""Makes a program that went wrong smaller while it goes wrong in the same way, so that people can read it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import yaml

from stepsmith.pipeline import compile_bytes
from tests.semantics.programs.program import Child, Program
from tests.semantics.programs.settling import signatures
from tests.support.machines import CATALOG

MAIN = ""
"""In place of the name of a workflow: the one that is run."""


def shrink(program: Program, still_wrong: Callable[[Program], bool], most: int = 3000) -> Program:
    """The smallest program found in `most` attempts for which `still_wrong` holds."""
    trees = {name: yaml.safe_load(child.text) for name, child in program.children.items()}
    trees[MAIN] = yaml.safe_load(program.text)
    smaller = True
    while smaller and most > 0:
        smaller = False
        for candidate in _smaller(trees):
            most -= 1
            if most <= 0:
                break
            attempt = _compiled(program, candidate)
            if attempt is not None and still_wrong(attempt):
                trees, program, smaller = candidate, attempt, True
                break
    for order in program.orders:
        attempt = replace(program, orders=tuple(each for each in program.orders if each != order))
        program = attempt if still_wrong(attempt) else program
    return program


def _compiled(program: Program, trees: dict[str, Any]) -> Program | None:
    texts = {
        name: yaml.safe_dump(tree, sort_keys=False, width=100_000, allow_unicode=True) for name, tree in trees.items()
    }
    children: dict[str, Child] = {}
    try:
        for name, text in texts.items():
            compilation = compile_bytes(f"{name or 'random'}.yaml", text.encode(), CATALOG, signatures(children))
            if compilation.asl is None:
                return None
            if name != MAIN:
                children[name] = Child(text, program.children[name].answers, compilation)
    except Exception:  # a crash of the compiler is looked for by another predicate
        return None
    return replace(program, text=texts[MAIN], compilation=compilation, children=children)


def _smaller(trees: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Copies of the trees with one thing less: a step, a key, or a block in place of the step that holds it."""
    places = sorted(_places(trees, ()), key=len)
    for path in places:
        yield _without(trees, path)
    for path in places:
        for inner in _blocks(_at(trees, path)):
            smaller = copy.deepcopy(trees)
            if isinstance(path[-1], int):
                holder = _at(smaller, path[:-1])
                holder[path[-1] : path[-1] + 1] = copy.deepcopy(inner)
                yield smaller


def _places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        place = (*path, key)
        if place[1:2] not in (("input",), ("name",)) and place != (MAIN,):
            yield place
            yield from _places(value, place)
        elif place == (MAIN,):
            yield from _places(value, place)


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
