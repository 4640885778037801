"""What a declaration makes of a capture: by kind of message, rows, failures, speed, continuity.

Rules of this file
------------------
- Everything is asked of a source's own decoder: which kind a message is of by its routing, whether
  a book goes on by its follower and its checksums, as in a feed. What is withheld there gives no
  rows here either.
- A book that begins by REST is followed from its first change on: its snapshots are left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tickwire.capture import Capture
from tickwire.decode import Decoder, Program
from tickwire.feed.books.book_kernels import checksums_of, counted_at, follower_of
from tickwire.feed.streams.message_kinds import kinds_of
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import DATA_TABLES, TABLES
from tickwire.venues import Venue, channel_names

RING_ROWS = 1 << 18
TIMED = 20_000  # messages of a kind, at most
PASSES = 5
UNKNOWN = "(unknown)"
SHOWN_BYTES = 160


@dataclass(slots=True)
class Kind:
    """One kind of message.

    Parameters
    ----------
    name
        As it is declared.
    role
        `data`, `acknowledge` and so on.
    messages, failed
        How many there are, and how many could not be decoded.
    rows
        By table.
    reasons
        Why they could not be decoded.
    example
        The begin of the first that failed or is unknown.
    ns, orjson_ns
        What one message takes, median of some passes; None where it was not measured.
    """

    name: str
    role: str
    messages: int = 0
    failed: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    example: str = ""
    ns: float | None = None
    orjson_ns: float | None = None


@dataclass(slots=True)
class Chain:
    """What the decoder's followers say of a venue's books.

    Parameters
    ----------
    rule
        The chain's kind; empty where the venue declares none.
    checked, broken
        Messages that were compared with the one before, or with their checksum, and those of them
        that do not fit.
    snapshots
        Messages that begin a book.
    withheld
        Messages that a feed does not publish: repeated, or without a snapshot before them.
    unchecked
        Messages without the checksum that others have.
    channel
        Whose depth the books were kept to, where the venue leaves that to the client.
    note
        Why nothing was checked, where nothing was.
    """

    rule: str = ""
    checked: int = 0
    broken: int = 0
    snapshots: int = 0
    withheld: int = 0
    unchecked: int = 0
    channel: str = ""
    note: str = ""


@dataclass(slots=True)
class Report:
    """All kinds in the order in which they are declared, and the books' chain."""

    venue: str
    verified: str | None
    kinds: list[Kind]
    chain: Chain

    @property
    def is_good(self) -> bool:
        """Whether all was known and decoded, and no chain is broken."""
        return not self.chain.broken and not any(
            each.failed or each.name == UNKNOWN for each in self.kinds
        )


class _Source:
    """A source's decoder with rings and, where the venue has a rule, what follows its books."""

    def __init__(self, venue: Venue, channel: str) -> None:
        tables = {
            name: TABLES[name].with_extras(venue.extras.get(name, ())) for name in DATA_TABLES
        }
        dictionaries = Dictionaries()
        self.rings = {name: Ring(table, RING_ROWS, dictionaries) for name, table in tables.items()}
        self.follower = self.checksums = None
        if venue.book is not None:
            self.follower = follower_of(venue.book)
            self.checksums = checksums_of(venue.book, channel)
        channels = channel_names(venue)
        program = Program(
            venue.name,
            venue.declared(extras=True),
            tables,
            aliases=venue.aliases(channels) if venue.aliases else None,
            number=counted_at(venue),
        )
        self.decoder = Decoder(
            program,
            self.rings,
            dictionaries,
            venue=venue.name,
            follower=self.follower,
            checksums=self.checksums,
        )
        self.connections: dict[int, Any] = {}

    def decode(self, payload: bytes, ts_recv: int, conn: int) -> None:
        connection = self.connections.get(conn)
        if connection is None:
            connection = self.connections[conn] = self.decoder.connection(conn)
        connection.decode(payload, ts_recv)
        connection.take_events()


class _Playing:
    """A capture, decoded: one source for each channel of books, since it follows one chain."""

    def __init__(self, venue: Venue, channel: str) -> None:
        self._venue = venue
        self.channel = channel
        self.kinds = {each.name: Kind(each.name, each.kind) for each in venue.messages}
        self.samples: dict[str, list[bytes]] = {}
        self._of_kind = {} if counted_at(venue) else books_of(venue)
        self._sources: dict[str, _Source] = {}
        self._consumers: dict[str, dict[str, Consumer]] = {}
        self.chain = Chain()

    def _source(self, name: str) -> str:
        key = self._of_kind.get(name, "")
        if key not in self._sources:
            source = self._sources[key] = _Source(self._venue, self.channel)
            self._consumers[key] = {name: Consumer(ring) for name, ring in source.rings.items()}
        return key

    def play(self, capture: Capture) -> None:
        """Decode every message, and count it by its kind."""
        kind_of = kinds_of(self._venue)
        for sent in capture.messages():
            message = kind_of(sent.payload)
            name = UNKNOWN if message is None else message.name
            kind = self.kinds.setdefault(name, Kind(name, "unknown"))
            key = self._source(name)
            source = self._sources[key]
            before = source.decoder.errors
            source.decode(sent.payload, sent.recv_ns, sent.connection)
            kind.messages += 1
            failed = {
                why: n - before.get(why, 0)
                for why, n in source.decoder.errors.items()
                if n > before.get(why, 0)
            }
            kind.failed += bool(failed)
            for why, n in failed.items():
                kind.reasons[why] = kind.reasons.get(why, 0) + n
            if (failed or name == UNKNOWN) and not kind.example:
                kind.example = sent.payload[:SHOWN_BYTES].decode("utf-8", "replace")
            for table, consumer in self._consumers[key].items():
                while (batch := consumer.take()) is not None and batch.num_rows:
                    kind.rows[table] = kind.rows.get(table, 0) + batch.num_rows
            found = self.samples.setdefault(name, [])
            if len(found) < TIMED and kind.role == "data":
                found.append(sent.payload)

        self.chain = self._followed()

    def _followed(self) -> Chain:
        """Ask the followers; once, since they forget what they have told."""
        rule = self._venue.book
        if rule is None:
            return Chain(note="the venue declares no rule")
        found = Chain(rule.chain.kind)
        if rule.chain.kind == "none":
            found.note = "nothing is numbered"
        for source in self._sources.values():
            follower, checksums = source.follower, source.checksums
            if follower is None:
                continue
            broken = len(follower.take_broken_connections())
            found.broken += broken if follower.counts_all else follower.n_breaks
            found.checked += follower.n_followed if checksums is None else checksums.n_checked
            found.snapshots += follower.n_begun if follower.begin == "in_band" else 0
            found.withheld += follower.n_withheld
            if checksums is not None:
                found.unchecked += checksums.n_unchecked
                found.channel = self.channel
        if checksums_of(rule, self.channel) is None:
            found.checked += found.broken
        return found


