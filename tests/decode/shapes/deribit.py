"""Deribit: JSON-RPC around everything, numbers unquoted, string actions inside level arrays."""

from typing import Any

from tests.reference.rows import book_message, ms, real, whole

from tickwire.decode.plan import (
    choice,
    constant,
    message,
    number,
    prefix,
    present,
    rows,
    text,
)
from tickwire.decode.plan import (
    ms as at_ms,
)

VENUE = "deribit"
CAPTURES = ("deribit/cf-deribit-20210405-5dd9ce", "deribit/cmp-deribit", "deribit/tardis-mappers")

MESSAGES = (
    message(
        "book",
        when={"params.channel": prefix("book."), "params.data.type": present()},
        rows=[
            rows(
                at=f"params.data.{name}[]",
                into="book",
                symbol="$.params.data.instrument_name",
                ts_event=at_ms("$.params.data.timestamp"),
                channel=constant("book"),
                side=constant(side),
                price="[1]",
                size=number("[2]", zero_when=("[0]", "delete")),
                is_snapshot=choice("$.params.data.type", {"snapshot": True, "change": False}),
                venue_seq="$.params.data.change_id",
                venue_prev_seq="$.params.data.prev_change_id",
            )
            for side, name in (("bid", "bids"), ("ask", "asks"))
        ],
    ),
    message(
        "ticker",
        when={"params.channel": prefix("ticker.")},
        rows=[
            rows(
                at="params.data",
                into="tickers",
                symbol="instrument_name",
                ts_event=at_ms("timestamp"),
                last_price="last_price",
                mark_price="mark_price",
                index_price="index_price",
                funding_rate="current_funding",
                open_interest="open_interest",
                volume_24h="stats.volume",
            ),
            rows(
                at="params.data",
                into="quotes",
                symbol="instrument_name",
                ts_event=at_ms("timestamp"),
                bid_price="best_bid_price",
                bid_size="best_bid_amount",
                ask_price="best_ask_price",
                ask_size="best_ask_amount",
            ),
        ],
    ),
    message(
        "trades",
        when={"params.channel": prefix("trades.")},
        rows=[
            rows(
                at="params.data[]",
                into="trades",
                symbol="instrument_name",
                ts_event=at_ms("timestamp"),
                channel=constant("trades"),
                price="price",
                size="amount",
                side=choice("direction", {"buy": "buy", "sell": "sell"}),
                trade_id=text("trade_id"),
            )
        ],
    ),
    message("result", when={"result": present()}, kind="acknowledge"),
)


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    channel = frame.get("params", {}).get("channel", "")
    data = frame.get("params", {}).get("data")
    if channel.startswith("book.") and "type" in data:
        common = {
            "symbol": data["instrument_name"],
            "ts_event": ms(data["timestamp"]),
            "channel": "book",
            "is_snapshot": data["type"] == "snapshot",
            "venue_seq": whole(data["change_id"]),
            "venue_prev_seq": whole(data.get("prev_change_id")),
        }
        bids, asks = (
            [(price, "0" if action == "delete" else size) for action, price, size in data[name]]
            for name in ("bids", "asks")
        )
        return [("book", book_message(common, bids, asks))]
    if channel.startswith("ticker."):
        common = {"symbol": data["instrument_name"], "ts_event": ms(data["timestamp"])}
        names = {
            "last_price": "last_price",
            "mark_price": "mark_price",
            "index_price": "index_price",
            "funding_rate": "current_funding",
            "open_interest": "open_interest",
        }
        ticker = common | {column: real(data.get(name)) for column, name in names.items()}
        ticker["volume_24h"] = real(data["stats"].get("volume"))
        quote = common | {
            f"{side}_{column}": real(data.get(f"best_{side}_{name}"))
            for side in ("bid", "ask")
            for column, name in (("price", "price"), ("size", "amount"))
        }
        return [("tickers", [ticker]), ("quotes", [quote])]
    if channel.startswith("trades."):
        trades = [
            {
                "symbol": trade["instrument_name"],
                "ts_event": ms(trade["timestamp"]),
                "channel": "trades",
                "price": real(trade["price"]),
                "size": real(trade["amount"]),
                "side": trade["direction"],
                "trade_id": trade["trade_id"],
            }
            for trade in data
        ]
        return [("trades", trades)]
    return None
