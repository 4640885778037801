"""Hyperliquid's messages in plain Python."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.reference.rows import (
    BadMessageError,
    Columns,
    book_message,
    ms,
    parse,
    real,
    whole,
    word,
)

SIDES = {"B": "buy", "A": "sell"}
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
        self._seen: set[tuple[str, str]] = set()

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
            rows = [row for row in rows if self._is_new(row["symbol"], row["trade_id"])]
        self.tables[table].extend(rows)

    def _is_new(self, symbol: str, trade_id: str) -> bool:
        if (symbol, trade_id) in self._seen:
            return False
        self._seen.add((symbol, trade_id))
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
        control = channel in ("subscriptionResponse", "error", "pong")
        self.counts["control" if control else "unknown"] += 1
        return None

    def _trade(self, trade: Any) -> dict[str, Any]:
        users = trade.get("users") or [None, None]
        return {
            "symbol": word(trade["coin"]),
            "ts_event": ms(trade["time"]),
            "channel": "trades",
            "price": real(trade["px"]),
            "size": real(trade["sz"]),
            "side": SIDES[trade["side"]],
            "trade_id": word(trade["tid"]),
            "tx_hash": trade.get("hash"),
            "buyer": users[0],
            "seller": users[1],
        }

    def _quote(self, data: Any) -> dict[str, Any]:
        bid, ask = (side or {} for side in data["bbo"])
        return {
            "symbol": word(data["coin"]),
            "ts_event": ms(data["time"]),
            "bid_price": real(bid.get("px")),
            "bid_size": real(bid.get("sz")),
            "ask_price": real(ask.get("px")),
            "ask_size": real(ask.get("sz")),
            "bid_order_count": whole(bid.get("n")),
            "ask_order_count": whole(ask.get("n")),
        }

    def _book(self, data: Any) -> list[dict[str, Any]]:
        plain = self.labels.get("book", "book")
        common = {
            "symbol": word(data["coin"]),
            "ts_event": ms(data["time"]),
            "channel": "book:fast" if data.get("fast") is True else plain,
            "is_snapshot": True,
        }
        bids, asks = (
            [(level["px"], level["sz"], level["n"]) for level in side] for side in data["levels"]
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
            "trade_count": whole(candle["n"]),
        }

    def _ticker(self, data: Any) -> dict[str, Any]:
        context = data["ctx"]
        impact = context.get("impactPxs") or [None, None]
        return {
            "symbol": word(data["coin"]),
            "mark_price": real(context.get("markPx")),
            "index_price": real(context.get("oraclePx")),
            "funding_rate": real(context.get("funding")),
            "open_interest": real(context.get("openInterest")),
            "volume_24h": real(context.get("dayBaseVlm")),
            "notional_24h": real(context.get("dayNtlVlm")),
            "mid_price": real(context.get("midPx")),
            "premium": real(context.get("premium")),
            "prev_day_price": real(context.get("prevDayPx")),
            "impact_bid_price": real(impact[0]),
            "impact_ask_price": real(impact[1]),
            "circulating_supply": real(context.get("circulatingSupply")),
            "total_supply": real(context.get("totalSupply")),
        }
