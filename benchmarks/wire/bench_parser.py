"""What the frame parser costs per frame, with a handler that does nothing.

One call feeds as many frames as a read brings, so that the call from Python does not count.
"""

import pytest
from benchmarks.rounds import judge, measure

from tickwire.wire import FrameParser, Handler, MessageQueue, build_frame

SIZES = (0, 125, 126, 300, 1600, 65536)
READ_BYTES = 131_072  # about what a read of the loop brings, in cache
GATE_NS = 25.0  # an unmasked text frame of 300 bytes, its UTF-8 checked


def stream(size, *, opcode=1, mask=False, text=None):
    """As many frames as a read holds, how many that is, and what each brings."""
    payload = ((text or b'{"coin":"BTC","px":"64000.5"}') * (size // 20 + 1))[:size]
    frame = build_frame(opcode, payload, mask=mask)
    n_frames = max(READ_BYTES // len(frame), 1)
    return frame * n_frames, n_frames, payload


def measured(benchmark, data, n_frames, payload, role="client"):
    """Best time per frame in ns, after a check of every one's payload."""

    def fresh():  # a masked frame is unmasked in place, so each round needs its own
        return (bytearray(data), FrameParser(role), Handler()), {}

    def feed(buffer, parser, handler):
        consumed = parser.feed_buffer(buffer, handler)
        assert consumed == len(data)
        assert parser.n_messages == n_frames

    queue = MessageQueue(max_bytes=1 << 40)
    FrameParser(role).feed_buffer(bytearray(data), queue)
    assert len(queue) == n_frames
    assert all(queue.take().payload == payload for _ in range(n_frames))
    measure(benchmark, feed, setup=fresh, n_messages=n_frames, n_bytes=len(data), rounds=1000)
    return None if benchmark.disabled else benchmark.stats["min"] / n_frames * 1e9


@pytest.mark.gate
def test_a_300_byte_text_frame(benchmark):
    per_frame_ns = measured(benchmark, *stream(300))
    if per_frame_ns is not None:
        verdict = f"{per_frame_ns:.1f} ns at best, must be under {GATE_NS:.0f}"
        judge(benchmark, verdict, per_frame_ns < GATE_NS)


@pytest.mark.informational
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("opcode", [1, 2], ids=["text", "binary"])
def test_frames(benchmark, size, role, opcode):
    data, n_frames, payload = stream(size, opcode=opcode, mask=role == "server")
    measured(benchmark, data, n_frames, payload, role)


@pytest.mark.informational
def test_text_that_is_not_ascii(benchmark):
    measured(benchmark, *stream(300, text="цена €".encode() * 2))


@pytest.mark.informational
def test_fragments(benchmark):
    frame = build_frame(1, b"x" * 150, fin=False, mask=False)
    frame += build_frame(0, b"y" * 150, mask=False)
    n_messages = READ_BYTES // len(frame)
    measured(benchmark, frame * n_messages, n_messages, b"x" * 150 + b"y" * 150)
