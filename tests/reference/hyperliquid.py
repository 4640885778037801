"""Hyperliquid's messages in plain Python."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.reference.rows import (
    BadMessageError,
    Columns,
    book_message,
    item,
    member,
    ms,
    optional,
    parse,
    real,
    trade_key,
    whole,
    word,
    words,
)

SIDES = {"B": "buy", "A": "sell"}
USERS = {
    "userFills": "fills",
    "orderUpdates": "orders",
    "userFundings": "fundings",
    "userNonFundingLedgerUpdates": "ledger",
}
GREETING = b"Websocket connection established."
EXTRAS = {
    "trades": ("tx_hash", "buyer", "seller"),
    "quotes": ("bid_order_count", "ask_order_count"),
    "tickers": (
        "mid_price",
        "premium",
        "prev_day_price",
        "impact_bid_price",
        "impact_ask_price",
        "circulating_supply",
        "total_supply",
    ),
}


class HyperliquidReference:
    """Decode messages one by one into `tables`.

    Parameters
    ----------
    channels, symbols
        As in a configuration.
    venue
        Its name in the rows.
    extras
        Give the venue's own columns too.
    labels
        What plain books are called on this connection.
    """

    def __init__(
        self,
        channels: Sequence[str],
        symbols: Sequence[str] = ("*",),
        *,
        venue: str = "hyperliquid",
        extras: bool = False,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.venue = venue
        self.symbols = set(symbols)
        self.labels = dict(labels or {})
        self.tables = {
            name: Columns(name, EXTRAS.get(name, ()) if extras else ())
            for name in dict.fromkeys(channel.partition(":")[0] for channel in channels)
        }
        # data, unrequested, unknown, bad, control
        self.counts: Counter[str] = Counter()
        self._seen: set[tuple[str, ...]] = set()

    def message(self, payload: bytes, ts_recv: int, conn: int) -> None:
        """Decode one message."""
        if payload == GREETING:
            self.counts["control"] += 1
            return
        try:
            frame = parse(payload)
            found = self._rows(frame)
            if found is None:
                return
            table, rows = found
            self.counts["data"] += 1
            if table not in self.tables:
                self.counts["unrequested"] += 1
                return
            common = {"venue": self.venue, "ts_recv": ts_recv, "conn": conn}
            rows = [common | row for row in rows]
            for row in rows:
                self.tables[table].check(row)
        except (BadMessageError, KeyError, IndexError, TypeError, AttributeError):
            self.counts["bad"] += 1
            return
        if table == "trades":
            rows = [row for row in rows if self._is_new(row)]
        self.tables[table].extend(rows)

    def _is_new(self, row: dict[str, Any]) -> bool:
        key = trade_key(row)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _rows(self, frame: Any) -> tuple[str, list[dict[str, Any]]] | None:
        channel = frame.get("channel")
        data = frame.get("data")
        if channel == "trades":
            return "trades", [self._trade(trade) for trade in data]
        if channel == "bbo":
            return "quotes", [self._quote(data)]
        if channel == "l2Book":
            return "book", self._book(data)
        if channel == "candle":
            candles = [data] if isinstance(data, dict) else data
            return "candles", [self._candle(candle) for candle in candles]
        if channel in ("activeAssetCtx", "activeSpotAssetCtx"):
            return "tickers", [self._ticker(data)]
        if channel == "allMids":
            return "mids", [
                {"symbol": symbol, "price": real(price)}
                for symbol, price in data["mids"].items()
                if "*" in self.symbols or symbol in self.symbols
            ]
        if channel == "fastAssetCtxs":
            return "tickers", []
        if channel in USERS:
            return USERS[channel], []  # for counts: tests of users have their own expectations
        control = channel in ("subscriptionResponse", "error", "pong")
        self.counts["control" if control else "unknown"] += 1
        return None

    def _trade(self, trade: Any) -> dict[str, Any]:
        return {
            "symbol": word(trade["coin"]),
            "ts_event": ms(trade.get("time")),
            "channel": "trades",
            "price": real(trade["px"]),
            "size": real(trade["sz"]),
            "side": SIDES[trade["side"]],
            "trade_id": word(trade["tid"]),
            "tx_hash": optional(words, trade.get("hash")),
            "buyer": optional(words, item(trade.get("users"), 0)),
            "seller": optional(words, item(trade.get("users"), 1)),
        }

    def _quote(self, data: Any) -> dict[str, Any]:
        bid, ask = (item(data.get("bbo"), side) for side in (0, 1))
        return {
            "symbol": word(data["coin"]),
            "ts_event": ms(data.get("time")),
            "bid_price": optional(real, member(bid, "px")),
            "bid_size": optional(real, member(bid, "sz")),
            "ask_price": optional(real, member(ask, "px")),
            "ask_size": optional(real, member(ask, "sz")),
            "bid_order_count": optional(whole, member(bid, "n")),
            "ask_order_count": optional(whole, member(ask, "n")),
        }

    def _book(self, data: Any) -> list[dict[str, Any]]:
        plain = self.labels.get("book", "book")
        common = {
            "symbol": word(data["coin"]),
            "ts_event": ms(data.get("time")),
            "channel": "book:fast" if data.get("fast") is True else plain,
            "is_snapshot": True,
        }
        bids, asks = (
            [(level["px"], level["sz"], level.get("n")) for level in side]
            for side in (data["levels"][0], data["levels"][1])
        )
        return book_message(common, bids, asks)

    def _candle(self, candle: Any) -> dict[str, Any]:
        return {
            "symbol": word(candle["s"]),
            "interval": word(candle["i"]),
            "ts_open": ms(candle["t"]),
            "ts_close": ms(candle["T"]),
            "open": real(candle["o"]),
            "high": real(candle["h"]),
            "low": real(candle["l"]),
            "close": real(candle["c"]),
            "volume": real(candle["v"]),
            "trade_count": optional(whole, candle.get("n")),
        }

    def _ticker(self, data: Any) -> dict[str, Any]:
        context = data.get("ctx")
        return {
            "symbol": word(data["coin"]),
            "mark_price": optional(real, member(context, "markPx")),
            "index_price": optional(real, member(context, "oraclePx")),
            "funding_rate": optional(real, member(context, "funding")),
            "open_interest": optional(real, member(context, "openInterest")),
            "volume_24h": optional(real, member(context, "dayBaseVlm")),
            "notional_24h": optional(real, member(context, "dayNtlVlm")),
            "mid_price": optional(real, member(context, "midPx")),
            "premium": optional(real, member(context, "premium")),
            "prev_day_price": optional(real, member(context, "prevDayPx")),
            "impact_bid_price": optional(real, item(member(context, "impactPxs"), 0)),
            "impact_ask_price": optional(real, item(member(context, "impactPxs"), 1)),
            "circulating_supply": optional(real, member(context, "circulatingSupply")),
            "total_supply": optional(real, member(context, "totalSupply")),
        }
