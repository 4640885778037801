"""Lists of which routing looks at the first element: what a script knows of it holds."""

from __future__ import annotations

from random import Random

import pytest
from tests.decode.pairs import Pair
from tests.decode.shapes import bitfinex

pytestmark = pytest.mark.usefixtures("kernels")


def number(rng: Random) -> str:
    return rng.choice(
        (
            str(rng.randrange(-9, 10)),
            f"{rng.randrange(-(10**5), 10**5)}.{rng.randrange(1, 10**4)}",
            f"{rng.random()}",
            f"-0.{rng.randrange(1, 100):04}",
        )
    )


def level(rng: Random) -> str:
    return f"[{rng.randrange(1, 10**5)},{rng.randrange(5)},{number(rng)}]"


def trade(rng: Random) -> str:
    return f"[{rng.randrange(10**9)},{1_600_000_000_000 + rng.randrange(10**9)},{number(rng)},5.5]"


ODD = (
    "[]", "null", "[1,2]", '["1",2,3]', "[null,1,2]", "[1,null,2]", "[1,2,3,4,5]", "[[1],2,3]",
    '[1,2,"3"]', "[1,2,true]", "{}", "1", "[1.5,1e5,2]", "[1,2,3 ]", " [1,2,3]", "[1,2,-0]",
)  # fmt: skip


def body(rng: Random) -> str:
    kind = rng.randrange(12)
    if kind == 0:
        return level(rng)
    if kind == 1:
        return f'"te",{trade(rng)}'
    if kind == 2:
        return rng.choice(('"hb"', "[]", '"tu",[1,2,3,4]', f"[{'1,' * 9}2]"))
    write = level if kind % 2 else trade
    elements = [write(rng) for _ in range(rng.choice((1, 2, 3, 20)))]
    if rng.random() < 0.15:
        at = rng.choice((0, rng.randrange(len(elements))))
        elements[at] = rng.choice((*ODD, level(rng), trade(rng)))
    return f"[{','.join(elements)}]"


@pytest.mark.parametrize("seed", range(3))
def test_lists_are_of_the_route_that_their_first_element_says(seed: int) -> None:
    rng, pair = Random(seed), Pair(bitfinex.MESSAGES)
    n_read = sum(pair.read(f"[{rng.randrange(3)},{body(rng)},{n}]") for n in range(400))
    assert n_read > 150


def test_a_list_that_is_empty_or_begins_otherwise_is_of_another_route() -> None:
    pair, rng = Pair(bitfinex.MESSAGES), Random(7)
    books = [f"[1,[{level(rng)},{level(rng)}],{n}]" for n in range(4)]
    assert [pair.read(book) for book in books] == [False, True, True, True]
    assert not pair.read("[1,[],7]")
    assert not pair.read(f"[1,[{trade(rng)},{level(rng)}],8]")
    assert not pair.read(f"[1,[[1,2],{level(rng)}],9]")
    assert pair.read(books[0])
