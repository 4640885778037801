"""OKX: an outer `arg` belongs to every row, levels are arrays; the older API has RFC 3339 times."""

from datetime import datetime
from typing import Any

from tests.reference.rows import book_message, ms, real

from tickwire.decode.plan import (
    Field,
    Rows,
    choice,
    constant,
    equal,
    message,
    present,
    rfc3339,
    rows,
    suffix,
    text,
)
from tickwire.decode.plan import (
    ms as at_ms,
)

VENUE = "okx"
CAPTURES = ("okx/cf-okx-20220227-ws1", "okx/cmp-okx", "okx/tardis-mappers")


def _sides(
    channel: str, symbol: str, time: Field, is_snapshot: Field, **columns: str | Field
) -> list[Rows]:
    return [
        rows(
            at=f"data[].{name}[]",
            into="book",
            symbol=symbol,
            ts_event=time,
            channel=constant(channel),
            side=constant(side),
            price="[0]",
            size="[1]",
            is_snapshot=is_snapshot,
            **columns,  # type: ignore[arg-type] # all of them are columns
        )
        for side, name in (("ask", "asks"), ("bid", "bids"))
    ]


MESSAGES = (
    message("event", when={"event": present()}, kind="acknowledge"),
    message(
        "books",
        when={"arg.channel": equal("books", "books-l2-tbt"), "action": equal("snapshot", "update")},
        rows=_sides(
            "book",
            "$.arg.instId",
            at_ms("$.data[].ts"),
            choice("$.action", {"snapshot": True, "update": False}),
            order_count="[3]",
        ),
    ),
    message(
        "partial books",
        when={"arg.channel": equal("books5", "bbo-tbt")},
        rows=_sides(
            "book:5", "$.arg.instId", at_ms("$.data[].ts"), constant(True), order_count="[3]"
        ),
    ),
    message(
        "trades",
        when={"arg.channel": "trades"},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="$.arg.instId",
                ts_event=at_ms("ts"),
                channel=constant("trades"),
                price="px",
                size="sz",
                side=choice("side", {"buy": "buy", "sell": "sell"}),
                trade_id=text("tradeId"),
            )
        ],
    ),
    message(
        "tickers",
        when={"arg.channel": "tickers"},
        rows=[
            rows(
                at="data[]",
                into="quotes",
                symbol="$.arg.instId",
                ts_event=at_ms("ts"),
                bid_price="bidPx",
                bid_size="bidSz",
                ask_price="askPx",
                ask_size="askSz",
            ),
            rows(
                at="data[]",
                into="tickers",
                symbol="$.arg.instId",
                ts_event=at_ms("ts"),
                last_price="last",
                volume_24h="vol24h",
            ),
        ],
    ),
    message(
        "v3 trades",
        when={"table": equal("spot/trade", "futures/trade")},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="instrument_id",
                ts_event=rfc3339("timestamp"),
                channel=constant("trades"),
                price="price",
                # futures say qty, which this declaration does not know: those are errors
                size="size",
                side=choice("side", {"buy": "buy", "sell": "sell"}),
                trade_id=text("trade_id"),
            )
        ],
    ),
    message(
        "v3 depth",
        when={"table": suffix("/depth", "/depth_l2_tbt")},
        rows=_sides(
            "book",
            "$.data[].instrument_id",
            rfc3339("$.data[].timestamp"),
            choice("$.action", {"partial": True, "update": False}),
        ),
    ),
)


def _rfc3339(value: str) -> int:
    moment = datetime.fromisoformat(value)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def _levels(levels: list[Any], *, counted: bool) -> list[tuple[Any, ...]]:
    return [(level[0], level[1], level[3]) if counted else (level[0], level[1]) for level in levels]


def _book(channel: str, symbol: str, time: int | None, item: Any, **columns: Any) -> Any:
    common = {"symbol": symbol, "ts_event": time, "channel": channel} | columns
    counted = "ts" in item
    return book_message(
        common, _levels(item["bids"], counted=counted), _levels(item["asks"], counted=counted)
    )


def _print(symbol: str, time: int | None, item: Any, names: tuple[str, str, str]) -> dict[str, Any]:
    price, size, identity = names
    return {
        "symbol": symbol,
        "ts_event": time,
        "channel": "trades",
        "price": real(item[price]),
        "size": real(item[size]),
        "side": item["side"],
        "trade_id": item[identity],
    }


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    if "table" in frame:
        return _old(frame)
    channel = frame.get("arg", {}).get("channel")
    if "event" in frame or channel is None:
        return None
    symbol, data = frame["arg"].get("instId"), frame["data"]
    if channel in ("books", "books-l2-tbt"):
        (item,) = data
        is_snapshot = frame["action"] == "snapshot"
        return [("book", _book("book", symbol, ms(item["ts"]), item, is_snapshot=is_snapshot))]
    if channel in ("books5", "bbo-tbt"):
        (item,) = data
        return [("book", _book("book:5", symbol, ms(item["ts"]), item, is_snapshot=True))]
    if channel == "trades":
        names = ("px", "sz", "tradeId")
        return [("trades", [_print(symbol, ms(item["ts"]), item, names) for item in data])]
    if channel == "tickers":
        quotes = [
            {
                "symbol": symbol,
                "ts_event": ms(item["ts"]),
                "bid_price": real(item["bidPx"]),
                "bid_size": real(item["bidSz"]),
                "ask_price": real(item["askPx"]),
                "ask_size": real(item["askSz"]),
            }
            for item in data
        ]
        tickers = [
            {
                "symbol": symbol,
                "ts_event": ms(item["ts"]),
                "last_price": real(item["last"]),
                "volume_24h": real(item["vol24h"]),
            }
            for item in data
        ]
        return [("quotes", quotes), ("tickers", tickers)]
    return None


def _old(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    table, data = frame["table"], frame["data"]
    if table in ("spot/trade", "futures/trade"):
        names = ("price", "size", "trade_id")
        return [
            (
                "trades",
                [
                    _print(item["instrument_id"], _rfc3339(item["timestamp"]), item, names)
                    for item in data
                ],
            )
        ]
    if table.endswith(("/depth", "/depth_l2_tbt")):
        (item,) = data
        book = _book(
            "book",
            item["instrument_id"],
            _rfc3339(item["timestamp"]),
            item,
            is_snapshot=frame["action"] == "partial",
        )
        return [("book", book)]
    return None
