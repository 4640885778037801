"""OKX's protocol: one argument for each subscription, and books that are linked by their ids."""

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
    "trades": ("trades", ""), "bbo-tbt": ("quotes", ""), "books": ("book", "400"),
    "books5": ("book", "5"), "tickers": ("tickers", ""), "mark-price": ("tickers", ""),
    "funding-rate": ("tickers", ""),
    "open-interest": ("tickers", ""), "index-tickers": ("tickers", ""),
}  # fmt: skip


_PREVIOUS = re.compile(rb'("prevSeqId":)(\d+)')


class Okx(Dialect):
    """The venue `okx`; see `Exchange`."""

    trades_together = False
    shares_ids = True
    required = (b'"px":', b'"asks":', b'"bids":')
    error_text = '{"event":"error","code":"60012","msg":"Illegal request","connId":"sim"}'
    notice_text = (
        '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service '
        'upgrade. Please reconnect.","connId":"sim"}'
    )

    def request(self, text: str, client: Client) -> Reaction:
        """Answer the text `ping`."""
        return Reaction(["pong"]) if text == "ping" else super().request(text, client)

    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read the JSON of an argument."""
        arg = json.loads(key)
        channel, symbol = str(arg.get("channel")), str(arg.get("instId"))
        if channel.startswith("candle"):
            return "candles", symbol, channel[6:].removesuffix("utc").replace("H", "h").lower()
        kind = _KINDS.get(channel)
        return None if kind is None else (kind[0], symbol, kind[1])

    def is_whole(self, key: str) -> bool:
        """Whether it is the channel of the five best levels."""
        return str(json.loads(key).get("channel")) == "books5"

    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """Take subscribe and unsubscribe; each argument has an answer of its own."""
        op, args = asked.get("op"), asked.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list):
            return Reaction([self.error_text])
        keys = [dumps(arg) for arg in args if isinstance(arg, dict)]
        if op == "unsubscribe":
            self.leave(keys, client)
            return Reaction([f'{{"event":"{op}","arg":{key},"connId":"sim"}}' for key in keys])
        accepted, refused, reaction = self.take(keys, client)
        reaction.replies += [f'{{"event":"{op}","arg":{key},"connId":"sim"}}' for key in accepted]
        for key in refused:
            arg = json.loads(key)
            words = (
                f"Wrong URL or channel:{arg.get('channel')}, instId:{arg.get('instId')} doesn't "
                "exist. Please use the correct URL, channel and parameters referring to API "
                "document."
            )
            error = {"event": "error", "msg": words, "code": "60018", "connId": "sim"}
            reaction.replies.append(dumps(error))
        return reaction

    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write `[price, size, "0", orders]`."""
        sides = [[[price, size, "0", str(n)] for price, size, n in each] for each in (asks, bids)]
        if stream.is_whole:
            return (
                f'{{"arg":{stream.key},"data":[{{"asks":{dumps(sides[0])},"bids":{dumps(sides[1])},'
                f'"instId":"{stream.symbol.name}","ts":"{time_ms}","seqId":{stream.number}}}]}}'
            )
        previous = -1 if is_snapshot else stream.previous
        return (
            f'{{"arg":{stream.key},"action":"{"snapshot" if is_snapshot else "update"}","data":'
            f'[{{"asks":{dumps(sides[0])},"bids":{dumps(sides[1])},"ts":"{time_ms}",'
            f'"checksum":0,"seqId":{stream.number},"prevSeqId":{previous}}}]}}'
        )

    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write trades, the best prices, candles, and the parts of tickers."""
        for item in self._items(stream, event):
            yield f'{{"arg":{stream.key},"data":[{item}]}}'

    def _items(self, stream: Stream, event: Event) -> Iterator[str]:
        symbol, time_ms = event.symbol, event.time_ms
        price, size = symbol.instrument.price_text, symbol.instrument.size_text
        name = f'"instId":"{symbol.name}"'
        bid, bid_size, ask, ask_size = touch(symbol)
        if stream.kind == "trades":
            for trade in event.trades:
                side = "buy" if trade.is_buy else "sell"
                yield (
                    f'{{{name},"tradeId":"{trade.trade_id}","px":"{price(trade.ticks)}",'
                    f'"sz":"{size(trade.lots)}","side":"{side}","ts":"{trade.time_ms}",'
                    f'"count":"1","source":"0","seqId":{symbol.update_id}}}'
                )
        elif stream.kind == "quotes" and event.touch_moved:
            yield (
                f'{{"asks":[["{ask}","{ask_size}","0","1"]],"bids":[["{bid}","{bid_size}","0",'
                f'"1"]],"ts":"{time_ms}","seqId":{symbol.update_id}}}'
            )
        elif stream.kind == "candles":
            for candle, is_closed in running(stream, event):
                values = [str(candle.open_ms), *candle_texts(symbol, candle)]
                yield dumps([*values, values[-1], values[-1], str(int(is_closed))])
        elif stream.kind == "tickers" and symbol.n_events % TICKER_EVENTS == 0:
            last, volume = price(symbol.last_ticks), size(symbol.volume_lots)
            funding = (time_ms // FUNDING_MS + 1) * FUNDING_MS
            part = {
                "tickers": f'"last":"{last}","askPx":"{ask}","askSz":"{ask_size}","bidPx":"{bid}",'
                f'"bidSz":"{bid_size}","volCcy24h":"{volume}","vol24h":"{volume}"',
                "mark-price": f'"markPx":"{last}"',
                "index-tickers": f'"idxPx":"{last}"',
                "open-interest": f'"oi":"{symbol.volume_lots}","oiCcy":"{volume}"',
                "funding-rate": f'"fundingRate":"0.0001","fundingTime":"{funding}"',
            }[json.loads(stream.key)["channel"]]
            yield f'{{{name},{part},"ts":"{time_ms}"}}'

    def end_texts(self, key: str) -> list[str]:
        """Answer as if the client had unsubscribed."""
        return [f'{{"event":"unsubscribe","arg":{key},"connId":"sim"}}']

    def broken(self, payload: bytes) -> bytes | None:
        """Link a change of a book to an id that never was."""
        if b'"action":"update"' not in payload:
            return None
        return one_more(_PREVIOUS, payload)

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the id of a book's message."""
        name = b"tradeId" if message.channel == "trades" else b"seqId"
        found = re.search(rb'"%s":"?(\d+)' % name, message.payload)
        return [found[1].decode()] if found else []

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """List the symbols of a kind."""
        if path != "/api/v5/public/instruments":
            return None
        listed = []
        for name, tick, lot in self.steps():
            base, quote, *more = name.split("-")
            kind = "SWAP" if more == ["SWAP"] else "SPOT" if not more else "FUTURES"
            if kind == query.get("instType"):
                spot = {"baseCcy": base, "quoteCcy": quote} if kind == "SPOT" else {}
                own = {"instType": kind, "instId": name, "baseCcy": "", "quoteCcy": ""} | spot
                own |= {"uly": "" if spot else f"{base}-{quote}", "tickSz": tick, "lotSz": lot}
                listed.append(own | {"ctVal": "", "expTime": "", "state": "live"})
        return {"code": "0", "msg": "", "data": listed}

    def key_of(self, payload: bytes) -> str | None:
        """Read the argument of a captured message."""
        try:
            arg = json.loads(payload).get("arg")
        except (ValueError, AttributeError):
            return None
        return dumps(arg) if isinstance(arg, dict) else None
