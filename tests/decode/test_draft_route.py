"""Scripts and routes: what literals tell, what absence tells, and what is asked each time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.decode.pairs import Pair

from tickwire.decode.plan import (
    Message,
    absent,
    equal,
    message,
    prefix,
    present,
    rows,
    suffix,
    unlike,
)

pytestmark = pytest.mark.usefixtures("kernels")

VALUES = ('"a"', '"ab"', '"b"', '"\\u0061"', "1", "1.0", "11", "true", "null", "[1]", '{"y":1}')
TESTS: tuple[dict[str, Any], ...] = (
    {"k": "a"},
    {"k": equal("a", "b")},
    {"k": prefix("a")},
    {"k": suffix("b")},
    {"k": unlike("a")},
    {"k": 1},
    {"k": True},
    {"k": present()},
    {"k": absent()},
    {"k.y": 1},
    {"k[0]": present()},
)


def routes(*tests: dict[str, Any]) -> list[Message]:
    """Give a message for each test, of another price column each."""
    return [
        message(
            f"m{number}",
            when=test,
            rows=[rows(at="", into="tickers", symbol="s", **{column: "p"})],
        )
        for number, (test, column) in enumerate(
            zip(tests, ("last_price", "mark_price", "index_price"), strict=False)
        )
    ]


@pytest.mark.volume
@pytest.mark.parametrize("first", TESTS, ids=str)
@pytest.mark.parametrize("second", TESTS, ids=str)
def test_the_first_declaration_that_matches_counts(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    pair, rng = Pair(routes(first, second, {})), Random(f"{first}{second}")
    end = '"s":"A","longer":"than 32 bytes","p":%d}'
    texts = [f'{{"k":{value},{end}' for value in VALUES] + ["{" + end]
    for number in range(80):
        pair.read(rng.choice(texts) % number)
    assert pair.n_scripted > 20


def test_a_number_that_only_has_to_be_there_may_be_any() -> None:
    pair = Pair(routes({"k": present()}))
    for number in range(2, 9):
        assert pair.read(f'{{"k":{number},"s":"A","longer":"than 32 bytes","p":1}}') == (number > 2)
    assert not pair.read('{"k":"x","s":"A","longer":"than 32 bytes","p":1}')


def test_a_value_that_routing_and_a_column_want() -> None:
    (one,) = routes({"s": prefix("A")})
    pair = Pair([one])
    symbols = ("A", "AB", "B", "AC", "A")
    payloads = [f'{{"s":"{symbol}","longer":"than 32 bytes","p":1}}' for symbol in symbols]
    assert [pair.read(payload) for payload in payloads] == [False, True, False, True, True]


def test_more_rivals_than_a_script_can_ask() -> None:
    n = 70
    many = [message(f"i{i}", when={"k": prefix(f"{i}-")}, kind="ignore") for i in range(n)]
    pair = Pair([*many, *routes({})])
    for number in range(4):
        assert not pair.read(f'{{"k":"x","s":"A","longer":"than 32 bytes","p":{number}}}')
    # Where the key is absent, all are excluded.
    payload = '{"s":"A","longer":"than 32 bytes","p":%d}'
    assert [pair.read(payload % number) for number in range(20)][-1]
