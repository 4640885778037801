"""Deribit's protocol: JSON-RPC, channels by name, and books that are linked by their ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.dialect import TICKER_EVENTS, Dialect, Levels, Stream, one_more, running, touch
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event

_RESOLUTIONS = {
    "1": "1m", "3": "3m", "5": "5m", "10": "10m", "15": "15m", "30": "30m", "60": "1h",
    "120": "2h", "180": "3h", "360": "6h", "720": "12h", "1D": "1d",
}  # fmt: skip
_PREVIOUS = re.compile(rb'("prev_change_id":)(\d+)')
_BOOK = re.compile(r"book\.([^.]+)\.100ms")
_OTHER = re.compile(
    r"(trades|ticker)\.([^.]+)\.100ms|(quote)\.([^.]+)|chart\.trades\.([^.]+)\.(\w+)"
)
_KINDS = {"trades": "trades", "ticker": "tickers", "quote": "quotes"}


class Deribit(Dialect):
    """The venue `deribit`; see `Exchange`."""

    shares_ids = True
    required = (b'"price":', b'"bids":')
    error_text = (
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request"},'
        '"testnet":false}'
    )

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read a channel's name; books have no end to their levels."""
        book = _BOOK.fullmatch(key)
        if book is not None:
            return "book", book[1], ""
        found = _OTHER.fullmatch(key)
        if found is None:
            return None
        if found[5]:
            interval = _RESOLUTIONS.get(found[6])
            return None if interval is None else ("candles", found[5], interval)
        return _KINDS[found[1] or found[3]], found[2] or found[4], ""

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take subscribe and unsubscribe, whose answer lists what is had, and signs of life."""
        method, number = str(asked.get("method")), asked.get("id")
        params = asked.get("params")
        keys = params.get("channels") if isinstance(params, dict) else None
        if method in ("public/subscribe", "public/unsubscribe") and isinstance(keys, list):
            if method.endswith("unsubscribe"):
                self.leave(keys, client)
                return Reaction([self._result(number, keys)])
            accepted, _, reaction = self.take([str(key) for key in keys], client)
            reaction.replies.append(self._result(number, accepted))
            return reaction
        if method == "public/set_heartbeat":
            client.wants_beats = True
            return Reaction([self._result(number, "ok")])
        if method == "public/test":
            return Reaction([self._result(number, {"version": "1.2.26"})])
        return Reaction([self.error_text])

    def _result(self, number: Any, result: Any) -> str:
        now_us = self.market.clock_ms() * 1000
        times = {"usIn": now_us, "usOut": now_us + 80, "usDiff": 80, "testnet": False}
        return dumps({"jsonrpc": "2.0", "id": number, "result": result} | times)

    def beat(self, client: Client) -> str | None:
        """Ask for a sign of life, where the client wants that."""
        if not client.wants_beats or not self.live:
            return None
        return '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write `[action, price, amount]`, without saying which levels are new."""
        sides = [
            ",".join(
                f'["{"new" if is_snapshot else "change" if float(size) else "delete"}",{price},'
                f"{size}]"
                for price, size, _ in each
            )
            for each in (bids, asks)
        ]
        kind = "snapshot" if is_snapshot else "change"
        previous = "" if is_snapshot else f'"prev_change_id":{stream.previous},'
        data = (
            f'{{"type":"{kind}","timestamp":{time_ms},{previous}"instrument_name":'
            f'"{stream.symbol.name}","change_id":{stream.number},"bids":[{sides[0]}],'
            f'"asks":[{sides[1]}]}}'
        )
        return self._said(stream, data)

    @staticmethod
    def _said(stream: Stream, data: str) -> str:
        return (
            f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{stream.key}",'
            f'"data":{data}}}}}'
        )

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, the best prices, candles and tickers, with numbers that are no strings."""
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        head = f'"timestamp":{time_ms},"instrument_name":"{symbol.name}"'
        bid, bid_size, ask, ask_size = touch(symbol)
        best = (
            f'"best_bid_price":{bid},"best_bid_amount":{bid_size},"best_ask_price":{ask},'
            f'"best_ask_amount":{ask_size}'
        )
        if stream.kind == "trades" and event.trades:
            items = ",".join(
                f'{{"trade_seq":{trade.number},"trade_id":"{trade.trade_id}","timestamp":'
                f'{trade.time_ms},"tick_direction":0,"price":{price(trade.ticks)},"mark_price":'
                f'{price(trade.ticks)},"instrument_name":"{symbol.name}","index_price":'
                f'{price(trade.ticks)},"direction":"{"buy" if trade.is_buy else "sell"}",'
                f'"amount":{size(trade.lots)}}}'
                for trade in event.trades
            )
            yield self._said(stream, f"[{items}]")
        elif stream.kind == "quotes" and event.touch_moved:
            yield self._said(stream, f"{{{head},{best}}}")
        elif stream.kind == "tickers" and symbol.n_events % TICKER_EVENTS == 0:
            last, volume = price(symbol.last_ticks), size(symbol.volume_lots)
            stats = f'"stats":{{"volume_usd":{volume},"volume":{volume}}}'
            rates = f'"mark_price":{last},"index_price":{last},"funding_8h":0.0001'
            data = f'{{{head},{stats},"last_price":{last},{rates},"open_interest":1.0,{best}}}'
            yield self._said(stream, data)
        elif stream.kind == "candles":
            for candle, _ in running(stream, event):
                prices = (candle.open, candle.high, candle.low, candle.close)
                names = ("open", "high", "low", "close")
                texts = ",".join(f'"{n}":{price(p)}' for n, p in zip(names, prices, strict=True))
                volume = f'"volume":{size(candle.lots)},"cost":0.0'
                yield self._said(stream, f'{{"tick":{candle.open_ms},{texts},{volume}}}')

    def broken(self, payload: bytes) -> bytes | None:
        """Link a change of a book to an id that never was."""
        if b'"type":"change"' not in payload:
            return None
        return one_more(_PREVIOUS, payload)

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the id of a book's message."""
        name = rb'"trade_id":"' if message.channel == "trades" else rb'"change_id":'
        return [found.decode() for found in re.findall(name + rb"(\d+)", message.payload)]

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List the symbols of a kind."""
        if path != "/api/v2/public/get_instruments":
            return None
        listed = [
            {"instrument_name": name, "kind": "future", "settlement_period": "perpetual",
             "base_currency": name.partition("-")[0].partition("_")[0], "quote_currency": "USD",
             "settlement_currency": "USD", "instrument_type": "linear", "tick_size": float(tick),
             "min_trade_amount": float(lot), "contract_size": 1.0, "is_active": True}
            for name, tick, lot in self.steps()
            if query.get("kind") == "future"
        ]  # fmt: skip
        return {"jsonrpc": "2.0", "result": listed}

    def key_of(self, payload: bytes) -> str | None:
        """Read the channel of a captured message."""
        try:
            channel = json.loads(payload)["params"]["channel"]
        except (ValueError, LookupError, TypeError):
            return None
        return channel if isinstance(channel, str) else None
