"""A venue's messages as they were recorded: time per message beside `orjson.loads`, by their kind.

Rules of this file
------------------
- A kind is what a message gives: the tables of its rows, and whether they are few or many. Each
  is measured by itself, in the order of the capture, and all kinds once more as they came.
- Where a kind has fewer than `FEWEST` messages, they are sent again with other digits, so the table
  says `made` for it. Keys, order and lengths stay. Long integers, which are times and ids, grow
  from round to round, so that ids that are a sequence stay one; the end of a UUID changes.
- A round decodes all messages by a new decoder; the first 100 teach it and are not measured. The
  parser alone, the decoder and `orjson` take turns; medians count.
- Consumers take all rows between two reads, as in a feed that keeps up: a ring then begins again at
  its front, and its memory stays in the cache. What they cost is not measured.
- Every round's rows are compared with those of the first, and the first has read each message by a
  call of its own.

`python -m benchmarks.decode.venues tests.decode.shapes.okx okx/cf-okx-20220227-ws1` with the name
of a venue, or a module with `MESSAGES`, and a file below the folder that `TICKWIRE_CAPTURES` names;
without a file it takes the module's `CAPTURES`.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random
from statistics import median
from time import thread_time

import orjson
import zstandard
from benchmarks.captures.cases import find_capture

from tickwire.decode import Decoder, Program
from tickwire.decode.plan import Message
from tickwire.errors import TickwireError
from tickwire.net import Receiver
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES, Column
from tickwire.venues import load
from tickwire.wire import Handler, build_frame

N_LEARNED = 100
FEWEST = 200  # real messages that a kind needs
N_MADE = 2_000  # at most
MADE_BYTES = 4_000_000  # the same
MANY_ROWS = 50
READ_BYTES = 60_000
RING_ROWS = 1 << 18
FEW_ROUNDS = 5
# A number's last digits, where it stands as a value.
NUMBER = re.compile(rb'(?<=[:\[,"])(-?[1-9][0-9]*(?:\.[0-9]+)?)(?=[,\]}"])')
UUID_END = re.compile(rb"(?<=-)[0-9a-f]{12}(?=\")")
LONG_INTEGER = 8  # digits
ROUND = 1_000_003  # how much a long integer grows


@dataclass(frozen=True, slots=True)
class Messages:
    """What a venue declares, with its own columns."""

    declared: Sequence[Message]
    extras: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)


class Pipeline:
    """A connection's receiver and parser, and a decoder with its rings.

    Parameters
    ----------
    messages
        What the venue declares.
    decodes
        Without it the parser alone remains.
    """

    def __init__(self, messages: Messages, *, decodes: bool = True) -> None:
        tables = {
            name: table.with_extras(messages.extras.get(name, ()))
            for name, table in TABLES.items()
            if name not in SYSTEM_TABLES
        }
        self.dictionaries = Dictionaries()
        self.rings = {
            name: Ring(table, RING_ROWS, self.dictionaries) for name, table in tables.items()
        }
        self.consumers = [Consumer(ring) for ring in self.rings.values()]
        self.program = Program("bench", messages.declared, tables)
        self.decodes = decodes
        self.connect()

    def connect(self) -> None:
        """Begin anew on the same rings."""
        self.decoder = Decoder(self.program, self.rings, self.dictionaries, venue="bench")
        self.connection = self.decoder.connection(1)
        self.receiver = Receiver(self.connection if self.decodes else Handler())
        self.receiver.start()

    def published(self) -> dict[str, int]:
        """Rows of each table so far."""
        return {name: ring.published for name, ring in self.rings.items()}

    def consume(self) -> None:
        """Take all rows."""
        for consumer in self.consumers:
            while consumer.take() is not None:
                pass

    def read(self, reads: Sequence[bytes]) -> float:
        """Take reads; seconds."""
        seconds = 0.0
        for data in reads:
            start = thread_time()
            self.receiver.receive_bytes(data)
            seconds += thread_time() - start
            self.consume()
        assert not self.receiver.ended
        self.connection.take_events()
        return seconds


@dataclass(slots=True)
class Figures:
    """What was measured of a kind."""

    kind: str
    is_made: bool
    n: int
    n_bytes: int
    scripted: float
    decoder_ns: list[float] = field(default_factory=list)
    orjson_ns: list[float] = field(default_factory=list)

    @property
    def times(self) -> float:
        """How many times longer orjson takes."""
        return median(self.orjson_ns) / median(self.decoder_ns)

    def __str__(self) -> str:
        return (
            f"{self.kind:32} {'made' if self.is_made else 'real'} {self.n:7,} {self.n_bytes:7,}"
            f" {median(self.decoder_ns):9,.0f} {median(self.orjson_ns):9,.0f} {self.times:6.1f}"
            f" {self.scripted:7.1%}"
        )


HEAD = f"{'kind':32} from {'n':>7} {'bytes':>7} {'ns':>9} {'orjson':>9} {'times':>6} {'script':>7}"


def read_lines(name: str) -> Iterator[bytes]:
    """Give the messages of a capture."""
    try:
        path = find_capture(f"{name}.jsonl")
    except TickwireError:
        path = find_capture(f"{name}.jsonl.zst")
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    yield from filter(None, data.split(b"\n"))


def by_kind(messages: Messages, payloads: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Sort messages by what they give; those that give nothing are left out."""
    pipeline = Pipeline(messages)
    found: dict[str, list[bytes]] = defaultdict(list)
    before = pipeline.published()
    for payload in payloads:
        assert pipeline.connection.decode(payload, 1)
        pipeline.consume()
        after = pipeline.published()
        rows = {name: after[name] - before[name] for name in after if after[name] > before[name]}
        before = after
        if rows:
            many = ", many" if sum(rows.values()) >= MANY_ROWS else ""
            found["+".join(rows) + many].append(payload)
    assert not pipeline.decoder.errors, pipeline.decoder.errors
    return found


