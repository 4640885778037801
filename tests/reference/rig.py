"""Drives the compiled decoder as a feed does, without sockets, and gives the rows as tables."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
from tests.reference.captures import Message, RestAnswer

from tickwire.book import BookChecksums, BookFollower, BookSplice
from tickwire.decode import Decoder, Program
from tickwire.decode.plan import Message as Declared
from tickwire.feed.books.book_kernels import checksums_of, counted_at, follower_of
from tickwire.ledger import Quarantine
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES
from tickwire.venues import Venue

RING_ROWS = 1 << 18
DRAIN_EVERY = 2_000


class Rig:
    """Program, decoder, rings and splice of one source.

    Parameters
    ----------
    venue
        Its name in the rows.
    messages
        Its declarations.
    channels, symbols
        As in a configuration.
    extras, own
        Give the venue's own columns too.
    aliases, labels
        Channel names of the plan to names of the configuration.
    rule
        The book rule, where books are spliced.
    follower, checksums
        What follows books that begin in band, and verifies them.
    number
        Where a connection's messages have their number.
    ring_rows
        Rows of each ring.
    """

    def __init__(
        self,
        venue: str,
        messages: Sequence[Declared],
        channels: Sequence[str],
        symbols: Sequence[str] = ("*",),
        *,
        own: Mapping[str, tuple] | None = None,
        aliases: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        rule: str | None = None,
        follower: BookFollower | None = None,
        checksums: BookChecksums | None = None,
        number: str = "",
        ring_rows: int = RING_ROWS,
    ) -> None:
        self.wanted = list(dict.fromkeys(channel.partition(":")[0] for channel in channels))
        tables = {
            name: table.with_extras((own or {}).get(name, ()))
            for name, table in TABLES.items()
            if name not in SYSTEM_TABLES
        }
        self.dictionaries = Dictionaries()
        self.rings = {
            name: Ring(table, ring_rows, self.dictionaries) for name, table in tables.items()
        }
        self.quarantine = Ring(TABLES["quarantine"], min(ring_rows, 1 << 13), self.dictionaries)
        self.splice = BookSplice(rule) if rule else None
        self.follower, self.checksums = follower, checksums
        self.labels = labels
        self.decoder = Decoder(
            Program(venue, messages, tables, wanted=self.wanted, aliases=aliases, number=number),
            self.rings,
            self.dictionaries,
            venue=venue,
            symbols=symbols,
            quarantine=Quarantine(self.quarantine),
            splice=self.splice,
            follower=follower,
            checksums=checksums,
        )
        self.consumers = {name: Consumer(ring) for name, ring in self.rings.items()}
        self.consumers["quarantine"] = Consumer(self.quarantine)
        self.batches: dict[str, list[pa.RecordBatch]] = {name: [] for name in self.consumers}
        self.connections: dict[int, object] = {}
        self.events: list[tuple[str, bytes]] = []
        self.n_fed = 0

    @classmethod
    def of(
        cls,
        venue: Venue,
        channels: Sequence[str],
        symbols: Sequence[str] = ("*",),
        *,
        extras: bool = False,
        labels: Mapping[str, str] | None = None,
        ring_rows: int = RING_ROWS,
        book: str = "",
    ) -> "Rig":
        """Make the rig of a venue of the product; its books in band are those of channel `book`."""
        followed = venue.book if book else None
        return cls(
            venue.name,
            venue.declared(extras=extras),
            channels,
            symbols,
            own=venue.extras if extras else None,
            aliases=venue.aliases(channels) if venue.aliases else None,
            labels=labels,
            rule=venue.book.rule if venue.book and venue.book.begin.kind == "rest" else None,
            follower=follower_of(followed) if followed else None,
            checksums=checksums_of(followed, book) if followed else None,
            number=counted_at(venue) if followed else "",
            ring_rows=ring_rows,
        )

    def message(self, payload: bytes, ts_recv: int, conn: int) -> None:
        """Decode one message."""
        if conn not in self.connections:
            self.connections[conn] = self.decoder.connection(conn, labels=self.labels)
        connection = self.connections[conn]
        assert connection.decode(payload, ts_recv)
        self.n_fed += 1
        if self.n_fed % DRAIN_EVERY == 0:
            self.drain()
            self.events += connection.take_events()

    def rest(self, symbol: str, payload: bytes, last_id: int, ts_recv: int, conn: int) -> None:
        """Take a REST snapshot if the symbol wants it, and offer what waited for it again."""
        assert self.splice is not None
        outcome = self.decoder.take_snapshot(
            "snapshot", payload, symbol=symbol, ts_recv=ts_recv, conn=conn, early=True
        )
        assert outcome in ("spliced", "unwanted", "old")
        if outcome == "spliced":
            assert self.splice.last_id(self.dictionaries.symbol.code(symbol)) >= last_id
        self.drain()

    def drain(self) -> None:
        """Take what the rings have."""
        for name, consumer in self.consumers.items():
            while (batch := consumer.take()) is not None and batch.num_rows:
                self.batches[name].append(batch)

    def table(self, name: str) -> pa.Table:
        """Give all rows of a table so far."""
        self.drain()
        schema = self.quarantine.schema if name == "quarantine" else self.rings[name].schema
        return pa.Table.from_batches(self.batches[name], schema=schema)

    def take_events(self) -> list[tuple[str, bytes]]:
        """Give the messages for the session."""
        for connection in self.connections.values():
            self.events += connection.take_events()
        events, self.events = self.events, []
        return events


def timeline(
    messages: Sequence[Message], answers: Sequence[RestAnswer] = ()
) -> list[Message | RestAnswer]:
    """Merge messages and REST answers by receive time; at the same time, messages come first."""
    ordered: list[Message | RestAnswer] = [*messages, *answers]
    return sorted(ordered, key=lambda event: event.ts_recv)
