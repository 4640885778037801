"""A decoder with its rings and consumers, and its rows as Python values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tickwire.book import BookChecksums, BookFollower, BookSplice
from tickwire.decode import Decoder, Program
from tickwire.decode.plan import Message
from tickwire.ledger import Quarantine
from tickwire.observe import Metrics, Registry
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Table

VENUE = "somewhere"
WINDOW_ROWS = 512  # after so many rows a ring begins again at its front
DATA = {
    name: table for name, table in TABLES.items() if name not in ("gaps", "sessions", "quarantine")
}


def plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows of a batch: times as int ns, dictionaries as text."""
    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            column = column.view(pa.int64())
        columns[field.name] = column.to_pylist()
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


class Feed:
    """A source's decoder in front of real rings, each with an attached consumer.

    Parameters
    ----------
    messages
        What the venue declares.
    rows
        Capacity of each ring.
    consumed
        Tables that have a consumer: all by default.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        *,
        rows: int = 16_384,
        tables: Mapping[str, Table] = DATA,
        symbols: Sequence[str] = ("*",),
        wanted: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        overflow: str = "block",
        splice: BookSplice | None = None,
        follower: BookFollower | None = None,
        checksums: BookChecksums | None = None,
        number: str = "",
        max_symbols: int = 65_536,
        dictionaries: Dictionaries | None = None,
        consumed: Sequence[str] | None = None,
        conn: int = 7,
    ) -> None:
        self.dictionaries = dictionaries or Dictionaries(max_symbols)
        self.program = Program(
            VENUE, messages, tables, wanted=wanted, aliases=aliases, number=number
        )
        used = {row_set.table for route in self.program.routes for row_set in route.row_sets}
        names = [name for i, name in enumerate(tables) if i in used]
        self.rings = {
            name: Ring(
                tables[name],
                rows,
                self.dictionaries,
                overflow=overflow,
                window_rows=min(WINDOW_ROWS, rows // 4),
            )
            for name in names
        }
        self.quarantine = Ring(TABLES["quarantine"], 1024, self.dictionaries)
        self.registry = Registry()
        self.consumers = {
            name: Consumer(ring)
            for name, ring in [*self.rings.items(), ("quarantine", self.quarantine)]
            if consumed is None or name in consumed
        }
        self.decoder = Decoder(
            self.program,
            self.rings,
            self.dictionaries,
            venue=VENUE,
            symbols=symbols,
            quarantine=Quarantine(self.quarantine, Metrics(self.registry)),
            splice=splice,
            follower=follower,
            checksums=checksums,
        )
        self.connection = self.decoder.connection(conn, labels=labels)
        self.clock = 0
        self.mono_step_ns = 1  # from a message to the next: a flood

    def offer(self, payload: bytes | str) -> bool:
        """Decode one message; False where a ring is full."""
        self.clock += 1
        data = payload.encode() if isinstance(payload, str) else payload
        # Memory that ends where the message does: the address sanitizer sees a read past it.
        exact = np.frombuffer(data, np.uint8).copy()
        return self.connection.decode(exact, self.clock, self.clock * self.mono_step_ns)

    def take(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table published since the last call."""
        found = []
        consumer = self.consumers[table]
        position = consumer.position
        while (batch := consumer.take()) is not None:
            found += plain(batch)
        assert [row["seq"] for row in found] == list(range(position, position + len(found)))
        return found

    def rows(self, payload: bytes | str) -> dict[str, list[dict[str, Any]]]:
        """Decode one message and take its rows, the decoder's own columns checked and left out."""
        assert self.offer(payload)
        found: dict[str, list[dict[str, Any]]] = {}
        for table in self.rings:
            for row in self.take(table):
                assert row.pop("venue") == VENUE
                assert row.pop("ts_recv") == self.clock
                assert row.pop("conn") == self.connection.conn
                del row["seq"]
                found.setdefault(table, []).append(row)
        return found

    def reasons(self) -> list[tuple[str, bytes]]:
        """What has come into quarantine since the last call."""
        return [(row["reason"], row["payload"]) for row in self.take("quarantine")]
