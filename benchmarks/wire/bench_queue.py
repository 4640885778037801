"""Frames to messages that Python takes one by one, as `connect` does. Informational."""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.wire import FrameParser, MessageQueue, build_frame

pytestmark = pytest.mark.informational

N_MESSAGES = 200


@pytest.mark.parametrize("size", [125, 1600])
def test_messages(benchmark: BenchmarkFixture, size: int) -> None:
    payload = (b'{"coin":"BTC","px":"64000.5"}' * (size // 20))[:size]
    data = bytearray(build_frame(1, payload, mask=False) * N_MESSAGES)
    parser, queue = FrameParser(), MessageQueue()

    def run() -> list[bytes]:
        parser.feed_buffer(data, queue)
        taken = []
        while (message := queue.take()) is not None:
            taken.append(message.payload)
        return taken

    taken = measure(benchmark, run, n_messages=N_MESSAGES, n_bytes=size * N_MESSAGES, rounds=500)
    assert taken == [payload] * N_MESSAGES
