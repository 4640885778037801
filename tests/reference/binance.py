"""Binance's messages and the splice of its books in plain Python."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.reference.rows import (
    BadMessageError,
    Columns,
    book_message,
    flag,
    ms,
    optional,
    parse,
    real,
    trade_key,
    whole,
    word,
)

TAKER = {True: "sell", False: "buy"}  # by `m`, whether the buyer was the maker
BEST_SPEED = {"spot": "100ms", "futures": "0ms"}
DEFAULT_SPEED = {"spot": "1000ms", "futures": "250ms"}
SPEEDS = {"spot": ("100ms", "1000ms"), "futures": ("0ms", "100ms", "250ms", "500ms")}
OFF_BOOK = ("NA", "INSURANCE_FUND", "ADL")
EXTRAS = {
    "trades": ("first_trade_id", "last_trade_id"),
    "candles": ("notional", "taker_buy_volume", "taker_buy_notional"),
    "tickers": ("open_24h", "high_24h", "low_24h"),
}
FUTURES_EXTRAS = EXTRAS | {
    "tickers": ("open_24h", "high_24h", "low_24h", "settle_price"),
    "liquidations": ("order_price", "order_size"),
}

Rows = list[dict[str, Any]]
# ids (first, last, previous) and rows of a book delta
Delta = tuple[int, int, int | None, Rows]


def pairs(levels: Any) -> list[tuple[Any, Any]]:
    """Give price and size of each level, whatever follows them."""
    return [(level[0], level[1]) for level in levels]


class Splice:
    """One symbol's book: which rows may be shown, and when."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.snapshot_id: int | None = None
        self.last: int | None = None  # of the last delta shown since the snapshot
        self.held: list[Delta] = []

    def delta(self, delta: Delta) -> Rows:
        """Take a delta; give the rows that may now be shown."""
        if self.snapshot_id is None:
            self.held.append(delta)
            return []
        _, last, previous, rows = delta
        if self.last is not None:
            if previous == self.last:
                self.last = last
                return rows
            if last <= self.last:
                return []
        else:
            too_old = last <= self.snapshot_id if self.market == "spot" else last < self.snapshot_id
            if too_old:
                return []
            if self._meets(self.snapshot_id, delta):
                self.last = last
                return rows
        self.snapshot_id = self.last = None
        self.held = [delta]
        return []

    def snapshot(self, last_update_id: int, rows: Rows) -> Rows:
        """Take a REST snapshot; give the rows that may now be shown."""
        if self.snapshot_id is not None:
            return []
        if self.held and not self._meets(last_update_id, self.held[0]):
            return []
        self.snapshot_id, self.last = last_update_id, None
        held, self.held = self.held, []
        shown = list(rows)
        for delta in held:
            shown += self.delta(delta)
        return shown

    def _meets(self, last_update_id: int, delta: Delta) -> bool:
        """Tell whether nothing is missing between a snapshot and a delta."""
        first, _, previous, _ = delta
        if self.market == "spot":
            return first <= last_update_id + 1
        return first <= last_update_id or previous == last_update_id


