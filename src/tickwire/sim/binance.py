"""Binance's protocol: spot, USD-M futures with two entry points, COIN-M futures.

Rules of this file
------------------
- A stream that does not exist, or is asked for at the wrong entry point, is acknowledged like any
  other and then never delivers, as on the real venue.
- Update ids form unbroken chains per stream, from the subscription on, and REST snapshots fit into
  them at every moment.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from itertools import islice, takewhile
from typing import Any

from tickwire.sim.binance_streams import MARKET_SIDE, Renderer, Stream, levels_text, parse
from tickwire.sim.exchange import Answer, Client, Exchange, Message, Reaction, dumps
from tickwire.sim.faults import Fault
from tickwire.sim.instruments import BINANCE_SPOT, BINANCE_USDM
from tickwire.sim.market import Event, Symbol

MAX_STREAMS = 1024
_TABLES = {
    "trade": "trades",
    "aggTrade": "trades",
    "bookTicker": "quotes",
    "depth": "book",
    "kline": "candles",
    "ticker": "tickers",
    "markPrice": "tickers",
    "forceOrder": "liquidations",
}
HOLE_IDS = 1  # that a broken sequence lacks
_KIND = re.compile(r"[A-Za-z]+")
_UPDATE_ID = re.compile(rb'"(?:u|lastUpdateId)":(\d+)')
_FIRST_IDS = re.compile(rb'("(?:U|pu)":)(\d+)')
_IDS = {"trades": re.compile(rb'"[ta]":(\d+)')}
_TRADE_PATHS = ("aggTrades", "historicalTrades", "trades")
_ROOTS = {
    **dict.fromkeys(BINANCE_SPOT, "/api/v3/"),
    **dict.fromkeys(BINANCE_USDM, "/fapi/v1/"),
    "binance-coinm": "/dapi/v1/",
}
_MOST_TRADES = 1000  # of one answer
_FUTURES_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_ENVELOPE = re.compile(rb'\s*\{\s*"stream"\s*:\s*"([^"\\]*)"\s*,\s*"data"\s*:\s*')


class Binance(Exchange):
    """The venues of `BINANCE`; see `Exchange`."""

    required = (b'"p":', b'"b":', b'"k":', b'"o":')
    error_text = '{"error":{"code":1,"msg":"Internal error"},"id":null}'
    notice_text = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._renderer = Renderer(self.venue, stamp=self.market.stamp)
        self._is_spot = self._renderer.is_spot
        # Measured limits: 5 a second on spot, 10 on futures, pings included.
        self.requests_per_s = 5.0 if self._is_spot else 10.0
        # Streams by the symbol whose events feed them; None for all symbols.
        self._streams: dict[str | None, dict[str, Stream]] = {}

    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """`/stream?streams=a/b` with an envelope, `/ws/a/b` without, at each entry point."""
        parts = path.strip("/").split("/")
        if parts[0] in ("public", "market"):
            if self.venue != "binance-usdm":
                return None
            parts = parts[1:]
        if parts in ([], [""], ["stream"]):
            names = [name for name in query.get("streams", "").split("/") if name]
        elif parts[0] == "ws":
            client.bare = True
            names = parts[1:]
        else:
            return None
        reaction = Reaction([self.greeting] if self.greeting else [])
        for name in names:
            self._add(name, client)
        return reaction

    def request(self, text: str, client: Client) -> Reaction:
        """SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS; anything else is an error."""
        close = self.count(client)
        if close is not None:
            return close
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return _error(3, "Invalid JSON: expected value at line 1 column 1", None)
        if not isinstance(request, dict):
            return _error(2, "Invalid request: request must be an object", None)
        number = request.get("id")
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            return _error(2, "Invalid request: request ID must be an unsigned integer", None)
        method, names = request.get("method"), request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            listed = [*client.keys, *client.silent]
            return Reaction([dumps({"result": listed, "id": number})])
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return _error(2, f"Invalid request: unknown variant {method}", number)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _error(2, "Invalid request: params must be an array of strings", number)
        if method == "SUBSCRIBE":
            if len(client.keys) + len(client.silent) + len(names) > MAX_STREAMS:
                return Reaction(close=(1008, "Too many streams"))
            struck = {
                name: fault
                for name in names
                if (fault := self.on_subscribe(client.number, *self.stream_of(name))) is not None
            }
            for name, fault in struck.items():
                if fault.name != "silent":
                    return _struck(fault, name, number)
            for name in names:
                if name in struck:
                    client.silent[name] = None
                else:
                    self._add(name, client)
        else:
            for name in names:
                client.keys.pop(name, None)
                client.silent.pop(name, None)
        return Reaction([dumps({"result": None, "id": number})])

    def _add(self, name: str, client: Client) -> None:
        if not self.live:
            client.keys[name] = None
            return
        stream = parse(name, self.market.symbols, is_spot=self._is_spot)
        if stream is None or not self._delivers(stream, client):
            client.silent[name] = None
            return
        client.keys[name] = None
        symbol = stream.symbol.name if stream.symbol is not None else None
        self._streams.setdefault(symbol, {}).setdefault(name, stream)

    def _delivers(self, stream: Stream, client: Client) -> bool:
        if _TABLES[stream.kind] not in self.channels:
            return False
        if self.venue != "binance-usdm":
            return True
        # The old paths without an entry point act as /public.
        return (stream.kind in MARKET_SIDE) == client.path.startswith("/market")

    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Every stream of the symbol in the order subscribed, then those of all symbols."""
        for owner in (event.symbol.name, None):
            streams = self._streams.get(owner)
            if not streams:
                continue
            # No subscriber is left: its chain of ids ends here.
            gone = [name for name in streams if name not in wanted]
            for name in gone:
                del streams[name]
            for name, stream in streams.items():
                channel = _TABLES[stream.kind]
                for data, n_rows in self._renderer.render(stream, event):
                    payload = f'{{"stream":"{name}","data":{data}}}'.encode()
                    yield Message(name, channel, payload, n_rows)

    def count(self, client: Client) -> Reaction | None:
        """Count a message or ping of the client; the reaction where they are too many."""
        now_s = time.monotonic()
        client.requests = [then_s for then_s in client.requests if now_s - then_s < 1.0]
        client.requests.append(now_s)
        if len(client.requests) > self.requests_per_s:
            return Reaction(close=(1008, "Too many requests"))
        return None

    def key_of(self, payload: bytes) -> str | None:
        """Read the stream's name in the envelope."""
        match = _ENVELOPE.match(payload)
        try:
            return match[1].decode() if match else None
        except UnicodeDecodeError:
            return None

    def stream_of(self, key: str) -> tuple[str, str]:
        """Read a stream's name; one of all symbols has none."""
        symbol, _, kind = key.partition("@")
        if symbol.startswith("!"):
            symbol, kind = "", symbol[1:]
        found = _KIND.match(kind)
        return _TABLES.get(found[0], "") if found else "", symbol.upper()

    def ids_of(self, message: Message) -> list[str]:
        """Read a trade's id, or the last update id."""
        found = _IDS.get(message.channel, _UPDATE_ID).search(message.payload)
        return [found[1].decode()] if found else []

    def broken(self, payload: bytes) -> bytes | None:
        """Let a depth event begin, and link to, an id that never was."""
        if b'"depthUpdate"' not in payload:
            return None
        return _FIRST_IDS.sub(lambda m: m[1] + str(int(m[2]) + HOLE_IDS).encode(), payload)

    def unwrap(self, payload: bytes) -> bytes:
        """Take off the envelope, for a client of `/ws`."""
        match = _ENVELOPE.match(payload)
        if match is None:
            return payload
        return payload[match.end() :].rstrip()[:-1]

    def rest(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer | None:
        """Answer with the depth snapshot, or all symbols, at the venue's paths."""
        asked = path.removeprefix(_ROOTS[self.venue])
        if (method, asked) == ("GET", "exchangeInfo") and self.live:
            listed = [{"symbol": name, "status": "TRADING"} for name in self.market.symbols]
            return Answer(200, dumps({"symbols": listed}))
        if method != "GET" or (asked != "depth" and asked not in _TRADE_PATHS):
            return None
        symbol = self.market.symbols.get(query.get("symbol", ""))
        if symbol is None:
            return Answer(400, '{"code":-1121,"msg":"Invalid symbol."}')
        if asked in _TRADE_PATHS:
            return self._trades(asked, symbol, query)
        text = query.get("limit", "100" if self._is_spot else "500")
        n_levels = int(text) if text.isdecimal() else 0
        if not 0 < n_levels <= 5000 or not (self._is_spot or n_levels in _FUTURES_LIMITS):
            return Answer(
                400, '{"code":-1130,"msg":"Data sent for parameter \'limit\' is not valid."}'
            )
        bids = levels_text(symbol, symbol.bids.top(n_levels))
        asks = levels_text(symbol, symbol.asks.top(n_levels))
        times = "" if self._is_spot else self._number_snapshot(symbol)
        return Answer(
            200, f'{{"lastUpdateId":{symbol.update_id},{times}"bids":{bids},"asks":{asks}}}'
        )

    def _trades(self, asked: str, symbol: Symbol, query: Mapping[str, str]) -> Answer:
        """Give trades or aggregates, from an id on or the newest ones."""
        if asked == "historicalTrades" and not self._is_spot:
            return Answer(401, '{"code":-2014,"msg":"API-key format invalid."}')
        renderer, is_aggregate = self._renderer, asked == "aggTrades"
        id_of = renderer.aggregate_id if is_aggregate else renderer.trade_id
        first, limit = query.get("fromId", "0"), query.get("limit", "500")
        if not first.isdecimal() or not limit.isdecimal() or not 0 < int(limit) <= _MOST_TRADES:
            return Answer(400, '{"code":-1100,"msg":"Illegal characters found in parameter."}')
        has_first = asked != "trades" and int(first) > 0
        # From the newest one back; an aggregate is of one or two.
        trades = islice(reversed(symbol.recent), None if has_first else 2 * int(limit))
        kept = list(takewhile(lambda trade: id_of(trade) >= int(first), trades))[::-1]
        if is_aggregate:
            found = list(renderer.rest_aggregates(symbol, kept))
        else:
            found = [renderer.rest_trade(symbol, trade) for trade in kept]
        found = found[: int(limit)] if has_first else found[-int(limit) :]
        return Answer(200, f"[{','.join(found)}]")

    def _number_snapshot(self, symbol: Symbol) -> str:
        """Give the snapshot an update id inside the next depth event of every stream.

        The futures rule wants `U <= lastUpdateId <= u` of an event, which a client that has just
        subscribed could otherwise never see when the snapshot falls between two events.
        """
        symbol.update_id += 1
        for stream in self._streams.get(symbol.name, {}).values():
            is_live = stream.symbol is symbol  # no copy of how it was
            if is_live and stream.window is not None and stream.window.first_id < 0:
                stream.window.first_id = symbol.update_id
        now_ms = self.market.clock_ms()
        times = f'"E":{now_ms},"T":{now_ms},'
        if self.venue == "binance-coinm":
            times += f'"symbol":"{symbol.name}","pair":"{symbol.name.partition("_")[0]}",'
        return times


def _struck(fault: Fault, name: str, number: int | str | None) -> Reaction:
    """React to a subscribe that a fault strikes; it is the whole request that fails."""
    if fault.name == "kill":
        return Reaction(reset=True)
    if fault.name == "unanswered":
        return Reaction()
    reaction = _error(2, f"Invalid request: invalid stream {name}", number)
    if fault.name == "reject-blind":
        reaction = _error(2, "Invalid request", None)
    if fault.name == "reject":
        return reaction
    return Reaction(later=[(float(fault.argument), text) for text in reaction.replies])


def _error(code: int, text: str, number: int | str | None) -> Reaction:
    return Reaction([dumps({"error": {"code": code, "msg": text}, "id": number})])
