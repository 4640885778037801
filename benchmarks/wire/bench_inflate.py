"""What a compressed message costs, from frame to handler, beside zlib through Python.

One call feeds many frames, so that the call from Python does not count. MB/s are of bytes inflated.
Each round checks that every message was taken; once, all are compared with what was sent.
"""

import gzip
import random
import time
import zlib

import pytest
from benchmarks.rounds import judge, measure

from tickwire.wire import FrameParser, Handler, Inflater, MessageQueue, _zlib, build_frame

RSV1 = 4
N_MESSAGES = 300


@pytest.fixture(scope="module", params=["zlib", "zlib-ng"], autouse=True)
def library(request):
    """What inflates."""
    if not _zlib._use(request.param):
        pytest.skip(f"this machine has no {request.param}")
    yield
    assert _zlib._use("zlib-ng") or _zlib._use("zlib")


def trade(rng):
    """A trade as Hyperliquid sends it, whose hash does not compress: some 300 bytes."""
    return (
        b'{"channel":"trades","data":[{"coin":"BTC","side":"%s","px":"%d.%d","sz":"0.%05d",'
        b'"time":%d,"hash":"0x%064x","tid":%d,"users":["0x%040x","0x%040x"]}]}'
    ) % (
        rng.choice((b"A", b"B")),
        rng.randrange(60_000, 61_000),
        rng.randrange(10),
        rng.randrange(100_000),
        1_700_000_000_000 + rng.randrange(10**8),
        rng.getrandbits(256),
        rng.randrange(10**15),
        rng.getrandbits(160),
        rng.getrandbits(160),
    )


def book(rng):
    """A book of 20 + 20 levels: some 1,700 bytes."""
    levels = [
        b",".join(
            b'{"px":"%d.0","sz":"%d.%05d","n":%d}'
            % (64_000 + sign * i, rng.randrange(10), rng.randrange(10**5), rng.randrange(1, 40))
            for i in range(20)
        )
        for sign in (-1, 1)
    ]
    return b'{"channel":"l2Book","data":{"coin":"BTC","time":%d,"levels":[[%s],[%s]]}}' % (
        1_700_000_000_000 + rng.randrange(10**8),
        *levels,
    )


MESSAGES = {"trade": trade, "book": book}


def sent(kind):
    rng = random.Random(1)
    return [MESSAGES[kind](rng) for _ in range(N_MESSAGES)]


def deflated(messages, *, keep_context):
    encoder = zlib.compressobj(wbits=-15)
    for message in messages:
        if not keep_context:
            encoder = zlib.compressobj(wbits=-15)
        yield (encoder.compress(message) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def measured(benchmark, data, messages, make_parser):
    """Best time per message in ns, after a check of every one."""

    def fresh():  # the context of a connection starts with it
        return (bytearray(data), make_parser(), Handler()), {}

    def feed(buffer, parser, handler):
        consumed = parser.feed_buffer(buffer, handler)
        assert consumed == len(data)
        assert parser.n_messages == len(messages)

    queue = MessageQueue(max_bytes=1 << 40)
    make_parser().feed_buffer(bytearray(data), queue)
    assert [queue.take().payload for _ in range(len(queue))] == messages
    benchmark.extra_info["n_bytes_on_wire"] = len(data)
    n_bytes = sum(map(len, messages))
    measure(benchmark, feed, setup=fresh, n_messages=len(messages), n_bytes=n_bytes, rounds=100)
    return None if benchmark.disabled else benchmark.stats["min"] / len(messages) * 1e9


def zlib_in_python_ns(payloads, messages, *, keep_context):
    """Best time per message of `zlib.decompressobj` alone on the same payloads, ns."""
    best = float("inf")
    for _ in range(20):
        decoder = zlib.decompressobj(-15)
        started = time.perf_counter()
        for payload in payloads:
            if not keep_context:
                decoder = zlib.decompressobj(-15)
            message = decoder.decompress(payload + b"\x00\x00\xff\xff")
        best = min(best, time.perf_counter() - started)
        assert message == messages[-1]
    return best / len(messages) * 1e9


@pytest.mark.gate
@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("keep_context", [True, False], ids=["context", "alone"])
def test_compressed_messages(benchmark, kind, keep_context):
    messages = sent(kind)
    payloads = list(deflated(messages, keep_context=keep_context))
    data = b"".join(build_frame(1, payload, mask=False, rsv=RSV1) for payload in payloads)

    def make_parser():
        parser = FrameParser()
        parser.use_deflate(keep_context=keep_context)
        return parser

    per_message_ns = measured(benchmark, data, messages, make_parser)
    theirs_ns = zlib_in_python_ns(payloads, messages, keep_context=keep_context)
    benchmark.extra_info["zlib_in_python_ns"] = theirs_ns
    # The same library does the work; frames, UTF-8 and the hand-over come on top, objects go.
    if per_message_ns is not None:
        verdict = f"{per_message_ns:,.0f} ns at best, must be under zlib's {theirs_ns:,.0f}"
        judge(benchmark, verdict, per_message_ns < theirs_ns)


@pytest.mark.informational
@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("form", ["gzip", "deflate"])
def test_binary_frames_packed_as_a_whole(benchmark, kind, form):
    messages = sent(kind)
    pack = gzip.compress if form == "gzip" else lambda message: zlib.compress(message, wbits=-15)
    data = b"".join(build_frame(2, pack(message), mask=False) for message in messages)

    def make_parser():
        parser = FrameParser()
        parser.unpack_binary(form)
        return parser

    measured(benchmark, data, messages, make_parser)


@pytest.mark.informational
def test_one_large_message(benchmark):
    message = b"".join(sent("book")) * 20
    (payload,) = deflated([message], keep_context=True)
    inflater = Inflater(1 << 26, keep_context=False)
    benchmark.extra_info["n_bytes_on_wire"] = len(payload)

    def run():
        return inflater.decompress(payload)

    assert measure(benchmark, run, n_messages=1, n_bytes=len(message), rounds=20) == message
