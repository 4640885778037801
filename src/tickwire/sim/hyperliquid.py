"""Hyperliquid's protocol: one host, one object per subscription, snapshots and no sequence numbers.

Rules of this file
------------------
- What is sent follows what the venue was seen to send: numbers are decimal strings, the echo of a
  subscription has defaults added and unknown keys dropped, the first trades frame after a subscribe
  repeats trades already printed.
- Periodic messages (books, tickers, mids) are counted in events and not in seconds, so that a seed
  gives the same messages at every rate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tickwire.sim.candles import INTERVALS, Candles
from tickwire.sim.exchange import Answer, Client, Exchange, Message, Reaction, dumps
from tickwire.sim.faults import Fault
from tickwire.sim.hyperliquid_l2 import BlockTimes, L2Book
from tickwire.sim.hyperliquid_messages import (
    bbo_message,
    book_message,
    candle_message,
    context_message,
    contexts_of,
    fast_contexts_message,
    mid_text,
    trades_message,
)
from tickwire.sim.hyperliquid_users import MAX_USERS, TOO_MANY, Users
from tickwire.sim.hyperliquid_users import TABLES as USER_TABLES
from tickwire.sim.market import Event, Symbol

BOOK_EVENTS = 10
FAST_BOOK_EVENTS = 4
CONTEXT_EVENTS = 25
FAST_CONTEXT_EVENTS = 30
MIDS_EVENTS = 40
MAX_SUBSCRIPTIONS = 1000  # of one connection

_TABLES = {
    "trades": "trades",
    "bbo": "quotes",
    "l2Book": "book",
    "l2": "book",
    "candle": "candles",
    "activeAssetCtx": "tickers",
    "allMids": "mids",
    "fastAssetCtxs": "tickers",
    **USER_TABLES,
}
_OF_USERS = frozenset(USER_TABLES.values())
_INTERVALS = frozenset(INTERVALS) - {"1s", "6h"}
_LIMIT = "Cannot track more than 1000 total subscriptions."
_TRADE_ID = re.compile(rb'"tid":(\d+)')


class Hyperliquid(Exchange):
    """The venue `hyperliquid`; see `Exchange`."""

    ping_every_s = 30.0
    required = (b'"px":', b'"o":', b'"coin":', b'"mids":')
    error_text = '{"channel":"error","data":"Internal error"}'

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.n_events = 0
        self._candles: dict[str, dict[str, Candles]] = {}
        self._books: dict[str, dict[str, dict[str, Any]]] = {}
        self._shown: dict[str, L2Book] = {}
        self._times: dict[str, BlockTimes] = {}
        self.users = Users()
        self._contexts: dict[str, dict[str, str]] = {}

    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """One path; a greeting that is not JSON where the simulator is asked to send it."""
        if path not in ("/ws", "/"):
            return None
        return Reaction([self.greeting] if self.greeting else [])

    def request(self, text: str, client: Client) -> Reaction:
        """Subscribe, unsubscribe and ping; anything else is an error frame."""
        try:
            request = json.loads(text)
            method = request["method"]
            if method == "ping":
                return Reaction(['{"channel":"pong"}'])
            if method not in ("subscribe", "unsubscribe"):
                raise ValueError(method)
            asked = request["subscription"]
            kind = asked["type"]
            if kind not in _TABLES:
                raise ValueError(kind)
        except (ValueError, KeyError, TypeError, RecursionError):
            problem = f"Error parsing JSON into valid websocket request: {text}"
            return _error(problem)
        subscription = self._normal(asked) if _TABLES[kind] in self.channels else None
        if subscription is None:
            return _error(f"Invalid subscription {dumps(asked)}")
        key = _key(subscription)
        echo = {"method": method, "subscription": subscription}
        answer = [dumps({"channel": "subscriptionResponse", "data": echo})]
        if method == "subscribe":
            if key in client.keys or key in client.silent:
                return _error(f"Already subscribed: {dumps(subscription)}")
            fault = self.on_subscribe(client.number, *self.stream_of(key))
            if fault is not None:
                if fault.name == "silent":
                    client.silent[key] = None
                return _struck(fault, answer, dumps(asked))
            if len(client.keys) >= MAX_SUBSCRIPTIONS:
                return _error(_LIMIT)
            users = {each[1] for each in map(self.stream_of, client.keys) if each[0] in _OF_USERS}
            if kind in USER_TABLES and len(users | {subscription["user"]}) > MAX_USERS:
                return _error(TOO_MANY)
            client.keys[key] = None
            first = list(self._first(key, subscription)) if self.live else []
        else:
            if key not in client.keys and key not in client.silent:
                return _error(f"Already unsubscribed: {dumps(subscription)}")
            client.keys.pop(key, None)
            client.silent.pop(key, None)
            first = []
        return Reaction(answer, first)

    def stream_of(self, key: str) -> tuple[str, str]:
        """Read a key, whose coin may hold colons."""
        kind, _, rest = key.partition(":")
        n_after = {"candle": 1, "l2Book": 3}.get(kind, 0)
        symbol = "" if kind in ("allMids", "fastAssetCtxs") else rest.rsplit(":", n_after)[0]
        return _TABLES.get(kind, ""), symbol

    def ids_of(self, message: Message) -> list[str]:
        """Read the trade ids."""
        if message.channel == "fills":
            return self.users.ids_of(message)
        if message.channel != "trades":
            return []
        return [number.decode() for number in _TRADE_ID.findall(message.payload)]

    def end_texts(self, key: str) -> list[str]:
        """Answer as if the client had unsubscribed."""
        symbol = self.stream_of(key)[1]
        kind = key.partition(":")[0]
        subscription: dict[str, Any] = {"type": kind} | ({"coin": symbol} if symbol else {})
        if kind in USER_TABLES:
            subscription = {"type": kind, "user": symbol}
        if kind == "candle":
            subscription["interval"] = key.rpartition(":")[2]
        elif kind == "l2Book":
            subscription = self._books[symbol][key]
        elif kind == "l2":
            subscription = {"type": kind, "c": symbol}
        echo = {"method": "unsubscribe", "subscription": subscription}
        return [dumps({"channel": "subscriptionResponse", "data": echo})]

    def _normal(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Return the subscription as the venue echoes it, or None where it is not valid."""
        kind = asked["type"]
        if kind == "allMids":
            dex = asked.get("dex")
            return {"type": kind, "dex": dex} if isinstance(dex, str) else {"type": kind}
        if kind == "fastAssetCtxs":
            return {"type": kind}
        if kind in USER_TABLES:
            return self.users.normal(asked)
        coin = asked.get("c" if kind == "l2" else "coin")
        if not isinstance(coin, str) or not self.knows(coin):
            return None
        if kind == "candle":
            interval = asked.get("interval")
            if not isinstance(interval, str) or interval not in _INTERVALS:
                return None
            return {"type": kind, "coin": coin, "interval": interval}
        if kind != "l2Book":
            return {"type": kind, "c" if kind == "l2" else "coin": coin}
        figures, mantissa = asked.get("nSigFigs"), asked.get("mantissa")
        if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 1, 2, 5):
            return None
        if mantissa is not None and figures != 5:
            return None
        normal = {"type": kind, "coin": coin, "nSigFigs": figures, "mantissa": mantissa}
        return normal | {"fast": bool(asked.get("fast", False))}

    def _first(self, key: str, subscription: dict[str, Any]) -> Iterator[Message]:
        """Render what is sent at once: trades already printed, or the present state."""
        kind = subscription["type"]
        now_ms = self.market.clock_ms()
        if kind == "allMids":
            yield self._mids(key)
            return
        if kind == "fastAssetCtxs":
            yield fast_contexts_message(key, contexts_of(self.market.symbols.values()))
            return
        if kind in USER_TABLES:
            yield from self.users.first(key, kind, subscription["user"])
            return
        if kind == "l2":
            symbol = self.market.symbols[subscription["c"]]
            if symbol.name not in self._shown:
                self._shown[symbol.name] = L2Book(symbol, self._times_of(symbol), now_ms)
            yield self._shown[symbol.name].whole(key)
            return
        symbol = self.market.symbols[subscription["coin"]]
        if kind == "trades":
            recent = list(symbol.recent)[-50:]
            if recent:
                yield trades_message(key, symbol, recent)
        elif kind == "bbo":
            yield bbo_message(key, symbol, now_ms)
        elif kind == "l2Book":
            self._books.setdefault(symbol.name, {})[key] = subscription
            yield book_message(key, symbol, self._times_of(symbol).block_ms(now_ms), subscription)
        elif kind == "candle":
            interval = subscription["interval"]
            candles = self._candles.setdefault(symbol.name, {})
            if interval not in candles:
                candles[interval] = Candles(interval)
                for trade in symbol.recent:
                    candles[interval].add(trade)
            running = candles[interval].running
            if running is not None:
                yield candle_message(key, symbol, running)
        else:
            yield context_message(key, symbol)

    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Trades, then the touch, then what is due by the count of events."""
        symbol = event.symbol
        name = symbol.name
        self.n_events += 1
        yield from self.users.render(event, self.n_events, wanted)
        if event.trades:
            key = "trades:" + name
            if key in wanted:
                yield trades_message(key, symbol, event.trades)
            if name in self._candles:
                yield from self._update_candles(event, wanted)
        if event.touch_moved:
            key = "bbo:" + name
            if key in wanted:
                yield bbo_message(key, symbol, event.time_ms)
        if symbol.n_events % FAST_BOOK_EVENTS == 0 or symbol.n_events % BOOK_EVENTS == 0:
            for key, book in self._books.get(name, {}).items():
                every = FAST_BOOK_EVENTS if book["fast"] else BOOK_EVENTS
                if symbol.n_events % every == 0 and key in wanted:
                    at_ms = self._times_of(symbol).block_ms(event.time_ms)
                    yield book_message(key, symbol, at_ms, book)
        if symbol.n_events % BOOK_EVENTS == 0 and name in self._shown:
            # What no client follows any more is forgotten: the next one begins with a whole book.
            if "l2:" + name not in wanted:
                del self._shown[name]
            elif changed := self._shown[name].change("l2:" + name, event.time_ms):
                yield changed
        if symbol.n_events % CONTEXT_EVENTS == 0:
            key = "activeAssetCtx:" + name
            if key in wanted:
                yield context_message(key, symbol)
        if self.n_events % FAST_CONTEXT_EVENTS == 0:
            yield from self._changed_contexts(wanted)
        if self.n_events % MIDS_EVENTS == 0:
            for key in wanted:
                if key.startswith("allMids"):
                    yield self._mids(key)

    def _times_of(self, symbol: Symbol) -> BlockTimes:
        """Give the times of a symbol's books: what `l2` shows at one time is one book."""
        if symbol.name not in self._times:
            self._times[symbol.name] = BlockTimes(symbol)
        return self._times[symbol.name]

    def _update_candles(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        name = event.symbol.name
        for interval, candles in self._candles[name].items():
            for trade in event.trades:
                candles.add(trade)
            key = f"candle:{name}:{interval}"
            if candles.running is not None and key in wanted:
                yield candle_message(key, event.symbol, candles.running)

    def _changed_contexts(self, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Render what has changed since the last time: coins, and of each its figures."""
        now = contexts_of(self.market.symbols.values())
        before, self._contexts = self._contexts, now
        changed = {
            name: {key: text for key, text in each.items() if before.get(name, {}).get(key) != text}
            for name, each in now.items()
        }
        changed = {name: each for name, each in changed.items() if each}
        if "fastAssetCtxs" in wanted and changed:
            yield fast_contexts_message("fastAssetCtxs", changed)

    def _mids(self, key: str) -> Message:
        dex = key.partition(":")[2]
        mids = self._mid_texts(dex)
        data: dict[str, Any] = {"mids": mids} | ({"dex": dex} if dex else {})
        payload = dumps({"channel": "allMids", "data": data})
        return Message(key, "mids", payload.encode(), len(mids))

    def _mid_texts(self, dex: str) -> dict[str, str]:
        """Write the mids of one dex; those of the main one have no prefix."""
        symbols = self.market.symbols.items()
        return {name: mid_text(one) for name, one in symbols if name.rpartition(":")[0] == dex}

    def _listed(self, asked: Mapping[str, Any]) -> list[dict[str, str]]:
        """List the perpetuals of a dex, those of the main one, or the spot pairs."""
        is_spot = asked["type"] == "spotMeta"
        dex = str(asked.get("dex", ""))
        return [
            {"name": name}
            for name in self.market.symbols
            if (name.startswith("@") or "/" in name) == is_spot and name.rpartition(":")[0] == dex
        ]

    def rest(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer | None:
        """`POST /info` with `allMids`, `l2Book`, `meta`, `spotMeta` or `perpDexs`."""
        if (method, path) != ("POST", "/info"):
            return None
        try:
            asked = json.loads(body)
            if asked["type"] == "allMids":
                return Answer(200, dumps(self._mid_texts(str(asked.get("dex", "")))))
            if asked["type"] == "perpDexs" and self.live:
                names = {name.rpartition(":")[0]: None for name in self.market.symbols}
                dexes = [{"name": name} for name in names if name]
                return Answer(200, dumps([None, *dexes]))
            if asked["type"] in ("meta", "spotMeta") and self.live:
                return Answer(200, dumps({"universe": self._listed(asked)}))
            if asked["type"] == "l2Book":
                subscription = self._normal(asked)
                if subscription is None:
                    return Answer(500, "null")
                symbol = self.market.symbols[subscription["coin"]]
                book = book_message("", symbol, self.market.clock_ms(), subscription)
                return Answer(200, dumps(json.loads(book.payload)["data"]))
        except (ValueError, KeyError, TypeError):
            pass
        return Answer(422, "Failed to deserialize the JSON body into the target type")


def _error(text: str) -> Reaction:
    return Reaction([dumps({"channel": "error", "data": text})])


def _struck(fault: Fault, answer: list[str], asked: str) -> Reaction:
    """React to a subscribe that a fault strikes."""
    if fault.name == "silent":
        return Reaction(answer)
    if fault.name == "reject":
        return _error(f"Invalid subscription {asked}")
    if fault.name == "kill":
        return Reaction(reset=True)
    if fault.name == "unanswered":
        return Reaction()
    is_blind = fault.name == "reject-blind"
    text = _LIMIT if is_blind else f"Invalid subscription {asked}"
    return Reaction(later=[(float(fault.argument), dumps({"channel": "error", "data": text}))])


def _key(subscription: Mapping[str, Any]) -> str:
    kind = str(subscription["type"])
    if kind == "allMids":
        return f"allMids:{subscription.get('dex', '')}"
    if kind in USER_TABLES:
        return f"{kind}:{subscription['user']}"
    if kind == "fastAssetCtxs":
        return kind
    if kind == "l2":
        return f"{kind}:{subscription['c']}"
    key = f"{kind}:{subscription['coin']}"
    if kind == "candle":
        return f"{key}:{subscription['interval']}"
    if kind == "l2Book":
        fast, figures = subscription["fast"], subscription["nSigFigs"]
        return f"{key}:{figures}:{subscription['mantissa']}:{fast}"
    return key
