"""The memory between loop and writer: what is taken is what was put, and what is not is counted."""

import json
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.capture.recorder import Kind

BYTES = 1 << 16


def taken(buffer: RecordBuffer, max_bytes: int = BYTES) -> list[tuple[int, int, bytes]]:
    """Take rows as (recv_ns, kind, payload), and release them."""
    found = buffer.take(max_bytes)
    if found is None:
        return []
    _, n, recv, _, _, _, _, kinds, _, offsets, payloads = found
    ends = memoryview(offsets).cast("i")
    rows = [
        (recv.cast("q")[i], kinds.cast("b")[i], bytes(payloads[ends[i] : ends[i + 1]]))
        for i in range(n)
    ]
    buffer.release(n)
    return rows


@given(
    st.lists(
        st.one_of(
            st.integers(0, 40_000),  # put a payload of this size
            st.sampled_from([BYTES // 8, BYTES // 4]),  # the last may end with the memory
            st.sampled_from([-1, -2, -3]),  # take a few bytes, 20,000, or all
        ),
        max_size=120,
    )
)
def test_what_was_put_is_taken_in_order_and_the_rest_is_counted(steps: list[int]) -> None:
    buffer = RecordBuffer(BYTES)
    expected: deque[tuple[int, int, bytes]] = deque()
    n_dropped = n_told = 0
    for number, step in enumerate(steps):
        if step < 0:
            for row in taken(buffer, {-1: 10, -2: 20_000, -3: BYTES}[step]):
                if row[1] == Kind.DROPPED:
                    n_told += json.loads(row[2])["messages"]
                else:
                    assert row == expected.popleft()
            continue
        payload = bytes([number % 256]) * step
        if buffer.add(Kind.MESSAGE, payload, recv_ns=number):
            expected.append((number, Kind.MESSAGE, payload))
        else:
            n_dropped += 1
    buffer.end()
    while rows := taken(buffer):
        for row in rows:
            if row[1] == Kind.DROPPED:
                n_told += json.loads(row[2])["messages"]
            else:
                assert row == expected.popleft()
    buffer.end()
    for row in taken(buffer):
        n_told += json.loads(row[2])["messages"]
    assert not expected
    assert buffer.n_dropped_messages == n_dropped == n_told
    assert buffer.n_messages + n_dropped == sum(step >= 0 for step in steps)


def test_rows_are_bounded_as_bytes_are() -> None:
    buffer = RecordBuffer(BYTES)
    n_put = sum(buffer.add(Kind.MESSAGE, b"") for _ in range(1000))
    assert n_put == BYTES // 256 - 1  # the last one is for what was dropped
    assert len(taken(buffer)) == n_put


def test_a_payload_that_ends_with_the_memory_has_its_successor_at_the_front() -> None:
    buffer = RecordBuffer(BYTES)
    payloads = [bytes([n]) * (BYTES // 16) for n in range(17)]
    for payload in payloads[:15]:
        assert buffer.add(Kind.MESSAGE, payload)
    assert len(taken(buffer, BYTES // 8)) == 2
    for payload in payloads[15:]:
        assert buffer.add(Kind.MESSAGE, payload)
    rows = taken(buffer) + taken(buffer)
    assert [row[2] for row in rows] == payloads[2:]


def test_a_payload_larger_than_all_memory_is_dropped_and_said() -> None:
    buffer = RecordBuffer(BYTES)
    assert not buffer.add(Kind.MESSAGE, bytes(BYTES + 1), recv_ns=5)
    assert buffer.add(Kind.MESSAGE, b"next", recv_ns=6)
    assert taken(buffer) == [
        (5, Kind.DROPPED, b'{"messages":1,"bytes":65537}'),
        (6, Kind.MESSAGE, b"next"),
    ]


def test_while_it_is_suspended_messages_are_dropped_and_events_are_not() -> None:
    buffer = RecordBuffer(BYTES)
    buffer.is_suspended = True
    assert not buffer.add(Kind.MESSAGE, b"lost", recv_ns=1)
    assert buffer.add(Kind.SENT, b"kept", recv_ns=2)
    buffer.is_suspended = False
    assert [row[1] for row in taken(buffer)] == [Kind.DROPPED, Kind.SENT]


@pytest.mark.parametrize("n_bytes", [0, -1, 65_535, 100_000])
def test_a_size_that_is_no_power_of_two_is_an_error(n_bytes: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        RecordBuffer(n_bytes)
