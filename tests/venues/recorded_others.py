"""What messages of Deribit, Bitget, Gate, Kraken Futures and Bitfinex say, read by plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.venues.recorded import CARRIED, MS, OHLCV, Row, levels, ms, real

MINUTES = {"1": 1, "3": 3, "5": 5, "60": 60}


def deribit(frame: Any) -> Iterator[Row]:
    params = frame.get("params", {})
    channel, data = str(params.get("channel")).split("."), params.get("data")
    if channel[0] == "trades":
        for each in data:
            row = {
                "symbol": each["instrument_name"],
                "ts_event": ms(each["timestamp"]),
                "price": real(each["price"]),
                "size": real(each["amount"]),
                "side": each["direction"],
                "trade_id": each["trade_id"],
            }
            yield "trades", row | {"channel": "trades"}
            how = each.get("liquidation")
            if how is not None:
                other = {"buy": "sell", "sell": "buy"}[row["side"]]
                yield "liquidations", row | ({"side": other} if how == "M" else {})
        return
    if channel[0] == "chart":
        minutes = MINUTES[channel[-1]]
        yield (
            "candles",
            {
                "symbol": channel[2],
                "interval": f"{minutes}m" if minutes < 60 else "1h",
                "ts_open": ms(data["tick"]),
                "ts_close": ms(data["tick"] + minutes * 60_000 - 1),
                **{name: real(data[name]) for name in OHLCV},
            },
        )
        return
    if channel[0] not in ("book", "quote", "ticker"):
        return
    common = {"symbol": data["instrument_name"], "ts_event": ms(data["timestamp"])}
    if channel[0] == "quote":
        names = {
            f"{side}_{column}": real(data[f"best_{side}_{name}"])
            for side in ("bid", "ask")
            for column, name in (("price", "price"), ("size", "amount"))
        }
        yield "quotes", common | names
    elif channel[0] == "ticker":
        row = {name: real(data.get(name)) for name in ("last_price", "mark_price", "index_price")}
        row |= {
            "funding_rate": real(data.get("funding_8h")),
            "open_interest": real(data.get("open_interest")),
            "volume_24h": real(data["stats"].get("volume")),
            "notional_24h": real(data["stats"].get("volume_usd")),
        }
        yield "tickers", common | row
    else:
        is_change = data.get("type") == "change"
        whole = "type" not in data
        common |= {
            "channel": f"book:{channel[3]}" if whole else "book",
            "is_snapshot": not is_change,
            "venue_seq": data["change_id"],
            "venue_prev_seq": data["prev_change_id"] if is_change else None,
        }
        sides = (
            (side, *(level if whole else level[1:]), None)
            for side in ("bid", "ask")
            for level in data[f"{side}s"]
        )
        yield from levels(common, sides)


def bitget(frame: Any) -> Iterator[Row]:
    arg = frame.get("arg", {}) if isinstance(frame, dict) else {}
    topic = arg.get("topic")
    for item in frame.get("data", ()) if topic else ():
        common = {"symbol": arg.get("symbol"), "ts_event": ms(item.get("ts"))}
        if topic == "books":
            is_update = frame["action"] == "update"
            common |= {
                "channel": "book",
                "is_snapshot": not is_update,
                "venue_seq": item["seq"],
                "venue_prev_seq": item["pseq"] if is_update else None,
            }
            sides = ((side, *level, None) for side in ("bid", "ask") for level in item[side[0]])
            yield from levels(common, sides)
        elif topic == "books1":
            best = {
                f"{side}_{name}": real(item[side[0]][0][at])
                for side in ("bid", "ask")
                for at, name in enumerate(("price", "size"))
            }
            yield "quotes", common | best | {"venue_seq": item["seq"]}
        elif topic == "publicTrade":
            yield (
                "trades",
                common
                | {
                    "ts_event": ms(item["T"]),
                    "channel": "trades",
                    "price": real(item["p"]),
                    "size": real(item["v"]),
                    "side": item["S"],
                    "trade_id": item["i"],
                    "is_rpi": item["isRPI"] == "yes",
                },
            )
        elif topic == "ticker":
            names = {
                "last_price": "lastPrice", "mark_price": "markPrice", "index_price": "indexPrice",
                "funding_rate": "fundingRate", "open_interest": "openInterest",
                "volume_24h": "volume24h", "notional_24h": "turnover24h",
            }  # fmt: skip
            row = common | {column: real(item.get(key)) for column, key in names.items()}
            row |= {"ts_event": ms(frame["ts"])}
            yield "tickers", row | {"next_funding_ts": ms(item.get("nextFundingTime"))}
        elif topic == "liquidation":
            yield (
                "liquidations",
                {
                    "symbol": item["symbol"],
                    "ts_event": ms(item["ts"]),
                    "side": {"buy": "sell", "sell": "buy"}[item["side"]],
                    "price": real(item["price"]),
                    "size": real(item["amount"]),
                },
            )


def gate(frame: Any) -> Iterator[Row]:
    return _gate("spot", frame)


def gate_futures(frame: Any) -> Iterator[Row]:
    return _gate("futures", frame)


def _gate(market: str, frame: Any) -> Iterator[Row]:
    frame = frame if isinstance(frame, dict) else {}
    name, result = str(frame.get("channel")), frame.get("result")
    if frame.get("event") != "update" or not name.startswith(f"{market}."):
        return
    for item in result if isinstance(result, list) else [result]:
        if name.endswith(".book_ticker"):
            values = {"bid_price": "b", "bid_size": "B", "ask_price": "a", "ask_size": "A"}
            row = {column: real(item[key]) for column, key in values.items()}
            yield "quotes", row | {"symbol": item["s"], "ts_event": ms(item["t"]),
                                   "venue_seq": item["u"]}  # fmt: skip
        elif name == "spot.trades":
            yield (
                "trades",
                {
                    "symbol": item["currency_pair"],
                    # Its decimals are exact: thousandths of a ms.
                    "ts_event": round(float(item["create_time_ms"]) * 1000) * 1000,
                    "channel": "trades",
                    "price": real(item["price"]),
                    "size": real(item["amount"]),
                    "side": item["side"],
                    "trade_id": str(item["id"]),
                },
            )
        elif name == "futures.trades":
            size = float(item["size"])
            yield (
                "trades",
                {
                    "symbol": item["contract"],
                    "ts_event": ms(item.get("create_time_ms")),
                    "channel": "trades",
                    "price": real(item["price"]),
                    "size": abs(size),
                    "side": "sell" if size < 0 else "buy",
                    "trade_id": str(item["id"]),
                },
            )
        elif name == "spot.tickers":
            yield (
                "tickers",
                {
                    "symbol": item["currency_pair"],
                    "ts_event": ms(frame.get("time_ms")),
                    "last_price": real(item["last"]),
                    "volume_24h": real(item["base_volume"]),
                    "notional_24h": real(item["quote_volume"]),
                },
            )
        elif name == "futures.tickers":
            names = {
                "last_price": "last", "mark_price": "mark_price", "index_price": "index_price",
                "funding_rate": "funding_rate", "open_interest": "total_size",
                "volume_24h": "volume_24h_base", "notional_24h": "volume_24h_quote",
            }  # fmt: skip
            row = {column: real(item.get(key)) for column, key in names.items()}
            funding = item.get("funding_next_apply")
            row["next_funding_ts"] = None if funding is None else funding * 10**9
            common = {"symbol": item["contract"], "ts_event": ms(frame.get("time_ms"))}
            yield "tickers", common | row
        elif name.endswith(".candlesticks"):
            interval, _, symbol = item["n"].partition("_")
            is_spot = name.startswith("spot")
            begin = int(item["t"])
            length = {"1m": 60, "5m": 300}[interval]
            values = dict(zip(OHLCV, ("o", "h", "l", "c", "a" if is_spot else "v"), strict=True))
            yield (
                "candles",
                {
                    "symbol": symbol,
                    "interval": interval,
                    "ts_open": begin * 10**9,
                    "ts_close": (begin + length) * 10**9 - MS,
                    **{column: real(item[key]) for column, key in values.items()},
                    "closed": item.get("w") if is_spot else None,
                },
            )


def kraken_futures(frame: Any) -> Iterator[Row]:
    feed, symbol = frame.get("feed"), frame.get("product_id")
    if symbol is None:
        return
    if feed in ("book", "book_snapshot"):
        common = {
            "symbol": symbol,
            "ts_event": ms(frame["timestamp"]),
            "channel": "book",
            "is_snapshot": feed == "book_snapshot",
            "venue_seq": frame["seq"],
        }
        if feed == "book":
            side = {"buy": "bid", "sell": "ask"}[frame["side"]]
            yield from levels(common, iter([(side, frame["price"], frame["qty"], None)]))
        else:
            sides = (
                (side, level["price"], level["qty"], None)
                for side in ("bid", "ask")
                for level in frame[f"{side}s"]
            )
            yield from levels(common, sides)
    for each in {"trade": [frame], "trade_snapshot": frame.get("trades")}.get(feed, ()):
        row = {
            "symbol": each["product_id"],
            "ts_event": ms(each["time"]),
            "price": real(each["price"]),
            "size": real(each["qty"]),
            "side": each["side"],
            "trade_id": each["uid"],
        }
        yield "trades", row | {"channel": "trades"}
        if each["type"] == "liquidation":
            yield "liquidations", row
    if feed == "ticker":
        common = {"symbol": symbol, "ts_event": ms(frame["time"])}
        best = {"bid_price": "bid", "bid_size": "bid_size", "ask_price": "ask",
                "ask_size": "ask_size"}  # fmt: skip
        yield "quotes", common | {column: real(frame[name]) for column, name in best.items()}
        names = {
            "last_price": "last", "mark_price": "markPrice", "index_price": "index",
            "funding_rate": "relative_funding_rate", "open_interest": "openInterest",
            "volume_24h": "volume", "notional_24h": "volumeQuote",
        }  # fmt: skip
        row = {column: real(frame.get(name)) for column, name in names.items()}
        yield "tickers", common | row | {"next_funding_ts": ms(frame.get("next_funding_rate_time"))}


def bitfinex(frame: Any) -> Iterator[Row]:
    """Read arrays by their form; the answers before them say whose a number is."""
    if isinstance(frame, dict):
        if frame["event"] == "subscribed":
            CARRIED["bitfinex", frame["chanId"]] = frame
        return
    number, what, *more = frame
    named = CARRIED["bitfinex", number]
    symbol, channel = named["symbol"], named["channel"]
    if what in ("hb", "tu"):
        return
    if channel == "trades":
        for trade_id, at_ms, amount, price in [more[0]] if what == "te" else what:
            yield "trades", {
                "symbol": symbol, "channel": "trades", "ts_event": ms(at_ms),
                "trade_id": str(trade_id), "price": real(price), "size": real(abs(amount)),
                "side": "sell" if amount < 0 else "buy",
            }  # fmt: skip
    elif channel == "ticker":
        bid, bid_size, ask, ask_size = what[:4]
        yield "quotes", {
            "symbol": symbol, "venue_seq": more[0], "bid_price": real(bid),
            "bid_size": real(bid_size), "ask_price": real(ask), "ask_size": real(ask_size),
        }  # fmt: skip
        yield "tickers", {
            "symbol": symbol, "last_price": real(what[6]), "volume_24h": real(what[7]),
        }  # fmt: skip
    else:
        is_snapshot = isinstance(what[0], list)
        common = {
            "symbol": symbol, "channel": "book", "venue_seq": more[0], "is_snapshot": is_snapshot,
        }  # fmt: skip
        yield from levels(common, (
            ("ask" if amount < 0 else "bid", price, abs(amount) if count else 0, count)
            for price, count, amount in (what if is_snapshot else [what])
        ))  # fmt: skip
