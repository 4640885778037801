"""Gate's protocol of version 4: a request for each stream, and books whose ids are ranges."""

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
    "trades": "trades", "book_ticker": "quotes", "obu": "book", "candlesticks": "candles",
    "tickers": "tickers",
}  # fmt: skip
_FIRST = re.compile(rb'("U":)(\d+)')


class Gate(Dialect):
    """The venues `gate`, `gate-futures` and `gate-btc`; see `Exchange`."""

    shares_ids = True
    required = (b'"price":', b'"b":')
    error_text = (
        '{"time":1,"channel":"","event":"","error":{"code":1,"message":"invalid argument"}}'
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_spot = self.venue == "gate"
        self.trades_together = not self._is_spot

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read the JSON of channel and payload."""
        asked = json.loads(key)
        kind = _KINDS.get(asked["channel"].partition(".")[2])
        payload = asked["payload"]
        if kind is None or not payload:
            return None
        if kind == "book":
            _, symbol, depth = (*payload[0].split("."), "", "")[:3]
            return (kind, symbol, depth) if depth in ("50", "400") else None
        if kind == "candles":
            return kind, payload[-1], payload[0]
        return kind, payload[0], ""

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take subscribe and unsubscribe, and answer pings."""
        channel, event, payload = asked.get("channel"), asked.get("event"), asked.get("payload")
        if isinstance(channel, str) and channel.endswith(".ping"):
            pong = channel.replace("ping", "pong")
            return Reaction([dumps(self._times() | {"channel": pong, "event": "", "result": None})])
        if event not in ("subscribe", "unsubscribe") or not isinstance(payload, list):
            return Reaction([self.error_text])
        keys = [dumps({"channel": channel, "payload": payload})]
        said = self._times() | {"id": asked.get("id"), "channel": channel, "event": event}
        said |= {"conn_id": "sim", "payload": payload}
        success = dumps(said | {"result": {"status": "success"}})
        if event == "unsubscribe":
            self.leave(keys, client)
            return Reaction([success])
        accepted, refused, reaction = self.take(keys, client)
        if accepted:
            reaction.replies.append(success)
        if refused:
            error = {"code": 2, "message": f"unknown currency pair: {payload[-1]}"}
            reaction.replies.append(dumps(said | {"error": error, "result": None}))
        return reaction

    def _times(self) -> dict[str, Any]:
        now_ms = self.market.clock_ms()
        return {"time": now_ms // 1000, "time_ms": now_ms}

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write a whole book, or the sides that have changed."""
        named = json.loads(stream.key)["payload"][0]
        sides = [[[price, size] for price, size, _ in each] for each in (bids, asks)]
        begin = '"full":true,' if is_snapshot else ""
        first = "" if is_snapshot else f'"U":{stream.previous + 1},'
        levels = "".join(
            f',"{name}":{dumps(each)}'
            for name, each in zip("ba", sides, strict=True)
            if each or is_snapshot
        )
        result = f'{{"t":{time_ms},{begin}"s":"{named}",{first}"u":{stream.number}{levels}}}'
        return self._said(stream, result, time_ms)

    @staticmethod
    def _said(stream: Stream, result: str, time_ms: int) -> str:
        channel = json.loads(stream.key)["channel"]
        return (
            f'{{"channel":"{channel}","event":"update","time":{time_ms // 1000},"time_ms":'
            f'{time_ms + 2},"result":{result}}}'
        )

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, the best prices, candles and tickers; of futures mostly as lists."""
        symbol, time_ms = event.symbol, event.time_ms
        size = symbol.instrument.size_text
        if stream.kind == "trades" and event.trades:
            items = [self._trade(event, trade) for trade in event.trades]
            together = [f"[{','.join(items)}]"]
            yield from (
                self._said(stream, i, time_ms) for i in (items if self._is_spot else together)
            )
        elif stream.kind == "quotes" and event.touch_moved:
            bid, bid_size, ask, ask_size = touch(symbol)
            item = {"t": time_ms, "u": symbol.update_id, "s": symbol.name, "b": bid, "B": bid_size,
                    "a": ask, "A": ask_size}  # fmt: skip
            yield self._said(stream, dumps(item), time_ms)
        elif stream.kind == "candles":
            for candle, is_closed in running(stream, event):
                values = dict(zip("ohlca", candle_texts(symbol, candle), strict=True))
                item = {"t": str(candle.open_ms // 1000), "v": values["a"], **values}
                item |= {"n": f"{stream.argument}_{symbol.name}", "w": is_closed}
                text = dumps(item)
                yield self._said(stream, text if self._is_spot else f"[{text}]", time_ms)
        elif stream.kind == "tickers" and symbol.n_events % TICKER_EVENTS == 0:
            last = symbol.instrument.price_text(symbol.last_ticks)
            volume = size(symbol.volume_lots)
            if self._is_spot:
                item = {"currency_pair": symbol.name, "last": last, "base_volume": volume,
                        "quote_volume": "0"}  # fmt: skip
            else:
                funding = (time_ms // FUNDING_MS + 1) * FUNDING_MS // 1000
                item = {
                    "contract": symbol.name, "last": last, "total_size": "1", "mark_price": last,
                    "index_price": last, "funding_rate": "0.0001", "volume_24h_base": volume,
                    "volume_24h_quote": "0", "funding_next_apply": funding,
                }  # fmt: skip
            text = dumps(item)
            yield self._said(stream, text if self._is_spot else f"[{text}]", time_ms)

    def _trade(self, event: Event, trade: Any) -> str:
        price = event.symbol.instrument.price_text(trade.ticks)
        size = event.symbol.instrument.size_text(trade.lots)
        time_s, name = trade.time_ms // 1000, event.symbol.name
        if self._is_spot:
            side = "buy" if trade.is_buy else "sell"
            return (
                f'{{"id":{trade.trade_id},"create_time":{time_s},"create_time_ms":'
                f'"{trade.time_ms}.0","side":"{side}","currency_pair":"{name}","amount":"{size}",'
                f'"price":"{price}"}}'
            )
        return (
            f'{{"size":"{"" if trade.is_buy else "-"}{size}","id":{trade.trade_id},"create_time":'
            f'{time_s},"create_time_ms":{trade.time_ms},"price":"{price}","contract":"{name}"}}'
        )

    def broken(self, payload: bytes) -> bytes | None:
        """Let a change of a book begin with an id that never was."""
        if b'.obu"' not in payload or b'"U":' not in payload:
            return None
        return one_more(_FIRST, payload)

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the id of a book's message."""
        name = rb'"id":' if message.channel == "trades" else rb'"u":'
        return [found.decode() for found in re.findall(name + rb"(\d+)", message.payload)]

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List pairs, or contracts."""
        if path == "/api/v4/spot/currency_pairs":
            return [
                {"id": name, "base": name.partition("_")[0], "quote": name.partition("_")[2],
                 "precision": len(tick.partition(".")[2]), "trade_status": "tradable",
                 "amount_precision": len(lot.partition(".")[2])}
                for name, tick, lot in self.steps()
            ]  # fmt: skip
        if not path.startswith("/api/v4/futures/"):
            return None
        return [
            {"name": name, "type": "direct", "order_price_round": tick, "order_size_min": 1,
             "quanto_multiplier": lot}
            for name, tick, lot in self.steps()
        ]  # fmt: skip

    def key_of(self, payload: bytes) -> str | None:
        """Know no key of a captured message: what it is of stands in many places."""
        return None
