"""Kraken's protocol, version 2: books with a checksum of their ten best levels."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.dialect import (
    TICKER_EVENTS,
    Dialect,
    Levels,
    Stream,
    candle_texts,
    moment,
    running,
    touch,
)
from tickwire.sim.exchange import Client, Reaction, dumps
from tickwire.sim.market import Event

_INTERVALS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d", 10080: "1w"}
_KINDS = {"trade": "trades", "ticker": "quotes", "book": "book", "ohlc": "candles"}
_DEPTHS = (10, 25, 100, 500, 1000)
CHECKED = 10


class Kraken(Dialect):
    """The venue `kraken`; see `Exchange`."""

    required = (b'"price":', b'"bids":')
    error_text = '{"error":"Malformed request","method":"subscribe","success":false}'
    deletes_past_depth = False

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read the JSON of a subscription's parameters, of one symbol."""
        params = json.loads(key)
        kind, argument = _KINDS.get(str(params.get("channel"))), ""
        if kind is None:
            return None
        if kind == "book":
            depth = params.get("depth", 10)
            if depth not in _DEPTHS:
                return None
            argument = str(depth)
        elif kind == "candles":
            argument = _INTERVALS.get(params.get("interval", 1), "")
            if not argument:
                return None
        return kind, str(params.get("symbol")), argument

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Answer for each symbol, under the number of the request."""
        method, params, number = asked.get("method"), asked.get("params"), asked.get("req_id")
        if method == "ping":
            return Reaction([dumps({"method": "pong"} | self._times(number))])
        if method not in ("subscribe", "unsubscribe") or not isinstance(params, dict):
            return Reaction([self.error_text])
        symbols = params.get("symbol")
        if not isinstance(symbols, list):
            return Reaction([self.error_text])
        client.wants_beats = True
        keys = [dumps(params | {"symbol": symbol}) for symbol in symbols]
        if method == "unsubscribe":
            self.leave(keys, client)
            return Reaction([self._said(method, key, number) for key in keys])
        accepted, refused, reaction = self.take(keys, client)
        reaction.replies += [self._said(method, key, number) for key in accepted]
        for key in refused:
            symbol = json.loads(key)["symbol"]
            words = "Subscription depth not supported"
            named = {}
            if not self.knows(symbol):
                words, named = f"Currency pair not supported {symbol}", {"symbol": symbol}
            said = {"error": words, "method": method, "success": False, **named}
            reaction.replies.append(dumps(said | self._times(number)))
        return reaction

    def _times(self, number: Any) -> dict[str, Any]:
        now = moment(self.market.clock_ms())
        return {"time_in": now, "time_out": now} | ({} if number is None else {"req_id": number})

    def _said(self, method: str, key: str, number: Any) -> str:
        result = json.loads(key) | {"snapshot": True}
        return dumps({"method": method, "result": result, "success": True} | self._times(number))

    def beat(self, client: Client) -> str | None:
        """Give the heartbeat of a second, to who has asked for anything."""
        return '{"channel":"heartbeat"}' if client.wants_beats and self.live else None

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List all pairs, by the names of the first API."""
        if path != "/0/public/AssetPairs":
            return None
        listed = {
            name.replace("/", ""): {
                "wsname": name.replace("BTC", "XBT"),
                "pair_decimals": len(tick.partition(".")[2]),
                "lot_decimals": len(lot.partition(".")[2]),
                "tick_size": tick,
                "status": "online",
            }
            for name, tick, lot in self.steps()
        }
        return {"error": [], "result": listed}

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write changes, and the checksum of what a client then has."""
        sides = [
            ",".join(f'{{"price":{price},"qty":{size}}}' for price, size, _ in each)
            for each in (bids, asks)
        ]
        return (
            f'{{"channel":"book","type":"{"snapshot" if is_snapshot else "update"}","data":'
            f'[{{"symbol":"{stream.symbol.name}","bids":[{sides[0]}],"asks":[{sides[1]}],'
            f'"checksum":{self._checksum(stream)},"timestamp":"{moment(time_ms)}"}}]}}'
        )

    def _checksum(self, stream: Stream) -> int:
        bids, asks = stream.view
        best = [*sorted(asks.items())[:CHECKED], *sorted(bids.items(), reverse=True)[:CHECKED]]
        digits = [
            text.replace(".", "").lstrip("0")
            for price, size, _ in self._texts(stream, best)
            for text in (price, size)
        ]
        return zlib.crc32("".join(digits).encode())

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, tickers and candles, with numbers that are no strings."""
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        name = f'"symbol":"{symbol.name}"'
        if stream.kind == "trades" and event.trades:
            items = ",".join(
                f'{{{name},"side":"{"buy" if trade.is_buy else "sell"}",'
                f'"price":{price(trade.ticks)},"qty":{size(trade.lots)},"ord_type":"market",'
                f'"trade_id":{trade.trade_id},"timestamp":"{moment(trade.time_ms)}"}}'
                for trade in event.trades
            )
            yield f'{{"channel":"trade","type":"update","data":[{items}]}}'
        elif stream.kind == "quotes" and (
            event.touch_moved or symbol.n_events % TICKER_EVENTS == 0
        ):
            bid, bid_size, ask, ask_size = touch(symbol)
            yield (
                f'{{"channel":"ticker","type":"update","data":[{{{name},"bid":{bid},'
                f'"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size},'
                f'"last":{price(symbol.last_ticks)},"volume":{size(symbol.volume_lots)}}}]}}'
            )
        elif stream.kind == "candles":
            for candle, _ in running(stream, event):
                names = ("open", "high", "low", "close", "volume")
                values = ",".join(
                    f'"{name}":{text}'
                    for name, text in zip(names, candle_texts(symbol, candle), strict=True)
                )
                minutes = next(n for n, each in _INTERVALS.items() if each == candle.interval)
                yield (
                    f'{{"channel":"ohlc","type":"update","timestamp":"{moment(time_ms)}",'
                    f'"data":[{{{name},{values},"trades":{candle.n_trades},'
                    f'"interval_begin":"{moment(candle.open_ms)}","interval":{minutes},'
                    f'"timestamp":"{moment(candle.close_ms + 1)}"}}]}}'
                )
