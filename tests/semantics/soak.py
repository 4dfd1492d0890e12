"""Compares random programs on the reference and on the engine, as many as one has patience for.

    python -m tests.semantics.soak --count 2000 --seed 1

Prints each program that differs, or that the compiler breaks on, and a summary; exits 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter

from tests.compiler.strategies import Dice, IllMade, Program, Refused, program
from tests.semantics.comparison import compare
from tests.semantics.schedule import Ambiguous
from tests.semantics.shrinking import shrink


def soak(count: int, seed: int, deepest: int, most: int, *, rolls_back: bool = False) -> Counter[str]:
    """The number of programs by what came of them; prints the first `most` that went wrong."""
    found: Counter[str] = Counter()
    for number in range(seed, seed + count):
        made = None
        try:
            made = program(Dice(number), deepest, rolls_back=rolls_back)
            difference = compare(made)
        except (Ambiguous, IllMade) as unusable:
            found[type(unusable).__name__] += 1
            continue
        except Refused as refused:
            found["refused"] += 1
            shown = str(refused)
        except Exception:  # a crash of the compiler is a finding too
            found["crashed"] += 1
            shown = traceback.format_exc()[-1500:]
        else:
            found["equal" if difference is None else "different"] += 1
            shown = str(difference) if difference else ""
            if difference is not None and found["different"] <= most:
                made = shrink(made, lambda smaller, what=difference.what: _differs(smaller, what))
                shown = str(compare(made))
        if shown and found["different"] + found["crashed"] + found["refused"] <= most:
            print(f"--- seed {number}\n{made.describe() if made else ''}{shown}\n", flush=True)
    return found


def _differs(candidate: Program, what: str) -> bool:
    try:
        difference = compare(candidate)
    except Exception:  # it went wrong in another way
        return False
    return difference is not None and difference.what == what


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--rollback", action="store_true", help="only programs that undo what they do")
    arguments = parser.parse_args()
    found = soak(arguments.count, arguments.seed, arguments.depth, arguments.show, rolls_back=arguments.rollback)
    print(", ".join(f"{number} {word}" for word, number in found.most_common()))
    return 1 if found["different"] + found["crashed"] + found["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
