"""Bybit's protocol: topics by name, and books that are counted per topic."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.dialect import (
    FUNDING_MS,
    TICKER_EVENTS,
    Dialect,
    Levels,
    Stream,
    candle_texts,
    running,
    touch,
)
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event, Symbol

_INTERVALS = {
    "1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "120": "2h",
    "240": "4h", "360": "6h", "720": "12h", "D": "1d", "W": "1w", "M": "1M",
}  # fmt: skip
_KINDS = {
    "publicTrade": "trades", "orderbook": "book", "tickers": "tickers", "kline": "candles",
    "allLiquidation": "liquidations",
}  # fmt: skip
_MOST_ARGS = 10
LIQUIDATION_TRADES = 25


class Bybit(Dialect):
    """The venues `bybit`, `bybit-spot` and `bybit-inverse`; see `Exchange`."""

    required = (b'"p":', b'"b":')
    error_text = '{"success":false,"ret_msg":"Internal error","conn_id":"sim","req_id":"","op":""}'

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read a topic."""
        name, *rest = key.split(".")
        kind = _KINDS.get(name)
        if kind is None or len(rest) != (2 if kind in ("book", "candles") else 1):
            return None
        if kind == "candles":
            interval = _INTERVALS.get(rest[0])
            return None if interval is None else (kind, rest[1], interval)
        if kind == "book" and rest[0] == "1":
            return "quotes", rest[1], ""
        if kind == "book" and rest[0] not in ("50", "200", "1000"):
            return None
        return kind, rest[-1], rest[0] if kind == "book" else ""

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take a request as a whole, or refuse it as a whole."""
        op, number = asked.get("op"), str(asked.get("req_id", ""))
        if op == "ping":
            return Reaction([self._said("pong", number, "ping")])
        args = asked.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return Reaction([self._said("error:invalid op", number, str(op), ok=False)])
        if len(args) > _MOST_ARGS:
            return Reaction([self._said("args size >10", number, op, ok=False)])
        if op == "unsubscribe":
            self.leave([str(arg) for arg in args], client)
            return Reaction([self._said("", number, op)])
        accepted, refused, reaction = self.take([str(arg) for arg in args], client)
        if refused:
            self.leave(accepted, client)
            words = f"error:handler not found,topic:{refused[0]}"
            return Reaction([self._said(words, number, op, ok=False)])
        if accepted:
            reaction.replies.append(self._said("", number, op))
        return reaction

    @staticmethod
    def _said(words: str, number: str, op: str, *, ok: bool = True) -> str:
        said = {"success": ok, "ret_msg": words, "conn_id": "sim", "req_id": number, "op": op}
        return dumps(said)

    def begin(self, key: str, kind: str, symbol: str, argument: str) -> Iterator[Message]:
        """Begin tickers with all of one."""
        yield from super().begin(key, kind, symbol, argument)
        if kind == "tickers":
            text = self._ticker(self.streams[key].symbol, self.market.clock_ms(), "snapshot")
            yield Message(key, "tickers", text.encode())

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write `u`, which counts, and `seq`, which all topics of a symbol share."""
        sides = [dumps([[price, size] for price, size, _ in each]) for each in (bids, asks)]
        kind = "snapshot" if is_snapshot else "delta"
        return (
            f'{{"topic":"{stream.key}","type":"{kind}","ts":{time_ms + 2},"data":'
            f'{{"s":"{stream.symbol.name}","b":{sides[0]},"a":{sides[1]},"u":{stream.number},'
            f'"seq":{stream.symbol.update_id}}},"cts":{time_ms}}}'
        )

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, the best prices, candles, tickers and liquidations."""
        symbol, time_ms = event.symbol, event.time_ms
        size = symbol.instrument.size_text
        head = f'{{"topic":"{stream.key}"'
        if stream.kind == "quotes" and event.touch_moved:
            bid, bid_size, ask, ask_size = touch(symbol)
            stream.number += 1
            yield (
                f'{head},"ts":{time_ms + 2},"type":"snapshot","data":{{"s":"{symbol.name}",'
                f'"b":[["{bid}","{bid_size}"]],"a":[["{ask}","{ask_size}"]],"u":{stream.number},'
                f'"seq":{symbol.update_id}}},"cts":{time_ms}}}'
            )
        elif stream.kind == "trades" and event.trades:
            items = ",".join(self._trade(symbol, trade) for trade in event.trades)
            yield f'{head},"type":"snapshot","ts":{time_ms + 2},"data":[{items}]}}'
        elif stream.kind == "candles":
            for candle, is_closed in running(stream, event):
                names = ("open", "high", "low", "close", "volume")
                values = dict(zip(names, candle_texts(symbol, candle), strict=True))
                item = {
                    "start": candle.open_ms,
                    "end": candle.close_ms,
                    "interval": stream.key.split(".")[1],
                    **values,
                    "turnover": "0",
                    "confirm": is_closed,
                    "timestamp": time_ms,
                }
                yield f'{head},"data":[{dumps(item)}],"ts":{time_ms + 2},"type":"snapshot"}}'
        elif stream.kind == "tickers" and symbol.n_events % TICKER_EVENTS == 0:
            yield self._ticker(symbol, time_ms, "delta")
        elif stream.kind == "liquidations" and event.trades:
            trade = event.trades[-1]
            if trade.number % LIQUIDATION_TRADES == 0:
                side = "Sell" if trade.is_buy else "Buy"  # of the position
                item = {"T": time_ms, "s": symbol.name, "S": side, "v": size(trade.lots),
                        "p": symbol.instrument.price_text(trade.ticks)}  # fmt: skip
                yield f'{head},"type":"snapshot","ts":{time_ms + 2},"data":[{dumps(item)}]}}'

    @staticmethod
    def _trade(symbol: Symbol, trade: Any) -> str:
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        return (
            f'{{"T":{trade.time_ms},"s":"{symbol.name}","S":"{"Buy" if trade.is_buy else "Sell"}",'
            f'"v":"{size(trade.lots)}","p":"{price(trade.ticks)}","L":"PlusTick",'
            f'"i":"{trade.trade_id}","BT":false,"RPI":false,"seq":{symbol.update_id}}}'
        )

    def _ticker(self, symbol: Symbol, time_ms: int, kind: str) -> str:
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        data = {"symbol": symbol.name, "lastPrice": price(symbol.last_ticks)}
        data |= {"volume24h": size(symbol.volume_lots), "turnover24h": "0"}
        if self.venue != "bybit-spot":
            data |= {"markPrice": price(symbol.last_ticks), "indexPrice": price(symbol.last_ticks)}
        if kind == "snapshot" and self.venue != "bybit-spot":
            funding = str((time_ms // FUNDING_MS + 1) * FUNDING_MS)
            data |= {"fundingRate": "0.0001", "nextFundingTime": funding, "openInterest": "1"}
        if self.venue == "bybit-spot":
            kind = "snapshot"
        return (
            f'{{"topic":"tickers.{symbol.name}","type":"{kind}","data":{dumps(data)},'
            f'"cs":{symbol.update_id},"ts":{time_ms}}}'
        )

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List all symbols."""
        if path != "/v5/market/instruments-info":
            return None
        contract = {"bybit": "LinearPerpetual", "bybit-inverse": "InversePerpetual"}
        quote = "USD" if self.venue == "bybit-inverse" else "USDT"
        more = {"contractType": contract[self.venue]} if self.venue in contract else {}
        listed = [
            {"symbol": name, "status": "Trading", "baseCoin": name.removesuffix(quote),
             "quoteCoin": quote, "priceFilter": {"tickSize": tick}, "lotSizeFilter":
             {"qtyStep": lot}, **more}
            for name, tick, lot in self.steps()
        ]  # fmt: skip
        return {"retCode": 0, "result": {"list": listed, "nextPageCursor": ""}}

    def key_of(self, payload: bytes) -> str | None:
        """Read the topic of a captured message."""
        try:
            topic = json.loads(payload).get("topic")
        except (ValueError, AttributeError):
            return None
        return topic if isinstance(topic, str) else None
