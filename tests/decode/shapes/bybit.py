"""Bybit: a snapshot and then changes, now and in its first API; tickers that send what changed."""

from typing import Any

from tests.reference.rows import book_message, ms, must, real, whole

from tickwire.decode.plan import (
    Rows,
    absent,
    choice,
    constant,
    message,
    number,
    prefix,
    present,
    rows,
    text,
    us,
)
from tickwire.decode.plan import (
    ms as at_ms,
)

VENUE = "bybit"
CAPTURES = (
    "bybit/cfv3-bybit-20260809-linear",
    "bybit/cf-bybit-20250613-ws1",
    "bybit/cf-bybit-20210417-ws26",
    "bybit/cmp-bybit",
    "bybit/tardis-mappers",
)

SIDES = {"Buy": "bid", "Sell": "ask"}
TAKERS = {"Buy": "buy", "Sell": "sell"}


def _old_levels(at: str, *, is_snapshot: bool, removes: bool = False) -> Rows:
    return rows(
        at=at,
        into="book",
        optional=not is_snapshot,
        symbol="symbol",
        ts_event=us("$.timestamp_e6"),
        channel=constant("book"),
        side=choice("side", SIDES),
        price="price",
        size=constant(0.0) if removes else number("size"),
        is_snapshot=constant(is_snapshot),
        venue_seq="$.cross_seq",
    )


def _ticker(*, reset: bool) -> Rows:
    return rows(
        at="data",
        into="tickers",
        carry=True,
        carry_reset=reset,
        symbol="symbol",
        ts_event=at_ms("$.ts"),
        last_price="lastPrice",
        mark_price="markPrice",
        index_price="indexPrice",
        funding_rate="fundingRate",
        open_interest="openInterest",
        volume_24h="volume24h",
        notional_24h="turnover24h",
        next_funding_ts=at_ms("nextFundingTime"),
    )


MESSAGES = (
    message(
        "orderbook",
        when={"topic": prefix("orderbook.")},
        rows=[
            rows(
                at=f"data.{name}[]",
                into="book",
                symbol="$.data.s",
                ts_event=at_ms("$.ts"),
                channel=constant("book"),
                side=constant(side),
                price="[0]",
                size="[1]",
                is_snapshot=choice("$.type", {"snapshot": True, "delta": False}),
                venue_seq="$.data.u",
            )
            for side, name in (("bid", "b"), ("ask", "a"))
        ],
    ),
    message(
        "publicTrade",
        when={"topic": prefix("publicTrade.")},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="s",
                ts_event=at_ms("T"),
                channel=constant("trades"),
                price="p",
                size="v",
                side=choice("S", TAKERS),
                trade_id=text("i"),
            )
        ],
    ),
    message(
        "tickers snapshot",
        when={"topic": prefix("tickers."), "type": "snapshot"},
        rows=[_ticker(reset=True)],
    ),
    message(
        "tickers delta",
        when={"topic": prefix("tickers."), "type": "delta"},
        rows=[_ticker(reset=False)],
    ),
    message(
        "orderBookL2 snapshot",
        when={
            "topic": prefix("orderBookL2_25.", "orderBook_200."),
            "type": "snapshot",
            "data.order_book": absent(),
        },
        rows=[_old_levels("data[]", is_snapshot=True)],
    ),
    message(
        "orderBookL2 snapshot of linear contracts",
        when={
            "topic": prefix("orderBookL2_25.", "orderBook_200."),
            "type": "snapshot",
            "data.order_book": present(),
        },
        rows=[_old_levels("data.order_book[]", is_snapshot=True)],
    ),
    message(
        "orderBookL2 delta",
        when={"topic": prefix("orderBookL2_25.", "orderBook_200."), "type": "delta"},
        rows=[
            _old_levels("data.delete[]", is_snapshot=False, removes=True),
            _old_levels("data.update[]", is_snapshot=False),
            _old_levels("data.insert[]", is_snapshot=False),
        ],
    ),
    message(
        "old trades",
        when={"topic": prefix("trade."), "data[0].trade_time_ms": present()},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="symbol",
                ts_event=at_ms("trade_time_ms"),
                channel=constant("trades"),
                price="price",
                size="size",
                side=choice("side", TAKERS),
                trade_id=text("trade_id"),
            )
        ],
    ),
    message("answer", when={"success": present()}, kind="acknowledge"),
)

TICKER = {
    "last_price": "lastPrice",
    "mark_price": "markPrice",
    "index_price": "indexPrice",
    "funding_rate": "fundingRate",
    "open_interest": "openInterest",
    "volume_24h": "volume24h",
    "notional_24h": "turnover24h",
}


def _old_book(frame: Any) -> list[dict[str, Any]]:
    is_snapshot = frame["type"] == "snapshot"
    data = frame["data"]
    if is_snapshot:
        groups = {"": data["order_book"] if isinstance(data, dict) else data}
    else:
        groups = {name: data.get(name, []) for name in ("delete", "update", "insert")}
    found = [
        {
            "symbol": level["symbol"],
            "ts_event": must(whole(frame["timestamp_e6"])) * 1000,
            "channel": "book",
            "side": SIDES[level["side"]],
            "price": real(level["price"]),
            "size": 0.0 if name == "delete" else real(level["size"]),
            "is_snapshot": is_snapshot,
            "last": False,
            "venue_seq": whole(frame["cross_seq"]),
        }
        for name, levels in groups.items()
        for level in levels
    ]
    found[-1]["last"] = True
    return found


def _print(trade: Any, names: tuple[str, ...]) -> dict[str, Any]:
    symbol, time, price, size, side, identity = (trade[name] for name in names)
    return {
        "symbol": symbol,
        "ts_event": ms(time),
        "channel": "trades",
        "price": real(price),
        "size": real(size),
        "side": TAKERS[side],
        "trade_id": identity,
    }


class State:
    """What tickers carry on."""

    def __init__(self) -> None:
        self.tickers: dict[str, dict[str, Any]] = {}


STATE = State


def rows_of(frame: Any, state: State) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    topic = frame.get("topic", "")
    data = frame.get("data")
    if topic.startswith("orderbook."):
        common = {
            "symbol": data["s"],
            "ts_event": ms(frame["ts"]),
            "channel": "book",
            "is_snapshot": frame["type"] == "snapshot",
            "venue_seq": whole(data["u"]),
        }
        return [("book", book_message(common, data["b"], data["a"]))]
    if topic.startswith("publicTrade."):
        return [("trades", [_print(trade, ("s", "T", "p", "v", "S", "i")) for trade in data])]
    if topic.startswith("tickers."):
        carried = state.tickers.setdefault(data["symbol"], {})
        if frame["type"] == "snapshot":
            carried.clear()
        carried |= {column: real(data[name]) for column, name in TICKER.items() if name in data}
        if "nextFundingTime" in data:
            carried["next_funding_ts"] = ms(data["nextFundingTime"])
        return [("tickers", [{"symbol": data["symbol"], "ts_event": ms(frame["ts"])} | carried])]
    if topic.startswith(("orderBookL2_25.", "orderBook_200.")):
        return [("book", _old_book(frame))]
    if topic.startswith("trade.") and "trade_time_ms" in data[0]:
        names = ("symbol", "trade_time_ms", "price", "size", "side", "trade_id")
        return [("trades", [_print(trade, names) for trade in data])]
    return None
