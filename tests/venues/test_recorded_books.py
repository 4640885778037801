"""Books of every capture, after every message, against slow ones kept from independent rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import nlargest, nsmallest
from typing import Any

import orjson
import pytest
from tests.book.slow_book import SlowBook
from tests.reference import (
    BinanceReference,
    HyperliquidReference,
    Message,
    RestAnswer,
    read_messages,
    read_rest,
)
from tests.reference.rig import Rig, timeline
from tests.venues import recorded, recorded_others
from tests.venues.test_declared_alone import READ, VENUES

from tickwire.book import BookOutputs, BookReader
from tickwire.ring import Ring
from tickwire.schema import TABLES
from tickwire.venues import load

Rows = list[dict[str, Any]]
Reads = Callable[[Any], Iterator[recorded.Row]]
WHOLE_EVERY = 100  # messages after which all levels are compared; after the others the best ten
MOST_ROWS = 1 << 14

READS: dict[str, Reads] = {
    "okx": recorded.okx,
    "bybit": recorded.bybit,
    "coinbase": recorded.coinbase,
    "kraken": recorded.kraken,
    "deribit": recorded_others.deribit,
    "bitget-futures": recorded_others.bitget,
    "gate": recorded_others.gate,
    "gate-futures": recorded_others.gate_futures,
    "kraken-futures": recorded_others.kraken_futures,
    **READ,
}
# Venue, capture, its messages of books, levels that the client keeps.
CASES = [
    ("binance", "binance/hbt-spot-btcusdt_20240808", 3449, 0),
    ("binance-usdm", "binance/hbt-usdm-btcusdt_20240808", 6546, 0),
    ("binance-coinm", "binance/hbt-coinm-btcusd_perp_20240808", 26823, 0),
    ("binance", "binance/cf-binance-20210405-b38f7c", 4652, 0),
    ("binance", "replay/binance-all6-20240808", 6884, 0),
    ("hyperliquid", "hyperliquid/hlarchive-l2book-btc-20240101-12-a", 4000, 0),
    ("hyperliquid", "hyperliquid/misc-verbatim", 3, 0),
    ("hyperliquid", "hyperliquid/roq-tests", 1, 0),
    ("hyperliquid", "hyperliquid/hbt-docstring-hyperliquid", 1, 0),
    ("okx", "okx/roq-tests", 3, 0),
    ("okx", "okx/tickvault-20260824-books-updates", 6, 0),
    ("bybit", "bybit/cfv3-bybit-20260809-linear", 1598, 0),
    ("coinbase", "coinbase/cfv3-coinbase-20260809-advanced", 546, 0),
    ("kraken", "kraken/dc-kraken-20260816-btcusd-d10", 54, 10),
    ("kraken", "kraken/misc-v2-verbatim", 5, 10),
    ("deribit", "deribit/ccxt-static-20260812", 2, 0),
    ("deribit", "deribit/cf-deribit-20210405-5dd9ce", 187, 0),
    ("deribit", "deribit/cmp-deribit", 8, 0),
    ("bitget-futures", "bitget/roq-v3-20250917", 1, 0),
    ("kraken-futures", "kraken/cf-kraken_futures-20210722-ws1", 7024, 0),
    ("kraken-futures", "kraken_futures/roq-tests", 2, 0),
    ("bitstamp", "bitstamp/cf-bitstamp-20220105-ws1", 717, 0),
    ("bitstamp", "bitstamp/cmp-bitstamp", 2, 0),
    ("gemini", "gemini/cf-gemini-20210624-ws1", 655, 0),
    ("gemini", "gemini/cfv3-gemini-20260809-ws2", 559, 0),
    ("hyperliquid", "hyperliquid/jkorf-subscriptions", 1, 0),
    ("binance-usdm", "binance/cf-binance-20210405-b38f7c", 20, 0),
    ("binance-usdm", "binance/cmp-binance", 5, 0),
    ("binance-usdm", "binance/tardis-mappers", 1, 0),
    ("okx", "okx/ccxt-static-20260812", 1, 0),
    ("bybit", "bybit/roq-tests", 2, 0),
    ("bitget-futures", "bitget/tardis-mappers", 4, 0),
    ("bitstamp", "bitstamp/tardis-mappers", 2, 0),
]


class Referee:
    """The rows of `book` that a capture's events give, by a reference in plain Python."""

    def __init__(self, name: str) -> None:
        self._reads = READS.get(name)
        self._reference: Any = None
        self._n_taken = 0
        if self._reads is None:
            is_binance = name.startswith("binance")
            self._reference = (
                BinanceReference(name, ["book", "book:20"])
                if is_binance
                else HyperliquidReference(["book"])
            )

    def take(self, event: Message | RestAnswer) -> Rows:
        """Give the rows of one event."""
        if self._reads is not None:
            if isinstance(event, RestAnswer):
                return []
            found = self._reads(orjson.loads(event.payload))
            return [row for table, row in found if table == "book"]
        if isinstance(event, RestAnswer):
            self._reference.rest(event.symbol, event.payload, event.ts_recv, event.conn or 0)
        else:
            self._reference.message(event.payload, event.ts_recv, event.conn)
        columns = self._reference.tables["book"]
        first, self._n_taken = self._n_taken, len(columns)
        return [
            {name: values[at] for name, values in columns.values.items()}
            for at in range(first, len(columns))
        ]


