"""Exchanges with books in band, simulated: feeds get all that is sent, and their books are right.

Books are followed by slow ones that know only what a venue's documents say: how ids go on, and what
a checksum is made of.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import websockets
from tests.sim.alike import one_of_each

from tickwire.config import Source
from tickwire.errors import ConfigError
from tickwire.feed import FeedHandler
from tickwire.sim import Simulator
from tickwire.sim.market import Symbol

Asks = Callable[[str], dict[str, Any]]
ASKS: dict[str, tuple[str, Asks]] = {
    "okx": (
        "BTC-USDT",
        lambda name: {"op": "subscribe", "args": [{"channel": "books", "instId": name}]},
    ),
    "bybit": ("BTCUSDT", lambda name: {"op": "subscribe", "args": [f"orderbook.50.{name}"]}),
    "coinbase": (
        "BTC-USD",
        lambda name: {"type": "subscribe", "channel": "level2", "product_ids": [name]},
    ),
    "kraken": (
        "BTC/USD",
        lambda name: {
            "method": "subscribe",
            "params": {"channel": "book", "symbol": [name], "depth": 25},
        },
    ),
}
DEPTHS = {"okx": 400, "bybit": 50, "coinbase": 10_000, "kraken": 25}
FEEDS = {
    "okx": (["trades", "quotes", "book", "candles:1m", "tickers"], ["BTC-USDT", "BTC-USDT-SWAP"]),
    "bybit": (["trades", "quotes", "book", "candles:1m", "tickers", "liquidations"], ["BTCUSDT"]),
    "bybit-spot": (["trades", "quotes", "book", "tickers"], ["BTCUSDT"]),
    "coinbase": (["trades", "quotes", "book", "candles:5m", "tickers"], ["BTC-USD", "ETH-USD"]),
    "kraken": (["trades", "quotes", "book:25", "candles:1m", "tickers"], ["BTC/USD", "ETH/USD"]),
    "deribit": (["trades", "quotes", "book", "candles:1m", "tickers"], ["BTC-PERPETUAL"]),
    "bitget-futures": (["trades", "quotes", "book", "candles:1m", "tickers"], ["BTCUSDT"]),
    "bitget": (["trades", "book", "tickers"], ["BTCUSDT"]),
    "gate": (["trades", "quotes", "book", "candles:1m", "tickers"], ["BTC_USDT"]),
    "gate-futures": (["trades", "quotes", "book", "candles:1m", "tickers"], ["BTC_USDT"]),
    "bitfinex": (["trades", "quotes", "book", "tickers"], ["tBTCUSD", "tETHUSD"]),
    "kraken-futures": (["trades", "quotes", "book", "tickers"], ["PF_XBTUSD", "PF_ETHUSD"]),
}


@pytest.mark.parametrize("venue", one_of_each(FEEDS))
async def test_a_feed_has_every_row_that_was_sent(venue: str) -> None:
    channels, symbols = FEEDS[venue]
    async with Simulator(venue, rate=0, limit=3000) as sim:
        source = Source(
            venue=venue, channels=channels, symbols=symbols, url=sim.ws_url, rest_url=sim.rest_url,
            proxy="off", check_symbols=False,
        )  # fmt: skip
        sim.pause()
        async with FeedHandler([source]) as feed:
            async with asyncio.timeout(30):
                await feed.ready()
                sim.resume()
                await sim.finished()
                while feed.summary()["messages"] < sim.stats.messages:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        summary = feed.summary()
    expected = dict(sim.stats.rows)
    if venue in ("coinbase", "kraken", "kraken-futures", "bitfinex"):
        expected["tickers"] = expected["quotes"]  # one message gives both
    assert {table: summary["rows"][table] for table in expected} == expected
    assert expected["book"] > 500
    assert (summary["unknown_messages"], summary["decode_errors"]) == (0, {})
    assert (summary["gaps"], summary["reconnects"]) == (0, 0)


class Book:
    """A slow book."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[Decimal, tuple[str, str]]] = {"bid": {}, "ask": {}}

    def take(self, side: str, price: str, size: str) -> None:
        if Decimal(size):
            self.sides[side][Decimal(price)] = (price, size)
        else:
            del self.sides[side][Decimal(price)]  # nothing is removed that was not there

    def best(self, side: str, n: int) -> list[tuple[str, str]]:
        levels = self.sides[side]
        return [levels[price] for price in sorted(levels, reverse=side == "bid")[:n]]

    def truncate(self) -> None:
        for side, levels in self.sides.items():
            for price in sorted(levels, reverse=side == "bid")[self.depth :]:
                del levels[price]

    def is_market(self, symbol: Symbol) -> bool:
        """Whether it is the book of the simulator as it stands."""
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        return all(
            self.best(side, self.depth)
            == [(price(ticks), size(lots)) for ticks, lots, _ in own.top(self.depth)]
            for side, own in (("bid", symbol.bids), ("ask", symbol.asks))
        )


