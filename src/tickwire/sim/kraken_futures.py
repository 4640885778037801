"""Kraken Futures' protocol: feeds of many contracts, and books counted level by level."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.dialect import (
    BOOK_EVENTS,
    FUNDING_MS,
    TICKER_EVENTS,
    Dialect,
    Levels,
    Stream,
    touch,
)
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event

_KINDS = {"trade": "trades", "ticker": "quotes", "book": "book"}


class KrakenFutures(Dialect):
    """The venue `kraken-futures`; see `Exchange`."""

    trades_together = False
    required = (b'"price":', b'"qty":')
    error_text = '{"event":"alert","message":"Bad request"}'

    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """Greet with the version."""
        return Reaction([self.greeting or '{"event":"info","version":1}'])

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read `feed contract`."""
        feed, _, symbol = key.partition(" ")
        kind = _KINDS.get(feed)
        return None if kind is None else (kind, symbol, "")

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take subscribe and unsubscribe; an error names no contract."""
        event, feed, products = asked.get("event"), asked.get("feed"), asked.get("product_ids", [])
        if event not in ("subscribe", "unsubscribe") or not isinstance(products, list):
            return Reaction([self.error_text])
        if feed == "heartbeat":
            client.wants_beats = True
            return Reaction([dumps({"event": f"{event}d", "feed": feed})])
        keys = [f"{feed} {product}" for product in products]
        if event == "unsubscribe":
            self.leave(keys, client)
            return Reaction([self._said("unsubscribed", feed, products)])
        accepted, refused, reaction = self.take(keys, client)
        if refused:
            reaction.replies.append('{"event":"error","message":"Invalid product id"}')
        for key in accepted:
            reaction.replies.append(self._said("subscribed", feed, [key.partition(" ")[2]]))
        return reaction

    @staticmethod
    def _said(event: str, feed: Any, products: list[Any]) -> str:
        return dumps({"event": event, "feed": feed, "product_ids": products})

    def beat(self, client: Client) -> str | None:
        """Give the heartbeat of a second, to who has asked for it."""
        if not client.wants_beats or not self.live:
            return None
        return f'{{"feed":"heartbeat","time":{self.market.clock_ms()}}}'

    def _book(self, stream: Stream, event: Event) -> Iterator[Message]:
        """Write each change of a level as a message of its own."""
        if event.symbol.n_events % BOOK_EVENTS:
            return
        bids, asks = self._changes(stream)
        for side, levels in (("buy", bids), ("sell", asks)):
            for price, size, _ in levels:
                stream.number += 1
                text = (
                    f'{{"feed":"book","product_id":"{stream.symbol.name}","side":"{side}","seq":'
                    f'{stream.number},"price":{price},"qty":{size},"timestamp":{event.time_ms}}}'
                )
                yield Message(stream.key, "book", text.encode())

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write a snapshot."""
        sides = [
            ",".join(f'{{"price":{price},"qty":{size}}}' for price, size, _ in each)
            for each in (bids, asks)
        ]
        return (
            f'{{"feed":"book_snapshot","product_id":"{stream.symbol.name}","timestamp":{time_ms},'
            f'"seq":{stream.number},"tickSize":null,"bids":[{sides[0]}],"asks":[{sides[1]}]}}'
        )

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades one by one, and tickers, with numbers that are no strings."""
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        name = f'"product_id":"{symbol.name}"'
        if stream.kind == "trades":
            for trade in event.trades:
                side = "buy" if trade.is_buy else "sell"
                yield (
                    f'{{"feed":"trade",{name},"uid":"{trade.trade_id}","side":"{side}","type":'
                    f'"fill","seq":{trade.number},"time":{trade.time_ms},"qty":{size(trade.lots)},'
                    f'"price":{price(trade.ticks)}}}'
                )
        elif event.touch_moved or symbol.n_events % TICKER_EVENTS == 0:
            bid, bid_size, ask, ask_size = touch(symbol)
            last = price(symbol.last_ticks)
            funding = (time_ms // FUNDING_MS + 1) * FUNDING_MS
            yield (
                f'{{"time":{time_ms},"feed":"ticker",{name},"bid":{bid},"ask":{ask},"bid_size":'
                f'{bid_size},"ask_size":{ask_size},"volume":{size(symbol.volume_lots)},"index":'
                f'{last},"last":{last},"relative_funding_rate":0.0001,"next_funding_rate_time":'
                f'{funding},"openInterest":1.0,"markPrice":{last},"volumeQuote":0.0}}'
            )

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the id of a book's message."""
        name = rb'"uid":"' if message.channel == "trades" else rb'"seq":'
        return [found.decode() for found in re.findall(name + rb"(\d+)", message.payload)]

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List all contracts."""
        if path != "/derivatives/api/v3/instruments":
            return None
        listed = [
            {"symbol": name.lower(), "type": "flexible_futures", "tickSize": float(tick),
             "contractSize": 1, "contractValueTradePrecision": len(lot.partition(".")[2]),
             "tradeable": True}
            for name, tick, lot in self.steps()
        ]  # fmt: skip
        return {"result": "success", "instruments": listed}

    def key_of(self, payload: bytes) -> str | None:
        """Read feed and contract of a captured message."""
        try:
            message = json.loads(payload)
            feed, product = message["feed"], message["product_id"]
        except (ValueError, LookupError, TypeError):
            return None
        return f"{str(feed).removesuffix('_snapshot')} {product}"
