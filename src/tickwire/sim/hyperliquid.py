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

from tickwire.sim.candles import INTERVALS, Candle, Candles
from tickwire.sim.exchange import Answer, Client, Exchange, Message, Reaction, dumps
from tickwire.sim.faults import Fault
from tickwire.sim.market import Event, Symbol, Trade

BOOK_EVENTS = 10
FAST_BOOK_EVENTS = 4
CONTEXT_EVENTS = 25
MIDS_EVENTS = 40
MAX_SUBSCRIPTIONS = 1000  # of one connection
# From one book to the next most levels stay as they are: their text is kept.
LEVEL_TEXTS = 20_000

_TABLES = {
    "trades": "trades",
    "bbo": "quotes",
    "l2Book": "book",
    "candle": "candles",
    "activeAssetCtx": "tickers",
    "allMids": "mids",
}
_INTERVALS = frozenset(INTERVALS) - {"1s", "6h"}
_LIMIT = "Cannot track more than 1000 total subscriptions."
_TRADE_ID = re.compile(rb'"tid":(\d+)')
_ADDRESS_MASK = (1 << 160) - 1


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
        symbol = "" if kind == "allMids" else rest.rsplit(":", n_after)[0]
        return _TABLES.get(kind, ""), symbol

    def ids_of(self, message: Message) -> list[str]:
        """Read the trade ids."""
        if message.channel != "trades":
            return []
        return [number.decode() for number in _TRADE_ID.findall(message.payload)]

    def end_texts(self, key: str) -> list[str]:
        """Answer as if the client had unsubscribed."""
        symbol = self.stream_of(key)[1]
        kind = key.partition(":")[0]
        subscription: dict[str, Any] = {"type": kind} | ({"coin": symbol} if symbol else {})
        if kind == "candle":
            subscription["interval"] = key.rpartition(":")[2]
        elif kind == "l2Book":
            subscription = self._books[symbol][key]
        echo = {"method": "unsubscribe", "subscription": subscription}
        return [dumps({"channel": "subscriptionResponse", "data": echo})]

    def _normal(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Return the subscription as the venue echoes it, or None where it is not valid."""
        kind = asked["type"]
        if kind == "allMids":
            dex = asked.get("dex")
            return {"type": kind, "dex": dex} if isinstance(dex, str) else {"type": kind}
        coin = asked.get("coin")
        if not isinstance(coin, str) or not self.knows(coin):
            return None
        if kind == "candle":
            interval = asked.get("interval")
            if not isinstance(interval, str) or interval not in _INTERVALS:
                return None
            return {"type": kind, "coin": coin, "interval": interval}
        if kind != "l2Book":
            return {"type": kind, "coin": coin}
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
        symbol = self.market.symbols[subscription["coin"]]
        if kind == "trades":
            recent = list(symbol.recent)[-20:]
            if recent:
                yield _trades(key, symbol, recent)
        elif kind == "bbo":
            yield _bbo(key, symbol, now_ms)
        elif kind == "l2Book":
            self._books.setdefault(symbol.name, {})[key] = subscription
            yield _book(key, symbol, now_ms, subscription)
        elif kind == "candle":
            interval = subscription["interval"]
            candles = self._candles.setdefault(symbol.name, {})
            if interval not in candles:
                candles[interval] = Candles(interval)
                for trade in symbol.recent:
                    candles[interval].add(trade)
            running = candles[interval].running
            if running is not None:
                yield _candle(key, symbol, running)
        else:
            yield _context(key, symbol)

    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Trades, then the touch, then what is due by the count of events."""
        symbol = event.symbol
        name = symbol.name
        self.n_events += 1
        if event.trades:
            key = "trades:" + name
            if key in wanted:
                yield _trades(key, symbol, event.trades)
            if name in self._candles:
                yield from self._update_candles(event, wanted)
        if event.touch_moved:
            key = "bbo:" + name
            if key in wanted:
                yield _bbo(key, symbol, event.time_ms)
        if symbol.n_events % FAST_BOOK_EVENTS == 0 or symbol.n_events % BOOK_EVENTS == 0:
            for key, book in self._books.get(name, {}).items():
                every = FAST_BOOK_EVENTS if book["fast"] else BOOK_EVENTS
                if symbol.n_events % every == 0 and key in wanted:
                    yield _book(key, symbol, event.time_ms, book)
        if symbol.n_events % CONTEXT_EVENTS == 0:
            key = "activeAssetCtx:" + name
            if key in wanted:
                yield _context(key, symbol)
        if self.n_events % MIDS_EVENTS == 0:
            for key in wanted:
                if key.startswith("allMids"):
                    yield self._mids(key)

    def _update_candles(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        name = event.symbol.name
        for interval, candles in self._candles[name].items():
            for trade in event.trades:
                candles.add(trade)
            key = f"candle:{name}:{interval}"
            if candles.running is not None and key in wanted:
                yield _candle(key, event.symbol, candles.running)

    def _mids(self, key: str) -> Message:
        dex = key.partition(":")[2]
        mids = self._mid_texts(dex)
        data: dict[str, Any] = {"mids": mids} | ({"dex": dex} if dex else {})
        payload = dumps({"channel": "allMids", "data": data})
        return Message(key, "mids", payload.encode(), len(mids))

    def _mid_texts(self, dex: str) -> dict[str, str]:
        """Write the mids of one dex; those of the main one have no prefix."""
        symbols = self.market.symbols.items()
        return {name: _mid(one) for name, one in symbols if name.rpartition(":")[0] == dex}

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
        """`POST /info` with `allMids`, `l2Book`, `meta` or `spotMeta`."""
        if (method, path) != ("POST", "/info"):
            return None
        try:
            asked = json.loads(body)
            if asked["type"] == "allMids":
                return Answer(200, dumps(self._mid_texts(str(asked.get("dex", "")))))
            if asked["type"] in ("meta", "spotMeta") and self.live:
                return Answer(200, dumps({"universe": self._listed(asked)}))
            if asked["type"] == "l2Book":
                subscription = self._normal(asked)
                if subscription is None:
                    return Answer(500, "null")
                symbol = self.market.symbols[subscription["coin"]]
                book = _book("", symbol, self.market.clock_ms(), subscription)
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
    kind = subscription["type"]
    if kind == "allMids":
        return f"allMids:{subscription.get('dex', '')}"
    key = f"{kind}:{subscription['coin']}"
    if kind == "candle":
        return f"{key}:{subscription['interval']}"
    if kind == "l2Book":
        fast, figures = subscription["fast"], subscription["nSigFigs"]
        return f"{key}:{figures}:{subscription['mantissa']}:{fast}"
    return key


def _trades(key: str, symbol: Symbol, trades: list[Trade]) -> Message:
    instrument = symbol.instrument
    last = trades[-1].number
    n_repeated = min(max(symbol.delivered - last + len(trades), 0), len(trades))
    symbol.delivered = max(symbol.delivered, last)
    parts = []
    for trade in trades:
        entropy = trade.entropy
        buyer = entropy & _ADDRESS_MASK
        seller = entropy >> 96
        parts.append(
            f'{{"coin":"{symbol.name}","side":"{"B" if trade.is_buy else "A"}",'
            f'"px":"{instrument.price_text(trade.ticks)}","sz":"{instrument.size_text(trade.lots)}",'
            f'"time":{trade.time_ms},"hash":"0x{entropy:064x}","tid":{trade.trade_id},'
            f'"users":["0x{buyer:040x}","0x{seller:040x}"]}}'
        )
    payload = '{"channel":"trades","data":[' + ",".join(parts) + "]}"
    return Message(key, "trades", payload.encode(), len(parts), n_repeated)


def _levels(symbol: Symbol, levels: list[tuple[int, int, int]]) -> str:
    known = symbol.level_texts
    return ",".join([known.get(level) or _level(symbol, level) for level in levels])


def _level(symbol: Symbol, level: tuple[int, int, int]) -> str:
    ticks, lots, n_orders = level
    price, size = symbol.instrument.price_text(ticks), symbol.instrument.size_text(lots)
    text = f'{{"px":"{price}","sz":"{size}","n":{n_orders}}}'
    if len(symbol.level_texts) >= LEVEL_TEXTS:
        symbol.level_texts.clear()
    symbol.level_texts[level] = text
    return text


def _bbo(key: str, symbol: Symbol, time_ms: int) -> Message:
    touch = _levels(symbol, symbol.bids.top(1) + symbol.asks.top(1))
    data = f'{{"coin":"{symbol.name}","time":{time_ms},"bbo":[{touch}]}}'
    return Message(key, "quotes", f'{{"channel":"bbo","data":{data}}}'.encode())


def _book(key: str, symbol: Symbol, time_ms: int, subscription: Mapping[str, Any]) -> Message:
    n_levels = 5 if subscription["fast"] else 20
    figures, mantissa = subscription["nSigFigs"], subscription["mantissa"]
    if figures is None:
        bids, asks = symbol.bids.top(n_levels), symbol.asks.top(n_levels)
    else:
        grid = _grid(symbol, figures, mantissa or 1)
        bids = _merged(symbol.bids.top(len(symbol.bids.keys)), grid, n_levels, is_bid=True)
        asks = _merged(symbol.asks.top(len(symbol.asks.keys)), grid, n_levels, is_bid=False)
    bid_text, ask_text = _levels(symbol, bids), _levels(symbol, asks)
    extra = ""
    if figures is not None:
        spread = symbol.instrument.price_text(asks[0][0] - bids[0][0])
        extra += f',"spread":"{spread}"'
    if subscription["fast"]:
        extra += ',"fast":true'
    data = (
        f'{{"coin":"{symbol.name}","time":{time_ms},"levels":[[{bid_text}],[{ask_text}]]{extra}}}'
    )
    payload = f'{{"channel":"l2Book","data":{data}}}'.encode()
    return Message(key, "book", payload, len(bids) + len(asks))


def _grid(symbol: Symbol, figures: int, mantissa: int) -> int:
    """Return the ticks between two levels of a book with that many significant figures."""
    digits = len(str(symbol.bids.best))
    return int(10 ** max(digits - figures, 0)) * mantissa


def _merged(
    levels: list[tuple[int, int, int]], grid: int, n_levels: int, *, is_bid: bool
) -> list[tuple[int, int, int]]:
    # Away from the middle: bids down, asks up, so that the merged book does not cross.
    merged: dict[int, tuple[int, int]] = {}
    for ticks, lots, n_orders in levels:
        price = ticks // grid * grid if is_bid else -(-ticks // grid) * grid
        had_lots, had_orders = merged.get(price, (0, 0))
        merged[price] = (had_lots + lots, had_orders + n_orders)
    return [(price, lots, n_orders) for price, (lots, n_orders) in merged.items()][:n_levels]


def _candle(key: str, symbol: Symbol, candle: Candle) -> Message:
    price = symbol.instrument.price_text
    payload = (
        f'{{"channel":"candle","data":{{"t":{candle.open_ms},"T":{candle.close_ms},'
        f'"s":"{symbol.name}","i":"{candle.interval}","o":"{price(candle.open)}",'
        f'"c":"{price(candle.close)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
        f'"v":"{symbol.instrument.size_text(candle.lots)}","n":{candle.n_trades}}}}}'
    )
    return Message(key, "candles", payload.encode())


def _mid(symbol: Symbol) -> str:
    half, odd = divmod(symbol.mid_half_ticks, 2)
    text = symbol.instrument.price_text(half)
    if not odd:
        return text
    # Half a tick more: one decimal below the tick's.
    whole, _, fraction = text.partition(".")
    decimals = symbol.instrument.tick_decimals
    return f"{whole}.{fraction.ljust(decimals, '0')[:decimals]}5"


def _context(key: str, symbol: Symbol) -> Message:
    instrument = symbol.instrument
    price, start = instrument.price_text, instrument.start_ticks
    drift = symbol.last_ticks - start
    if symbol.name.startswith("@") or "/" in symbol.name:
        return _spot_context(key, symbol)
    context = {
        "funding": f"{1.25e-05 + drift / start / 100:.10f}",
        "openInterest": instrument.size_text(instrument.typical_lots * 40_000 + symbol.volume_lots),
        "prevDayPx": price(start),
        "dayNtlVlm": instrument.notional_text(symbol.notional),
        "premium": f"{drift / start / 10:.10f}",
        "oraclePx": price(start + drift * 9 // 10),
        "markPx": price(symbol.last_ticks),
        "midPx": _mid(symbol),
        "impactPxs": [price(symbol.bids.best), price(symbol.asks.best)],
        "dayBaseVlm": instrument.size_text(symbol.volume_lots),
    }
    data = {"coin": symbol.name, "ctx": context}
    payload = dumps({"channel": "activeAssetCtx", "data": data})
    return Message(key, "tickers", payload.encode())


def _spot_context(key: str, symbol: Symbol) -> Message:
    instrument = symbol.instrument
    supply = instrument.size_text(instrument.typical_lots * 1_000_000)
    context = {
        "prevDayPx": instrument.price_text(instrument.start_ticks),
        "dayNtlVlm": instrument.notional_text(symbol.notional),
        "markPx": instrument.price_text(symbol.last_ticks),
        "midPx": _mid(symbol),
        "circulatingSupply": supply,
        "coin": symbol.name,
        "totalSupply": supply,
        "dayBaseVlm": instrument.size_text(symbol.volume_lots),
    }
    data = {"coin": symbol.name, "ctx": context}
    payload = dumps({"channel": "activeSpotAssetCtx", "data": data})
    return Message(key, "tickers", payload.encode())
