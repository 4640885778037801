"""What a venue declares: endpoints, channels, subscribe messages, heartbeat, limits, decoding.

Rules of this file
------------------
- A `Venue` is data plus a few pure functions (text in, text out). It never does I/O and knows no
  event loop: `session` drives it, `feed` plans with it.
- A `Venue` is checked and its messages are compiled when it is made, so a mistake is found where it
  stands.
- A `Subscription` is one thing that a connection asks for. `session` paces the requests, waits for
  the acknowledgements and repeats them after a reconnect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tickwire.decode.plan import Message, Rows
from tickwire.schema import Column
from tickwire.venues._book_rule import BookRule
from tickwire.venues._checks import check_venue
from tickwire.venues._instrument import Instrument, Name
from tickwire.venues._oracle import Oracle


@dataclass(frozen=True, slots=True)
class Subscription:
    """One stream of one connection.

    Parameters
    ----------
    channel
        As the configuration names it, `book:n5`.
    symbol
        The venue's symbol, or `*`.
    table
        The table that it feeds.
    key
        What identifies it at the venue (a stream name, or the JSON of the subscription with its
        members in a fixed order); unique within a connection, but that two of one key may feed
        two tables: they are asked for once.
    endpoint
        Name of the endpoint that serves it.
    group
        Subscriptions of different groups must not share a connection, because their messages
        are ambiguous (Hyperliquid's books with different nSigFigs).
    labels
        For a group: how a channel that the plan calls by the first name is called on this
        connection, such as `{"book": "book:n5"}`.
    request
        Subscriptions of different requests never share one, where a request names one channel.
    names_symbol
        Whether its messages say whose they are. Otherwise it has a connection of its own, shared
        with no other symbol, whose rows have its symbol: they are declared with `given()`.
    """

    channel: str
    symbol: str
    table: str
    key: str
    endpoint: str = "main"
    group: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    request: str = ""
    names_symbol: bool = True


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that a venue has.

    Parameters
    ----------
    name
        `trades`, or `candles:<interval>` for a family.
    table
        The table that it feeds.
    arguments
        What may stand for the `<...>` of a family.
    subscriptions
        `(configured channel name, symbol)` to subscriptions; symbol `*` only where `wildcard`.
    wildcard
        Whether `symbols = ["*"]` is possible.
    cadence_s
        A subscription that lives has a row at least so often, also in a quiet market; 0 where none
        is promised.
    spliced
        Its rows are a book's under the venue's `BookRule`. A source has at most one such
        channel, because a symbol's update ids are one chain.
    poorer
        A channel of the same table that shows less of the same, taken where this one is not to be
        had; it is not spliced.
    of_users
        It takes the source's `users` instead of its `symbols`, and its silence says nothing: no
        row is expected of it, at any time.
    """

    name: str
    table: str
    subscriptions: Callable[[str, str], Sequence[Subscription]]
    arguments: tuple[str, ...] = ()
    wildcard: bool = False
    spliced: bool = False
    cadence_s: float = 0.0
    poorer: str = ""
    of_users: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a connection is kept alive and judged.

    Parameters
    ----------
    kind
        `ping` is a WebSocket ping frame, `text` a text frame with `payload` (JSON or not) that the
        venue answers, `none` sends nothing. Pings of the server are always answered.
    every_s
        Send after this long without having sent one.
    timeout_s
        Nothing at all received for this long: the connection is dead.
    payload
        Of a text.
    probe_after_s
        A connection that has brought messages and is silent for so long is sent a heartbeat at
        once; without a sign of life after it (`ping_timeout_s` of the source) it is dead. At most
        one in this time. 0: never, for a venue that does not answer.
    """

    kind: Literal["ping", "text", "none"]
    every_s: float
    timeout_s: float
    payload: str = ""
    probe_after_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue allows; session and feed keep within it.

    Parameters
    ----------
    subscriptions_per_connection, subscriptions_per_request
        Subscriptions that one connection, or one subscribe message, may carry.
    requests_per_s
        Messages that one connection may send.
    total_requests_per_s
        Messages that all connections together may send; 0 where only each is limited.
    connects_per_min
        New connections per minute.
    rest_per_min
        REST snapshots per minute.
    backfills_per_min
        REST requests for missed trades per minute, beside those for snapshots.
    connections, subscriptions, users
        Connections, subscriptions and users that these name, at once from one address; 0 where that
        is not limited. A configuration that needs more is an error.
    max_age_s
        The venue ends a connection after this long (24 h at Binance); 0 where it does not. A feed
        replaces it before.
    """

    subscriptions_per_connection: int
    subscriptions_per_request: int
    requests_per_s: float
    connects_per_min: int
    rest_per_min: int = 60
    backfills_per_min: int = 60
    total_requests_per_s: int = 0
    connections: int = 0
    subscriptions: int = 0
    users: int = 0
    max_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a message to the session (acknowledge, error, ping, pong) means.

    Parameters
    ----------
    acknowledged
        Keys of subscriptions that are confirmed.
    refused
        Keys of subscriptions that the venue refuses, also late.
    ended
        Keys of subscriptions that the venue has ended.
    text
        The venue's words, for the log.
    retry
        Whether asking again later can help (a rate limit) or not (no such symbol).
    answer
        Text to send back, such as a pong.
    request_id
        The id of the request that it answers, where the venue counts them: all its keys then
        share the verdict.
    request_ok
        That verdict.
    closing
        Whether it says that the venue will end the connection soon: another one takes its place.
    """

    acknowledged: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    text: str = ""
    retry: bool = False
    answer: str | None = None
    request_id: int | None = None
    request_ok: bool = True
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """How the trades of a channel that were missed are had by REST.

    Parameters
    ----------
    channel
        As the configuration names it; a family is not possible.
    path
        Path and query of the request, with `{symbol}`, `{limit}` and `{first_id}`, from which on
        the answer has trades. Without `{first_id}` it has the newest ones: what is older cannot be
        had.
    message
        Name of the Message of kind `backfill` that decodes the answer, an array of objects.
    id_key
        The member of a trade that is its id. Ids grow with time, per symbol.
    limit
        Most trades of one answer.
    counts_by_one
        Ids of a symbol count by one: where one is left out, a trade is missing.
    """

    channel: str
    path: str
    message: str
    id_key: str
    limit: int = 1000
    counts_by_one: bool = False

    @property
    def is_by_id(self) -> bool:
        """Whether trades can be had from any id on."""
        return "{first_id}" in self.path


@dataclass(frozen=True, slots=True)
class InstrumentQuery:
    """A REST request for some or all of a venue's symbols.

    Parameters
    ----------
    path
        Path and query.
    read
        Gives the instruments of the answer, or their symbols alone. What it raises means that the
        answer is none.
    body
        JSON to ask with, by POST; None: asked by GET.
    more
        Gives the requests that the answer makes necessary: a list for each of what it names.
    """

    path: str
    read: Callable[[bytes], Iterable[Instrument | str]]
    body: str | None = None
    more: Callable[[bytes], Sequence[InstrumentQuery]] | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """A REST request before each connection, whose answer says where to connect.

    Parameters
    ----------
    path
        Path and query.
    read
        Gives the URL of the answer. What begins with `?` or `/` is put to the endpoint's own:
        `?token=...`. What it raises means that the answer is none.
    body
        JSON to ask with, by POST; None: asked by GET.
    """

    path: str
    read: Callable[[bytes], str]
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Venue:
    """An exchange, declared.

    Parameters
    ----------
    name
        As in the configuration.
    endpoints
        Name to WebSocket URL, path included.
    channels
        Those it has.
    messages
        How its messages are recognised and decoded.
    subscribe
        `(subscriptions, request id)` to the text to send for them, at most
        `limits.subscriptions_per_request` at a time.
    reply
        `(kind, payload)` of a message to the session to its meaning.
    heartbeat, limits
        See there.
    unsubscribe
        Likewise, to the text that ends them: what falls silent is ended before it is asked for
        again. None: it is only asked for again.
    rest_url
        Scheme, host and port of its REST interface; required with `backfills`, and with a `book`
        that begins by REST.
    book
        How the messages of a book fit together, where that is known.
    oracle
        What its books are held against, with `verify = true` in `[books]`; None: nothing.
    backfills
        Channels of trades whose missed rows can be had by REST.
    instruments
        Configured symbols to the requests whose answers together list every symbol that the venue
        has, among those that could be meant; None where it lists them nowhere.
    spell
        A name such as `BTC-USDT-PERP` to the venue's own symbol, or raises ValueError with what the
        venue has instead; None: only its own symbols are understood.
    spell_user
        Gives a user as the venue's messages spell it, or raises ValueError with what it should be.
        Required with channels `of_users`.
    aliases
        `configured channel names` to `{name in the plan: configured name}`: a channel that has a
        canonical name in the plan and another in the configuration (`book` for `book:100ms`).
    extras
        Table to its own columns, given with `extras = true`.
    compression
        Whether its servers are known to support permessage-deflate (RFC 7692), so that it is
        offered.
    frames
        How it packs whole messages into binary frames: `gzip` (RFC 1952) or `deflate` (RFC 1951).
        Text frames are always plain.
    before
        The request that says where to connect; None: to the endpoints as they are.
    headers
        Sent with the opening handshake and REST requests, where a source has none of that name.
    hello
        Texts to send first on every connection, before anything is subscribed to. What the venue
        answers need not name a subscription.
    verified
        Date of the newest frames of the venue that its declaration was checked with, ISO 8601.
        None: its frames were only read in documents, and a run warns; empty: not said.
    unverified
        Channels of a verified venue, as `channels` names them, of which some or all messages were
        only read in documents: a run with one of them warns.
    fields
        Message to the paths of all keys that its frames had when it was verified, with `?` behind
        those that some lacked: `data[].px`, `data[].source?`. A run counts and logs what is new or
        missing. `tickwire venue fields` writes it.

    Raises
    ------
    PlanError
        With a line for each mistake in the declaration.
    """

    name: str
    endpoints: Mapping[str, str]
    channels: tuple[Channel, ...]
    messages: tuple[Message, ...]
    subscribe: Callable[[Sequence[Subscription], int], str]
    reply: Callable[[str, bytes], Reply]
    heartbeat: Heartbeat
    limits: Limits
    unsubscribe: Callable[[Sequence[Subscription], int], str] | None = None
    rest_url: str = ""
    book: BookRule | None = None
    oracle: Oracle | None = None
    backfills: tuple[Backfill, ...] = ()
    instruments: Callable[[Sequence[str]], Sequence[InstrumentQuery]] | None = None
    spell: Callable[[Name], str] | None = None
    spell_user: Callable[[str], str] | None = None
    aliases: Callable[[Sequence[str]], Mapping[str, str]] | None = None
    extras: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    compression: bool = False
    frames: Literal["plain", "gzip", "deflate"] = "plain"
    before: Before | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hello: tuple[str, ...] = ()
    verified: str | None = ""
    unverified: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_venue(self)

    def declared(self, *, extras: bool) -> tuple[Message, ...]:
        """Give the messages, without the venue's own columns unless `extras`."""
        if extras:
            return self.messages
        return tuple(
            replace(message, rows=tuple(self._canonical(rows) for rows in message.rows))
            for message in self.messages
        )

    def _canonical(self, rows: Rows) -> Rows:
        own = {column.name for column in self.extras.get(rows.into, ())}
        kept = {name: field for name, field in rows.fields.items() if name not in own}
        return replace(rows, fields=kept)

    def channel(self, name: str) -> Channel | None:
        """Give the channel that a configured name means, or None where the venue lacks it."""
        for channel in self.channels:
            if channel.name == name:
                return channel
            family, _, argument = name.partition(":")
            if argument in channel.arguments and channel.name.startswith(f"{family}:<"):
                return channel
        return None

    def is_spliced(self, name: str) -> bool:
        """Whether a configured channel brings books under the venue's rule."""
        channel = self.channel(name)
        return channel is not None and channel.spliced
