"""A venue whose books begin in band, and its server: it loses, repeats and swaps book messages.

The server shares no code with tickwire. What it did to each message is in `Served.faults`.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tickwire.decode.plan import choice, constant, integer, message, ns, present, rows
from tickwire.venues import (
    BookRule,
    Channel,
    Heartbeat,
    Limits,
    Oracle,
    Reply,
    Subscription,
    Venue,
    checksum,
    counted,
    crc32,
    linked,
    per_connection,
    ranges,
)

DEPTH = 10

BOOK = message(
    "book",
    when={"k": "book"},
    spliced=True,
    rows=[
        rows(
            at=f"{side[0]}[]",
            into="book",
            symbol="$.s",
            ts_event=ns("$.T"),
            channel=constant("book"),
            is_snapshot=choice("$.t", {"snapshot": True, "delta": False}),
            venue_seq="$.u",
            venue_prev_seq="$.p",
            first_seq=integer("$.U"),
            checksum=integer("$.c"),
            side=constant(side),
            price="[0]",
            size="[1]",
        )
        for side in ("bid", "ask")
    ],
)
QUOTE = message(
    "quote",
    when={"k": "quote"},
    rows=[
        rows(
            at="",
            into="quotes",
            symbol="s",
            ts_event=ns("T"),
            venue_seq="u",
            bid_price="b",
            bid_size="B",
            ask_price="a",
            ask_size="A",
        )
    ],
)
ACK = message("ack", when={"ok": present()}, kind="acknowledge")
IGNORED = message("beat", when={"k": "beat"}, kind="ignore")
MESSAGES = (BOOK, QUOTE, ACK, IGNORED)

RULES = {
    "linked": BookRule(chain=linked()),
    "counted": BookRule(chain=counted(restart=1)),
    "ranges": BookRule(chain=ranges()),
    "checksum": BookRule(chain=checksum(crc32(levels=DEPTH)), depth=DEPTH),
    "per_connection": BookRule(chain=per_connection("n"), repair="reconnect"),
}


def _subscriptions(channel: str, symbol: str) -> list[Subscription]:
    return [Subscription(channel, symbol, channel, f"{channel}.{symbol}")]


def _request(op: str, asked: Sequence[Subscription], number: int) -> str:
    return json.dumps({"op": op, "args": [each.key for each in asked], "id": number})


def venue(chain: str, oracle: Oracle | None = None) -> Venue:
    """Declare the venue with one of `RULES`."""
    return Venue(
        name="chained",
        endpoints={"main": "wss://chained.example/ws"},
        channels=(
            Channel("book", "book", _subscriptions, spliced=True),
            Channel("quotes", "quotes", _subscriptions),
        ),
        messages=MESSAGES,
        subscribe=lambda asked, number: _request("subscribe", asked, number),
        unsubscribe=lambda asked, number: _request("unsubscribe", asked, number),
        reply=lambda kind, payload: Reply(request_id=json.loads(payload)["id"]),
        heartbeat=Heartbeat("ping", 20.0, 60.0),
        limits=Limits(100, 10, 1000.0, 6000),
        book=RULES[chain],
        oracle=oracle,
    )


@dataclass
class Market:
    """A symbol's book, and its numbers."""

    last: int = 100
    sides: dict[str, dict[float, str]] = field(default_factory=lambda: {"bid": {}, "ask": {}})

    def best(self, side: str) -> list[tuple[float, str]]:
        levels = sorted(self.sides[side].items(), reverse=side == "bid")
        return levels[:DEPTH]

    def change(self, rng: random.Random) -> list[tuple[str, float, str]]:
        """Change a few levels among the best, so that each change is seen by a checksum."""
        found = []
        for _ in range(rng.randint(1, 3)):
            side = rng.choice(["bid", "ask"])
            place = rng.randint(1, DEPTH + 4)
            price = 100 - place / 4 if side == "bid" else 100 + place / 4
            size = "0.000" if rng.random() < 0.2 else f"{rng.randint(1, 99_999) / 1000:.3f}"
            found.append((side, price, size))
            if size == "0.000":
                self.sides[side].pop(price, None)
            else:
                self.sides[side][price] = size
        for side in self.sides:  # as the client truncates
            self.sides[side] = dict(self.best(side))
        return found

    def checksum(self) -> int:
        text = "".join(
            number.replace(".", "").lstrip("0")
            for side in ("ask", "bid")
            for price, size in self.best(side)
            for number in (f"{price:.2f}", size)
        )
        return zlib.crc32(text.encode())


@dataclass
class Fault:
    """What became of a message: when, of which symbol, which number, and whether a sum tells it."""

    kind: str
    symbol: str
    at_ns: int
    last: int
    is_visible: bool


