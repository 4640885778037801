"""Bitget's protocol of version 3: one argument for each subscription, books linked by their ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.dialect import (
    FUNDING_MS,
    TICKER_EVENTS,
    Dialect,
    Levels,
    Stream,
    candle_texts,
    one_more,
    running,
    touch,
)
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event

_KINDS = {
    "publicTrade": ("trades", ""), "books1": ("quotes", ""), "books": ("book", "200"),
    "books5": ("book", "5"), "ticker": ("tickers", ""),
}  # fmt: skip
_PREVIOUS = re.compile(rb'("pseq":)(\d+)')


class Bitget(Dialect):
    """The venues `bitget`, `bitget-futures`, `-usdc` and `-inverse`; see `Exchange`."""

    shares_ids = True
    required = (b'"p":', b'"a":', b'"b":')
    error_text = '{"event":"error","code":"30016","msg":"Param error"}'

    def request(self, text: str, client: Client) -> Reaction:
        """Answer the text `ping`."""
        return Reaction(["pong"]) if text == "ping" else super().request(text, client)

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read the JSON of an argument."""
        arg = json.loads(key)
        topic, symbol = str(arg.get("topic")), str(arg.get("symbol"))
        if topic == "kline":
            return "candles", symbol, str(arg.get("interval")).lower()
        kind = _KINDS.get(topic)
        return None if kind is None else (kind[0], symbol, kind[1])

    def is_whole(self, key: str) -> bool:
        """Whether it is the topic of the five best levels."""
        return str(json.loads(key).get("topic")) == "books5"

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take subscribe and unsubscribe; each argument has an answer of its own."""
        op, args = asked.get("op"), asked.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return Reaction([self.error_text])
        keys = [dumps(arg) for arg in args if isinstance(arg, dict)]
        if op == "unsubscribe":
            self.leave(keys, client)
            return Reaction([f'{{"event":"{op}","arg":{key}}}' for key in keys])
        accepted, refused, reaction = self.take(keys, client)
        reaction.replies += [f'{{"event":"{op}","arg":{key}}}' for key in accepted]
        reaction.replies += [
            f'{{"event":"error","arg":{key},"code":"30001","msg":"Parameter does not exist"}}'
            for key in refused
        ]
        return reaction

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write `[price, size]`."""
        sides = [[[price, size] for price, size, _ in each] for each in (asks, bids)]
        previous = 0 if is_snapshot else stream.previous
        item = (
            f'{{"a":{dumps(sides[0])},"b":{dumps(sides[1])},"checksum":0,"pseq":{previous},'
            f'"seq":{stream.number},"ts":"{time_ms}"}}'
        )
        return self._said(stream, "snapshot" if is_snapshot else "update", item, time_ms)

    @staticmethod
    def _said(stream: Stream, action: str, items: str, time_ms: int) -> str:
        return f'{{"action":"{action}","arg":{stream.key},"data":[{items}],"ts":{time_ms + 3}}}'

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, the best prices, candles and tickers."""
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        bid, bid_size, ask, ask_size = touch(symbol)
        if stream.kind == "trades" and event.trades:
            items = ",".join(
                f'{{"i":"{trade.trade_id}","p":"{price(trade.ticks)}","v":"{size(trade.lots)}",'
                f'"S":"{"buy" if trade.is_buy else "sell"}","T":"{trade.time_ms}",'
                f'"L":"{trade.trade_id}","isRPI":"no"}}'
                for trade in event.trades
            )
            yield self._said(stream, "update", items, time_ms)
        elif stream.kind == "quotes" and event.touch_moved:
            item = (
                f'{{"a":[["{ask}","{ask_size}"]],"b":[["{bid}","{bid_size}"]],"pseq":0,"seq":'
                f'{symbol.update_id},"ts":"{time_ms}"}}'
            )
            yield self._said(stream, "snapshot", item, time_ms)
        elif stream.kind == "candles":
            for candle, _ in running(stream, event):
                names = ("open", "high", "low", "close", "volume")
                values = dict(zip(names, candle_texts(symbol, candle), strict=True))
                item = dumps({"start": str(candle.open_ms), **values, "turnover": "0"})
                yield self._said(stream, "update", item, time_ms)
        elif stream.kind == "tickers" and symbol.n_events % TICKER_EVENTS == 0:
            last = price(symbol.last_ticks)
            values = {
                "lastPrice": last, "bid1Price": bid, "bid1Size": bid_size, "ask1Price": ask,
                "ask1Size": ask_size, "volume24h": size(symbol.volume_lots), "turnover24h": "0",
            }  # fmt: skip
            if self.venue != "bitget":
                funding = str((time_ms // FUNDING_MS + 1) * FUNDING_MS)
                values |= {"markPrice": last, "indexPrice": last, "fundingRate": "0.0001",
                         "openInterest": "1", "nextFundingTime": funding}  # fmt: skip
            yield self._said(stream, "snapshot", dumps(values), time_ms)

    def end_texts(self, key: str) -> list[str]:
        """Answer as if the client had unsubscribed."""
        return [f'{{"event":"unsubscribe","arg":{key}}}']

    def broken(self, payload: bytes) -> bytes | None:
        """Link a change of a book to an id that never was."""
        if b'"topic":"books"' not in payload or b'"action":"update"' not in payload:
            return None
        return one_more(_PREVIOUS, payload)

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the id of a book's message."""
        name = rb'"i":"' if message.channel == "trades" else rb'"seq":'
        return [found.decode() for found in re.findall(name + rb"(\d+)", message.payload)]

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List the symbols of a category."""
        if path != "/api/v3/market/instruments":
            return None
        listed = [
            {"symbol": name, "category": query.get("category", ""), "baseCoin": name[:-4],
             "quoteCoin": name[-4:], "type": "perpetual", "priceMultiplier": tick,
             "quantityMultiplier": lot, "pricePrecision": str(len(tick.partition(".")[2])),
             "status": "online"}
            for name, tick, lot in self.steps()
        ]  # fmt: skip
        return {"code": "00000", "data": listed}

    def key_of(self, payload: bytes) -> str | None:
        """Read the argument of a captured message."""
        try:
            arg = json.loads(payload).get("arg")
        except (ValueError, AttributeError):
            return None
        return dumps(arg) if isinstance(arg, dict) else None
