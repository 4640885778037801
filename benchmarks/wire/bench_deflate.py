"""What it costs to compress what a program sends, beside zlib through Python. Informational."""

from __future__ import annotations

import json
import zlib
from random import Random

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.wire import Deflater, Inflater

pytestmark = pytest.mark.informational

N_MESSAGES = 20


def requests() -> list[bytes]:
    """Give subscriptions of 40 symbols each."""
    rng = Random(1)
    return [
        json.dumps({"method": "SUBSCRIBE", "params": [name() for _ in range(40)], "id": n}).encode()
        for n in range(N_MESSAGES)
        for name in [lambda: f"{rng.randrange(10**6):x}usdt@depth@100ms"]
    ]


@pytest.mark.parametrize("keep_context", [True, False], ids=["context", "alone"])
def test_deflate(benchmark: BenchmarkFixture, keep_context: bool) -> None:
    messages = requests()
    deflater = Deflater(keep_context=keep_context)

    def run() -> list[bytes]:
        return [deflater.compress(message) for message in messages]

    n_bytes = sum(map(len, messages))
    measure(benchmark, run, n_messages=N_MESSAGES, n_bytes=n_bytes, rounds=100)
    fresh = Deflater(keep_context=keep_context)
    inflater = Inflater(1 << 20, keep_context=keep_context)
    assert [inflater.decompress(fresh.compress(message)) for message in messages] == messages


def test_zlib(benchmark: BenchmarkFixture) -> None:
    messages = requests()
    encoder = zlib.compressobj(wbits=-15)

    def run() -> list[bytes]:
        return [
            (encoder.compress(message) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]
            for message in messages
        ]

    n_bytes = sum(map(len, messages))
    packed = measure(benchmark, run, n_messages=N_MESSAGES, n_bytes=n_bytes, rounds=100)
    assert len(packed) == N_MESSAGES
