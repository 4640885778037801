"""Values of nullable columns that cannot be read are null and counted; their rows stay."""

from __future__ import annotations

import json

import pytest
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import choice, message, ms, rows
from tickwire.schema import Column, Kind

TICKER = message(
    "ticker",
    when={"e": "t"},
    rows=[
        rows(
            at="",
            into="tickers",
            symbol="s",
            mark_price="m",
            premium="p",
            n_makers="f",
            is_open="o",
            since=ms("t"),
            note="n",
            next_funding_ts=ms("g"),
        )
    ],
)
CARRIED = message(
    "carried",
    when={"e": "c"},
    rows=[rows(at="d[]", into="tickers", carry=True, symbol="s", mark_price="m", premium="p")],
)
CANDLE = message(
    "candle",
    when={"e": "k"},
    rows=[
        rows(
            at="",
            into="candles",
            symbol="s",
            ts_event=ms("t"),
            interval="i",
            ts_open=ms("t"),
            ts_close=ms("t"),
            open="p",
            high="p",
            low="p",
            close="p",
            volume="p",
            trade_count="n",
            closed="x",
        )
    ],
)
LEVELS = message(
    "book",
    when={"e": "b"},
    rows=[
        rows(
            at="l[]",
            into="book",
            symbol="$.s",
            ts_event=ms("$.t"),
            channel="$.c",
            side=choice("[0]", {"B": "bid", "A": "ask"}),
            price="[1]",
            size="[2]",
            n_makers="[3]",
            order_count="[4]",
            venue_seq="$.u",
            is_snapshot="$.i",
        )
    ],
)
OWN = (
    Column("premium", Kind.F64, nullable=True),
    Column("n_makers", Kind.I32, nullable=True),
    Column("is_open", Kind.BOOL, nullable=True),
    Column("since", Kind.TS, nullable=True),
    Column("note", Kind.TEXT, nullable=True),
)
TABLES = {name: DATA[name].with_extras(OWN) for name in ("tickers", "book")} | {
    "candles": DATA["candles"]
}
COLUMNS = {
    "p": "premium",
    "f": "n_makers",
    "o": "is_open",
    "t": "since",
    "m": "mark_price",
    "g": "next_funding_ts",
}
GOOD = {"e": "t", "s": "A", "t": 5, "p": "1.5", "m": "2.5", "f": 7, "o": False, "n": "x", "g": 6}
BOOK = {"e": "b", "s": "A", "t": 1, "c": "book", "i": True, "u": 9}
GOOD_CANDLE = {"e": "k", "s": "A", "t": 5, "i": "1m", "p": "1.5", "n": 7, "x": True}
UNREADABLE = ("NaN", "Infinity", "-", "1e", "\ud800", {}, [1], {"a": {"p": "1"}})


