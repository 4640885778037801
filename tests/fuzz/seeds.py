"""Writes first inputs for every target: `python -m tests.fuzz.seeds FOLDER`.

They are made of the frames, answers and documents of the other tests; nothing is recorded from a
venue. libFuzzer finds the rest; `-merge=1` keeps what adds coverage (see README.md).
"""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import zstandard
from tests.decode.declarations import GROUPS
from tests.decode.documents import Writer, expectations, holding
from tests.decode.feeds import DATA
from tests.fuzz.handshake import OFFERS
from tests.fuzz.inflate import BETWEEN, TAIL
from tests.fuzz.plans import VENUES, source
from tests.venues.test_changed import BASES
from tests.wire.test_compressed_frames import everything as all_compressed
from tests.wire.test_handshake import GOOD, answer
from tests.wire.test_parser import FAULTS, everything, serialized

NUMBERS = (
    "0", "-0", "1.5", "-12.50", "1e5", "1E-7", "1e400", "12345678901234567890",
    "9223372036854775807", "9223372036854775808", "0.1e", "00", "1.7976931348623157e308",
    "4.9406564584124654e-324", "9007199254740993", "2024-02-29T23:59:60Z",
    "2024-01-01T00:00:00.123456789+01:30",
    "1900-02-29T00:00:00Z", "2000-02-29t12:00:00z", "2100-02-28T23:59:59+23:59",
    "9223372036.854775807", "9223372036854.775808", "9007199254740992.5", "1" * 25 + ".5e-7",
    "1969-12-31 23:59:59.9-00:00", "1700000000000", "1700000000.123456",
)  # fmt: skip
STRINGS = (
    '""', '"a"', '"\\u0041\\n\\"\\\\\\/"', '"\\ud83d\\ude00"', '"\\ud800"', '"é幣😀"', '"\\u12"',
    '[1,{"a":[null,true,"x]"]}]', '{"a":{"b":[]}}', "[[[[[[[[", "-1.5e3 ", "true",
    "[1}", '{"a":[}]', "[{]}", '"\\u123', '"\\u1234', '"\\',
    "[" * 512 + "]" * 512, "[" * 513 + "]" * 513,
    '"0123456789abcdef"',
)  # fmt: skip
# The edges of Unicode's table 3-7, right and wrong.
TEXTS = (
    b"a\xc2\x80", b"a\xdf\xbf", b"a\xe0\xa0\x80", b"a\xed\x9f\xbf", b"a\xee\x80\x80",
    b"a\xf0\x90\x80\x80",
    b"a\xf4\x8f\xbf\xbf", b"a\xc1\xbf", b"a\xe0\x9f\xbf", b"a\xed\xa0\x80", b"a\xf0\x8f\xbf\xbf",
    b"a\xf4\x90\x80\x80", b"a\xf5\x80\x80\x80", b"a\x80", b"a\xe2\x82",
    b"a" * 40 + b"\xff" + b"a" * 40,
)  # fmt: skip
# Values of Sec-WebSocket-Extensions, each answered to every offer.
EXTENSIONS = (
    ("permessage-deflate",),
    ("permessage-deflate; server_no_context_takeover; client_no_context_takeover",),
    ("permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",),
    ('permessage-deflate ;\tserver_max_window_bits="9" ; client_max_window_bits = "1\\0"',),
    ("permessage-deflate; server_max_window_bits=15; client_max_window_bits=12",),
    ("permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",),
    ("permessage-deflate; server_max_window_bits=16; x=1",),
    ("permessage-deflate", "permessage-deflate"),
    (", permessage-deflate ,, ", ""),
    ('x-other; a="b', "permessage-deflate, x-other"),
)


def frames() -> Iterator[bytes]:
    """Streams of both roles, whole and with each fault."""
    for server in (False, True):
        stream, _ = everything(server)
        for way in range(0, 16, 2):
            yield bytes([way | server, way]) + stream
        for sizes in ((150, 50), (150, 51), (200, 0), (201, 0)):  # way 2: at most 200 bytes
            first, last = (bytes(size) for size in sizes)
            halves = serialized(2, first, fin=False, server=server)
            yield bytes([2 | server, 0]) + halves + serialized(0, last, server=server)
        for text in TEXTS:
            whole = serialized(1, text, server=server)
            split = serialized(1, text[:2], fin=False, server=server)
            yield bytes([server, 0]) + whole
            yield bytes([server, 1]) + split + serialized(0, text[2:], server=server)
    for data, role, *_ in FAULTS.values():
        yield bytes([role == "server", 1]) + data


def compressed() -> Iterator[bytes]:
    """Streams of both roles, with and without context takeover."""
    for server in (False, True):
        for keep_context in (False, True):
            stream, _ = all_compressed("server" if server else "client", keep_context)
            for more in (0, 4, 8):
                yield bytes([server + 2 * keep_context + more, 1 + more]) + stream