class Kept:
    """A reader of what a rig publishes, and slow books beside it."""

    def __init__(self, name: str, depth: int) -> None:
        venue = VENUES.get(name) or load(name)
        self.rig = Rig.of(venue, ["book", "book:20"] if name == "binance" else ["book"])
        self.depth = depth
        self.reader = BookReader(self.rig.rings["book"])
        self.reader.bind(
            BookOutputs(Ring(TABLES["top"], MOST_ROWS, self.rig.dictionaries), None),
            lambda _venue, _channel: (True, True, depth),
        )
        self._venue = self.rig.dictionaries.venue.code(name)
        self.slow: dict[tuple[str, str], SlowBook] = {}
        self._message: Rows = []

    def feed(self, event: Message | RestAnswer) -> None:
        """Decode an event, and apply what it published."""
        if isinstance(event, RestAnswer):
            if self.rig.splice is None:
                return
            last_id = orjson.loads(event.payload)["lastUpdateId"]
            self.rig.rest(event.symbol, event.payload, last_id, event.ts_recv, event.conn or 0)
        else:
            self.rig.message(event.payload, event.ts_recv, event.conn)
        assert self.reader.read()

    def apply(self, rows: Rows) -> list[tuple[str, str]]:
        """Apply rows to the slow books; gives those that ended a message."""
        touched = []
        for row in rows:
            self._message.append(row)
            if row["last"]:
                key = (row["symbol"], row["channel"])
                levels = [
                    (r["side"], r["price"], r["size"]) for r in self._message if r.get("side")
                ]
                slow = self.slow.setdefault(key, SlowBook(self.depth))
                slow.apply(levels, is_snapshot=bool(row["is_snapshot"]))
                self._message = []
                touched.append(key)
        return touched

    def check(self, key: tuple[str, str], *, is_whole: bool) -> None:
        """Compare a book with its slow one."""
        symbol, channel = key
        of = self.rig.dictionaries.of
        number = self.reader.find_book(
            self._venue, of("channel").code(channel), self.rig.dictionaries.symbol.code(symbol)
        )
        bids, asks = self.reader.levels(number, None if is_whole else 10)
        slow = self.slow[key].sides
        if is_whole:
            expected = (self.slow[key].sorted("bid"), self.slow[key].sorted("ask"))
        else:
            expected = (nlargest(10, slow["bid"].items()), nsmallest(10, slow["ask"].items()))
        assert (bids.tolist(), asks.tolist()) == expected


@pytest.mark.captures
@pytest.mark.parametrize(("name", "capture", "n_messages", "depth"), CASES)
def test_a_book_is_the_slow_one_after_every_message(
    name: str, capture: str, n_messages: int, depth: int
) -> None:
    kept, referee = Kept(name, depth), Referee(name)
    recorded.CARRIED.clear()
    n_seen = 0
    for event in timeline(read_messages(capture), read_rest(capture)):
        kept.feed(event)
        for key in dict.fromkeys(kept.apply(referee.take(event))):
            n_seen += 1
            kept.check(key, is_whole=n_seen % WHOLE_EVERY == 0)
    for key in kept.slow:
        kept.check(key, is_whole=True)
    assert kept.reader.n_orphans == sum(each.n_orphans for each in kept.slow.values())
    assert kept.reader.n_crossed == sum(each.n_crossed for each in kept.slow.values())
    assert n_seen == n_messages
