"""What the dialects of exchanges without REST snapshots share: streams, views of books, answers.

Rules of this file
------------------
- A dialect says how requests are read and how each message is written; here is what it is about.
- A book is followed in band: its stream remembers what its clients have (`Stream.view`), so that a
  snapshot and the changes after it fit together whenever somebody subscribes.
- Speeds are counted in events and not in ms, so that a seed gives the same messages at every rate.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tickwire.sim.candles import Candle, Candles
from tickwire.sim.exchange import Answer, Client, Exchange, Message, Reaction, dumps
from tickwire.sim.market import Event, Symbol

BOOK_EVENTS = 2
TICKER_EVENTS = 20
FUNDING_MS = 8 * 3_600_000

Levels = list[tuple[str, str, int]]  # price, size as the venue writes them, orders
View = dict[int, tuple[int, int]]  # ticks to lots and orders


@dataclass(slots=True)
class Stream:
    """One subscription of the venue's, which clients share.

    Parameters
    ----------
    key
        As the dialect calls it.
    kind
        One of `CHANNELS`.
    symbol
        Whose.
    argument
        An interval, or how many levels.
    is_whole
        Each message is the book of so many levels, not what has changed.
    view
        Of a book: what clients have, bids and asks.
    number, previous
        The id of its last message, and the one before.
    candles
        Of candles.
    """

    key: str
    kind: str
    symbol: Symbol
    argument: str = ""
    view: tuple[View, View] = field(default_factory=lambda: ({}, {}))
    number: int = 0
    previous: int = -1
    candles: Candles | None = None
    is_whole: bool = False

    @property
    def n_levels(self) -> int:
        """How many levels of a side clients have; all where no number is said."""
        return int(self.argument) if self.argument.isdigit() else 1 << 30


class Dialect(Exchange):
    """An exchange whose streams are of one symbol each; see `Exchange`."""

    # Whether the venue deletes what is past the depth, or leaves that to the client.
    deletes_past_depth = True
    trades_together = True  # a message has all trades of an event
    shares_ids = False  # all streams of a symbol number messages by its id, which goes on by steps

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.streams: dict[str, Stream] = {}

    @abstractmethod
    def parse(self, key: str) -> tuple[str, str, str] | None:
        """Read a key: kind, symbol, argument; None where there is no such stream."""

    @abstractmethod
    def answer(self, asked: dict[str, Any], client: Client) -> Reaction:
        """React to a request that is an object."""

    @abstractmethod
    def write(self, stream: Stream, event: Event) -> Iterator[str]:
        """Write what is no book: the messages of a stream for an event, if it has any."""

    @abstractmethod
    def write_book(
        self, stream: Stream, bids: Levels, asks: Levels, time_ms: int, *, is_snapshot: bool
    ) -> str:
        """Write a snapshot, or changes; of a level that is gone the size is 0."""

    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """Take the connection at every path."""
        return Reaction([self.greeting] if self.greeting is not None else [])

    def request(self, text: str, client: Client) -> Reaction:
        """Read a request; what is no object is an error."""
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            return Reaction([self.error_text])
        return self.answer(asked, client)

    def take(self, keys: Sequence[str], client: Client) -> tuple[list[str], list[str], Reaction]:
        """Subscribe a client: keys that are accepted and refused, and what is sent for them.

        A fault may strike one: then the reaction is all that happens.
        """
        accepted: list[str] = []
        refused: list[str] = []
        reaction = Reaction()
        for key in keys:
            parsed = self.parse(key)
            if parsed is None or not self.knows(parsed[1]):
                refused.append(key)
                continue
            fault = self.on_subscribe(client.number, *self.stream_of(key))
            if fault is not None and fault.name == "kill":
                return [], [], Reaction(reset=True)
            if fault is not None and fault.name == "unanswered":
                continue
            if fault is not None and fault.name != "silent":
                refused.append(key)
                continue
            accepted.append(key)
            if fault is not None or parsed[0] not in self.channels:
                client.silent[key] = None
                continue
            client.keys[key] = None
            if self.live:
                reaction.first += self.begin(key, *parsed)
        return accepted, refused, reaction

    def leave(self, keys: Sequence[str], client: Client) -> None:
        """Unsubscribe a client."""
        for key in keys:
            client.keys.pop(key, None)
            client.silent.pop(key, None)

    def begin(self, key: str, kind: str, symbol: str, argument: str) -> Iterator[Message]:
        """Make the stream, where no client has it yet, and give what a new client gets first."""
        stream = self.streams.get(key)
        if stream is None:
            stream = Stream(key, kind, self.market.symbols[symbol], argument)
            stream.is_whole = self.is_whole(key)
            stream.number = self.first_number(stream)
            stream.candles = Candles(argument) if kind == "candles" else None
            self.streams[key] = stream
            if kind == "book":
                self._changes(stream)
        if kind == "book":
            yield self._snapshot(stream, self.market.clock_ms())

    def is_whole(self, key: str) -> bool:
        """Whether each message of a book is the whole of it; none has such a stream by itself."""
        return False

    def _snapshot(self, stream: Stream, time_ms: int) -> Message:
        bids, asks = (
            self._texts(stream, sorted(side.items(), reverse=not at))
            for at, side in enumerate(stream.view)
        )
        text = self.write_book(stream, bids, asks, time_ms, is_snapshot=True)
        return Message(stream.key, "book", text.encode(), len(bids) + len(asks))

    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterator[Message]:
        """Every stream of the symbol, in the order subscribed."""
        for key in [key for key in self.streams if key not in wanted]:
            del self.streams[key]  # no subscriber is left: its numbers end here
        for stream in self.streams.values():
            if stream.symbol is not event.symbol:
                continue
            if stream.kind == "book":
                yield from self._book(stream, event)
                continue
            for text in self.write(stream, event):
                together = stream.kind == "trades" and self.trades_together
                n_rows = len(event.trades) if together else 1
                yield Message(stream.key, stream.kind, text.encode(), n_rows)

    def _book(self, stream: Stream, event: Event) -> Iterator[Message]:
        if event.symbol.n_events % BOOK_EVENTS:
            return
        bids, asks = self._changes(stream)
        if bids or asks:
            stream.previous, stream.number = stream.number, self.next_number(stream)
            if stream.is_whole:
                yield self._snapshot(stream, event.time_ms)
                return
            text = self.write_book(stream, bids, asks, event.time_ms, is_snapshot=False)
            yield Message(stream.key, "book", text.encode(), len(bids) + len(asks))

    def first_number(self, stream: Stream) -> int:
        """Give the number of what a stream's first client gets."""
        update_id = stream.symbol.update_id
        return update_id if self.shares_ids else 1_000_000 + update_id % 1_000_000

    def next_number(self, stream: Stream) -> int:
        """Give the number of a stream's next message."""
        return stream.symbol.update_id if self.shares_ids else stream.number + 1

    def _changes(self, stream: Stream) -> tuple[Levels, Levels]:
        """Bring the view up to date; give what changed."""
        symbol, n = stream.symbol, stream.n_levels
        found = []
        for view, side in zip(stream.view, (symbol.bids, symbol.asks), strict=True):
            now = {ticks: (lots, orders) for ticks, lots, orders in side.top(n)}
            changed = [
                (t, (0, 0))
                for t in view
                if t not in now and (self.deletes_past_depth or side.sign * t not in side.lots)
            ]
            changed += [(t, level) for t, level in now.items() if view.get(t) != level]
            view.clear()
            view.update(now)
            found.append(self._texts(stream, changed))
        return found[0], found[1]

    @staticmethod
    def _texts(stream: Stream, levels: Sequence[tuple[int, tuple[int, int]]]) -> Levels:
        price, size = stream.symbol.instrument.price_text, stream.symbol.instrument.size_text
        return [(price(ticks), size(lots), orders) for ticks, (lots, orders) in levels]

    def stream_of(self, key: str) -> tuple[str, str]:
        """Read a key's channel and symbol."""
        parsed = self.parse(key)
        return parsed[:2] if parsed is not None else ("", "")

    def rest(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer | None:
        """Answer with the list of symbols, in the dialect's form."""
        if method != "GET" or not self.live:
            return None
        answer = self.listing(path, query)
        return None if answer is None else Answer(200, dumps(answer))

    def listing(self, path: str, query: Mapping[str, str]) -> Any:
        """Give what the venue's list of instruments has; None at another path."""
        return None

    def steps(self) -> Iterator[tuple[str, str, str]]:
        """Give each symbol with its steps of price and size."""
        for name, symbol in self.market.symbols.items():
            yield name, symbol.instrument.price_text(1), symbol.instrument.size_text(1)


def one_more(number: re.Pattern[bytes], payload: bytes) -> bytes:
    """Put the next number in a number's place: `number` finds what is before it, and it."""
    return number.sub(lambda found: found[1] + str(int(found[2]) + 1).encode(), payload)


def touch(symbol: Symbol) -> tuple[str, str, str, str]:
    """Give best bid and ask: price, size, price, size."""
    price, size = symbol.instrument.price_text, symbol.instrument.size_text
    (bid, bid_lots, _), (ask, ask_lots, _) = symbol.bids.top(1)[0], symbol.asks.top(1)[0]
    return price(bid), size(bid_lots), price(ask), size(ask_lots)


def candle_texts(symbol: Symbol, candle: Candle) -> list[str]:
    """Give open, high, low, close and volume."""
    price, size = symbol.instrument.price_text, symbol.instrument.size_text
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [*map(price, prices), size(candle.lots)]


def running(stream: Stream, event: Event) -> list[tuple[Candle, bool]]:
    """Give the candles that an event's trades closed or moved, and whether each is closed."""
    found = []
    candles = stream.candles
    if candles is None or not event.trades:
        return []
    for trade in event.trades:
        closed = candles.add(trade)
        if closed is not None:
            found.append((closed, True))
    if candles.running is not None:
        found.append((candles.running, False))
    return found


def moment(time_ms: int) -> str:
    """Write a time as RFC 3339, to the microsecond."""
    at = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}000Z"