class Served:
    """The server: what it sends, and what it did to it.

    Parameters
    ----------
    chain
        One of `RULES`.
    symbols
        Those that have a market.
    faulty
        Those of whose changes some are struck.
    every
        How many changes of these come between two faults, on average.
    pace_s
        Between two changes of all symbols.
    kinds
        Of faults.
    strikes_all
        Whether a fault strikes every connection, and not the oldest alone.
    """

    def __init__(
        self, chain: str, symbols: Sequence[str], faulty: Sequence[str], *, every: int = 20,
        pace_s: float = 0.002, kinds: Sequence[str] = ("drop", "repeat", "swap"), seed: int = 7,
        strikes_all: bool = True,
    ) -> None:  # fmt: skip
        self.strikes_all = strikes_all
        self.chain = chain
        self.faulty = faulty
        self.every = every
        self.pace_s = pace_s
        self.kinds = kinds
        self.url = ""
        self.faults: list[Fault] = []
        self.most_faults = 0
        self.markets = {symbol: Market() for symbol in symbols}
        self.n_connections = 0
        self.n_subscribes: list[str] = []
        self.is_over = threading.Event()
        self._rng = random.Random(seed)
        self._lock = threading.RLock()
        self._clients: dict[ServerConnection, set[str]] = {}
        self._numbers: dict[ServerConnection, int] = {}
        self._held: dict[tuple[ServerConnection, str], dict[str, Any]] = {}
        self._since = 0

    def _send(self, client: ServerConnection, payload: dict[str, Any]) -> None:
        if self.chain == "per_connection":
            payload = payload | {"n": self._numbers[client]}
            self._numbers[client] += 1
        with suppress(ConnectionClosed):
            client.send(json.dumps(payload, separators=(",", ":")))

    def _book(self, symbol: str, kind: str, levels: list[tuple[str, float, str]], before: int) \
            -> dict[str, Any]:  # fmt: skip
        market = self.markets[symbol]
        sides = {
            key: [[f"{price:.2f}", size] for at, price, size in levels if at == side]
            for key, side in (("b", "bid"), ("a", "ask"))
        }
        numbers: dict[str, Any] = {
            "linked": {"u": market.last, "p": before},
            "counted": {"u": market.last},
            "ranges": {"U": before + 1, "u": market.last},
            "checksum": {"c": market.checksum()},
        }.get(self.chain, {})
        return {"k": "book", "t": kind, "s": symbol, "T": time.time_ns()} | numbers | sides

    def end_oldest(self) -> None:
        """End the connection that is the oldest."""
        with self._lock:
            client = next(iter(self._clients))
        client.socket.shutdown(socket.SHUT_RDWR)

    def on_connection(self, client: ServerConnection) -> None:
        with self._lock:
            self.n_connections += 1
            self._clients[client] = set()
            self._numbers[client] = 0
        with suppress(ConnectionClosed):
            for text in client:
                self._on_request(client, json.loads(text))
        with self._lock:
            del self._clients[client]

    def _on_request(self, client: ServerConnection, request: dict[str, Any]) -> None:
        with self._lock:
            self._send(client, {"ok": request["op"], "id": request["id"]})
            for key in request["args"]:
                if request["op"] == "unsubscribe":
                    self._clients[client].discard(key)
                    continue
                self._clients[client].add(key)
                self.n_subscribes.append(key)
                channel, _, symbol = key.partition(".")
                if channel == "book":
                    market = self.markets[symbol]
                    levels = [
                        (side, price, size)
                        for side in market.sides
                        for price, size in market.best(side)
                    ]
                    self._held.pop((client, symbol), None)
                    self._send(client, self._book(symbol, "snapshot", levels, market.last - 1))

    def trade(self) -> None:
        """Change the markets until it is over."""
        while not self.is_over.wait(self.pace_s):
            with self._lock:
                symbol = self._rng.choice(list(self.markets))
                market = self.markets[symbol]
                before, sum_before = market.last, market.checksum()
                levels = market.change(self._rng)
                market.last += self._rng.randint(1, 5) if self.chain != "counted" else 1
                payload = self._book(symbol, "delta", levels, before)
                fault = self._fault(symbol, market.last, market.checksum() != sum_before)
                quote = {"k": "quote", "s": symbol, "T": time.time_ns(), "u": market.last}
                for side, key in (("bid", "b"), ("ask", "a")):
                    (price, size), *_ = *market.best(side), (None, None)
                    quote |= {key: price and f"{price:.2f}", key.upper(): size}
                for number, (client, keys) in enumerate(list(self._clients.items())):
                    if f"book.{symbol}" in keys:
                        is_struck = self.strikes_all or number == 0
                        self._strike(client, symbol, payload, fault if is_struck else "")
                    if f"quotes.{symbol}" in keys:
                        self._send(client, quote)

    def _fault(self, symbol: str, last: int, is_visible: bool) -> str:
        if symbol not in self.faulty or len(self.faults) >= self.most_faults:
            return ""
        self._since += 1
        if self._since < self.every // 2 or self._rng.random() > 2 / self.every:
            return ""
        self._since = 0
        kind = self._rng.choice(list(self.kinds))
        self.faults.append(Fault(kind, symbol, time.time_ns(), last, is_visible))
        return kind

    def _strike(
        self, client: ServerConnection, symbol: str, payload: dict[str, Any], fault: str
    ) -> None:
        held = self._held.pop((client, symbol), None)
        if fault == "alter":  # its chain is intact, and a level is another's
            self._send(client, payload | {"b": [*payload["b"], ["99.99", "1.000"]]})
        elif fault == "drop":
            if self.chain == "per_connection":
                self._numbers[client] += 1
        elif fault == "swap" and held is None and self.chain != "per_connection":
            self._held[client, symbol] = payload
        else:
            self._send(client, payload)
            if fault == "repeat":
                if self.chain == "per_connection":
                    self._numbers[client] -= 1
                self._send(client, payload)
        if held is not None:
            self._send(client, held)


@contextmanager
def serving(chain: str, symbols: Sequence[str], faulty: Sequence[str], **more: Any) \
        -> Iterator[Served]:  # fmt: skip
    """Serve such a venue, on a port of the system's choice."""
    made = Served(chain, symbols, faulty, **more)
    with serve(made.on_connection, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        made.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        threads = [threading.Thread(target=work) for work in (server.serve_forever, made.trade)]
        for thread in threads:
            thread.start()
        try:
            yield made
        finally:
            made.is_over.set()
            server.shutdown()
            for thread in threads:
                thread.join()
