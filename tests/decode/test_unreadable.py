"""Values of a venue's own columns that cannot be read are null and counted; their rows stay."""

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
            is_snapshot="$.i",
        )
    ],
)
OWN = (
    Column("premium", Kind.F64, nullable=True),
    Column("n_makers", Kind.I32, nullable=True),
    Column("is_open", Kind.BOOL, nullable=True),
    Column("since", Kind.TS, nullable=True),
)
TABLES = {name: DATA[name].with_extras(OWN) for name in ("tickers", "book")}
COLUMNS = {"p": "premium", "f": "n_makers", "o": "is_open", "t": "since"}
GOOD = {"e": "t", "s": "A", "t": 5, "p": "1.5", "m": "2.5", "f": 7, "o": False}
UNREADABLE = ("NaN", "Infinity", "-", "1e", "\ud800")


def ticker(**changed: object) -> bytes:
    return json.dumps(GOOD | changed, separators=(",", ":")).encode()


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


def test_each_value_of_an_array_is_counted() -> None:
    feed = Feed([LEVELS], tables=TABLES)
    good, bad = ["B", "1", "2", 3], ["A", "1", "2", "x"]
    for n in (1, 2, 3):
        levels = [good, bad, good, bad]
        text = json.dumps({"e": "b", "s": "A", "t": 1, "c": "book", "i": True, "l": levels})
        found = [row["n_makers"] for row in feed.rows(text)["book"]]
        assert found == [3, None, 3, None]
        assert feed.decoder.unreadable_values == {"book.n_makers": 2 * n}


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_level_s_own_values_are_required(at: int) -> None:
    feed = Feed([LEVELS], tables=TABLES)
    level = ["B", "1", "2", 3]
    level[at] = "x"
    text = json.dumps({"e": "b", "s": "A", "t": 1, "c": "book", "i": True, "l": [level]})
    assert feed.rows(text) == {}
    assert len(feed.reasons()) == 1
    assert feed.decoder.unreadable_values == {}


def test_what_is_refused_counts_no_value() -> None:
    feed = Feed([TICKER], tables=TABLES)
    assert feed.rows(ticker(p="NaN", s=None)) == {}
    assert feed.rows(ticker(p={})) == {}
    assert feed.rows(ticker(p="NaN", m="NaN")) == {}
    assert [reason for reason, _ in feed.reasons()] == ["missing", "wrong_kind", "bad_number"]
    assert feed.decoder.unreadable_values == {}
    assert feed.decoder.optional_columns == [
        "tickers.is_open",
        "tickers.n_makers",
        "tickers.premium",
        "tickers.since",
    ]
