"""Which tests of a product of parameters `make test` runs: a half in which values still meet."""

from __future__ import annotations

import math
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

# Parameters that choose the event loop. Products without one compute, and run whole.
LOOPS = {"_asyncio_loop_factory", "loop", "make_loop", "run"}
# Rooms that call the loop's own interfaces. What stands on them runs on one loop each test.
OF_THE_LOOP = re.compile(r"\b(?:net|session|supervise)/")


def mark_combinations(items: list[pytest.Item]) -> None:
    """Mark what is left out of products of a loop and other parameters.

    What stays has an even sum of places, or an odd one, as the name says: any two values of two
    parameters meet, as a third one makes their sum even or odd. In rooms that use the loop's own
    interfaces no product of fewer than three parameters is thinned. In others any product is: of
    two parameters each value is there, and a function of a loop alone runs on one of them.
    """
    functions = defaultdict(list)
    for item in items:
        if hasattr(item, "callspec") and not item.get_closest_marker("thorough"):
            functions[item.nodeid.partition("[")[0]].append(item)
    for name, each in functions.items():
        given = [item.callspec.params for item in each]
        loops = {id(params[loop]) for params in given for loop in LOOPS & params.keys()}
        if len(loops) > 1:
            n_least = 3 if OF_THE_LOOP.search(name) else 1
            out = left_out(given, n_least, zlib.crc32(name.encode()) % 2)
            for item, is_left_out in zip(each, out, strict=True):
                if is_left_out:
                    item.add_marker("combination")


def left_out(
    given: Sequence[Mapping[str, object]], n_least: int = 3, remainder: int = 0
) -> list[bool]:
    """Say of each test of a function whether it is left out, by what its parameters are.

    What stays has a sum of places that is even, or odd where `remainder` is 1. None is left out
    where fewer than `n_least` parameters vary, or the tests are no whole product.
    """
    columns = []
    for name in given[0]:
        # A value is the same object in all tests of a product.
        values = list(dict.fromkeys(id(each[name]) for each in given))
        columns.append([values.index(id(each[name])) for each in given])
    independent: list[list[int]] = []
    for column in sorted(columns, key=max, reverse=True):
        # Names that are given together are one parameter: one of them decides the others.
        if max(column) and not any(
            len({*zip(other, column, strict=True)}) == max(other) + 1 for other in independent
        ):
            independent.append(column)
    is_whole = math.prod(max(column) + 1 for column in independent) == len(given)
    if len(independent) < n_least or not is_whole:
        return [False] * len(given)
    return [sum(places) % 2 != remainder for places in zip(*independent, strict=True)]
