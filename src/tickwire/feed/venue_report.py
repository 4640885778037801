"""What a declaration makes of a capture: by kind of message, rows, failures, speed, continuity.

Rules of this file
------------------
- Which kind a message is of is decided here by its declaration's tests in plain Python, and not by
  the decoder, whose counters are then compared with it.
- A book's chain is checked by the numbers in its rows, as a reader of the table could.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tickwire.capture import Capture
from tickwire.decode import Decoder, Program
from tickwire.decode.paths import Step, parse_path
from tickwire.decode.plan import ANSWERS, Message, Test
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
    """What the numbers of a venue's books say.

    Parameters
    ----------
    rule
        The chain's kind; empty where the venue declares none.
    checked, broken
        Messages that follow another one, and those of them that do not fit.
    snapshots
        Messages that begin a book.
    note
        Why nothing was checked, where nothing was.
    """

    rule: str = ""
    checked: int = 0
    broken: int = 0
    snapshots: int = 0
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


def _get(value: Any, path: str) -> tuple[bool, Any]:
    """Follow a path; whether it leads anywhere, and to what."""
    for step in parse_path(path):
        if isinstance(value, dict if isinstance(step, str) else list):
            holder: Any = value
            try:
                value = holder[step]
                continue
            except LookupError:
                pass
        return False, None
    return True, value


def _holds(test: Test, is_there: bool, value: Any) -> bool:
    if test.relation in ("present", "absent"):
        return is_there == (test.relation == "present")
    if test.relation in ("prefix", "suffix"):
        compare = str.startswith if test.relation == "prefix" else str.endswith
        return isinstance(value, str) and any(compare(value, str(x)) for x in test.values)
    same = is_there and any(
        value == x and isinstance(value, bool) == isinstance(x, bool) for x in test.values
    )
    return same == (test.relation == "equal")


def kind_of(messages: Sequence[Message], payload: bytes) -> Message | None:
    """Give the first declared message whose tests hold."""
    text = payload.decode("utf-8", "replace")
    try:
        document = json.loads(text)
        is_json = True
    except (ValueError, RecursionError):
        document, is_json = None, False
    for message in messages:
        if message.kind in ANSWERS:
            continue
        if message.raw is not None:
            if _holds(message.raw, True, text):
                return message
        elif is_json and all(
            _holds(test, *_get(document, path)) for path, test in message.when.items()
        ):
            return message
    return None


class _Rig:
    """A decoder with rings, and what it has published."""

    def __init__(self, venue: Venue) -> None:
        tables = {
            name: TABLES[name].with_extras(venue.extras.get(name, ())) for name in DATA_TABLES
        }
        dictionaries = Dictionaries()
        self.rings = {name: Ring(table, RING_ROWS, dictionaries) for name, table in tables.items()}
        # A book that begins by REST is shown as its changes come.
        messages = venue.declared(extras=True)
        channels = channel_names(venue)
        aliases = venue.aliases(channels) if venue.aliases else None
        program = Program(venue.name, messages, tables, aliases=aliases)
        self.decoder = Decoder(program, self.rings, dictionaries, venue=venue.name)
        self.connections: dict[int, Any] = {}

    def decode(self, payload: bytes, ts_recv: int, conn: int) -> None:
        connection = self.connections.get(conn)
        if connection is None:
            connection = self.connections[conn] = self.decoder.connection(conn)
        connection.decode(payload, ts_recv)
        connection.take_events()


def report(venue: Venue, capture: Capture, *, passes: int = PASSES) -> Report:
    """Decode a capture with a venue's declaration, and say what came of it.

    Parameters
    ----------
    venue
        Whose declaration.
    capture
        What it sent.
    passes
        How often the speed of a kind is measured; 0: never.
    """
    kinds = {each.name: Kind(each.name, each.kind) for each in venue.messages}
    samples: dict[str, list[bytes]] = {}
    rig = _Rig(venue)
    consumers = {name: Consumer(ring) for name, ring in rig.rings.items()}
    chain = _Links(venue)
    for sent in capture.messages():
        message = kind_of(venue.messages, sent.payload)
        name = UNKNOWN if message is None else message.name
        kind = kinds.setdefault(name, Kind(name, "unknown"))
        before = rig.decoder.errors
        rig.decode(sent.payload, sent.recv_ns, sent.connection)
        kind.messages += 1
        after = rig.decoder.errors
        failed = sum(after.values()) > sum(before.values())
        kind.failed += failed
        if failed:
            for why, n in after.items():
                if n > before.get(why, 0):
                    kind.reasons[why] = kind.reasons.get(why, 0) + n - before.get(why, 0)
        if (failed or message is None) and not kind.example:
            kind.example = sent.payload[:SHOWN_BYTES].decode("utf-8", "replace")
        for table, consumer in consumers.items():
            while (batch := consumer.take()) is not None and batch.num_rows:
                kind.rows[table] = kind.rows.get(table, 0) + batch.num_rows
                if table == "book" and message is not None and message.spliced:
                    chain.add(batch)
        chain.count(sent.payload, sent.connection)
        found = samples.setdefault(name, [])
        if len(found) < TIMED and kind.role == "data":
            found.append(sent.payload)
    for name, payloads in samples.items():
        if passes and payloads:
            kinds[name].ns, kinds[name].orjson_ns = _timed(venue, payloads, passes)
    shown = [each for each in kinds.values() if each.messages or each.role == "data"]
    return Report(venue.name, venue.verified, shown, chain.result)


def _timed(venue: Venue, payloads: list[bytes], passes: int) -> tuple[float, float | None]:
    """Measure one kind alone, and orjson on the same text where it is installed."""
    loads: Callable[[bytes], Any] | None
    try:
        from orjson import loads
    except ImportError:
        loads = None
    own: list[float] = []
    other: list[float] = []
    for _ in range(passes):
        rig = _Rig(venue)
        connection = rig.decoder.connection(0)
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


class _Links:
    """The chain of a venue's books, by the numbers in the rows."""

    def __init__(self, venue: Venue) -> None:
        self._rule = venue.book
        self.result = Chain("" if venue.book is None else venue.book.chain.kind)
        self._last: dict[tuple[str, int], int] = {}
        self._steps: list[Any] = []
        if venue.book is None:
            self.result.note = "the venue declares no rule"
            return
        chain = venue.book.chain
        if chain.kind == "checksum":
            self.result.note = "nothing is numbered; a feed checks the checksums"
        elif chain.kind == "none":
            self.result.note = "nothing is numbered"
        if chain.kind == "per_connection":
            self._steps = [step for step in parse_path(chain.path) if not isinstance(step, Step)]

    def count(self, payload: bytes, conn: int) -> None:
        """Take the number of any message, where all of a connection are counted."""
        if not self._steps or self._rule is None:
            return
        try:
            value = json.loads(payload)
            for step in self._steps:
                value = value[step]
            value = int(value)  # quoted or not
        except (ValueError, LookupError, TypeError):
            return
        self._follow(("", conn), value, self._last.get(("", conn), value - 1) + 1 == value)

    def add(self, batch: Any) -> None:
        """Take the last rows of a message's book."""
        if self._rule is None or self._steps or self.result.note:
            return
        chain = self._rule.chain
        names = ("symbol", "conn", "is_snapshot", "venue_seq", "venue_prev_seq", "last")
        columns = [batch.column(name).to_pylist() for name in names]
        for symbol, conn, is_snapshot, seq, previous, is_last in zip(*columns, strict=True):
            if not is_last or seq is None:
                continue
            last = self._last.get((symbol, conn))
            if is_snapshot or (chain.restart is not None and seq == chain.restart):
                self.result.snapshots += 1
                self._last[symbol, conn] = seq
                continue
            wanted = seq - chain.step if chain.kind == "counted" else previous
            if wanted is None:
                self.result.note = "no row has venue_prev_seq; a feed checks first_seq"
                return
            self._follow((symbol, conn), seq, last is None or last == wanted)

    def _follow(self, key: tuple[str, int], number: int, fits: bool) -> None:
        self.result.checked += key in self._last
        self.result.broken += not fits
        self._last[key] = number


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
        yield (
            f"continuity ({chain.rule}): {chain.checked} followed, {chain.broken} broken, "
            f"{chain.snapshots} snapshots"
        )
