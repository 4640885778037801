"""Rows that a learned message writes straight into columns: as the fallback would write them."""

from __future__ import annotations

from itertools import product

import pytest
from tests.decode.declarations import BOOKS, TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

NUMBERS = ("1.5", "0", "7", "0.00000001", "61837.63000000", "123456789012345", "-2.25", "1e3",
           "1234567.12345678901", "9" * 17, "0.1", "00", "1.", "", "x")  # fmt: skip
TIMES = ("1700000000123", "0", "9223372036854", "9223372036855", "17e2", "1700000000123.5", "-1")
TRADE = '{"s":"%s","t":%s,"p":"%s","q":%s,"x":"y","m":"%s","i":%s}'


def listed(*trades: str) -> str:
    return '{{"e":"listed","data":[{}]}}'.format(",".join(trades))


def compared(feed: Feed, model: Model, payload: str) -> None:
    expected = model.decode(payload.encode())
    assert feed.rows(payload) == (expected or {}), payload
    assert len(feed.reasons()) == (expected is None), payload


def test_every_value_in_a_learned_place_is_read_as_it_is() -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    ids = iter(range(1, 1_000_000))
    for price, time in product(NUMBERS, TIMES):
        for side in ("b", "s", "z"):
            usual = TRADE % ("A", TIMES[0], "1.5", "2", "b", next(ids))
            other = TRADE % ("B" * len(price), time, price, price or "null", side, next(ids))
            compared(feed, model, listed(usual))
            compared(feed, model, listed(usual.replace('"i":', '"i":9'), other))
            compared(feed, model, listed(other.replace('"i":', '"i":8')))


@pytest.mark.parametrize("n_symbols", [1, 3, 300])
def test_symbols_of_any_number_keep_their_rows(n_symbols: int) -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    for n in range(900):
        symbol = f"SYM{n * 7 % n_symbols}" * (1 + n % 5)
        compared(feed, model, listed(TRADE % (symbol, n, "1.5", n, "b", n + 1)))


def test_trades_that_have_come_before_are_left_out_wherever_they_stand() -> None:
    feed = Feed(TRADES)
    usual = [TRADE % ("A", 1, "1.5", 2, "b", n) for n in range(1, 9)]
    assert [row["trade_id"] for row in feed.rows(listed(*usual[:3]))["trades"]] == ["1", "2", "3"]
    assert [row["trade_id"] for row in feed.rows(listed(*usual[1:5]))["trades"]] == ["4", "5"]
    assert feed.rows(listed(*usual[:5])) == {}
    found = feed.rows(listed(usual[0], usual[6], usual[2], usual[5]))["trades"]
    assert [row["trade_id"] for row in found] == ["7", "6"]


def test_a_message_that_fails_takes_its_direct_rows_back() -> None:
    feed = Feed(TRADES)
    usual = [TRADE % ("A", 1, "1.5", 2, "b", n) for n in range(1, 9)]
    assert len(feed.rows(listed(*usual[:2]))["trades"]) == 2
    assert feed.rows(listed(*usual[2:5])[:-1] + "]") == {}
    assert feed.rows(listed(*usual[2:5], TRADE % ("A", 1, "x", 2, "b", 99))) == {}
    assert [reason for reason, _ in feed.reasons()] == ["not_json", "bad_number"]
    # Their ids are not remembered.
    assert len(feed.rows(listed(*usual[2:5]))["trades"]) == 3


@pytest.mark.parametrize("between", [",", " ,", ",\n", "\t,  "])
def test_white_space_between_direct_rows_gives_none_twice(between: str) -> None:
    feed, model = Feed(BOOKS), Model(BOOKS, DATA)
    for n in range(9):
        levels = (between if n > 3 else ",").join(f'["{n}.{i}","{i}"]' for i in range(3))
        payload = (
            f'{{"e":"whole and levels","s":"A","t":{n},"p":1,"snap":true,"u":{n},'
            f'"more":[{levels}]}}'
        ).encode()
        assert feed.rows(payload) == model.decode(payload)


def test_symbols_that_are_not_named_give_no_direct_rows() -> None:
    feed = Feed(TRADES, symbols=["A"])
    for n in range(1, 20):
        both = [TRADE % (symbol, n, "1.5", 2, "b", n) for symbol in ("A", "B")]
        payload = '{{"e":"filtered","data":[{}]}}'.format(",".join(both))
        assert [row["symbol"] for row in feed.rows(payload)["trades"]] == ["A"]


