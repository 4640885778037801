"""Bitfinex's protocol: channels are called by numbers, and a connection's messages are counted."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tickwire.sim.dialect import TICKER_EVENTS, Dialect, Levels, Stream, touch
from tickwire.sim.exchange import Client, Message, Reaction, dumps
from tickwire.sim.market import Event

_KINDS = {"trades": "trades", "ticker": "quotes", "book": "book"}
_BEGIN, _END = "[0,", ",0]"  # until it is known whose: number of the channel, and of the message


class Bitfinex(Dialect):
    """The venue `bitfinex`; see `Exchange`."""

    trades_together = False
    required = (b"[",)
    error_text = '{"event":"error","msg":"unknown request","code":10000}'

    def accept(self, path: str, query: Any, client: Client) -> Reaction | None:
        """Greet with the version."""
        greeting = '{"event":"info","version":2,"platform":{"status":1}}'
        return Reaction([self.greeting or greeting])

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read `channel symbol`."""
        channel, _, symbol = key.partition(" ")
        kind = _KINDS.get(channel)
        return None if kind is None else (kind, symbol, "100" if kind == "book" else "")

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take one channel of one symbol, and give it a number."""
        event, channel, symbol = (str(asked.get(each)) for each in ("event", "channel", "symbol"))
        if event == "conf":
            return Reaction([dumps({"event": "conf", "status": "OK", "flags": asked["flags"]})])
        if event == "ping":
            return Reaction([dumps({"event": "pong", "ts": self.market.clock_ms()})])
        if event != "subscribe":
            return Reaction([self.error_text])
        named = {"channel": channel, "symbol": symbol}
        key = f"{channel} {symbol}"
        if key in client.keys or key in client.silent:
            error = {"event": "error", "msg": "subscribe: dup", "code": 10301}
            return Reaction([dumps(error | named)])
        accepted, refused, reaction = self.take([key], client)
        if refused:
            error = {"event": "error", "msg": "symbol: invalid", "code": 10300}
            reaction.replies.append(dumps(error | named))
        for each in accepted:
            number = self.number_of(each, client)
            told = {"event": "subscribed", "channel": channel, "chanId": number, "symbol": symbol}
            reaction.replies.append(dumps(told))
        return reaction

    @staticmethod
    def number_of(key: str, client: Client) -> int:
        """Give a channel's number, which is the connection's own."""
        return (client.number + 1) * 100_000 + zlib.crc32(key.encode()) % 100_000

    def addressed(self, message: Message, client: Client) -> Message:
        """Give the message with its channel's number and the connection's next one."""
        if not self.live:
            return message
        client.n_numbered += 1
        text = message.payload.decode().removeprefix(_BEGIN).removesuffix(_END)
        number = self.number_of(message.key, client)
        return replace(message, payload=f"[{number},{text},{client.n_numbered}]".encode())

    def listing(self, path: str, query: Any) -> Any:
        """List all pairs."""
        if not path.startswith("/v2/conf/pub:list:pair:exchange"):
            return None
        pairs = [name[1:] for name, _, _ in self.steps()]
        return [[pair for pair in pairs if ("F0:" in pair) == is_futures] for is_futures in (0, 1)]

    def _book(self, stream: Stream, event: Event) -> Iterator[Message]:
        """Write each change of a level as a message of its own."""
        for whole in super()._book(stream, event):
            for level in whole.payload.decode().splitlines():
                yield replace(whole, payload=level.encode(), n_rows=1)

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write a snapshot as one array, or each change on a line."""
        levels = [
            f"[{price},{orders if float(size) else 0},{sign}{size if float(size) else 1}]"
            for sign, each in (("", bids), ("-", asks))
            for price, size, orders in each
        ]
        bodies = ["[" + ",".join(levels) + "]"] if is_snapshot else levels
        return "\n".join(f"{_BEGIN}{body}{_END}" for body in bodies)

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades one by one, and tickers."""
        symbol = event.symbol
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        if stream.kind == "trades":
            for trade in event.trades:
                amount = f"{'' if trade.is_buy else '-'}{size(trade.lots)}"
                body = f"[{trade.trade_id},{trade.time_ms},{amount},{price(trade.ticks)}]"
                yield f'{_BEGIN}"te",{body}{_END}'
        elif event.touch_moved or symbol.n_events % TICKER_EVENTS == 0:
            last, volume = price(symbol.last_ticks), size(symbol.volume_lots)
            best = ",".join(touch(symbol))
            yield f"{_BEGIN}[{best},0,0,{last},{volume},{last},{last}]{_END}"
