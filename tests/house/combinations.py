"""Which tests of a product of parameters `make test` runs: those in which each two values meet."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

# Parameters that choose the event loop. Products without one compute, and run whole.
LOOPS = {"_asyncio_loop_factory", "loop", "make_loop", "run"}
# Whole feeds, of which one on each loop and of each venue is enough.
WHOLE_FEEDS = re.compile(r"\bstorm/")


def mark_combinations(items: list[pytest.Item]) -> None:
    """Mark what is left out of products of a loop and two or more other parameters.

    What stays has an even sum of places, so that any two values of two parameters meet: a third
    parameter makes their sum even.
    """
    functions = defaultdict(list)
    for item in items:
        if hasattr(item, "callspec") and not item.get_closest_marker("thorough"):
            functions[item.nodeid.partition("[")[0]].append(item)
    for each in functions.values():
        given = [item.callspec.params for item in each]  # type: ignore[attr-defined] # seen above
        if LOOPS & given[0].keys():
            n_least = 2 if WHOLE_FEEDS.search(each[0].nodeid) else 3
            for item, is_left_out in zip(each, left_out(given, n_least), strict=True):
                if is_left_out:
                    item.add_marker("combination")


def left_out(given: Sequence[Mapping[str, object]], n_least: int = 3) -> list[bool]:
    """Say of each test of a function whether it is left out, by what its parameters are.

    None is where fewer than `n_least` parameters vary, or the tests are no whole product.
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
    return [sum(places) % 2 == 1 for places in zip(*independent, strict=True)]
