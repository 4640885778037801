"""A recorded handler: every message that its handler takes, once, whatever the cut."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.net.servers import text

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.net import Receiver, RecordedHandler
from tickwire.wire import MessageQueue

MESSAGES = [f"message {n} " * (n % 7) for n in range(40)]


def rows(buffer: RecordBuffer) -> Iterator[tuple[int, int, int, str]]:
    """Give (recv_ns, read, conn, payload) of all rows."""
    while (found := buffer.take(1 << 16)) is not None:
        _, n, recv, _, read, conn, _, _, opcode, offsets, payloads = found
        ends = memoryview(offsets).cast("i")
        assert set(opcode) == {1}
        for i in range(n):
            payload = bytes(payloads[ends[i] : ends[i + 1]]).decode()
            yield recv.cast("q")[i], read.cast("q")[i], conn.cast("i")[i], payload
        buffer.release(n)


@given(st.lists(st.integers(0, 2000), max_size=12))
def test_every_cut_gives_all_messages_with_the_times_of_their_reads(cuts: list[int]) -> None:
    data = b"".join(text(message) for message in MESSAGES)
    buffer = RecordBuffer(1 << 16)
    queue = MessageQueue()
    receiver = Receiver(RecordedHandler(queue, buffer, 5, 0))
    receiver.start()
    at = 0
    reads = set()
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        receiver.receive_bytes(data[at:cut])
        reads.add(receiver.ts_recv_ns)
        at = cut
    found = list(rows(buffer))
    assert [row[3] for row in found] == MESSAGES
    assert {row[2] for row in found} == {5}
    assert {row[0] for row in found} <= reads
    assert len({row[1] for row in found}) == len({(row[0], row[1]) for row in found})


def test_a_message_that_is_blocked_is_recorded_once_when_it_is_taken() -> None:
    buffer = RecordBuffer(1 << 16)
    queue = MessageQueue(200)
    receiver = Receiver(RecordedHandler(queue, buffer, 5, 0))
    receiver.start()
    receiver.receive_bytes(b"".join(text("m" * 50) for _ in range(10)))
    assert receiver.paused
    first = list(rows(buffer))
    assert 0 < len(first) < 10
    more = []
    while receiver.paused:
        while queue.take() is not None:
            pass
        receiver.retry()
        more += rows(buffer)
    assert len(first) + len(more) == 10
    assert len({row[0] for row in first + more}) == 1  # the time of the one read


def test_what_waits_for_room_is_the_handler_itself() -> None:
    queue = MessageQueue()
    handler = RecordedHandler(queue, RecordBuffer(1 << 16), 0, 0)
    assert handler.inner is queue
    assert handler.wait_for_room(print) is queue.wait_for_room(print)
    handler.forget_room(print)


def test_its_handler_is_one() -> None:
    with pytest.raises(TypeError):
        RecordedHandler(None, RecordBuffer(1 << 16), 0, 0)  # type: ignore[arg-type]
