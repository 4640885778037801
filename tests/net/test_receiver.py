"""The receive buffer: every cut of a stream gives the same messages, and memory stays bounded."""

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.net.servers import close, frame, text
from tests.net.test_client import mixed_stream
from websockets.frames import Opcode

from tickwire import errors
from tickwire.net import Receiver
from tickwire.wire import MessageQueue


def take_all(queue: MessageQueue) -> list[str | bytes]:
    messages: list[str | bytes] = []
    while (message := queue.take()) is not None:
        payload = message.payload
        messages.append(payload.decode() if message.opcode == Opcode.TEXT else payload)
    return messages


def started(queue: MessageQueue, **limits: int) -> Receiver:
    receiver = Receiver(queue, **limits)
    receiver.start()
    return receiver


def read_into(receiver: Receiver, data: bytes) -> None:
    """Read as a loop does: as much as the memory given takes."""
    while data:
        memory = receiver.get_buffer()
        n = min(len(memory), len(data))
        memory[:n] = data[:n]
        receiver.buffer_updated(n)
        data = data[n:]


def hand_over(receiver: Receiver, data: bytes) -> None:
    """Bring bytes that somebody else has read; they are not written to."""
    before = bytearray(data)
    receiver.receive_bytes(data)
    assert data == before


@pytest.mark.parametrize("bring", [read_into, hand_over])
def test_every_cut_in_two(bring: Callable[[Receiver, bytes], None]) -> None:
    data, messages, pings = mixed_stream(8, seed=5)
    for cut in range(len(data) + 1):
        queue = MessageQueue()
        receiver = started(queue)
        bring(receiver, data[:cut])
        bring(receiver, data[cut:])
        assert take_all(queue) == messages
        assert receiver.parser.take_control() == [(Opcode.PING, ping) for ping in pings]
        assert receiver.unparsed_bytes == 0


