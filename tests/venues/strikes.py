"""A simulated venue whose book messages are dropped, repeated and swapped, and what it truly sent.

Nothing here reads a venue's messages by tickwire (`book_messages`), and the books are slow ones.

Rules of this file
------------------
- A message is struck where it leaves the simulator, behind its number: a drop leaves a hole.
- A symbol is struck again only after it has had its next snapshot and a few messages, and while one
  connection alone brings it: what happens before would be in its gap anyhow.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from picows import WSTransport
from tests.venues.book_messages import Levels, reader_of, sides_of

from tickwire.sim import Simulator, market, market_driver, server
from tickwire.sim.connection import Connection
from tickwire.venues import Limits, Venue, load

KINDS = ("drop", "repeat", "swap")
QUIET = 3  # messages of a book between two strikes
UNSEEN = 20  # after which a strike has made no difference, where a checksum would have told


@dataclass(frozen=True, slots=True)
class Case:
    """A venue to strike.

    Parameters
    ----------
    venue
        As it is declared.
    symbols
        Of each source; the last one of all is never struck.
    depth
        Levels of each side that a client keeps; 0: all.
    is_whole
        A loss is one of the whole connection.
    each_is_whole
        Each message is a whole book, so that none needs the one before it.
    counts
        Its numbers say how many messages are missing.
    rest_path
        Where its books' snapshots are, if they begin by REST.
    trades
        The channel of its trades.
    """

    venue: str
    symbols: tuple[tuple[str, ...], ...]
    channel: str = "book"
    depth: int = 0
    is_whole: bool = False
    each_is_whole: bool = False
    counts: bool = False
    rest_path: str = ""
    trades: str = "trades"

    @property
    def detail(self) -> str | None:
        """What the gaps' `detail` holds."""
        if self.is_whole:
            return "of the connection"
        return "checksum does not match" if self.depth else None

    @property
    def declaration(self) -> Venue:
        """Give its declaration, with limits that let a thousand repairs into a minute."""
        venue = load(self.venue)
        wide = Limits(
            venue.limits.subscriptions_per_connection,
            venue.limits.subscriptions_per_request,
            requests_per_s=10_000.0,
            connects_per_min=1_000_000,
            rest_per_min=1_000_000,
        )
        return replace(venue, limits=wide)


_COINS = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "TRX")


def _spelled(form: str) -> tuple[str, ...]:
    return tuple(form.format(coin) for coin in _COINS)


def _alone(form: str) -> tuple[tuple[str, ...], ...]:
    """Give each symbol a source, and so a connection, of its own."""
    return tuple((symbol,) for symbol in _spelled(form))


CASES = {
    case.venue: case
    for case in (
        Case("okx", (_spelled("{}-USDT"),)),
        Case("bybit", (_spelled("{}USDT"),), counts=True),
        Case("bybit-spot", (_spelled("{}USDT"),), counts=True),
        Case("bybit-inverse", (_spelled("{}USD"),), counts=True),
        Case("coinbase", _alone("{}-USD"), is_whole=True),
        Case("bitfinex", _alone("t{}USD"), is_whole=True),
        Case("kraken", (_spelled("{}/USD"),), "book:10", depth=10),
        Case("binance", (_spelled("{}USDT"),), rest_path="/api/v3/depth"),
        Case("binance-usdm", (_spelled("{}USDT"),), rest_path="/fapi/v1/depth"),
        Case("binance-coinm", (_spelled("{}USD_PERP"),), rest_path="/dapi/v1/depth"),
        Case("binance-us", (_spelled("{}USDT"),), rest_path="/api/v3/depth"),
        Case("aster", (_spelled("{}USDT"),), rest_path="/fapi/v1/depth", trades="trades:agg"),
        Case("deribit", (_spelled("{}-PERPETUAL"),)),
        Case("bitget", (_spelled("{}USDT"),)),
        Case("bitget-futures", (_spelled("{}USDT"),)),
        Case("bitget-usdc", (_spelled("{}PERP"),)),
        Case("bitget-inverse", (_spelled("{}USD"),)),
        Case("gate", (_spelled("{}_USDT"),)),
        Case("gate-futures", (_spelled("{}_USDT"),)),
        Case("gate-btc", (_spelled("{}_USD"),)),
        Case("kraken-futures", (_spelled("PF_{}USD"),), counts=True),
        Case("hyperliquid", (_spelled("{}"),), each_is_whole=True),
        Case("hyperliquid-testnet", (_spelled("{}"),), each_is_whole=True),
    )
}