def test_labels_are_what_the_connection_says() -> None:
    feed = Feed(TRADES, labels={"trades": "mine"})
    for n in range(1, 6):
        (row,) = feed.rows(listed(TRADE % ("A", n, "1.5", 2, "b", n)))["trades"]
        assert row["channel"] == "mine"


@pytest.mark.parametrize("n_levels", [1, 5, 6, 7, 40, 200, 511])
def test_a_ring_without_room_for_all_levels_takes_none(n_levels: int) -> None:
    feed, model = Feed(BOOKS, rows=1024), Model(BOOKS, DATA)
    text = '{"e":"sides","t":%d,"kind":"full","data":{"s":"A","u":%d,"b":[%s],"a":[%s]}}'
    offered: list[str] = []
    for n in range(1, 2000):
        levels = ",".join(f'["{n}.{i:04}","{i}.5"]' for i in range(n_levels))
        payload = text % (n, n, levels, levels if n_levels < 300 else '["1","2"]')
        if not feed.offer(payload):
            break
        offered.append(payload)
    else:
        raise AssertionError("the ring never filled")
    n_rows = n_levels + (n_levels if n_levels < 300 else 1)
    assert 1024 - n_rows <= n_rows * len(offered) <= 1023
    found = feed.take("book")
    expected = [row for one in offered for row in (model.decode(one.encode()) or {})["book"]]
    assert [(row["price"], row["size"], row["last"]) for row in found] == [
        (row["price"], row["size"], row["last"]) for row in expected
    ]
    assert feed.offer(payload)
    assert len(feed.take("book")) == n_rows


@pytest.mark.parametrize("n_places", [1, pytest.param(4, marks=pytest.mark.thorough)])
def test_levels_of_every_form_among_levels_of_one_form(n_places: int) -> None:
    feed, model = Feed(BOOKS), Model(BOOKS, DATA)
    level = '{"e":"nested","data":[{"s":"A","t":%d,"levels":[[%s],[%s]]}]}'
    usual = [f"[{n}.25,{n},{n}]" for n in range(1, 30)]
    counts = ("0", "2147483647", "2147483648", "-1", "1.5", "null", '"3"')
    for n, (number, count) in enumerate(product((*NUMBERS[:-4], "null"), counts)):
        for at in ((0, 1, 15, 28) * 2)[n % 4 : n % 4 + n_places]:
            odd = [*usual[:at], f"[{number},2,{count}]", *usual[at:]]
            compared(feed, model, level % (n, ",".join(odd), ",".join(usual)))
            compared(feed, model, level % (n, ",".join(usual), ",".join(odd)))


@pytest.mark.parametrize(
    "between", ["", ";", "x", " ", "\t,", ", ", ",,", "]", "}", "],", ",[", '"', ":", "\n,\n"]
)
def test_what_stands_between_levels_is_looked_at(between: str) -> None:
    feed, model = Feed(BOOKS), Model(BOOKS, DATA)
    text = '{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":1,"b":[%s],"a":[%s]}}'
    levels = [f'["{n}.25","{n}"]' for n in range(1, 41)]
    usual = ",".join(levels)
    compared(feed, model, text % (usual, usual))
    for at in (1, 2, 20, 39):
        odd = ",".join(levels[:at]) + between + ",".join(levels[at:])
        compared(feed, model, text % (odd, usual))
        compared(feed, model, text % (usual, odd))
        compared(feed, model, text % (usual, usual))


def test_every_byte_of_a_level_is_looked_at() -> None:
    feed, model = Feed(BOOKS), Model(BOOKS, DATA)
    text = '{"e":"nested","data":[{"s":"A","t":1,"levels":[[%s],[[1,2,3]]]}]}'
    levels = [f"[{n}.25,{n},{n}]" for n in range(11, 41)]
    compared(feed, model, text % ",".join(levels))
    for at, other in product(range(len(levels[5])), '0.,["x]e-'):
        odd = levels[5][:at] + other + levels[5][at + 1 :]
        compared(feed, model, text % ",".join([*levels[:5], odd, *levels[6:]]))