def inflate() -> Iterator[bytes]:
    """Messages of each form."""
    text = b'{"px":"64000.5","sz":"0.1"}' * 3
    sync = zlib.compressobj(wbits=-15)
    messages = [
        (sync.compress(text) + sync.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL) for _ in range(3)
    ]
    ended = zlib.compressobj(wbits=-15)
    whole = ended.compress(text) + ended.flush()
    for more in (0, 4, 8):
        yield bytes([0 + more]) + BETWEEN.join(messages)
        yield bytes([1 + more]) + BETWEEN.join((messages[0], whole))
        alone = gzip.compress(text)
        yield bytes([2 + more]) + alone + gzip.compress(b"a")
        long = b"".join(b"%d," % n for n in range(2000))
        referring = zlib.compressobj(wbits=-15, zdict=long[:4096])
        body = referring.compress(text) + referring.flush()
        yield bytes([2 + more]) + gzip.compress(long) + alone[:10] + body + alone[-8:]
        yield bytes([0 + more]) + b"\x01\x02\x00\xfd\xffab\x00"


def receiver() -> Iterator[bytes]:
    """Streams as a client gets them."""
    stream, _ = everything(False)
    for way in range(32):
        yield bytes([way, way * 7 % 256]) + stream


def handshake() -> Iterator[bytes]:
    """Answers: right ones, interim ones, refusals."""
    right = answer(*GOOD, body=b"\x81\x02hi")
    chat = answer(*GOOD, "Sec-WebSocket-Protocol: chat", "Content-Length: 0")
    hint = answer("HTTP/1.1 103 Early Hints", "Link: x")
    redirect = answer("HTTP/1.1 301 Gone", "Location: wss://x/")
    refusal = answer("HTTP/1.1 403 No", "Content-Length: 5", body=b"<b>no")
    chunked = answer("HTTP/1.1 500 No", "Transfer-Encoding: chunked", body=b"2\r\nno\r\n0\r\n\r\n")
    for text in (right, chat, hint + right, hint * 3, redirect, refusal, chunked):
        yield b"\x00" + text
        yield b"\x07" + text
        yield b"\x87" + text  # a small limit
    for at, offer in enumerate(OFFERS):
        for fields in EXTENSIONS:
            named = (f"Sec-WebSocket-Extensions: {field}" for field in fields)
            yield bytes([at << 3 | 2]) + answer(*GOOD, *named)
        if offer is not None:
            # All that was asked for, which may be granted as it is but for a word without a value.
            granted = re.sub(r"; client_max_window_bits$", "", offer.header())
            yield bytes([at << 3 | 2]) + answer(*GOOD, f"Sec-WebSocket-Extensions: {granted}")


def plans() -> Iterator[bytes]:
    """Documents of each declaration: right, wrong, and spelled in odd ways."""
    rng = Random(1)
    for at, messages in enumerate(GROUPS.values()):
        for message in messages:
            place = expectations(message, DATA)
            for mistakes, noise in ((0.0, 0.0), (0.0, 0.3), (0.1, 0.1)):
                writer = Writer(rng, mistakes=mistakes, noise=noise)
                lines = [writer.write(place).replace("\n", " ") for _ in range(2)]
                way = rng.randrange(2) << 4
                yield bytes([at + way]) + "\n".join(lines).encode()


def venues() -> Iterator[bytes]:
    """Messages of each venue."""
    rng = Random(2)
    for at, name in enumerate(VENUES):
        for text in BASES[name]:
            yield bytes([at + 16]) + f"{text}\n{text}".encode()
        of = source(name)
        holders = {message.name: message for message in of.messages if message.packed}
        for message in of.messages:
            if message.kind == "data" and message.raw is None:
                place = expectations(message, of.tables)
                if message.inside:
                    place = holding(holders[message.inside], Writer(rng).write(place))
                yield bytes([at]) + Writer(rng).write(place).replace("\n", " ").encode()


def captures() -> Iterator[bytes]:
    """Captures with and without times and answers."""
    parts = [
        b"a\nb\n",
        b"# recv_ns\tconnection\n1\t2\n2\n",
        b'{"recv_ns":1,"url":"x","data":"y"}\n',
    ]
    for n in (1, 2, 3):
        yield b"\x00" + b"\x00\x00".join(parts[:n])
    packed = [zstandard.compress(part) for part in parts]
    yield b"\x01" + packed[0]
    yield b"\x06" + b"\x00\x00".join([parts[0], *packed[1:]])


SEEDS = {
    "captures": captures,
    "compressed": compressed,
    "frames": frames,
    "handshake": handshake,
    "inflate": inflate,
    "numbers": lambda: (text.encode() for text in NUMBERS),
    "plans": plans,
    "receiver": receiver,
    "strings": lambda: (text.encode() for text in STRINGS),
    "venues": venues,
}


if __name__ == "__main__":
    for target, seeds in SEEDS.items():
        folder = Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for data in seeds():
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
