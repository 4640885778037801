"""What an exchange is to the server: requests in, replies and market data out.

Rules of this file
------------------
- An `Exchange` does no I/O. It reads a client's request and changes that client's `Subscriptions`;
  it turns a market's events into `Message`s. The server moves bytes.
- Only what somebody is subscribed to is rendered: `wanted` is the server's set of keys.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tickwire.schema import USER_TABLES
from tickwire.sim.faults import Fault
from tickwire.sim.market import Event, Market

CHANNELS = (
    "trades", "quotes", "book", "candles", "tickers", "mids", "liquidations", *USER_TABLES,
)  # fmt: skip


def dumps(value: object) -> str:
    """JSON as exchanges write it: no white space."""
    return json.dumps(value, separators=(",", ":"))


@dataclass(slots=True)
class Message:
    """One data message.

    Parameters
    ----------
    key
        The subscribers of this get it.
    channel
        One of `CHANNELS`, for the statistics.
    payload
        The JSON text.
    n_rows
        Trades, levels or prices in it.
    n_repeated
        Trades in it that were printed before the client subscribed.
    """

    key: str
    channel: str
    payload: bytes
    n_rows: int = 1
    n_repeated: int = 0


@dataclass(slots=True)
class Client:
    """What an exchange remembers of one connection.

    Parameters
    ----------
    path
        Of the upgrade request, without the query.
    number
        Counts the connections up from 0.
    keys
        Subscriptions that deliver.
    silent
        Subscriptions that are acknowledged and never deliver.
    bare
        Messages go without the venue's envelope.
    requests
        Times (monotonic, s) of the client's last messages, for the rate limit.
    n_numbered
        Messages to it so far, where the venue numbers those of a connection.
    wants_beats
        Whether it gets the venue's heartbeats.
    """

    path: str
    number: int
    keys: dict[str, None] = field(default_factory=dict)
    silent: dict[str, None] = field(default_factory=dict)
    bare: bool = False
    requests: list[float] = field(default_factory=list)
    n_numbered: int = 0
    wants_beats: bool = False


@dataclass(slots=True)
class Reaction:
    """What a request brings about.

    Parameters
    ----------
    replies
        Texts to send, in order, before any data.
    first
        Data to send behind them: what the venue sends right after a subscribe.
    close
        Close code and reason, where the request ends the connection.
    later
        Texts to send after so many seconds.
    reset
        End the connection by a RST.
    """

    replies: list[str] = field(default_factory=list)
    first: list[Message] = field(default_factory=list)
    close: tuple[int, str] | None = None
    later: list[tuple[float, str]] = field(default_factory=list)
    reset: bool = False


@dataclass(slots=True)
class Answer:
    """A REST answer."""

    status: int
    body: str


class Exchange(ABC):
    """A venue's protocol over a market.

    Parameters
    ----------
    venue
        Its name.
    market
        What it sends.
    channels
        Those of `CHANNELS` that it serves.
    on_subscribe
        Says of a subscribe (the connection's number, channel and symbol) what goes wrong with it.
    live
        Whether the market is sent. A capture is not live: every symbol is known, and nothing is
        sent but what it holds.
    greeting
        Text that is sent before anything else.
    """

    # Keys whose loss makes a message undecodable, for the fault of that name.
    required: tuple[bytes, ...] = ()
    error_text = ""
    notice_text = ""  # that connections will be ended
    ping_every_s = 180.0
    requests_per_s = 0.0

    def __init__(
        self,
        venue: str,
        market: Market,
        channels: Collection[str] = CHANNELS,
        on_subscribe: Callable[[int, str, str], Fault | None] = lambda *_: None,
        *,
        live: bool = True,
        greeting: str | None = None,
    ) -> None:
        self.venue = venue
        self.market = market
        self.channels = frozenset(channels)
        self.on_subscribe = on_subscribe
        self.live = live
        self.greeting = greeting

    def knows(self, symbol: str) -> bool:
        """Whether the venue has this symbol."""
        return not self.live or symbol in self.market.symbols

    @abstractmethod
    def accept(self, path: str, query: Mapping[str, str], client: Client) -> Reaction | None:
        """Greet a connection on this path; None where there is no such path."""

    @abstractmethod
    def request(self, text: str, client: Client) -> Reaction:
        """React to a client's message."""

    @abstractmethod
    def render(self, event: Event, wanted: Mapping[str, Any]) -> Iterable[Message]:
        """Render the messages of an event, for the keys in `wanted`."""

    @abstractmethod
    def rest(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer | None:
        """Answer a REST request; None where there is no such path."""

    def stream_of(self, key: str) -> tuple[str, str]:
        """Give the channel and the symbol of a key; empty where it has none."""
        return "", ""

    def ids_of(self, message: Message) -> list[str]:
        """Give the venue's ids in a message: of trades, or a book's last update."""
        return []

    def unsubscribe(self, client: Client, targets: Collection[str]) -> Reaction:
        """End subscriptions as the venue does it on its own."""
        reaction = Reaction()
        for key in list(client.keys):
            if not {*self.stream_of(key)}.isdisjoint(targets):
                del client.keys[key]
                reaction.replies += self.end_texts(key)
        return reaction

    def end_texts(self, key: str) -> list[str]:
        """Give what the venue says where it ends a subscription."""
        return []

    def broken(self, payload: bytes) -> bytes | None:
        """Leave a hole in the ids of a book's change; None where it has none."""
        return None

    def count(self, client: Client) -> Reaction | None:
        """Count a message or ping of the client; the reaction where they are too many."""
        return None

    def beat(self, client: Client) -> str | None:
        """Give what the venue sends each second, whatever happens; None for nothing."""
        return None

    def addressed(self, message: Message, client: Client) -> Message:
        """Give a message as this client gets it."""
        return message

    def key_of(self, payload: bytes) -> str | None:
        """Find the key of a captured message; None where it does not say."""
        return None

    def unwrap(self, payload: bytes) -> bytes:
        """Take off the envelope, for a client that is `bare`."""
        return payload
