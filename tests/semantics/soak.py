"""Compares random programs on the reference and on the engine, as many as one has patience for.

    python -m tests.semantics.soak --count 2000 --seed 1
    python -m tests.semantics.soak --minutes 30 --jobs 2 --children

A program without other runs and orders is compared on `sfnx.testing` too, where that can run it. Without a flag the
kinds of programs take turns. Prints each program that differs, or that the compiler breaks on, how far it is, and a
summary; exits 1 if there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from tests.semantics.comparison import by_reference, compare
from tests.semantics.elsewhere import NotThere, compare_elsewhere
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, ordered, program
from tests.semantics.programs.settling import IllMade, Refused
from tests.semantics.schedule import Ambiguous
from tests.semantics.shrinking import shrink

WRONG = ("different", "crashed", "refused")
BATCH = 20
PROGRESS = 200
"""Programs from one line of progress to the next."""


@dataclass(frozen=True)
class Kind:
    """What programs are to have."""

    rolls_back: bool = False
    children: bool = False
    orders: bool = False


KINDS = (
    Kind(),
    Kind(children=True),
    Kind(rolls_back=True),
    Kind(orders=True),
    Kind(),
    Kind(rolls_back=True, children=True),
    Kind(orders=True, rolls_back=True),
    Kind(orders=True, children=True),
    Kind(),
    Kind(orders=True, children=True, rolls_back=True),
)
"""They take turns, by the seed's last digit."""


@dataclass(frozen=True)
class Found:
    """What came of one seed."""

    seed: int
    what: str
    shown: str = ""
    elsewhere: bool = False
    """Whether another interpreter than ours agreed, too."""


def kind_of(seed: int) -> Kind:
    return KINDS[seed % len(KINDS)]


def made_of(seed: int, kind: Kind, deepest: int = 3) -> Program:
    """The program of a seed. Raises Refused, IllMade and Ambiguous."""
    dice = Dice(seed)
    made = program(dice, deepest, rolls_back=kind.rolls_back, with_children=kind.children)
    if not kind.orders:
        return made
    undisturbed = by_reference(made)
    return replace(made, orders=ordered(dice, undisturbed.runs, [call.at for call in undisturbed.calls]))


def try_one(seed: int, kind: Kind | None, deepest: int, shrinks: bool) -> Found:
    made, twice = None, False
    try:
        made = made_of(seed, kind or kind_of(seed), deepest)
        difference = compare(made)
        if difference is None and not made.children and not made.orders:
            with contextlib.suppress(NotThere):
                difference = compare_elsewhere(made, by_reference(made))
                twice = True
    except (Ambiguous, IllMade) as unusable:
        return Found(seed, type(unusable).__name__)
    except Refused as refused:
        return Found(seed, "refused", str(refused))
    except Exception:  # a crash of the compiler is a finding too
        return Found(seed, "crashed", (made.describe() if made else "") + traceback.format_exc()[-1500:])
    if difference is None:
        return Found(seed, "equal", elsewhere=twice)
    if shrinks and not twice:
        made = shrink(made, partial(_differs, what=difference.what))
    return Found(seed, "different", f"{made.describe()}{difference if twice else compare(made)}")


def _differs(candidate: Program, what: str) -> bool:
    try:
        difference = compare(candidate)
    except Exception:  # it went wrong in another way
        return False
    return difference is not None and difference.what.split()[0] == what.split()[0]


def soak(
    seeds: Iterable[int], kind: Kind | None, deepest: int, most: int, jobs: int, until: float
) -> tuple[Counter[str], int]:
    """The number of programs by what came of them, and of those on which `sfnx.testing` agreed, too; prints the first
    `most` that went wrong. Ends when no seed is left, or at the moment `until` of the monotonic clock."""
    found: Counter[str] = Counter()
    elsewhere = 0
    began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        batches = _batches(seeds, until)
        waiting = {}
        for batch in itertools.islice(batches, 2 * jobs):
            waiting[pool.submit(_batch, batch, kind, deepest, found["different"] < most)] = batch
        while waiting:
            done = next(iter(waiting))
            for each in done.result():
                found[each.what] += 1
                elsewhere += each.elsewhere
                if each.shown and sum(found[word] for word in WRONG) <= most:
                    print(f"--- seed {each.seed}\n{each.shown}\n", flush=True)
                if found.total() % PROGRESS == 0:
                    _progress(found, time.monotonic() - began)
            del waiting[done]
            for batch in itertools.islice(batches, 1):
                waiting[pool.submit(_batch, batch, kind, deepest, found["different"] < most)] = batch
    return found, elsewhere


def _batches(seeds: Iterable[int], until: float) -> Iterator[list[int]]:
    rest = iter(seeds)
    while time.monotonic() < until and (batch := list(itertools.islice(rest, BATCH))):
        yield batch


def _batch(seeds: list[int], kind: Kind | None, deepest: int, shrinks: bool) -> list[Found]:
    return [try_one(seed, kind, deepest, shrinks) for seed in seeds]


def _progress(found: Counter[str], seconds: float) -> None:
    wrong = sum(found[word] for word in WRONG)
    print(f"{found.total():,} programs, {found.total() / seconds:.1f} a second, {wrong} wrong", flush=True)


def summary(found: Counter[str]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in found.most_common())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, help="how many programs; default: 1000, without end with --minutes")
    parser.add_argument("--minutes", type=float, help="how long")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--show", type=int, default=3, help="how many of those that went wrong")
    parser.add_argument("--plain", action="store_true", help="only programs without what the next flags say")
    parser.add_argument("--rollback", action="store_true", help="only programs that undo what they do")
    parser.add_argument("--children", action="store_true", help="only programs that run other workflows")
    parser.add_argument("--orders", action="store_true", help="only programs that are cancelled or paused")
    arguments = parser.parse_args()
    kind = Kind(arguments.rollback, arguments.children, arguments.orders)
    until = float("inf") if arguments.minutes is None else time.monotonic() + 60 * arguments.minutes
    count = 1000 if arguments.count is None and arguments.minutes is None else arguments.count
    seeds = itertools.count(arguments.seed) if count is None else range(arguments.seed, arguments.seed + count)
    only = kind if arguments.plain or kind != Kind() else None
    found, elsewhere = soak(seeds, only, arguments.depth, arguments.show, arguments.jobs, until)
    print(f"{summary(found)}; {elsewhere:,} of the equal ones also on sfnx.testing")
    return 1 if any(found[word] for word in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