def okx(message: Any, book: Book, state: dict[str, Any]) -> bool:
    if "data" not in message:
        return False
    (item,) = message["data"]
    assert item["prevSeqId"] == (-1 if message["action"] == "snapshot" else state["number"])
    state["number"] = item["seqId"]
    for side in ("bid", "ask"):
        for price, size, _, _ in item[f"{side}s"]:
            book.take(side, price, size)
    return True


def bybit(message: Any, book: Book, state: dict[str, Any]) -> bool:
    if "data" not in message:
        return False
    item = message["data"]
    if message["type"] == "delta":
        assert item["u"] == state["number"] + 1
    state["number"] = item["u"]
    for side in ("bid", "ask"):
        for price, size in item[side[0]]:
            book.take(side, price, size)
    return True


def coinbase(message: Any, book: Book, state: dict[str, Any]) -> bool:
    assert message["sequence_num"] == state.get("number", -1) + 1
    state["number"] = message["sequence_num"]
    if message["channel"] != "l2_data":
        return False
    for event in message["events"]:
        for each in event["updates"]:
            side = {"bid": "bid", "offer": "ask"}[each["side"]]
            book.take(side, each["price_level"], each["new_quantity"])
    return True


def kraken(message: Any, book: Book, state: dict[str, Any]) -> bool:
    if message.get("channel") != "book":
        return False
    (item,) = message["data"]
    for side in ("bid", "ask"):
        for each in item[f"{side}s"]:
            book.take(side, each["price"], each["qty"])
    book.truncate()
    texts = [
        text.replace(".", "").lstrip("0")
        for side in ("ask", "bid")
        for level in book.best(side, 10)
        for text in level
    ]
    assert zlib.crc32("".join(texts).encode()) == int(item["checksum"])
    return True


FOLLOWS = {"okx": okx, "bybit": bybit, "coinbase": coinbase, "kraken": kraken}


@asynccontextmanager
async def subscribed(
    sim: Simulator, venue: str, name: str
) -> AsyncIterator[websockets.ClientConnection]:
    async with websockets.connect(sim.ws_url, max_queue=None) as ws:
        await ws.send(json.dumps(ASKS[venue][1](name)))
        yield ws


@pytest.mark.parametrize("venue", FOLLOWS)
async def test_books_keep_the_rules_of_the_venue(venue: str) -> None:
    """By two clients, of which the second comes later: each has a whole chain, and the book."""
    name = ASKS[venue][0]

    def parse(text: str | bytes) -> Any:
        return json.loads(text, parse_float=str)

    async with Simulator(venue, rate=0, limit=1500) as sim:
        sim.pause()
        async with subscribed(sim, venue, name) as first, subscribed(sim, venue, name) as second:
            books = Book(DEPTHS[venue]), Book(DEPTHS[venue])
            states: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
            n = [0, 0]
            async with asyncio.timeout(5):
                while sim.stats.subscriptions < 2:  # noqa: ASYNC110 - the simulator has no event
                    await asyncio.sleep(0.001)
            sim.resume()
            await sim.finished()
            for at, ws in enumerate((first, second)):
                async with asyncio.timeout(20):
                    while n[at] < 700:
                        message = parse(await ws.recv())
                        n[at] += FOLLOWS[venue](message, books[at], states[at])
                    while True:
                        try:
                            text = await asyncio.wait_for(ws.recv(), 0.2)
                        except TimeoutError:
                            break
                        FOLLOWS[venue](parse(text), books[at], states[at])
        symbol = sim.market.symbols[name]
        # The last event may have changed the book without a message of its own yet.
        if symbol.n_events % 2 == 0:
            assert all(book.is_market(symbol) for book in books)


@pytest.mark.parametrize("venue", FOLLOWS)
async def test_what_is_no_symbol_is_refused(venue: str) -> None:
    async with Simulator(venue, rate=0, limit=1) as sim, subscribed(sim, venue, "NO-NE") as ws:
        said = await asyncio.wait_for(ws.recv(), 5)
        assert "NO-NE" in str(said) or "Invalid" in str(said)
        await ws.send("[]")
        assert json.loads(await asyncio.wait_for(ws.recv(), 5))


async def test_okx_can_break_a_link_and_end_a_subscription() -> None:
    faults = ["break-sequence/5=book"]
    async with Simulator("okx", rate=2000, faults=faults) as sim:
        async with subscribed(sim, "okx", "BTC-USDT") as ws:
            links = []
            while len(links) < 11:
                message = json.loads(await asyncio.wait_for(ws.recv(), 5))
                if message.get("action") == "update":
                    links.append((message["data"][0]["prevSeqId"], message["data"][0]["seqId"]))
            broken = [a[1] != b[0] for a, b in pairwise(links)]
            assert broken.count(True) == 2
            sim.inject("unsubscribe=BTC-USDT")
            async with asyncio.timeout(5):
                while "unsubscribe" not in str(await ws.recv()):
                    pass
        assert sim.stats.faults["break-sequence"] >= 2


def test_what_has_no_links_cannot_break_one() -> None:
    with pytest.raises(ConfigError, match="kraken has no ids that link"):
        Simulator("kraken", faults=["break-sequence"])
