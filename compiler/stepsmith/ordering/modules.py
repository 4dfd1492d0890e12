"""Modules of a partial order: sets whose members look alike from outside, so that they can be nested by themselves."""

from __future__ import annotations

from stepsmith.ordering.orders import Order, members, one


def modules(order: Order, numbers: int) -> list[int]:
    """The largest modules that are not all of `numbers`, by their lowest members; a member in no other is one itself.

    They are disjoint where neither the order nor its complement falls apart on `numbers`, as is asked of both. Then a
    module without the lowest member is largest among all if it is largest among those without it.
    """
    lowest = numbers & -numbers
    others = _without(order, numbers, one(numbers))
    own = lowest
    for module in others:
        if not module & own:
            larger = _around(order, numbers, own | module)
            own = larger if larger != numbers else own
    return [own, *(module for module in others if not module & own)]


def _without(order: Order, numbers: int, member: int) -> list[int]:
    """The largest modules that do not hold `member`: what no outsider tells apart, found by splitting."""
    classes, single = [numbers & ~(1 << member)], list[int]()
    stable = False
    while classes and not stable:
        stable = True
        for outsider in members(numbers):
            before, after, own = order.before[outsider], order.after[outsider], 1 << outsider
            split = []
            for each in classes:
                if each & own or not (each & before or each & after):
                    split.append(each)
                else:
                    split += [part for part in (each & before, each & after, each & ~before & ~after) if part]
            stable = stable and len(split) == len(classes)
            single += [each for each in split if not each & (each - 1)]
            classes = [each for each in split if each & (each - 1)]
    return sorted([*classes, *single], key=one)


def _around(order: Order, numbers: int, module: int) -> int:
    """The smallest module that holds these members."""
    first = one(module)
    before, after = order.before[first], order.after[first]
    waiting = module & ~(1 << first)
    while waiting and module != numbers:
        member = one(waiting)
        telling = (order.before[member] ^ before) | (order.after[member] ^ after)
        new = telling & numbers & ~module
        module |= new
        waiting = (waiting & (waiting - 1)) | new
    return module
