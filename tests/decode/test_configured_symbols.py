"""Rows of symbols that a source does not name: left out and counted, the same for every table."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decode.declarations import STATES, TRADES
from tests.decode.feeds import Feed
from tests.decode.test_book_decoder import Spliced, answer, depth

from tickwire.decode.plan import constant, member_key, message, ms, rows

LEVELS: dict[str, Any] = {
    "into": "book",
    "channel": constant("book"),
    "price": "[0]",
    "size": "[1]",
    "is_snapshot": constant(True),
}
DECLARED = (
    *TRADES,
    *STATES,
    message(
        "book",
        when={"e": "book"},
        rows=[
            rows(at="data.b[]", symbol="$.data.s", side=constant("bid"), **LEVELS),
            rows(at="data.a[]", symbol="$.data.s", side=constant("ask"), **LEVELS),
        ],
    ),
    message(
        "every mid",
        when={"e": "every mid"},
        rows=[rows(at="all{}", into="mids", symbol=member_key(), price="")],
    ),
    message(
        "quote",
        when={"e": "quote"},
        rows=[rows(at="", into="quotes", symbol="s", ts_event=ms("t"), bid_price="b")],
    ),
)
# A message of a table: with a symbol, and a number that makes it new.
MESSAGES = {
    "trades": '{"e":"flat","s":"%s","t":1700000000123,"p":"1.5","q":2,"m":"b","i":%d}',
    "candles": '{"e":"candle","s":"%s","k":{"i":"1m","t":%d,"T":18,"o":"1.5","h":"2","l":"1",'
    '"c":"1.75","v":"10.25","n":3,"x":true}}',
    "tickers": '{"e":"full","data":{"s":"%s","l":%d,"m":2,"f":3},"t":1}',
    "quotes": '{"e":"quote","s":"%s","t":%d,"b":"1"}',
    # Its symbol stands behind the levels, which are rows by then.
    "book": '{"e":"book","data":{"b":[["9","1"],["8","1"]],"a":[["10","1"]],"s":"%s","u":%d}}',
    "mids": '{"e":"every mid","all":{"A":1,"%s":%d}}',
}
ROWS_EACH = {"book": 3}


@pytest.mark.parametrize("table", MESSAGES)
def test_they_are_left_out_and_counted(table: str) -> None:
    feed = Feed(DECLARED, symbols=["A", "UNSEEN"])
    n_each, text = ROWS_EACH.get(table, 1), MESSAGES[table]
    for number in range(1, 30):
        # Templates, level caches and scripts learn from what is configured, and read the rest.
        for _ in range(number % 4):
            found = feed.rows(text % ("A", number))
            assert {row["symbol"] for row in found.get(table, [])} <= {"A"}
        found = feed.rows(text % ("BCD"[number % 3], number))
        assert {row["symbol"] for row in found.get(table, [])} == (
            {"A"} if table == "mids" else set()
        )
    assert feed.decoder.unconfigured_rows == {table: 29 * n_each}
    assert feed.reasons() == []
    assert feed.decoder.unknown_messages == 0


@pytest.mark.parametrize("table", MESSAGES)
def test_a_star_configures_them_all(table: str) -> None:
    feed = Feed(DECLARED)
    assert "B" in {row["symbol"] for row in feed.rows(MESSAGES[table] % ("B", 1))[table]}
    assert feed.decoder.unconfigured_rows == {}


def test_a_message_that_is_refused_counts_none() -> None:
    feed = Feed(TRADES, symbols=["A"])
    trade = '{"s":"%s","t":1700000000123,"p":"%s","q":2,"m":"b","i":1}'
    good, bad = trade % ("B", "1.5"), trade % ("A", "x")
    assert feed.rows(f'{{"e":"listed","data":[{good},{bad}]}}') == {}
    assert [reason for reason, _ in feed.reasons()] == ["bad_number"]
    assert feed.decoder.unconfigured_rows == {}
    feed.rows(f'{{"e":"listed","data":[{good}]}}')
    assert feed.decoder.unconfigured_rows == {"trades": 1}


def test_their_deltas_do_not_wait_for_a_snapshot() -> None:
    feed = Spliced(symbols=["A"])
    for first in range(1, 20):
        assert feed.offer(depth(first, first, "B", levels=2))
        assert feed.offer(depth(first, first, "A"))
    assert feed.take("book") == []
    assert feed.decoder.unconfigured_rows == {"book": 38}
    assert feed.held_bytes == sum(len(depth(n, n, "A")) for n in range(1, 20))
    assert feed.body(answer(5)) == "spliced"
    assert {row["symbol"] for row in feed.take("book")} == {"A"}
