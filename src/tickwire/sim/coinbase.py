"""Coinbase Advanced Trade's protocol: every message of a connection is numbered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
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
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event

_KINDS = {"market_trades": "trades", "ticker": "quotes", "level2": "book", "candles": "candles"}
_NUMBER = '"sequence_num":0,'  # until it is known whose


class Coinbase(Dialect):
    """The venue `coinbase`; see `Exchange`."""

    required = (b'"price":', b'"price_level":')
    error_text = '{"type":"error","message":"authentication failure"}'

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read a channel and a product."""
        channel, _, product = key.partition(" ")
        kind = _KINDS.get(channel)
        return None if kind is None else (kind, product, "5m" if kind == "candles" else "")

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take one channel of many products; the answer lists all that there is."""
        channel, products = str(asked.get("channel")), asked.get("product_ids", [])
        if asked.get("type") not in ("subscribe", "unsubscribe") or not isinstance(products, list):
            return Reaction(['{"type":"error","message":"unsupported request type"}'])
        if channel == "heartbeats":
            client.wants_beats = asked["type"] == "subscribe"
            return self._listed(client, Reaction())
        keys = [f"{channel} {product}" for product in products]
        if asked["type"] == "unsubscribe":
            self.leave(keys, client)
            return self._listed(client, Reaction())
        accepted, refused, reaction = self.take(keys, client)
        if refused:
            self.leave(accepted, client)
            return Reaction(['{"type":"error","message":"Invalid product_ids"}'])
        return self._listed(client, reaction) if accepted else reaction

    def _listed(self, client: Client, reaction: Reaction) -> Reaction:
        if not self.live or reaction.reset:
            return reaction  # a capture has answers of its own, and numbers
        listed: dict[str, list[str]] = {"heartbeats": ["heartbeats"]} if client.wants_beats else {}
        for key in (*client.keys, *client.silent):
            channel, _, product = key.partition(" ")
            listed.setdefault(channel, []).append(product)
        text = self._event(
            "subscriptions", self.market.clock_ms(), dumps({"subscriptions": listed})
        )
        reaction.replies.append(self._numbered(text, client))
        return reaction

    def beat(self, client: Client) -> str | None:
        """Give the heartbeat of a second."""
        if not client.wants_beats or not self.live:
            return None
        now_ms = self.market.clock_ms()
        event = f'{{"current_time":"{moment(now_ms)}","heartbeat_counter":{now_ms // 1000}}}'
        return self._numbered(self._event("heartbeats", now_ms, event), client)

    def addressed(self, message: Message, client: Client) -> Message:
        """Give the message with the connection's next number."""
        if not self.live:
            return message
        text = self._numbered(message.payload.decode(), client)
        return replace(message, payload=text.encode())

    @staticmethod
    def _numbered(text: str, client: Client) -> str:
        number, client.n_numbered = client.n_numbered, client.n_numbered + 1
        return text.replace(_NUMBER, f'"sequence_num":{number},', 1)

    @staticmethod
    def _event(channel: str, time_ms: int, event: str) -> str:
        return (
            f'{{"channel":"{channel}","timestamp":"{moment(time_ms)}",{_NUMBER}"events":[{event}]}}'
        )

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List all products."""
        if path != "/api/v3/brokerage/market/products":
            return None
        listed = [
            {"product_id": name, "product_type": "SPOT", "status": "online",
             "base_currency_id": name.partition("-")[0], "quote_currency_id":
             name.partition("-")[2], "price_increment": tick, "base_increment": lot}
            for name, tick, lot in self.steps()
        ]  # fmt: skip
        return {"products": listed, "num_products": len(listed)}

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write levels one by one, each with its side and time."""
        updates = [
            {"side": side, "event_time": moment(time_ms), "price_level": price,
             "new_quantity": size}
            for side, levels in (("bid", bids), ("offer", asks))
            for price, size, _ in levels
        ]  # fmt: skip
        kind = "snapshot" if is_snapshot else "update"
        event = {"type": kind, "product_id": stream.symbol.name, "updates": updates}
        return self._event("l2_data", time_ms + 1, dumps(event))

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades with the maker's side, tickers and candles."""
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        channel, name = stream.key.partition(" ")[0], f'"product_id":"{symbol.name}"'
        if stream.kind == "trades" and event.trades:
            items = ",".join(
                f'{{{name},"trade_id":"{trade.trade_id}","price":"{price(trade.ticks)}",'
                f'"size":"{size(trade.lots)}","time":"{moment(trade.time_ms)}",'
                f'"side":"{"SELL" if trade.is_buy else "BUY"}"}}'
                for trade in event.trades
            )
            yield self._event(channel, time_ms + 1, f'{{"type":"update","trades":[{items}]}}')
        elif stream.kind == "quotes" and (event.trades or symbol.n_events % TICKER_EVENTS == 0):
            bid, bid_size, ask, ask_size = touch(symbol)
            last = price(symbol.last_ticks)
            item = (
                f'{{"type":"ticker",{name},"price":"{last}",'
                f'"volume_24_h":"{size(symbol.volume_lots)}","low_24_h":"{last}",'
                f'"high_24_h":"{last}","low_52_w":"{last}","high_52_w":"{last}",'
                f'"price_percent_chg_24_h":"0","best_bid":"{bid}",'
                f'"best_ask":"{ask}","best_bid_quantity":"{bid_size}",'
                f'"best_ask_quantity":"{ask_size}"}}'
            )
            yield self._event(channel, time_ms + 1, f'{{"type":"update","tickers":[{item}]}}')
        elif stream.kind == "candles":
            for candle, _ in running(stream, event):
                names = ("open", "high", "low", "close", "volume")
                values = dict(zip(names, candle_texts(symbol, candle), strict=True))
                start = str(candle.open_ms // 1000)
                item = dumps({"start": start, **values, "product_id": symbol.name})
                yield self._event(channel, time_ms + 1, f'{{"type":"update","candles":[{item}]}}')
