"""A simulated venue whose book messages are dropped, repeated and swapped, and what it truly sent.

Nothing here reads a venue's messages by tickwire: each has a reader of its own, and the books are
slow ones.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from picows import WSTransport

from tickwire.sim import Simulator, market, market_driver, server
from tickwire.sim.connection import Connection
from tickwire.venues import Limits, Venue, load

Levels = list[tuple[str, float, float]]  # side, price, size
KINDS = ("drop", "repeat", "swap")
QUIET = 3  # messages of a book between two strikes
UNSEEN = 20  # after which a strike has made no difference, where a checksum would have told


@dataclass(slots=True)
class BookMessage:
    """A message of a book, as the venue's documentation reads it."""

    symbol: str
    is_snapshot: bool
    levels: Levels


def _sides(bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> Levels:
    return [
        (side, float(each[0]), float(each[1]))
        for side, levels in (("bid", bids), ("ask", asks))
        for each in levels
    ]


def _okx(frame: Any) -> BookMessage | None:
    if frame.get("arg", {}).get("channel") != "books" or "data" not in frame:
        return None
    (data,) = frame["data"]
    levels = _sides(data["bids"], data["asks"])
    return BookMessage(frame["arg"]["instId"], frame["action"] == "snapshot", levels)


def _bybit(frame: Any) -> BookMessage | None:
    if not str(frame.get("topic")).startswith("orderbook."):
        return None
    data = frame["data"]
    return BookMessage(data["s"], frame["type"] == "snapshot", _sides(data["b"], data["a"]))


def _coinbase(frame: Any) -> BookMessage | None:
    if frame.get("channel") != "l2_data":
        return None
    (event,) = frame["events"]
    levels = [
        (
            "bid" if each["side"] == "bid" else "ask",
            float(each["price_level"]),
            float(each["new_quantity"]),
        )
        for each in event["updates"]
    ]
    return BookMessage(event["product_id"], event["type"] == "snapshot", levels)


def _kraken(frame: Any) -> BookMessage | None:
    if frame.get("channel") != "book" or "data" not in frame:
        return None
    (data,) = frame["data"]
    levels = [
        (side[:3], each["price"], each["qty"]) for side in ("bids", "asks") for each in data[side]
    ]
    return BookMessage(data["symbol"], frame["type"] == "snapshot", levels)


def _deribit(frame: Any) -> BookMessage | None:
    params = frame.get("params", {})
    if not str(params.get("channel")).startswith("book."):
        return None
    data = params["data"]
    sides = ([each[1:] for each in data[name]] for name in ("bids", "asks"))
    return BookMessage(data["instrument_name"], data["type"] == "snapshot", _sides(*sides))


def _bitget(frame: Any) -> BookMessage | None:
    if frame.get("arg", {}).get("topic") != "books" or "data" not in frame:
        return None
    (data,) = frame["data"]
    levels = _sides(data["b"], data["a"])
    return BookMessage(frame["arg"]["symbol"], frame["action"] == "snapshot", levels)


def _gate(frame: Any) -> BookMessage | None:
    if not str(frame.get("channel")).endswith(".obu") or frame["event"] != "update":
        return None
    result = frame["result"]
    levels = _sides(result.get("b", ()), result.get("a", ()))
    return BookMessage(result["s"].split(".")[1], result.get("full", False), levels)


def _kraken_futures(frame: Any) -> BookMessage | None:
    if frame.get("feed") == "book" and "seq" in frame:
        side = "bid" if frame["side"] == "buy" else "ask"
        levels = [(side, float(frame["price"]), float(frame["qty"]))]
        return BookMessage(frame["product_id"], False, levels)
    if frame.get("feed") != "book_snapshot":
        return None
    bids, asks = ([(each["price"], each["qty"]) for each in frame[n]] for n in ("bids", "asks"))
    return BookMessage(frame["product_id"], True, _sides(bids, asks))


def _binance(frame: Any) -> BookMessage | None:
    data = frame.get("data", {})
    if not isinstance(data, dict) or data.get("e") != "depthUpdate":
        return None
    return BookMessage(data["s"], False, _sides(data["b"], data["a"]))


def _trade_ids(frame: Any) -> list[tuple[str, str]]:
    """Give symbol and id of the trades in a message of any of the venues."""
    if frame.get("feed") == "trade" and "uid" in frame:
        return [(frame["product_id"], frame["uid"])]
    if str(frame.get("params", {}).get("channel")).startswith("trades."):
        data = frame["params"]["data"]
        return [(each["instrument_name"], each["trade_id"]) for each in data]
    if str(frame.get("channel")).endswith(".trades") and frame["event"] == "update":
        return [(frame["result"]["currency_pair"], str(frame["result"]["id"]))]
    if frame.get("arg", {}).get("topic") == "publicTrade":
        return [(frame["arg"]["symbol"], each["i"]) for each in frame.get("data", ())]
    data = frame.get("data")
    if isinstance(data, dict) and data.get("e") in ("trade", "aggTrade"):
        return [(data["s"], str(data["t"] if data["e"] == "trade" else data["a"]))]
    if frame.get("channel") == "market_trades":
        data = [trade for event in frame["events"] for trade in event["trades"]]
        return [(each["product_id"], each["trade_id"]) for each in data]
    if frame.get("channel") == "trade" and data:
        return [(each["symbol"], str(each["trade_id"])) for each in data]
    if str(frame.get("topic")).startswith("publicTrade"):
        return [(each["s"], each["i"]) for each in data or ()]
    if frame.get("arg", {}).get("channel") == "trades":
        return [(each["instId"], each["tradeId"]) for each in data or ()]
    return []


@dataclass(frozen=True, slots=True)
class Case:
    """A venue to strike.

    Parameters
    ----------
    venue
        As it is declared.
    read
        Reads a message of its book.
    symbols
        Of each source; the last one of all is never struck.
    depth
        Levels of each side that a client keeps; 0: all.
    is_whole
        A loss is one of the whole connection.
    rest_path
        Where its books' snapshots are, if they begin by REST.
    detail
        What the gaps' `detail` holds.
    trades
        The channel of its trades.
    """

    venue: str
    read: Callable[[Any], BookMessage | None]
    symbols: tuple[tuple[str, ...], ...]
    channel: str = "book"
    depth: int = 0
    is_whole: bool = False
    rest_path: str = ""
    detail: str | None = None
    trades: str = "trades"

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


_PERPS = tuple(f"{name}USDT" for name in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "TRX"))
CASES = {
    "okx": Case("okx", _okx, (tuple(f"{name[:3]}-USDT" for name in _PERPS),)),
    "bybit": Case("bybit", _bybit, (_PERPS,)),
    "coinbase": Case(
        "coinbase", _coinbase, tuple((f"{name[:3]}-USD",) for name in _PERPS), is_whole=True,
        detail="of the connection",
    ),
    "kraken": Case(
        "kraken", _kraken, (tuple(f"{name[:3]}/USD" for name in _PERPS),), "book:10", depth=10,
        detail="checksum does not match",
    ),
    "binance": Case("binance", _binance, (_PERPS,), rest_path="/api/v3/depth"),
    "binance-usdm": Case("binance-usdm", _binance, (_PERPS,), rest_path="/fapi/v1/depth"),
    "binance-us": Case("binance-us", _binance, (_PERPS,), rest_path="/api/v3/depth"),
    "deribit": Case("deribit", _deribit, (tuple(f"{each[:3]}-PERPETUAL" for each in _PERPS),)),
    "bitget-futures": Case("bitget-futures", _bitget, (_PERPS,)),
    "gate": Case("gate", _gate, (tuple(f"{each[:3]}_USDT" for each in _PERPS),)),
    "kraken-futures": Case(
        "kraken-futures", _kraken_futures, (tuple(f"PF_{each[:3]}USD" for each in _PERPS),)
    ),
    "aster": Case(
        "aster", _binance, (_PERPS,), rest_path="/fapi/v1/depth", trades="trades:agg"
    ),
}  # fmt: skip


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
        self._every = every
        self._rng = random.Random(seed)
        self.spared = case.symbols[-1][-1]
        self._whole: dict[int, bool] = {}  # connections that have been struck
        self.open: set[int] = set()  # connections
        # The levels of a symbol now, where its books begin by REST.
        self.levels_of: Callable[[str], Levels] = lambda _: []

    def sent(self, conn: int, payload: bytes) -> list[bytes]:
        """Give what goes out instead of a message."""
        frame = json.loads(payload) if payload[:1] == b"{" else {}
        for symbol, trade_id in _trade_ids(frame):
            self.trade_ids[symbol][trade_id] = None
        message = self.case.read(frame)
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
        if message.is_snapshot:
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
        if self.case.depth and stream.n_since > UNSEEN:
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
            return _sides(book["bids"], book["asks"])

        if case.rest_path:
            striker.levels_of = levels_of
        stack.enter_context(patch.object(sim.exchange, "rest", rest))
        yield sim, striker
