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


def with_count(price: object, size: object, count: object = None) -> str:
    return f'["{price}","{size}"' + (f",{count}]" if count is not None else "]")


ODD = (
    "",  # two elements as they are, with a space between them
    ' ["2.5","1"]',
    '["2.5" ,"1"]',
    '["2.5","1" ]',
    '["-2.5","1"]',
    '["1e-7","0"]',
    "[2.5,1]",
    '["2.5","1",7,"x"]',
    '["2.5","\\u0031"]',
    '["123456789012345678901234567890.5","1"]',
    "null",
    "[]",
    "{}",
    '["2.5"]',
    '["x","1"]',
    '["2.5","1"',
    '["2.5","1"]]',
    '["2.5","1"] x',
)


@pytest.mark.parametrize("odd", ODD)
def test_an_element_of_a_list_may_look_otherwise(odd: str) -> None:
    pair, rng = Pair(book("b[]", "a[]", ts_event=ms("$.t"), order_count="[2]")), Random(odd)
    for number in range(1, 80):
        sides = [
            [with_count(f"{rng.randrange(999)}.5", i) for i in range(rng.randrange(9))]
            for _ in "ba"
        ]
        side = rng.choice(sides)
        if number > 20 and number % 4 == 0:
            side.insert(rng.randrange(len(side) + 1), odd or '["7.5","1"], ["6.5","1"]')
        bids, asks = map(",".join, sides)
        pair.read(f'{{"e":"book","t":{number},"s":"A","b":[{bids}],"a":[{asks}]}}')
    assert pair.n_scripted > 35


def test_an_element_with_a_value_more_keeps_it() -> None:
    """Of the others the column is null, and of all it is written at once."""
    pair = Pair(book("b[]", ts_event=ms("$.t"), order_count="[2]"))
    levels = [with_count(f"{i}.5", "2") for i in range(20)]
    for number in range(20):
        at = number * 7 % 20
        odd = [*levels[:at], with_count("70.5", "2", 9), *levels[at + 1 :]]
        # Elements of several lengths are walked when they are learned.
        n_odd = number > 3 and number % 3 == 0
        fast = pair.read(
            f'{{"e":"book","t":{number},"s":"A","b":[{",".join(odd if n_odd else levels)}]}}'
        )
        assert fast or not number


def test_a_script_whose_elements_all_look_otherwise_makes_way() -> None:
    """What repeats is learned anew, and the old form is still known when it comes back."""
    pair = Pair(book("b[]", ts_event=ms("$.t")))
    spaced = '["{}.5", "2"]'
    for form, n_walked in (('["{}.5","2"]', 1), (spaced, 2), ('["{}.5","2"]', 1)):
        levels = ",".join(form.format(i) for i in range(10))
        fast = [
            pair.read(f'{{"e":"book","t":{number},"s":"A","b":[{levels}]}}') for number in range(20)
        ]
        assert fast.count(False) <= n_walked
        assert all(fast[n_walked:])


@pytest.mark.parametrize("n_levels", [1, 2, 3, 40, 300])
def test_levels_go_around_the_end_of_their_ring(n_levels: int) -> None:
    pair = Pair(book("b[]", "a[]", ts_event=ms("$.t"), venue_seq="$.u"))
    levels = ",".join(f'["{i}.25","{i + 1}"]' for i in range(n_levels))
    for number in range(4096 // (2 * n_levels) % 60 + 30):
        text = f'"b":[{levels}],"a":[["9.5","1"],{levels}]'
        fast = pair.read(f'{{"e":"book","t":{number},"u":{number},"s":"A",{text}}}')
        assert fast == (number > 0)


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
