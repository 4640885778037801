"""Rows of scripts: where their values come from, and when they are known."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.decode.feeds import Feed
from tests.decode.pairs import Pair

from tickwire.decode import plan
from tickwire.decode.plan import Message, choice, constant, message, ms, rows, text

pytestmark = pytest.mark.usefixtures("kernels")

LEVEL = {
    "symbol": "$.s",
    "channel": constant("book"),
    "is_snapshot": constant(False),
    "price": "[0]",
    "size": "[1]",
}


def book(*places: str, **fields: Any) -> list[Message]:
    sides = ("bid", "ask") * len(places)
    return [
        message(
            "book",
            when={"e": "book"},
            rows=[
                rows(at=at, into="book", side=constant(side), **(LEVEL | fields))
                for at, side in zip(places, sides, strict=False)
            ],
        )
    ]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 40])
def test_lists_of_any_length(n: int) -> None:
    pair, rng = Pair(book("b[]", "a[]", ts_event=ms("$.t"))), Random(n)

    def levels(n: int) -> str:
        return "[" + ",".join(f'["{rng.randrange(1000)}.5","{i}"]' for i in range(n)) + "]"

    for number in range(1, 60):
        sizes = n, rng.choice((0, n, 1, 7))
        bids, asks = map(levels, sizes)
        pair.read(f'{{"e":"book","t":{number},"s":"A","b":{bids},"a":{asks}}}')
    assert pair.n_scripted > 30


def test_lists_in_another_order_than_their_rows_where_one_is_empty() -> None:
    pair, n_fast = Pair(book("b[]", "a[]", ts_event=ms("$.t"))), 0
    levels = ("[]", '[["1.5","2"]]', '[["3.5","2"],["4.5","1"]]')
    for number in range(60):
        asks, bids = levels[number % 3], levels[number // 3 % 3]
        fast = pair.read(f'{{"e":"book","t":{number},"s":"A","a":{asks},"b":{bids}}}')
        n_fast += fast and "[]" in (asks, bids)
    assert n_fast > 20


def test_elements_of_several_lengths_in_one_list() -> None:
    pair = Pair(book("b[]", ts_event=ms("$.t")))
    levels = '["1.5","2"],["3.5","2","r"]', '["1.5","2","r"],["3.5","2"]', '["1.5","2"],["3.5","2"]'
    for number in range(30):
        fast = pair.read(f'{{"e":"book","t":{number},"s":"A","b":[{levels[number % 3]}]}}')
        assert fast or number < 3


def test_what_follows_the_rows_is_theirs() -> None:
    pair = Pair(book("b[]", ts_event=ms("$.t"), venue_seq="$.u"))
    for number in range(2, 12):
        levels = ",".join(['["1.5","2"]'] * (number % 3))
        payload = f'{{"e":"book","b":[{levels}],"u":{number},"s":"AB","t":{number}}}'
        pair.read(payload.replace("AB", "AB"[number % 2]))
    assert pair.n_scripted > 4


@pytest.mark.parametrize("size", ['"2"', "null", "-1.5", '""', "1e3", "0"])
def test_values_of_later_rows_may_be_of_other_forms(size: str) -> None:
    several = [
        message(
            "m",
            when={"e": "m"},
            rows=[rows(at="d[]", into="tickers", symbol="s", last_price="p", mark_price="q")],
        )
    ]
    pair = Pair(several)
    one = '{"s":"A","p":1.5,"q":2}'
    other = one.replace('"q":2', f'"q":{size}')
    for number in range(5):
        assert pair.read(f'{{"e":"m","d":[{one},{one}]}}') == (number > 0)
        pair.read(f'{{"e":"m","d":[{one},{other},{one}]}}')
        pair.read(f'{{"e":"m","d":[{other},{one}]}}')


def test_rows_that_carry_values_over() -> None:
    tickers = [
        message(
            kind,
            when={"e": kind},
            rows=[
                rows(
                    at="d",
                    into="tickers",
                    carry=True,
                    carry_reset=kind == "full",
                    symbol="s",
                    ts_event=ms("$.t"),
                    last_price="l",
                    mark_price="m",
                    next_funding_ts=ms("n"),
                )
            ],
        )
        for kind in ("full", "change")
    ]
    pair, rng = Pair(tickers), Random(8)
    for number in range(300):
        keys = {"l": rng.randrange(99), "m": '"2.5"', "n": rng.choice((7, "null"))}
        kept = rng.sample(sorted(keys), rng.randrange(4))
        members = "".join(f',"{key}":{keys[key]}' for key in sorted(kept))
        kind = rng.choice(("full", "change"))
        pair.read(f'{{"e":"{kind}","t":{number},"d":{{"s":"{rng.choice("AB")}"{members}}}}}')
    assert pair.n_scripted > 150


def test_sizes_that_a_condition_makes_zero() -> None:
    fields = {"size": plan.number("[1]", zero_when=("[2]", "gone"))}
    pair, rng = Pair(book("b[]", **fields)), Random(2)
    for number in range(1, 60):
        levels = ",".join(
            f'["1.5","{number}.5","{rng.choice(("gone", "new", "gone ", ""))}"]'
            for _ in range(rng.randrange(1, 7))
        )
        pair.read(f'{{"e":"book","s":"A","b":[{levels}]}}')
    assert pair.n_scripted > 30


@pytest.mark.parametrize("n", [5, 6, 7, 9])
def test_more_places_of_rows_than_a_script_has(n: int) -> None:
    places = [f"l{i}[]" for i in range(n)]
    pair = Pair(book(*places))
    for number in range(6):
        lists = ",".join(f'"l{i}":[["{number}.5","{i}"]]' for i in range(n))
        pair.read(f'{{"e":"book","s":"A",{lists}}}')


def test_texts_and_choices_that_two_rows_share() -> None:
    trades = [
        message(
            "t",
            when={"e": "t"},
            rows=[
                rows(
                    at="d[]",
                    into="trades",
                    symbol="$.s",
                    ts_event=ms("$.t"),
                    channel=text("$.c"),
                    price="p",
                    size="q",
                    side=choice("$.m", {"b": "buy", "s": "sell"}),
                    trade_id=text("$.i"),
                )
            ],
        )
    ]
    pair = Pair(trades)
    for number in range(2, 20):
        one = f'{{"p":"1.5","q":{number}}}'
        head = f'"s":"A","t":{number},"c":"x{number % 3}","m":"{"bs"[number % 2]}","i":{number}'
        pair.read(f'{{"e":"t",{head},"d":[{one},{one}]}}')
        pair.read(f'{{"e":"t","d":[{one}],{head}}}')


def test_an_id_of_several_texts_is_no_trade_id() -> None:
    trades = [
        message(
            "trades",
            when={"e": "t"},
            rows=[
                rows(
                    at="d[]",
                    into="trades",
                    once=("h", "i"),
                    symbol="$.s",
                    ts_event=ms("t"),
                    channel=constant("trades"),
                    price="p",
                    size="q",
                    side=choice("m", {"b": "buy", "s": "sell"}),
                    trade_id=text("i"),
                )
            ],
        )
    ]
    feed = Feed(trades)

    def read(*ids: tuple[str, int]) -> list[float]:
        one = '{{"h":"{}","i":{},"t":1,"p":"{}","q":1,"m":"b"}}'
        listed = ",".join(one.format(h, i, i) for h, i in ids)
        return [
            row["price"]
            for row in feed.rows(f'{{"e":"t","s":"A","d":[{listed}]}}').get("trades", [])
        ]

    for number in range(20):
        assert read(("a", number), ("b", number)) == [number, number]
        assert read(("a", number), ("c", number)) == [number]
