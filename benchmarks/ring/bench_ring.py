"""What the ring's writer costs, from Python: a row written by name, and publishing. Informational.

The decoder writes without Python; `bench_decoder` measures that. A round's rows are staged outside
the timed part of `test_publish`, so that each finds as many.
"""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

SIZES = [1, 100, 1000]


def trade(i: int) -> dict[str, Any]:
    return {
        "venue": "hyperliquid",
        "symbol": f"SYMBOL{i % 200}",
        "ts_event": 1_700_000_000_000_000_000 + i,
        "ts_recv": 1_700_000_000_000_000_001 + i,
        "recv_mono": 1 + i // 8,
        "conn": 1,
        "channel": "trades",
        "price": i / 8,
        "size": 1.0,
        "side": ("buy", "sell")[i & 1],
        "trade_id": str(10**14 + i),
    }


def ring_of_trades() -> tuple[Ring, Consumer]:
    ring = Ring(TABLES["trades"], 16_384, Dictionaries())
    return ring, Consumer(ring)


@pytest.mark.parametrize("n", SIZES)
def test_publish(benchmark: BenchmarkFixture, n: int) -> None:
    ring, consumer = ring_of_trades()
    rows = [trade(i) for i in range(n)]

    def setup() -> None:
        consumer.take()
        for row in rows:
            assert ring.stage(**row)

    measure(benchmark, ring.publish, setup=setup, n_messages=n, rounds=1000 if n < 1000 else 30)
    batch = consumer.take()
    assert batch is not None
    benchmark.extra_info["n_bytes"] = batch.nbytes
    assert batch.column("price").to_pylist() == [i / 8 for i in range(n)]
    assert batch.column("trade_id").to_pylist() == [str(10**14 + i) for i in range(n)]


@pytest.mark.parametrize("write", ["append", "stage"])
def test_rows_from_python(benchmark: BenchmarkFixture, write: str) -> None:
    ring, consumer = ring_of_trades()
    rows = [trade(i) for i in range(100)]

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        ring.publish()
        consumer.take()
        return (getattr(ring, write),), {}

    def run(function: Any) -> None:
        for row in rows:
            function(**row)

    measure(benchmark, run, setup=setup, n_messages=100)
    ring.publish()
    batch = consumer.take()
    assert batch is not None
    benchmark.extra_info["n_bytes"] = batch.nbytes
    assert batch.column("symbol").to_pylist() == [f"SYMBOL{i}" for i in range(100)]
