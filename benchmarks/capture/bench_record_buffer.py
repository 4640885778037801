"""The memory between loop and writer of a recording: rows put, and taken again. Informational."""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.capture._record_buffer import RecordBuffer
from tickwire.capture.recorder import Kind

pytestmark = pytest.mark.informational

N_ROWS = 4_000
BLOCK_BYTES = 1 << 16


@pytest.mark.parametrize("size", [50, 500])
def test_rows_through_the_buffer(benchmark: BenchmarkFixture, size: int) -> None:
    """4,000 payloads of so many bytes put, each by a call from Python, and taken by blocks."""
    buffer = RecordBuffer(1 << 22)
    payloads = [bytes([number % 251]) * size for number in range(N_ROWS)]

    def run() -> bytes:
        for number, payload in enumerate(payloads):
            buffer.add(Kind.MESSAGE, payload, recv_ns=number)
        blocks = []
        while (taken := buffer.take(BLOCK_BYTES)) is not None:
            blocks.append(bytes(taken[-1]))
            buffer.release(taken[1])
        return b"".join(blocks)

    found = measure(benchmark, run, n_messages=N_ROWS, n_bytes=sum(map(len, payloads)), rounds=20)
    assert found == b"".join(payloads)
    assert (buffer.waiting, buffer.n_dropped_messages) == (0, 0)