class SlowBook:
    """Levels by side, and a number that tells this state from others."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
        self.state = 0

    def apply(self, levels: Levels, *, is_snapshot: bool) -> int:
        if is_snapshot:
            self.sides = {"bid": {}, "ask": {}}
            self.state = 0
        for side, price, size in levels:
            self._set(side, price, size)
        for side, kept in self.sides.items():
            if self.depth and len(kept) > self.depth:
                for price in sorted(kept, reverse=side == "bid")[self.depth :]:
                    self._set(side, price, 0.0)
        return self.state

    def _set(self, side: str, price: float, size: float) -> None:
        kept = self.sides[side]
        before = kept.pop(price, 0.0)
        if before:
            self.state ^= hash((side, price, before))
        if size:
            kept[price] = size
            self.state ^= hash((side, price, size))

    def sorted(self, side: str) -> list[tuple[float, float]]:
        return sorted(self.sides[side].items(), reverse=side == "bid")


@dataclass(slots=True)
class Sent:
    """A message that the venue made, and what became of it: nothing, or one of `KINDS`."""

    is_snapshot: bool
    levels: frozenset[tuple[str, float, float]]
    state: int
    struck: str = ""


@dataclass(slots=True)
class _Stream:
    """A book on one connection."""

    book: SlowBook
    sent: list[Sent] = field(default_factory=list)
    held: bytes | None = None
    n_since: int = 0
    is_broken: bool = False


class Striker:
    """Strikes the messages of a simulator, and writes down what it made.

    Parameters
    ----------
    case
        The venue.
    every
        Messages of a book between two strikes, on average.
    seed
        Of what is chance.
    """

    def __init__(self, case: Case, every: int = 8, seed: int = 7) -> None:
        self.case = case
        self.most = 0
        self.n_struck = 0
        self.streams: dict[tuple[int, str], _Stream] = {}
        self.trade_ids: dict[str, dict[str, None]] = defaultdict(dict)
        self.reader = reader_of(case.venue)
        self._every = every
        self._rng = random.Random(seed)
        self.spared = case.symbols[-1][-1]
        self._whole: dict[int, bool] = {}  # connections that have been struck
        self.open: set[int] = set()  # connections
        # The levels of a symbol now, where its books begin by REST.
        self.levels_of: Callable[[str], Levels] = lambda _: []

    def sent(self, conn: int, payload: bytes) -> list[bytes]:
        """Give what goes out instead of a message."""
        frame = json.loads(payload) if payload[:1] in b"{[" else {}
        for symbol, trade_id in self.reader.trade_ids(frame):
            self.trade_ids[symbol][trade_id] = None
        message = self.reader.book(frame)
        if message is None:
            return [payload]
        stream = self.streams.get((conn, message.symbol))
        if stream is None:
            stream = _Stream(SlowBook(self.case.depth))
            stream.book.apply(self.levels_of(message.symbol), is_snapshot=True)
            self.streams[conn, message.symbol] = stream
        state = stream.book.apply(message.levels, is_snapshot=message.is_snapshot)
        sent = Sent(message.is_snapshot, frozenset(message.levels), state)
        stream.sent.append(sent)
        if message.is_snapshot and not self.case.each_is_whole:
            stream.is_broken = False
            stream.n_since = 0
        stream.n_since += 1
        sent.struck = self._strike(conn, message.symbol, stream)
        out = [] if sent.struck in ("drop", "swap") else [payload]
        if sent.struck == "repeat":
            out.append(payload)
        held, stream.held = stream.held, payload if sent.struck == "swap" else None
        return [*out, held] if held is not None else out

    def _strike(self, conn: int, symbol: str, stream: _Stream) -> str:
        if self.case.each_is_whole or (self.case.depth and stream.n_since > UNSEEN):
            stream.is_broken = False
        if self.n_struck >= self.most or symbol == self.spared or stream.is_broken:
            return ""
        if stream.n_since < QUIET or self._whole.get(conn) or self._rng.random() * self._every > 1:
            return ""
        if sum((each, symbol) in self.streams for each in self.open) > 1:
            return ""
        self.n_struck += 1
        kind = self._rng.choice(KINDS)
        stream.n_since = 0
        if kind != "repeat":
            stream.is_broken = True
            self._whole[conn] = self.case.is_whole
        return kind

    def n_after(self) -> int:
        """Give how many messages every book that goes on has had since it was struck."""
        return min(each.n_since for (conn, _), each in self.streams.items() if conn in self.open)

    def begun(self, symbol: str) -> None:
        """Note that a client has had a REST snapshot."""
        for (_, each), stream in self.streams.items():
            if each == symbol:
                stream.is_broken = False
                stream.n_since = 0


@contextmanager
def striking(
    case: Case, rate: float = 2000.0, **options: Any
) -> Iterator[tuple[Simulator, Striker]]:
    """Make a simulator whose connections are struck; it is not started yet."""
    striker = Striker(case, **options)

    class Struck(Connection):
        def queue(self, payload: bytes) -> None:
            striker.open.add(self.number)
            for each in striker.sent(self.number, payload):
                super().queue(each)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            striker.open.discard(self.number)
            super().on_ws_disconnected(transport)

    symbols = [each for group in case.symbols for each in group]
    with ExitStack() as stack:
        for module, name, value in (
            (server, "Connection", Struck),
            # Small books and short turns: the loop is the feed's as well.
            (market, "LEVELS_START", 40),
            (market, "LEVELS_MIN", 30),
            (market, "LEVELS_MAX", 60),
            (market_driver, "TURN_EVENTS", 20),
        ):
            stack.enter_context(patch.object(module, name, value))
        sim = Simulator(case.venue, rate=rate, symbols=symbols, channels=["trades", "book"])
        sim.exchange.requests_per_s = 1e9  # as often as it takes
        answer = sim.exchange.rest

        def rest(method: str, path: str, query: Any, body: str) -> Any:
            if path.endswith("/depth"):
                striker.begun(query["symbol"])
            return answer(method, path, query, body)

        def levels_of(symbol: str) -> Levels:
            found = answer("GET", case.rest_path, {"symbol": symbol, "limit": "1000"}, "")
            assert found is not None
            book = json.loads(found.body)
            return sides_of(book["bids"], book["asks"])

        if case.rest_path:
            striker.levels_of = levels_of
        stack.enter_context(patch.object(sim.exchange, "rest", rest))
        yield sim, striker
