"""What four exchanges' messages say, read by orjson and plain Python: rows by table."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from tickwire.venues._bybit_messages import INTERVALS as BYBIT_INTERVALS

Row = tuple[str, dict[str, Any]]
MS = 1_000_000
OHLCV = ("open", "high", "low", "close", "volume")
NEVER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def real(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def ms(value: Any) -> int | None:
    return None if value in (None, "") else int(value) * MS


def rfc3339(value: str | None) -> int | None:
    """Give ns; `fromisoformat` would cut them to microseconds."""
    if value is None:
        return None
    whole, _, fraction = value.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole + "+00:00") - NEVER
    return (moment.days * 86_400 + moment.seconds) * 10**9 + int((fraction + "0" * 9)[:9])


def levels(common: dict[str, Any], sides: Iterator[tuple[str, Any, Any, Any]]) -> Iterator[Row]:
    """Give a message's levels, the last one marked; one row where it has none."""
    found = [
        common | {"side": side, "price": real(price), "size": real(size), "order_count": orders}
        for side, price, size, orders in sides
    ] or [common]
    for row in found:
        yield "book", row | {"last": row is found[-1]}


def okx(frame: Any) -> Iterator[Row]:
    if not isinstance(frame, dict) or "data" not in frame or "arg" not in frame:
        return
    channel, symbol = frame["arg"]["channel"], frame["arg"].get("instId")
    for item in frame["data"]:
        common = (
            {"symbol": symbol, "ts_event": ms(item.get("ts"))} if isinstance(item, dict) else {}
        )
        if channel in ("books", "books5"):
            common |= {
                "channel": "book" if channel == "books" else "book:5",
                "is_snapshot": frame.get("action") != "update",
                "venue_seq": item.get("seqId"),
                # A snapshot follows nothing, and says so by -1.
                "venue_prev_seq": item.get("prevSeqId")
                if frame.get("action") == "update"
                else None,
            }
            sides = (
                (side, level[0], level[1], int(level[3]))
                for side in ("bid", "ask")
                for level in item[f"{side}s"]
            )
            yield from levels(common, sides)
        elif channel == "bbo-tbt":
            best = {
                f"{side}_{name}": real(level[at])
                for side in ("bid", "ask")
                for level in item[f"{side}s"][:1]
                for at, name in enumerate(("price", "size"))
            }
            yield "quotes", common | best | {"venue_seq": item.get("seqId")}
        elif channel == "trades":
            yield (
                "trades",
                common
                | {
                    "channel": "trades",
                    "price": real(item["px"]),
                    "size": real(item["sz"]),
                    "side": item["side"],
                    "trade_id": item["tradeId"],
                    "match_count": int(item["count"]) if "count" in item else None,
                },
            )
        elif channel == "liquidation-orders":
            for each in item["details"]:
                yield (
                    "liquidations",
                    {
                        "symbol": item["instId"],
                        "ts_event": ms(each["ts"]),
                        "side": each["side"],
                        "price": real(each["bkPx"]),
                        "size": real(each["sz"]),
                    },
                )
        elif channel.startswith("candle"):
            lengths = {"candle1m": ("1m", 60_000), "candle1Dutc": ("1d", 86_400_000)}
            if channel not in lengths:
                return
            interval, length = lengths[channel]
            yield (
                "candles",
                {
                    "symbol": symbol,
                    "interval": interval,
                    "ts_open": ms(item[0]),
                    "ts_close": ms(int(item[0]) + length - 1),
                    **dict(zip(OHLCV, map(real, item[1:6]), strict=True)),
                    "closed": item[8] == "1",
                },
            )
        else:
            names = {
                "tickers": {
                    "last_price": "last", "volume_24h": "vol24h", "notional_24h": "volCcy24h"
                },
                "mark-price": {"mark_price": "markPx"},
                "index-tickers": {"index_price": "idxPx"},
                "open-interest": {"open_interest": "oi"},
                "funding-rate": {"funding_rate": "fundingRate"},
            }.get(channel)  # fmt: skip
            if names is None:
                return
            row = {"symbol": item["instId"], "ts_event": ms(item["ts"])}
            row |= {column: real(item[name]) for column, name in names.items()}
            if channel == "funding-rate":
                row["next_funding_ts"] = ms(item["fundingTime"])
            yield "tickers", row


CARRIED: dict[Any, dict[str, Any]] = {}
TICKER = {
    "last_price": "lastPrice",
    "mark_price": "markPrice",
    "index_price": "indexPrice",
    "funding_rate": "fundingRate",
    "open_interest": "openInterest",
    "volume_24h": "volume24h",
    "notional_24h": "turnover24h",
}