def vary(payload: bytes, rng: Random, number: int = 1) -> bytes:
    """Change a message's digits, but for the first value, which may name a symbol.

    Parameters
    ----------
    payload
        The message.
    rng
        Where digits come from.
    number
        Of the round.
    """

    def change(match: re.Match[bytes]) -> bytes:
        text = match[1]
        if len(text) >= LONG_INTEGER and text.isdigit():
            return b"%d" % (int(text) + number * ROUND)
        n = min(len(text) - 2, 4)
        if n <= 0 or match.start() <= 1:
            return text
        kept, last = text[:-n], text[-n:]
        return kept + bytes(c if c == 46 else rng.randrange(48, 58) for c in last)

    return UUID_END.sub(lambda _: b"%012x" % rng.getrandbits(48), NUMBER.sub(change, payload))


def _reads(payloads: Sequence[bytes]) -> list[bytes]:
    reads = [b""]
    for payload in payloads:
        frame = build_frame(1, payload, mask=False)
        if len(reads[-1]) + len(frame) > READ_BYTES:
            reads.append(b"")
        reads[-1] += frame
    return list(filter(None, reads))


def measure(
    messages: Messages, kind: str, payloads: list[bytes], rounds: int, seed: int = 1
) -> Figures:
    """Measure one kind.

    Raises
    ------
    TickwireError
        A round gave other rows than the first.
    """
    rng = Random(seed)
    is_made = len(payloads) < FEWEST
    if is_made:
        n_made = min(
            N_MADE, max(2 * N_LEARNED, MADE_BYTES * len(payloads) // sum(map(len, payloads)))
        )
        n_real, made = len(payloads), islice(cycle(payloads), n_made)
        payloads = [
            *payloads,
            *(vary(payload, rng, 1 + i // n_real) for i, payload in enumerate(made)),
        ]
    learned, rest = payloads[:N_LEARNED], payloads[N_LEARNED:]
    first, reads = _reads(learned), _reads(rest)
    pipeline, alone = Pipeline(messages), Pipeline(messages, decodes=False)
    alone.read(first)
    figures = Figures(kind, is_made, len(rest), sum(map(len, rest)) // len(rest), 0.0)
    expected: dict[str, int] = {}
    to_ns = 1e9 / len(rest)
    for _ in range(rounds):
        before = pipeline.published()
        pipeline.connect()
        pipeline.read(first)
        n_before = sum(pipeline.decoder.scripted.values())
        frames_s = alone.read(reads)
        decoder_s = pipeline.read(reads) - frames_s
        start = thread_time()
        for payload in rest:
            orjson.loads(payload)
        orjson_s = thread_time() - start
        figures.decoder_ns.append(decoder_s * to_ns)
        figures.orjson_ns.append(orjson_s * to_ns)
        figures.scripted = (sum(pipeline.decoder.scripted.values()) - n_before) / len(rest)
        rows = {name: n - before[name] for name, n in pipeline.published().items()}
        if pipeline.decoder.errors or rows != (expected or rows):
            raise TickwireError(f"{kind}: {rows}, {pipeline.decoder.errors}")
        expected = rows
    check(messages, payloads, expected)
    return figures


def check(messages: Messages, payloads: Sequence[bytes], rows: dict[str, int]) -> None:
    """Compare with what decoders give that have learned next to nothing.

    Raises
    ------
    TickwireError
        They give another number of rows.
    """
    pipeline = Pipeline(messages)
    for payload in payloads:
        assert pipeline.connection.decode(payload, 1)
        pipeline.consume()
    if pipeline.published() != rows:
        raise TickwireError(f"{rows} in reads, {pipeline.published()} one by one")


def declared(name: str) -> tuple[Messages, Sequence[str]]:
    """Give the messages and captures of a venue or module."""
    if "." not in name:
        venue = load(name)
        return Messages(venue.declared(extras=True), venue.extras), ()
    module = importlib.import_module(name)
    return Messages(module.MESSAGES), getattr(module, "CAPTURES", ())


def main(arguments: list[str] | None = None) -> None:
    """Print a table for each capture."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decode.venues", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("venue", help="a venue's name, or a module with MESSAGES")
    parser.add_argument("captures", nargs="*", help="files below TICKWIRE_CAPTURES, no suffix")
    parser.add_argument("--rounds", type=int, default=FEW_ROUNDS)
    parser.add_argument("--kind", help="only kinds that begin so")
    parser.add_argument("--limit", type=int, help="messages of each capture")
    options = parser.parse_args(arguments)
    messages, captures = declared(options.venue)
    for name in options.captures or captures:
        payloads = list(islice(read_lines(name), options.limit))
        print(f"{name}\n{HEAD}")
        kinds = by_kind(messages, payloads)
        if len(kinds) > 1:
            kinds["all, as they came"] = payloads
        for kind, found in kinds.items():
            if kind.startswith(options.kind or ""):
                print(measure(messages, kind, found, options.rounds), flush=True)


if __name__ == "__main__":
    main()
