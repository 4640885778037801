"""Traffic of every kind through receiver, decoder, rings and consumers, with nothing kept.

`python -m tests.memory.traffic MESSAGES` sends so many of each kind; `test_memory.py` and
`make memory` watch what the process has in memory meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from collections.abc import Callable, Iterator

from tests.venues.test_changed import BASES
from websockets.frames import Frame, Opcode

from tickwire import venues
from tickwire.decode import Decoder, Program
from tickwire.errors import ProtocolError
from tickwire.ledger import Quarantine
from tickwire.net import Receiver
from tickwire.observe import Histogram
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import SYSTEM_TABLES, TABLES
from tickwire.wire import FrameParser, HandshakeResponse, MessageQueue, build_frame

RING_ROWS = 1 << 12
CHUNK_MESSAGES = 100
CONNECTION_CHUNKS = 10  # then the connection, its parser and its decoder are made anew
IDENTITIES = re.compile(r'"(t|tid)":\d+')


class Source:
    """A venue's decoder, rings and consumers."""

    def __init__(self, venue: str) -> None:
        self.venue = venues.load(venue)
        self.tables = {
            name: table.with_extras(self.venue.extras.get(name, ()))
            for name, table in TABLES.items()
            if name not in SYSTEM_TABLES
        }
        self.dictionaries = Dictionaries()
        self.rings = {
            name: Ring(table, RING_ROWS, self.dictionaries) for name, table in self.tables.items()
        }
        self.quarantine = Ring(TABLES["quarantine"], RING_ROWS, self.dictionaries)
        self.consumers = [Consumer(ring) for ring in (*self.rings.values(), self.quarantine)]
        self.program = Program(venue, self.venue.declared(extras=True), self.tables)
        self.histogram = Histogram()
        self.n_connections = 0
        self.connect()

    def connect(self) -> None:
        """Make a new connection, as after a lost one."""
        self.n_connections += 1
        self.decoder = Decoder(
            self.program,
            self.rings,
            self.dictionaries,
            venue=self.venue.name,
            quarantine=Quarantine(self.quarantine),
            read_to_ring=self.histogram,
        )
        self.connection = self.decoder.connection(self.n_connections)
        self.receiver = Receiver(self.connection)
        self.receiver.start()

    def receive(self, data: bytes) -> None:
        """Read bytes, and consume what comes of them: batches, leases, control frames, events."""
        self.receiver.receive_bytes(data)
        while self.receiver.paused:
            self.consume()
            self.receiver.retry()
        self.consume()
        self.receiver.parser.take_control()
        self.connection.take_events()
        if self.receiver.ended:
            self.receiver.parser.error_as_exception()
            self.connect()

    def consume(self) -> None:
        """Take everything: by turns copied and leased."""
        for number, consumer in enumerate(self.consumers):
            if (number + self.n_connections) % 2:
                while consumer.take(1000) is not None:
                    pass
                continue
            while batches := consumer.lease(1000):
                del batches
                consumer.release()


def frame(payload: bytes, opcode: int = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A frame as a server sends it."""
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=False)


def of_venue(venue: str, text: str) -> Callable[[], Iterator[bytes]]:
    """Frames of one message of a venue, its ids counting up."""

    def frames() -> Iterator[bytes]:
        for number in itertools.count(1):
            yield frame(IDENTITIES.sub(rf'"\1":{number}', text).encode())

    return frames


def repeated(*frames: bytes) -> Callable[[], Iterator[bytes]]:
    """The same frames again and again."""
    return lambda: itertools.cycle((b"".join(frames),))


GOOD = BASES["hyperliquid"][0].encode()
KINDS: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {
    **{
        f"{venue} {at}": (venue, of_venue(venue, text))
        for venue, texts in BASES.items()
        for at, text in enumerate(texts)
    },
    "pings": ("hyperliquid", repeated(frame(b"x" * 125, Opcode.PING), frame(b"y", Opcode.PONG))),
    "fragments": (
        "hyperliquid",
        repeated(
            frame(GOOD[:50], fin=False), frame(GOOD[50:90], 0, fin=False), frame(GOOD[90:], 0)
        ),
    ),
    "not JSON": ("hyperliquid", repeated(frame(b'{"channel":"trades","data":[{'))),
    "unknown": ("hyperliquid", repeated(frame(b'{"channel":"nothing"}'))),
    "errors": ("hyperliquid", repeated(frame(b'{"channel":"error","data":"no such coin"}'))),
    "closes": ("hyperliquid", repeated(frame(GOOD), frame(b"\x03\xe8bye", Opcode.CLOSE))),
    "faults": ("hyperliquid", repeated(frame(GOOD), b"\xff\xff")),
}


def send(source: Source, frames: Iterator[bytes], n_messages: int) -> None:
    """Send messages in chunks, and connect anew now and then."""
    for number in range(-(-n_messages // CHUNK_MESSAGES)):
        source.receive(b"".join(itertools.islice(frames, CHUNK_MESSAGES)))
        if number % CONNECTION_CHUNKS == CONNECTION_CHUNKS - 1:
            source.connect()


def shake_hands(n_times: int) -> None:
    """Open connections and speak without a decoder: handshakes, receive, build, refusals."""
    for number in range(n_times):
        HandshakeResponse("x").receive(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n")
        parser = FrameParser("server", max_message=1000)
        payload = b"%d" % number
        assert len(parser.receive(build_frame(1, payload))) == 1
        assert parser.receive(build_frame(1, payload * 20, fin=False)) == []
        with contextlib.suppress(ProtocolError):
            parser.receive(build_frame(2, payload))
        assert parser.error_as_exception() is not None
        queue = MessageQueue(max_bytes=10)
        parser = FrameParser()
        parser.feed_buffer(bytearray(frame(b"a") + frame(b"b" * 300)), queue)
        assert queue.take() is not None


class Traffic:
    """All kinds, to be sent in any number of turns."""

    def __init__(self) -> None:
        self.sources = {venue: Source(venue) for venue in BASES}
        self.frames = {name: make() for name, (_, make) in KINDS.items()}

    def turn(self, n_messages: int) -> None:
        """Send so many messages of each kind."""
        for name, (venue, _) in KINDS.items():
            send(self.sources[venue], self.frames[name], n_messages)
        shake_hands(n_messages // 20)


if __name__ == "__main__":
    Traffic().turn(int(sys.argv[1]))
