"""What the ring costs: staging from Python, publishing, taking, leasing. Informational.

Batches are of 1, 100 and 10,000 trades; every answer is checked against the rows written. A round
writes its rows anew outside the timed part, so that each take finds exactly as many.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

SIZES = [1, 100, 10_000]


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


class Trades:
    """A ring of trades and a consumer that is level with it."""

    def __init__(self) -> None:
        self.ring = Ring(TABLES["trades"], 16384, Dictionaries())
        self.consumer = Consumer(self.ring)
        self.written = 0

    def stage(self, n: int) -> None:
        """Stage the next n trades."""
        for i in range(self.written, self.written + n):
            assert self.ring.stage(**trade(i))
        self.written += n

    def check(self, batch: pa.RecordBatch, n: int) -> None:
        """Compare the ends of a batch with the last n trades written."""
        assert batch.num_rows == n
        first = self.written - n
        for i, row in ((first, 0), (self.written - 1, n - 1)):
            assert batch.column("seq")[row].as_py() == i
            assert batch.column("price")[row].as_py() == i / 8
            assert batch.column("trade_id")[row].as_py() == str(10**14 + i)
            assert batch.column("symbol")[row].as_py() == f"SYMBOL{i % 200}"


def rounds_for(n: int) -> int:
    return 300 if n <= 100 else 20


@pytest.mark.parametrize("n", SIZES)
def test_publish(benchmark: BenchmarkFixture, n: int) -> None:
    trades = Trades()

    def setup() -> None:
        trades.consumer.take()
        trades.stage(n)

    benchmark.pedantic(trades.ring.publish, setup=setup, rounds=rounds_for(n))
    trades.check(trades.consumer.take(), n)


@pytest.mark.parametrize("n", SIZES)
def test_take(benchmark: BenchmarkFixture, n: int) -> None:
    trades = Trades()

    def setup() -> None:
        trades.stage(n)
        trades.ring.publish()

    batch = benchmark.pedantic(trades.consumer.take, setup=setup, rounds=rounds_for(n))
    trades.check(batch, n)


@pytest.mark.parametrize("n", SIZES)
def test_lease(benchmark: BenchmarkFixture, n: int) -> None:
    trades = Trades()

    def setup() -> None:
        trades.consumer.release()
        trades.stage(n)
        trades.ring.publish()

    batches = benchmark.pedantic(trades.consumer.lease, setup=setup, rounds=rounds_for(n))
    trades.check(pa.Table.from_batches(batches), n)


def test_append(benchmark: BenchmarkFixture) -> None:
    trades = Trades()
    row = trade(0)

    def setup() -> None:
        trades.consumer.take()

    def append() -> bool:
        return trades.ring.append(**row)

    assert benchmark.pedantic(append, setup=setup, rounds=300)
    assert trades.consumer.take().column("price").to_pylist() == [0.0]