@settings(max_examples=settings.default.max_examples // 2)
@given(st.integers(0, 1000), st.lists(st.integers(1, 3000), max_size=40), st.booleans())
def test_any_cuts_either_way(seed: int, sizes: list[int], in_place: bool) -> None:
    data, messages, _ = mixed_stream(40, seed)
    queue = MessageQueue()
    receiver = started(queue)
    start = 0
    for size in [*sizes, len(data)]:
        piece = data[start : start + size]
        if in_place:
            read_into(receiver, piece)
        else:
            receiver.receive_bytes(piece)
        start += size
    assert take_all(queue) == messages


@pytest.mark.parametrize("seed", range(12))
def test_large_frames_in_any_pieces_and_a_handler_that_often_has_no_room(seed: int) -> None:
    rng = random.Random(seed)
    # About the largest that is read in place, about the whole buffer, and small ones between.
    sizes = (0, 3, 125, 126, 300, 65_536, 131_071, 131_072, 131_073, 262_140, 300_000)
    lengths = [rng.choice(sizes) for _ in range(30)]
    messages = [chr(97 + i % 26) * n for i, n in enumerate(lengths)]
    data = b"".join(text(message) for message in messages)
    queue = MessageQueue(max_bytes=rng.choice((1, 200_000)))
    receiver = started(queue)
    received: list[str | bytes] = []
    start = 0
    while start < len(data):
        size = rng.choice((1, 13, 400, 65_536, 250_000, 600_000))
        piece = data[start : start + size]
        start += size
        # A carrier may have had more than it can bring once it is asked to pause.
        if rng.random() < 0.5 or receiver.paused:
            hand_over(receiver, piece)
        else:
            rest = memoryview(piece)
            while rest and not receiver.paused:
                memory = receiver.get_buffer()
                n = min(len(memory), len(rest))
                memory[:n] = rest[:n]
                receiver.buffer_updated(n)
                rest = rest[n:]
            if rest:
                hand_over(receiver, bytes(rest))
        if rng.random() < 0.7:
            received += take_all(queue)
            receiver.retry()
    while receiver.unparsed_bytes or len(queue):
        received += take_all(queue)
        receiver.retry()
    assert received == messages
    assert receiver.n_bytes == len(data)


def test_frames_that_somebody_else_has_read() -> None:
    rng = random.Random(1)
    queue = MessageQueue()
    receiver = started(queue)
    payloads = [rng.randbytes(size) for size in (0, 1, 125, 126, 65_535, 65_536, 700_000)]
    for i, payload in enumerate(payloads):
        receiver.receive_frame(0x82, payload, i == 0, i == len(payloads) - 1)
    assert take_all(queue) == payloads
    assert receiver.n_reads == 1


def test_frames_of_one_read_are_parsed_together() -> None:
    queue = MessageQueue()
    receiver = started(queue)
    receiver.receive_frame(0x81, b"a", True, False)
    assert len(queue) == 0
    receiver.receive_frame(0x81, b"b", False, True)
    assert take_all(queue) == ["a", "b"]


def test_one_clock_reading_per_read() -> None:
    queue = MessageQueue()
    receiver = started(queue)
    wall, mono = time.time_ns(), time.monotonic_ns()
    receiver.receive_bytes(text("a"))
    assert wall <= receiver.ts_recv_ns <= time.time_ns()
    assert mono <= receiver.mono_ns <= time.monotonic_ns()


def test_a_read_is_bounded() -> None:
    receiver = started(MessageQueue())
    assert len(receiver.get_buffer()) == 262_144
    read_into(receiver, text("x" * 1000)[:500])
    assert len(receiver.get_buffer(1_000_000)) == 262_144 - 500


def test_what_was_not_asked_for_is_refused() -> None:
    receiver = started(MessageQueue())
    receiver.get_buffer()
    with pytest.raises(ValueError, match="not asked for"):
        receiver.buffer_updated(300_000)
    with pytest.raises(ValueError, match="not asked for"):
        receiver.buffer_updated(-1)


def test_nothing_is_parsed_before_the_start() -> None:
    queue = MessageQueue()
    receiver = Receiver(queue)
    receiver.receive_bytes(text("early"))
    assert len(queue) == 0
    receiver.start()
    assert take_all(queue) == ["early"]


def test_a_blocked_message_waits_and_keeps_its_order() -> None:
    queue = MessageQueue(max_bytes=1)
    receiver = started(queue)
    calls = []
    receiver.on_attention = lambda: calls.append(receiver.paused)
    receiver.receive_bytes(text("a") + text("b") + text("c"))
    assert receiver.paused
    assert not receiver.retry()
    stamped = receiver.ts_recv_ns
    received = []
    for _ in range(3):
        received += take_all(queue)
        receiver.retry()
    assert received + take_all(queue) == ["a", "b", "c"]
    assert not receiver.paused
    assert receiver.ts_recv_ns == stamped
    assert calls[0] is True


def test_what_comes_while_blocked_is_kept_within_a_bound() -> None:
    queue = MessageQueue(max_bytes=1)
    receiver = started(queue, max_message_bytes=1000)
    # The bound is four messages and 16 MiB.
    receiver.receive_bytes(text("x" * 900) * 2)
    while receiver.unparsed_bytes < 16_900_000:
        receiver.receive_bytes(text("x" * 900) * 100)
    with pytest.raises(errors.TickwireError, match="than can be kept"):
        receiver.receive_bytes(text("x" * 900) * 200)
    assert receiver.unparsed_bytes < 17_100_000
    kept = receiver.unparsed_bytes
    n_messages = 0
    while queue.take() is not None:
        n_messages += 1
        receiver.retry()
    assert n_messages == 1 + kept // 904


@pytest.mark.parametrize("bad", [b"\x83\x00", close(1000)])
def test_after_the_end_bytes_are_dropped(bad: bytes) -> None:
    queue = MessageQueue()
    receiver = started(queue)
    receiver.receive_bytes(text("a") + bad + text("b"))
    assert receiver.ended
    read_into(receiver, text("c") * 100_000)
    receiver.receive_bytes(text("d"))
    assert take_all(queue) == ["a"]
    assert receiver.unparsed_bytes == 0


def test_a_handler_that_asks_for_the_end_gets_it_at_once() -> None:
    queue = MessageQueue(max_messages=2)
    receiver = started(queue)
    receiver.receive_bytes(text("a") + text("b") + text("c"))
    assert receiver.ended
    assert take_all(queue) == ["a", "b"]


def test_attention_only_where_something_is_left_to_do() -> None:
    queue = MessageQueue()
    receiver = started(queue)
    calls: list[int] = []
    receiver.on_attention = lambda: calls.append(1)
    receiver.receive_bytes(text("a")[:2])
    assert calls == []
    receiver.receive_bytes(text("a")[2:])
    assert calls == [1]  # the queue has a message
    queue.has_events = False
    receiver.receive_bytes(frame(Opcode.PONG, b"x"))
    assert calls == [1, 1]
    assert receiver.parser.take_control() == [(Opcode.PONG, b"x")]
    receiver.receive_bytes(b"")
    assert calls == [1, 1]


def test_a_carrier_that_does_not_pause_is_stopped() -> None:
    receiver = started(MessageQueue(max_bytes=1))
    receiver.receive_bytes(text("a") + text("b"))
    with pytest.raises(errors.TickwireError, match="not paused"):
        read_into(receiver, bytes(400_000))
