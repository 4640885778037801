"""Whole messages: the decoder against a slow interpreter of the same declarations.

`plans` takes the declarations that the decoder's own tests use, `venues` those of the product. A
message of the input is a line. The interpreter reads with `json.loads`, so it refuses what is no
JSON wherever that is; the decoder does not look closely into what no declaration names, and where
keys are given twice it may refuse a value that a later one replaces. There, it must only be safe.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from functools import cache
from typing import Any

from tests.decode.declarations import GROUPS
from tests.decode.feeds import DATA, VENUE, plain
from tests.decode.model import Model
from tests.fuzz.frames import exact

from tickwire import venues as product
from tickwire.decode import Decoder, Program
from tickwire.decode.plan import Message
from tickwire.ledger import Quarantine
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Table

Rows = dict[str, list[dict[str, Any]]]

RING_ROWS = 1024
WINDOW_ROWS = 64  # after so many rows a ring begins again at its front
MAX_MESSAGES = 8
MAX_MESSAGE_BYTES = 3000  # no message of so many bytes has more rows than a ring
# To compile a plan takes long, and the codes of dictionaries are part of it. So many feeds cannot
# fill them, with a symbol in six bytes of each message.
FEEDS_PER_DICTIONARIES = 256
MAX_SYMBOLS = 1 << 20
SYMBOLS = ("BTC", "ETH")
VENUES = ("hyperliquid", "binance", "binance-usdm")


class Source:
    """What declarations compile to, and rings; shared, as rows do not depend on what was before."""

    def __init__(self, messages: Iterable[Message], tables: dict[str, Table]) -> None:
        self.messages = tuple(messages)
        self.tables = tables
        self.program = Program(VENUE, self.messages, tables)
        used = {row_set.table for route in self.program.routes for row_set in route.row_sets}
        self.names = [name for i, name in enumerate(tables) if i in used]
        self.n_feeds = 0
        self.renew()

    def renew(self) -> None:
        """Make dictionaries with room, and rings for them."""
        self.dictionaries = Dictionaries(MAX_SYMBOLS)
        self.rings = {
            name: Ring(self.tables[name], RING_ROWS, self.dictionaries, window_rows=WINDOW_ROWS)
            for name in self.names
        }
        self.seqs = dict.fromkeys(self.names, 0)
        self.quarantine = Ring(TABLES["quarantine"], RING_ROWS, self.dictionaries)
        self.consumers = {name: Consumer(ring) for name, ring in self.rings.items()}
        self.kept = Consumer(self.quarantine)

    def decoder(self, symbols: tuple[str, ...]) -> Decoder:
        """Make a decoder that writes into these rings."""
        return Decoder(
            self.program,
            self.rings,
            self.dictionaries,
            venue=VENUE,
            symbols=symbols,
            quarantine=Quarantine(self.quarantine),
        )


@cache
def source(name: str) -> Source:
    """A group of declarations, or a venue."""
    if name in GROUPS:
        return Source(GROUPS[name], DATA)
    venue = product.load(name)
    tables = {table: DATA[table].with_extras(venue.extras.get(table, ())) for table in DATA}
    return Source(venue.declared(extras=True), tables)


class Feed:
    """A new decoder in front of a source's rings."""

    def __init__(self, of: Source, symbols: tuple[str, ...]) -> None:
        of.n_feeds += 1
        if of.n_feeds % FEEDS_PER_DICTIONARIES == 0:
            of.renew()
        self.consumers = of.consumers
        self.seqs = of.seqs
        self.kept = of.kept
        self.decoder = of.decoder(symbols)
        self.connection = self.decoder.connection(1)
        self.n_errors = 0

    def rows(self, payload: bytes, clock: int) -> Rows:
        """The rows of one message, floats as bits so that -0.0 is not 0.0."""
        assert self.connection.decode(exact(payload), clock)
        found: Rows = {}
        for name, consumer in self.consumers.items():
            while consumer.available and (batch := consumer.take()) is not None:
                batch.validate(full=True)
                for row in plain(batch):
                    assert row.pop("venue") == VENUE
                    assert row.pop("ts_recv") == clock
                    assert row.pop("conn") == 1
                    assert row.pop("seq") == self.seqs[name]
                    self.seqs[name] += 1
                    found.setdefault(name, []).append(row)
        return bits(found)

    def is_refused(self, payload: bytes) -> bool:
        """Whether the message, and nothing else, has come into quarantine."""
        n_errors = sum(self.decoder.errors.values())
        n_new, self.n_errors = n_errors - self.n_errors, n_errors
        assert n_new in (0, 1)
        n_kept = 0
        while self.kept.available and (batch := self.kept.take()) is not None:
            n_kept += len(batch)
            assert batch["payload"][0].as_py() == payload
        assert n_kept == n_new
        return n_new == 1


def bits(rows: Rows) -> Rows:
    """Replace floats by their bits."""
    return {
        table: [
            {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}
            for row in found
        ]
        for table, found in rows.items()
    }


def plans(data: bytes) -> None:
    """Messages of one group of declarations."""
    if data:
        names = tuple(GROUPS)
        check(names[data[0] % len(names)], data[0] >> 4, data[1:])


def venues(data: bytes) -> None:
    """Messages of one venue of the product."""
    if data:
        check(VENUES[data[0] % len(VENUES)], data[0] >> 4, data[1:])


def check(name: str, way: int, lines: bytes) -> None:
    """Decode lines one after the other, by the decoder and by the interpreter."""
    of = source(name)
    symbols = SYMBOLS if way & 1 else ("*",)
    feed = Feed(of, symbols)
    model: Model | None = Model(of.messages, of.tables, symbols)
    for clock, payload in enumerate(lines.split(b"\n")[:MAX_MESSAGES], 1):
        if len(payload) > MAX_MESSAGE_BYTES:
            return
        found = feed.rows(payload, clock)
        is_refused = feed.is_refused(payload)
        assert not (found and is_refused)
        if model is None or not is_strict_inside(model, payload):
            if not is_refused:
                model = None  # what was learned from this message is not known
            continue
        expected = model.decode(payload)
        assert found == bits(expected or {}), payload
        assert is_refused == (expected is None), payload


def is_strict_inside(model: Model, payload: bytes) -> bool:
    """Whether it is strict, and so is the message inside of it if it has one."""
    if not is_strict(payload):
        return False
    inner = model.inner(payload)
    return inner is None or is_strict(inner)


def is_strict(payload: bytes) -> bool:
    """Whether it is JSON all through, no key of an object twice, and not too deep."""
    try:
        json.loads(payload.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return payload.count(b"[") + payload.count(b"{") < 500


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
