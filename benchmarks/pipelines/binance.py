"""Binance's messages to rows by the usual parsers; books as deltas, without a snapshot.

Rules of this file
------------------
- As in `rows.py`: the fastest plain form for each parser, all columns filled.
- A connection has one venue. A spot quote has neither a kind nor a time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any

import msgspec
import orjson
from benchmarks.pipelines.parsers import KeptObjects, Payload, Tables
from benchmarks.pipelines.rows import FLUSH_ROWS, Target

SPOT = "binance"


def is_spot(target: Target) -> bool:
    """Whether what comes is of the spot market, whose messages say less."""
    return bool(target.venue[0].as_py() == SPOT)


class OrjsonParser(Tables):
    """Dicts by orjson, values to lists.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target, snapshots=False)
        self.is_spot = is_spot(target)
        self._loads = orjson.loads

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        data = self._loads(payload).get("data")
        if data is None:
            return
        kind = data.get("e", "bookTicker")
        if kind == "bookTicker":
            self._add_quote(data)
        elif kind == "trade":
            if data.get("X", "MARKET") == "MARKET":
                self._add_trade(data)
        elif kind == "depthUpdate":
            self._add_levels(data)

    def _add_trade(self, trade: dict[str, Any]) -> None:
        rows = self.trades
        rows.coins.append(trade["s"])
        rows.ms.append(trade["T"])
        rows.ns.append(time_ns())
        rows.sides.append(trade["m"])  # the buyer was the maker: a sell
        rows.prices.append(trade["p"])
        rows.sizes.append(trade["q"])
        rows.ids.append(trade["t"])
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_quote(self, quote: dict[str, Any]) -> None:
        rows = self.quotes
        rows.coins.append(quote["s"])
        if not self.is_spot:
            rows.ms.append(quote["T"])
        rows.ns.append(time_ns())
        rows.bid_prices.append(quote["b"])
        rows.bid_sizes.append(quote["B"])
        rows.ask_prices.append(quote["a"])
        rows.ask_sizes.append(quote["A"])
        rows.ids.append(quote["u"])
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_levels(self, book: dict[str, Any]) -> None:
        rows = self.books
        bids, asks = book["b"], book["a"]
        rows.coins.append(book["s"])
        rows.ms.append(book["E"] if self.is_spot else book["T"])
        rows.ns.append(time_ns())
        rows.n_bids.append(len(bids))
        rows.n_asks.append(len(asks))
        # To texts at once: to keep the lists of pairs until the flush cost a quarter more.
        levels = bids + asks
        rows.prices += [level[0] for level in levels]
        rows.sizes += [level[1] for level in levels]
        rows.ids.append(book["u"])
        rows.previous_ids.append(book["U"] - 1 if self.is_spot else book["pu"])
        if len(rows.prices) >= FLUSH_ROWS:
            rows.flush()


class Event(msgspec.Struct, gc=False):
    """A trade, a quote or a book's change: the fields that some column wants.

    One type for all three: two steps, the stream's name first, cost more.
    """

    coin: str = msgspec.field(name="s")
    kind: str = msgspec.field(name="e", default="bookTicker")
    id: int = msgspec.field(name="u", default=0)
    first_id: int = msgspec.field(name="U", default=0)
    previous_id: int = msgspec.field(name="pu", default=0)
    time: int = msgspec.field(name="T", default=0)
    sent: int = msgspec.field(name="E", default=0)
    tid: int = msgspec.field(name="t", default=0)
    side: bool = msgspec.field(name="m", default=False)  # the buyer was the maker: a sell
    how: str = msgspec.field(name="X", default="MARKET")
    px: float = msgspec.field(name="p", default=0.0)
    sz: float = msgspec.field(name="q", default=0.0)
    bid: float | list[tuple[float, float]] = msgspec.field(name="b", default=0.0)
    bid_size: float = msgspec.field(name="B", default=0.0)
    ask: float | list[tuple[float, float]] = msgspec.field(name="a", default=0.0)
    ask_size: float = msgspec.field(name="A", default=0.0)


class StreamMessage(msgspec.Struct, gc=False):
    """What a combined stream sends; an acknowledgement has no data."""

    data: Event | None = None


class MsgspecParser(KeptObjects):
    """Typed objects by msgspec, numbers as floats, kept until the flush.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target, snapshots=False)
        self.is_spot = is_spot(target)
        decoder = msgspec.json.Decoder(StreamMessage, strict=False)
        self._decode: Callable[[Any], StreamMessage] = decoder.decode

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        event = self._decode(payload).data
        if event is None:
            return
        kind = event.kind
        if kind == "bookTicker":
            self.kept_quotes.append(event)
            self.quotes.ns.append(time_ns())
            if len(self.kept_quotes) >= FLUSH_ROWS:
                self.flush_quotes()
        elif kind == "trade":
            if event.how == "MARKET":
                self.kept_trades.append(event)
                self.trades.ns.append(time_ns())
                if len(self.kept_trades) >= FLUSH_ROWS:
                    self.flush_trades()
        elif kind == "depthUpdate":
            self.kept_books.append(event)
            self.books.ns.append(time_ns())
            self.n_kept_levels += len(event.bid) + len(event.ask)  # type: ignore[arg-type] # lists here
            if self.n_kept_levels >= FLUSH_ROWS:
                self.flush_books()

    def flush_quotes(self) -> None:
        """Make a batch of the quotes."""
        rows, quotes = self.quotes, self.kept_quotes
        self.kept_quotes = []
        rows.coins = [quote.coin for quote in quotes]
        rows.ms = [] if self.is_spot else [quote.time for quote in quotes]
        rows.bid_prices = [quote.bid for quote in quotes]
        rows.bid_sizes = [quote.bid_size for quote in quotes]
        rows.ask_prices = [quote.ask for quote in quotes]
        rows.ask_sizes = [quote.ask_size for quote in quotes]
        rows.ids = [quote.id for quote in quotes]
        rows.flush()

    def flush_books(self) -> None:
        """Make a batch of the books."""
        rows, books = self.books, self.kept_books
        self.kept_books, self.n_kept_levels = [], 0
        sides: list[tuple[list[Any], list[Any]]] = [(book.bid, book.ask) for book in books]  # type: ignore[misc] # lists here
        rows.coins = [book.coin for book in books]
        rows.ms = [book.sent if self.is_spot else book.time for book in books]
        rows.n_bids = [len(bids) for bids, _ in sides]
        rows.n_asks = [len(asks) for _, asks in sides]
        levels = [level for both in sides for side in both for level in side]
        rows.prices = [level[0] for level in levels]
        rows.sizes = [level[1] for level in levels]
        rows.ids = [book.id for book in books]
        rows.previous_ids = [
            book.first_id - 1 if self.is_spot else book.previous_id for book in books
        ]
        rows.flush()