def text_of(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def ticker(**changed: object) -> bytes:
    return text_of(GOOD | changed)


@pytest.mark.parametrize("n_before", [0, 1, 5], ids=["first", "second", "by script"])
@pytest.mark.parametrize("bad", UNREADABLE, ids=repr)
@pytest.mark.parametrize("key", COLUMNS)
def test_the_row_stays(key: str, bad: object, n_before: int) -> None:
    feed, model = Feed([TICKER], tables=TABLES), Model([TICKER], TABLES)
    column = COLUMNS[key]
    for _ in range(n_before):
        assert feed.rows(ticker())["tickers"][0][column] is not None
    for n in (1, 2):
        payload = ticker(**{key: bad})
        [row] = feed.rows(payload)["tickers"]
        assert {"tickers": [row]} == model.decode(payload)
        assert row[column] is None
        assert feed.decoder.unreadable_values == {f"tickers.{column}": n}
        assert feed.rows(ticker()) == model.decode(ticker())
    assert feed.decoder.errors == {}


@pytest.mark.parametrize("n_before", [0, 5], ids=["first", "by script"])
@pytest.mark.parametrize("bad", [True, {}, [], "\ud800"], ids=repr)
def test_a_row_stays_whose_text_cannot_be_read(bad: object, n_before: int) -> None:
    feed, model = Feed([TICKER], tables=TABLES), Model([TICKER], TABLES)
    for _ in range(n_before):
        feed.rows(ticker())
    for n in (1, 2):
        [row] = feed.rows(ticker(n=bad))["tickers"]
        assert {"tickers": [row]} == model.decode(ticker(n=bad))
        assert row["note"] is None
        assert feed.decoder.unreadable_values == {"tickers.note": n}
    assert feed.rows(ticker())["tickers"][0]["note"] == "x"


@pytest.mark.parametrize("bad", [True, {}], ids=repr)
@pytest.mark.parametrize(
    ("key", "column"), [("n", "trade_count"), ("x", "closed"), ("t", ""), ("p", ""), ("i", "")]
)
def test_what_a_candle_requires_is_never_null(key: str, column: str, bad: object) -> None:
    bad = "yes" if key == "x" and bad is True else bad
    feed, model = Feed([CANDLE], tables=TABLES), Model([CANDLE], TABLES)
    payload = text_of(GOOD_CANDLE | {key: bad})
    assert feed.rows(payload) == (model.decode(payload) or {})
    assert feed.decoder.unreadable_values == ({f"candles.{column}": 1} if column else {})
    assert len(feed.reasons()) == (not column)


def test_a_value_that_cannot_be_read_is_not_carried_and_not_filled_from_before() -> None:
    feed, model = Feed([CARRIED], tables=TABLES), Model([CARRIED], TABLES)
    found = []
    for items in (
        [{"m": "1", "p": "5"}],
        [{"m": "NaN"}, {}, {"p": {}}, {"m": "3"}],
        [{}],
    ):
        payload = text_of({"e": "c", "d": [{"s": "A"} | item for item in items]})
        rows_now = feed.rows(payload)
        assert rows_now == model.decode(payload)
        found += [(row["mark_price"], row["premium"]) for row in rows_now["tickers"]]
    assert found == [(1, 5), (None, 5), (None, 5), (None, None), (3, None), (3, None)]


def test_each_value_of_an_array_is_counted() -> None:
    feed = Feed([LEVELS], tables=TABLES)
    good, bad = ["B", "1", "2", 3, 4], ["A", "1", "2", "x", {}]
    for n in (1, 2, 3):
        levels = [good, bad, good, bad]
        text = json.dumps(BOOK | {"l": levels, "u": []})
        found = feed.rows(text)["book"]
        assert [row["n_makers"] for row in found] == [3, None, 3, None]
        assert [row["order_count"] for row in found] == [4, None, 4, None]
        assert [row["venue_seq"] for row in found] == [None] * 4
        assert feed.decoder.unreadable_values == {
            "book.n_makers": 2 * n,
            "book.order_count": 2 * n,
            "book.venue_seq": n,
        }


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_level_s_own_values_are_required(at: int) -> None:
    feed = Feed([LEVELS], tables=TABLES)
    level = ["B", "1", "2", 3, 4]
    level[at] = "x"
    text = json.dumps(BOOK | {"l": [level]})
    assert feed.rows(text) == {}
    assert len(feed.reasons()) == 1
    assert feed.decoder.unreadable_values == {}


def test_what_is_refused_counts_no_value() -> None:
    feed = Feed([TICKER], tables=TABLES)
    assert feed.rows(ticker(p="NaN", s=None)) == {}
    assert feed.rows(ticker(p="NaN", s={})) == {}
    assert feed.rows(ticker(p="NaN")[:-1]) == {}
    assert [reason for reason, _ in feed.reasons()] == ["missing", "wrong_kind", "not_json"]
    assert feed.decoder.unreadable_values == {}
    assert feed.decoder.optional_columns == [
        "tickers.is_open",
        "tickers.mark_price",
        "tickers.n_makers",
        "tickers.next_funding_ts",
        "tickers.note",
        "tickers.premium",
        "tickers.since",
    ]


def test_nothing_is_counted_for_a_route_that_a_message_is_not_of() -> None:
    feed = Feed([TICKER, message("other", when={"e": "u"})], tables=TABLES)
    for _ in range(3):
        # They begin alike, so the second one is taken for one of the first.
        assert len(feed.rows('{"s":"A","e":"t","m":"1"}')["tickers"]) == 1
        assert feed.rows('{"s":"A","e":"u","m":"x"}') == {}
    assert feed.decoder.unreadable_values == {}
