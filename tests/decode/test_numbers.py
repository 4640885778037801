"""Symbols by numbers that acknowledgements give."""

import json
from typing import Any

import pytest
from tests.decode.feeds import Feed

from tickwire.decode._numbers import Numbers
from tickwire.decode.naming import named_in, naming_paths
from tickwire.decode.plan import lookup, message, number, present, rows
from tickwire.errors import PlanError
from tickwire.venues._bitfinex_messages import MESSAGES as BITFINEX

NAMED = message(
    "subscribed", when={"event": "subscribed"}, kind="acknowledge", names=("id", "of.symbol")
)
MESSAGES = (
    NAMED,
    message(
        "mid",
        when={"[1]": present()},
        rows=[rows(at="", into="mids", symbol=lookup("[0]"), price=number("[1]"))],
    ),
)


def named(number: Any, symbol: Any = "BTC") -> str:
    return json.dumps({"event": "subscribed", "id": number, "of": {"symbol": symbol}})


def test_a_table_finds_what_was_put() -> None:
    numbers = Numbers()
    assert (len(numbers), numbers.find(5)) == (0, None)
    for at in range(1000):
        numbers.put(at * 7919 - 4000, at)
    numbers.put(-4000, 5)
    assert len(numbers) == 1000
    assert [numbers.find(at * 7919 - 4000) for at in range(1000)] == [5, *range(1, 1000)]
    assert numbers.find(1) is None


def test_rows_have_the_symbol_of_their_number() -> None:
    feed = Feed(MESSAGES)
    for text in (named(17), "[17,1]", named("18", "ETH"), '["18",2]', "[17,3]"):
        assert feed.offer(text)
    assert [(row["symbol"], row["price"]) for row in feed.take("mids")] == [
        ("BTC", 1.0), ("ETH", 2.0), ("BTC", 3.0),
    ]  # fmt: skip
    assert len(feed.connection.take_events()) == 2


def test_a_number_may_change_its_symbol() -> None:
    feed = Feed(BITFINEX, wanted=["book"])

    def told(symbol: str) -> str:
        return f'{{"event":"subscribed","channel":"book","chanId":17,"symbol":"{symbol}"}}'

    assert feed.offer(told("tBTCUSD"))
    for at in range(200):
        assert feed.offer(f"[17,[{at}.5,{at % 2},-2.25],{at}]")
    assert feed.offer(told("tETHUSD"))
    assert feed.offer("[17,[7.5,1,2.25],200]")
    found = feed.take("book")
    assert [row["symbol"] for row in found] == ["tBTCUSD"] * 200 + ["tETHUSD"]
    assert [row["size"] for row in found[:2]] == [0.0, 2.25]


def test_numbers_that_none_has_named_are_quarantined() -> None:
    feed = Feed(MESSAGES)
    assert feed.offer(named(17))
    for text in ("[18,1]", "[true,1]", '["x",1]', "[1.5,1]", "[17,1]"):
        assert feed.offer(text)
    assert [row["symbol"] for row in feed.take("mids")] == ["BTC"]
    assert feed.decoder.errors == {"unknown_choice": 1, "wrong_kind": 1, "bad_number": 2}


def test_a_connection_has_its_own_numbers() -> None:
    feed = Feed(MESSAGES)
    other = feed.decoder.connection(8)
    assert feed.offer(named(17))
    assert other.decode(named(17, "ETH").encode(), 1)
    assert other.decode(b"[17,1]", 1)
    assert feed.offer("[17,2]")
    assert [row["symbol"] for row in feed.take("mids")] == ["ETH", "BTC"]


def test_symbols_that_are_not_configured_are_left_out() -> None:
    feed = Feed(MESSAGES, symbols=["ETH"])
    for text in (named(17), named(18, "ETH"), "[17,1]", "[18,2]"):
        assert feed.offer(text)
    assert [row["symbol"] for row in feed.take("mids")] == ["ETH"]
    assert feed.decoder.unconfigured_rows == {"mids": 1}


@pytest.mark.parametrize(
    "text",
    [
        named(None),
        named(True),
        named(1 << 63),
        named(1, 2),
        named("x"),
        '{"event":"subscribed","id":1}',
    ],
)
def test_acknowledgements_that_name_nothing_are_quarantined(text: str) -> None:
    feed = Feed(MESSAGES)
    assert feed.offer(text)
    assert feed.decoder.errors == {"missing": 1}
    assert len(feed.connection.take_events()) == 1


def test_a_symbol_for_which_there_is_no_room_is_quarantined() -> None:
    feed = Feed(MESSAGES, max_symbols=1)
    assert feed.offer(named(1))
    assert feed.offer(named(2, "ETH"))
    assert feed.decoder.errors == {"dictionary_full": 1}


def test_paths_of_names() -> None:
    paths = naming_paths(("$[1]", "of.symbol"))
    assert paths == ((1,), ("of", "symbol"))
    assert named_in(naming_paths(("a", "b")), b'{"a":"-7","b":"X"}') == (-7, "X")
    assert named_in(naming_paths(("a", "b")), b"no JSON") is None


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([MESSAGES[1]], "lookup.* needs a message"),
        ([message("x", when={"a": 1}, names=("a", "b"))], "of kind 'acknowledge'"),
        ([message("x", when={"a": 1}, kind="acknowledge", names=("a[]", "b"))], "one scalar each"),
        ([message("x", when={"a": 1}, kind="acknowledge", names=("a", ""))], "one scalar each"),
    ],
)
def test_a_wrong_declaration_says_so(messages: list[Any], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        Feed(messages)
