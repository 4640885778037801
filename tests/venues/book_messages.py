"""What messages of books say, and which trades one has, as the venues' documents have it.

Rules of this file
------------------
- Nothing here reads a message by tickwire: each venue has a reader of its own, in plain Python.
- A reader is made anew for each simulator or capture (`reader_of`), as some remember what a
  connection was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Levels = list[tuple[str, float, float]]  # side, price, size


@dataclass(slots=True)
class BookMessage:
    """A message of a book, as the venue's documentation reads it."""

    symbol: str
    is_snapshot: bool
    levels: Levels


def sides_of(bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]]) -> Levels:
    """Give levels of both sides, whose members begin with price and size."""
    return [
        (side, float(each[0]), float(each[1]))
        for side, levels in (("bid", bids), ("ask", asks))
        for each in levels
    ]


def _okx(frame: Any) -> BookMessage | None:
    if frame.get("arg", {}).get("channel") != "books" or "data" not in frame:
        return None
    (data,) = frame["data"]
    levels = sides_of(data["bids"], data["asks"])
    return BookMessage(frame["arg"]["instId"], frame["action"] == "snapshot", levels)


def _bybit(frame: Any) -> BookMessage | None:
    if not str(frame.get("topic")).startswith("orderbook."):
        return None
    data = frame["data"]
    return BookMessage(data["s"], frame["type"] == "snapshot", sides_of(data["b"], data["a"]))


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
    return BookMessage(data["instrument_name"], data["type"] == "snapshot", sides_of(*sides))


def _bitget(frame: Any) -> BookMessage | None:
    if frame.get("arg", {}).get("topic") != "books" or "data" not in frame:
        return None
    (data,) = frame["data"]
    levels = sides_of(data["b"], data["a"])
    return BookMessage(frame["arg"]["symbol"], frame["action"] == "snapshot", levels)


def _gate(frame: Any) -> BookMessage | None:
    if not str(frame.get("channel")).endswith(".obu") or frame["event"] != "update":
        return None
    result = frame["result"]
    levels = sides_of(result.get("b", ()), result.get("a", ()))
    return BookMessage(result["s"].split(".")[1], result.get("full", False), levels)


def _kraken_futures(frame: Any) -> BookMessage | None:
    if frame.get("feed") == "book" and "seq" in frame:
        side = "bid" if frame["side"] == "buy" else "ask"
        levels = [(side, float(frame["price"]), float(frame["qty"]))]
        return BookMessage(frame["product_id"], False, levels)
    if frame.get("feed") != "book_snapshot":
        return None
    bids, asks = ([(each["price"], each["qty"]) for each in frame[n]] for n in ("bids", "asks"))
    return BookMessage(frame["product_id"], True, sides_of(bids, asks))


def _binance(frame: Any) -> BookMessage | None:
    data = frame.get("data", {})
    if not isinstance(data, dict) or data.get("e") != "depthUpdate":
        return None
    return BookMessage(data["s"], False, sides_of(data["b"], data["a"]))


def _hyperliquid(frame: Any) -> BookMessage | None:
    if frame.get("channel") != "l2Book":
        return None
    data = frame["data"]
    sides = ([(each["px"], each["sz"]) for each in side] for side in data["levels"])
    return BookMessage(data["coin"], True, sides_of(*sides))


def _trade_ids(frame: Any) -> list[tuple[str, str]]:
    """Give symbol and id of the trades in a message of any of the venues."""
    if frame.get("feed") == "trade" and "uid" in frame:
        return [(frame["product_id"], frame["uid"])]
    if str(frame.get("params", {}).get("channel")).startswith("trades."):
        data = frame["params"]["data"]
        return [(each["instrument_name"], each["trade_id"]) for each in data]
    if str(frame.get("channel")).endswith(".trades") and frame["event"] == "update":
        found = frame["result"]
        if isinstance(found, dict):
            return [(found["currency_pair"], str(found["id"]))]
        return [(each["contract"], str(each["id"])) for each in found]
    if frame.get("arg", {}).get("topic") == "publicTrade":
        return [(frame["arg"]["symbol"], each["i"]) for each in frame.get("data", ())]
    data = frame.get("data")
    if isinstance(data, dict) and data.get("e") in ("trade", "aggTrade"):
        return [(data["s"], str(data["t"] if data["e"] == "trade" else data["a"]))]
    if frame.get("channel") == "market_trades":
        data = [trade for event in frame["events"] for trade in event["trades"]]
        return [(each["product_id"], each["trade_id"]) for each in data]
    if frame.get("channel") == "trades" and isinstance(data, list):
        return [(each["coin"], str(each["tid"])) for each in data]
    if frame.get("channel") == "trade" and data:
        return [(each["symbol"], str(each["trade_id"])) for each in data]
    if str(frame.get("topic")).startswith("publicTrade"):
        return [(each["s"], each["i"]) for each in data or ()]
    if frame.get("arg", {}).get("channel") == "trades":
        return [(each["instId"], each["tradeId"]) for each in data or ()]
    return []


class Reader:
    """Reads the messages of a venue, parsed as JSON.

    Parameters
    ----------
    read
        Of a message of its book.
    """

    def __init__(self, read: Callable[[Any], BookMessage | None]) -> None:
        self._read = read

    def book(self, frame: Any) -> BookMessage | None:
        """Read a message of a book; None where it is none."""
        return self._read(frame) if isinstance(frame, dict) else None

    def trade_ids(self, frame: Any) -> list[tuple[str, str]]:
        """Give symbol and id of the trades in a message."""
        return _trade_ids(frame) if isinstance(frame, dict) else []


class _Bitfinex(Reader):
    """Its channels are numbers, which acknowledgements give."""

    def __init__(self) -> None:
        super().__init__(lambda _frame: None)
        self._symbols: dict[int, str] = {}

    def book(self, frame: Any) -> BookMessage | None:
        if isinstance(frame, dict):
            if frame.get("event") == "subscribed":
                self._symbols[frame["chanId"]] = frame["symbol"]
            return None
        body = frame[1]
        is_snapshot = isinstance(body, list) and bool(body) and isinstance(body[0], list)
        levels = body if is_snapshot else [body]
        if not isinstance(body, list) or any(len(each) != 3 for each in levels):
            return None
        found = [
            ("bid" if amount > 0 else "ask", float(price), abs(float(amount)) if count else 0.0)
            for price, count, amount in levels
        ]
        return BookMessage(self._symbols[frame[0]], is_snapshot, found)

    def trade_ids(self, frame: Any) -> list[tuple[str, str]]:
        if isinstance(frame, dict) or frame[1] != "te":
            return []
        return [(self._symbols[frame[0]], str(frame[2][0]))]


_READS = {
    "okx": _okx, "bybit": _bybit, "coinbase": _coinbase, "kraken": _kraken, "deribit": _deribit,
    "bitget": _bitget, "gate": _gate, "kraken-futures": _kraken_futures, "binance": _binance,
    "aster": _binance, "hyperliquid": _hyperliquid,
}  # fmt: skip


def reader_of(venue: str) -> Reader:
    """Make the reader of a venue; of markets of one exchange (`bybit-spot`) it is the same."""
    if venue == "bitfinex":
        return _Bitfinex()
    return Reader(_READS.get(venue) or _READS[venue.partition("-")[0]])