def bybit(frame: Any) -> Iterator[Row]:
    topic = frame.get("topic", "").split(".")
    data = frame.get("data")
    if topic[0] == "orderbook" and topic[1] in ("50", "200", "1000"):
        common = {
            "symbol": data["s"],
            "ts_event": ms(frame.get("cts")),
            "channel": "book" if topic[1] == "200" else f"book:{topic[1]}",
            "is_snapshot": frame["type"] == "snapshot",
            "venue_seq": data["u"],
        }
        sides = ((side, *level, None) for side in ("bid", "ask") for level in data[side[0]])
        yield from levels(common, sides)
    elif topic[:2] == ["orderbook", "1"]:
        row = {"symbol": data["s"], "ts_event": ms(frame.get("cts")), "venue_seq": data["u"]}
        for side in ("bid", "ask"):
            for price, size in data[side[0]][:1]:
                row |= {f"{side}_price": real(price), f"{side}_size": real(size)}
        yield "quotes", row
    elif topic[0] == "publicTrade":
        for each in data:
            yield (
                "trades",
                {
                    "symbol": each["s"],
                    "ts_event": ms(each["T"]),
                    "channel": "trades",
                    "price": real(each["p"]),
                    "size": real(each["v"]),
                    "side": each["S"].lower(),
                    "trade_id": each["i"],
                    "is_block": each.get("BT"),
                    "is_rpi": each.get("RPI"),
                },
            )
    elif topic[0] == "tickers" and "type" in frame:
        carried = CARRIED.setdefault(data["symbol"], {})
        if frame["type"] == "snapshot":
            carried.clear()
        carried |= {column: real(data[name]) for column, name in TICKER.items() if name in data}
        if "nextFundingTime" in data:
            carried["next_funding_ts"] = ms(data["nextFundingTime"])
        yield "tickers", {"symbol": data["symbol"], "ts_event": ms(frame["ts"])} | carried
    elif topic[0] == "kline":
        intervals = {sent: interval for interval, sent in BYBIT_INTERVALS.items()}
        for each in data:
            yield (
                "candles",
                {
                    "symbol": topic[-1],
                    "ts_event": ms(each["timestamp"]),
                    "interval": intervals[each["interval"]],
                    "ts_open": ms(each["start"]),
                    "ts_close": ms(each["end"]),
                    **{
                        name: real(each[name])
                        for name in ("open", "high", "low", "close", "volume")
                    },
                    "closed": each["confirm"],
                },
            )
    elif topic[0] == "allLiquidation":
        for each in data:
            yield (
                "liquidations",
                {
                    "symbol": each["s"],
                    "ts_event": ms(each["T"]),
                    "side": {"Buy": "sell", "Sell": "buy"}[each["S"]],
                    "price": real(each["p"]),
                    "size": real(each["v"]),
                },
            )


def coinbase(frame: Any) -> Iterator[Row]:
    now = rfc3339(frame.get("timestamp"))
    book: list[dict[str, Any]] = []
    for event in frame.get("events", []):
        for each in event.get("trades", []):
            yield (
                "trades",
                {
                    "symbol": each["product_id"],
                    "ts_event": rfc3339(each["time"]),
                    "channel": "trades",
                    "price": real(each["price"]),
                    "size": real(each["size"]),
                    "side": "sell" if each["side"] == "BUY" else "buy",
                    "trade_id": each["trade_id"],
                },
            )
        for each in event.get("tickers", []) if frame["channel"] == "ticker" else []:
            row = {"symbol": each["product_id"], "ts_event": now}
            yield (
                "quotes",
                row
                | {
                    "bid_price": real(each["best_bid"]),
                    "bid_size": real(each["best_bid_quantity"]),
                    "ask_price": real(each["best_ask"]),
                    "ask_size": real(each["best_ask_quantity"]),
                },
            )
            yield (
                "tickers",
                row
                | {
                    "last_price": real(each["price"]),
                    "volume_24h": real(each["volume_24_h"]),
                },
            )
        for each in event.get("candles", []):
            yield (
                "candles",
                {
                    "symbol": each["product_id"],
                    "ts_event": now,
                    "interval": "5m",
                    "ts_open": int(each["start"]) * 10**9,
                    "ts_close": int(each["start"]) * 10**9 + 299_999 * MS,
                    **{
                        name: real(each[name])
                        for name in ("open", "high", "low", "close", "volume")
                    },
                },
            )
        book += [
            {
                "symbol": event["product_id"],
                "ts_event": rfc3339(each["event_time"]),
                "channel": "book",
                "side": {"bid": "bid", "offer": "ask"}[each["side"]],
                "price": real(each["price_level"]),
                "size": real(each["new_quantity"]),
                "is_snapshot": event["type"] == "snapshot",
                "venue_seq": frame["sequence_num"],
            }
            for each in event.get("updates", [])
        ]
    for row in book:
        yield "book", row | {"last": row is book[-1]}


def kraken(frame: Any) -> Iterator[Row]:
    channel = frame.get("channel")
    for item in frame.get("data", []):
        common = {"symbol": item.get("symbol"), "ts_event": rfc3339(item.get("timestamp"))}
        if channel == "book":
            common |= {"channel": "book", "is_snapshot": frame["type"] == "snapshot"}
            sides = (
                (side, level["price"], level["qty"], None)
                for side in ("bid", "ask")
                for level in item[f"{side}s"]
            )
            yield from levels(common, sides)
        elif channel == "trade":
            yield (
                "trades",
                common
                | {
                    "channel": "trades",
                    "price": real(item["price"]),
                    "size": real(item["qty"]),
                    "side": item["side"],
                    "trade_id": str(item["trade_id"]),
                },
            )
        elif channel == "ticker":
            yield (
                "quotes",
                common
                | {
                    "bid_price": real(item["bid"]),
                    "bid_size": real(item["bid_qty"]),
                    "ask_price": real(item["ask"]),
                    "ask_size": real(item["ask_qty"]),
                },
            )
            yield (
                "tickers",
                common
                | {
                    "last_price": real(item["last"]),
                    "volume_24h": real(item["volume"]),
                },
            )
        elif channel == "ohlc":
            yield (
                "candles",
                {
                    "symbol": item["symbol"],
                    "interval": f"{item['interval']}m",
                    "ts_open": rfc3339(item["interval_begin"]),
                    "ts_close": rfc3339(item["timestamp"]),
                    "trade_count": item["trades"],
                    **{
                        name: real(item[name])
                        for name in ("open", "high", "low", "close", "volume")
                    },
                },
            )