class BinanceReference:
    """Decode messages and REST snapshots one by one, in order of time, into `tables`.

    Parameters
    ----------
    market
        `binance`, `binance-usdm` or `binance-coinm`.
    channels, symbols
        As in a configuration.
    extras
        Give the venue's own columns too.
    """

    def __init__(
        self,
        market: str,
        channels: Sequence[str],
        symbols: Sequence[str] = ("*",),
        *,
        extras: bool = False,
    ) -> None:
        self.venue = market
        self.market = "spot" if market == "binance" else "futures"
        self.symbols = set(symbols)
        self.channels = list(channels)
        own = (EXTRAS if self.market == "spot" else FUTURES_EXTRAS) if extras else {}
        self.tables = {
            name: Columns(name, own.get(name, ()))
            for name in dict.fromkeys(channel.partition(":")[0] for channel in channels)
        }
        self.counts: Counter[str] = Counter()
        self.books: dict[str, Splice] = {}
        self._seen: set[tuple[str, ...]] = set()

    # What the configuration calls a book of this speed.
    def _book_channel(self, speed: str) -> str:
        if "book" in self.channels and speed == BEST_SPEED[self.market]:
            return "book"
        return f"book:{speed}"

    def _snapshot_channel(self) -> str:
        for channel in self.channels:
            if channel == "book" or re.fullmatch(r"book:\d+ms", channel):
                return channel
        return f"book:{BEST_SPEED[self.market]}"

    def message(self, payload: bytes, ts_recv: int, conn: int) -> None:
        """Decode one message."""
        common = {"venue": self.venue, "ts_recv": ts_recv, "conn": conn}
        try:
            frame = parse(payload)
            found = self._rows(frame)
            if found is None:
                return
            table, rows, ids = found
            self.counts["data"] += 1
            if table not in self.tables:
                self.counts["unrequested"] += 1
                return
            rows = [common | row for row in rows]
            for row in rows:
                self.tables[table].check(row)
        except (BadMessageError, KeyError, IndexError, TypeError, AttributeError):
            self.counts["bad"] += 1
            return
        if table == "trades":
            rows = [row for row in rows if self._is_new(row)]
        if ids is not None:
            book = self.books.setdefault(rows[0]["symbol"], Splice(self.market))
            rows = book.delta((*ids, rows))
        self.tables[table].extend(rows)

    def rest(self, symbol: str, payload: bytes, ts_recv: int, conn: int) -> None:
        """Take a REST depth snapshot of a symbol."""
        answer = parse(payload)
        common = {
            "venue": self.venue,
            "symbol": symbol,
            "ts_event": ms(answer.get("T")) if self.market == "futures" else None,
            "ts_recv": ts_recv,
            "conn": conn,
            "channel": self._snapshot_channel(),
            "is_snapshot": True,
            "venue_seq": whole(answer["lastUpdateId"]),
        }
        rows = book_message(common, pairs(answer["bids"]), pairs(answer["asks"]))
        book = self.books.setdefault(symbol, Splice(self.market))
        self.tables["book"].extend(book.snapshot(int(answer["lastUpdateId"]), rows))

    def _is_new(self, row: dict[str, Any]) -> bool:
        key = trade_key(row)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _rows(self, frame: Any) -> tuple[str, Rows, tuple[int, int, int | None] | None] | None:
        if not isinstance(frame, dict) or not isinstance(frame.get("stream"), str):
            names = set(frame) if isinstance(frame, dict) else set()
            control = {"result", "id"} <= names or "error" in names or {"code", "msg"} <= names
            self.counts["control" if control else "unknown"] += 1
            return None
        stream, data = frame["stream"], frame.get("data")
        kind = data.get("e") if isinstance(data, dict) else None
        if kind == "trade":
            return self._trade(data)
        if kind == "aggTrade":
            return "trades", [self._print(data, "trades:agg", data["a"])], None
        if kind == "bookTicker" or (
            self.market == "spot" and stream.endswith(("@bookTicker", "!bookTicker"))
        ):
            return "quotes", [self._quote(data)], None
        if kind == "depthUpdate" or (self.market == "spot" and "@depth" in stream):
            return self._depth(stream, data)
        if kind == "kline":
            return "candles", [self._candle(data)], None
        if kind == "24hrTicker":
            return "tickers", [self._ticker(data)], None
        if stream.startswith("!ticker@arr"):
            return "tickers", [self._ticker(item) for item in data], None
        if self.market == "futures":
            if kind == "markPriceUpdate":
                return "tickers", [self._mark(data)], None
            if stream.startswith("!markPrice@arr"):
                return "tickers", [self._mark(item) for item in data], None
            if kind == "forceOrder":
                return "liquidations", [self._liquidation(data["o"])], None
        self.counts["unknown"] += 1
        return None

    def _trade(self, data: Any) -> tuple[str, Rows, None] | None:
        how = data.get("X", "MARKET")
        if how != "MARKET":
            self.counts["control" if how in OFF_BOOK else "unknown"] += 1
            return None
        return "trades", [self._print(data, "trades", data["t"])], None

    def _print(self, data: Any, channel: str, identity: Any) -> dict[str, Any]:
        aggregate = channel == "trades:agg"
        return {
            "symbol": word(data["s"]),
            "ts_event": ms(data.get("T")),
            "channel": channel,
            "price": real(data["p"]),
            "size": real(data["q"]),
            "side": TAKER[data["m"]],
            "trade_id": word(identity),
            "first_trade_id": optional(whole, data.get("f")) if aggregate else None,
            "last_trade_id": optional(whole, data.get("l")) if aggregate else None,
        }

    def _quote(self, data: Any) -> dict[str, Any]:
        return {
            "symbol": word(data["s"]),
            "ts_event": ms(data.get("T")) if self.market == "futures" else None,
            "bid_price": optional(real, data.get("b")),
            "bid_size": optional(real, data.get("B")),
            "ask_price": optional(real, data.get("a")),
            "ask_size": optional(real, data.get("A")),
            "venue_seq": optional(whole, data.get("u")),
        }

    def _depth(
        self, stream: str, data: Any
    ) -> tuple[str, Rows, tuple[int, int, int | None] | None] | None:
        found = re.fullmatch(r"(.+)@depth(5|10|20)?(?:@(\d+ms))?", stream)
        if not found:
            self.counts["unknown"] += 1
            return None
        name, levels, speed = found.groups()
        if speed and speed not in SPEEDS[self.market]:
            self.counts["unknown"] += 1
            return None
        if levels and self.market == "spot":
            common = {
                "symbol": name.upper(),
                "channel": f"book:{levels}",
                "is_snapshot": True,
                "venue_seq": optional(whole, data.get("lastUpdateId")),
            }
            return "book", book_message(common, pairs(data["bids"]), pairs(data["asks"])), None
        if data.get("e") != "depthUpdate":
            self.counts["unknown"] += 1
            return None
        common = {
            "symbol": word(data["s"]),
            "ts_event": ms(data.get("T" if self.market == "futures" else "E")),
        }
        if levels:
            common |= {
                "channel": f"book:{levels}",
                "is_snapshot": True,
                "venue_seq": optional(whole, data.get("u")),
            }
            return "book", book_message(common, pairs(data["b"]), pairs(data["a"])), None
        first, last = int(data["U"]), int(data["u"])
        previous = whole(data.get("pu")) if self.market == "futures" else first - 1
        common |= {
            "channel": self._book_channel(speed or DEFAULT_SPEED[self.market]),
            "is_snapshot": False,
            "venue_seq": whole(data.get("u")),
            "venue_prev_seq": previous,
        }
        return (
            "book",
            book_message(common, pairs(data["b"]), pairs(data["a"])),
            (first, last, previous),
        )

    def _candle(self, data: Any) -> dict[str, Any]:
        candle = data["k"]
        return {
            "symbol": word(candle["s"]),
            "ts_event": ms(data.get("E")),
            "interval": word(candle["i"]),
            "ts_open": ms(candle["t"]),
            "ts_close": ms(candle["T"]),
            "open": real(candle["o"]),
            "high": real(candle["h"]),
            "low": real(candle["l"]),
            "close": real(candle["c"]),
            "volume": real(candle["v"]),
            "trade_count": optional(whole, candle.get("n")),
            "closed": optional(flag, candle.get("x")),
            "notional": optional(real, candle.get("q")),
            "taker_buy_volume": optional(real, candle.get("V")),
            "taker_buy_notional": optional(real, candle.get("Q")),
        }

    def _ticker(self, data: Any) -> dict[str, Any]:
        return {
            "symbol": word(data["s"]),
            "ts_event": ms(data.get("E")),
            "last_price": optional(real, data.get("c")),
            "volume_24h": optional(real, data.get("v")),
            "notional_24h": optional(real, data.get("q")),
            "open_24h": optional(real, data.get("o")),
            "high_24h": optional(real, data.get("h")),
            "low_24h": optional(real, data.get("l")),
        }

    def _mark(self, data: Any) -> dict[str, Any]:
        return {
            "symbol": word(data["s"]),
            "ts_event": ms(data.get("E")),
            "mark_price": optional(real, data.get("p")),
            "index_price": optional(real, data.get("i")),
            "funding_rate": optional(real, data.get("r")),
            "next_funding_ts": optional(ms, data.get("T")),
            "settle_price": optional(real, data.get("P")),
        }

    def _liquidation(self, order: Any) -> dict[str, Any]:
        average = order["ap"] if "ap" in order else order["p"]
        filled = order["z"] if "ap" in order else order["q"]
        return {
            "symbol": word(order["s"]),
            "ts_event": ms(order.get("T")),
            "side": {"BUY": "buy", "SELL": "sell"}[order["S"]],
            "price": real(average),
            "size": real(filled),
            "order_price": optional(real, order.get("p")),
            "order_size": optional(real, order.get("q")),
        }