def books_of(venue: Venue) -> dict[str, str]:
    """Give the channel of each message that is followed."""
    return {
        message.name: str(message.rows[0].fields["channel"].value)
        for message in venue.messages
        if message.spliced and message.rows
    }


def report(venue: Venue, capture: Capture, *, passes: int = PASSES) -> Report:
    """Decode a capture with a venue's declaration, and say what came of it.

    Parameters
    ----------
    venue
        Whose declaration.
    capture
        What it sent. The depth that was subscribed is in no message: where checksums need it, each
        that the venue has is tried, and the one counts with which most of them match.
    passes
        How often the speed of a kind is measured; 0: never.
    """
    best: _Playing | None = None
    for channel in depths_of(venue):
        playing = _Playing(venue, channel)
        playing.play(capture)
        if best is None or playing.chain.broken < best.chain.broken:
            best = playing
        if not best.chain.broken:
            break
    if best is None:
        raise ValueError("no channel to try")
    for name, payloads in best.samples.items():
        if passes and payloads:
            kind = best.kinds[name]
            kind.ns, kind.orjson_ns = _timed(venue, best.channel, payloads, passes)
    shown = [each for each in best.kinds.values() if each.messages or each.role == "data"]
    return Report(venue.name, venue.verified, shown, best.chain)


def depths_of(venue: Venue) -> list[str]:
    """Give channels of books, one for each depth that the client keeps; at least one."""
    rule = venue.book
    if rule is None or rule.chain.crc is None:
        return [""]
    found: dict[int, str] = {}
    for name in channel_names(venue):
        if venue.is_spliced(name):
            found.setdefault(rule.depth_of(name), name)
    return list(found.values()) or [""]


def _timed(
    venue: Venue, channel: str, payloads: list[bytes], passes: int
) -> tuple[float, float | None]:
    """Measure one kind alone, and orjson on the same text where it is installed."""
    loads: Callable[[bytes], Any] | None
    try:
        from orjson import loads
    except ImportError:
        loads = None
    own: list[float] = []
    other: list[float] = []
    for _ in range(passes):
        connection = _Source(venue, channel).decoder.connection(0)
        decode = connection.decode
        started = time.perf_counter_ns()
        for number, payload in enumerate(payloads):
            decode(payload, number)
        own.append((time.perf_counter_ns() - started) / len(payloads))
        if loads is not None:
            started = time.perf_counter_ns()
            for payload in payloads:
                loads(payload)
            other.append((time.perf_counter_ns() - started) / len(payloads))
    return median(own), median(other) if other else None


def lines(found: Report) -> Iterator[str]:
    """Put a report in words, a line each."""
    date = "not verified" if found.verified is None else f"verified {found.verified or 'not said'}"
    yield f"{found.venue} ({date})"
    yield f"{'message':<24}{'kind':<12}{'messages':>9}{'failed':>8}{'rows':>9}{'ns':>8}  x orjson"
    for each in found.kinds:
        if not each.messages:
            continue
        speed = f"{each.ns:>8.0f}" if each.ns is not None else f"{'':>8}"
        if each.ns and each.orjson_ns:
            speed += f"{each.orjson_ns / each.ns:>10.2f}"
        rows = sum(each.rows.values())
        head = f"{each.name[:23]:<24}{each.role:<12}{each.messages:>9}{each.failed:>8}"
        yield f"{head}{rows:>9}{speed}".rstrip()
        for why, n in each.reasons.items():
            yield f"    {why}: {n}"
        if each.example:
            yield f"    such as {each.example}"
    lacking = [each.name for each in found.kinds if not each.messages]
    if lacking:
        yield f"no message of: {', '.join(lacking)}"
    chain = found.chain
    if chain.note:
        yield f"continuity{f' ({chain.rule})' if chain.rule else ''}: not checked: {chain.note}"
    else:
        kept = f" as {chain.channel}" if chain.channel else ""
        more = f", {chain.withheld} withheld" if chain.withheld else ""
        more += f", {chain.unchecked} without a checksum" if chain.unchecked else ""
        yield (
            f"continuity ({chain.rule}{kept}): {chain.checked} checked, {chain.broken} broken, "
            f"{chain.snapshots} snapshots{more}"
        )
