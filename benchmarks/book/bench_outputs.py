"""Snapshots of a book into `depth`, beside the same book without them. Informational."""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookOutputs, BookReader
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_MESSAGES = 1_000
N_LEVELS = 100


@pytest.mark.parametrize("depth", [0, 5, 25])
def test_snapshots_of_a_book(benchmark: BenchmarkFixture, depth: int) -> None:
    """1,000 changes of the best bid, each a row of `top` and, but for depth 0, a snapshot."""
    dictionaries = Dictionaries()
    ring, top, snapshots = (
        Ring(TABLES[name], 1 << 16, dictionaries) for name in ("book", "top", "depth")
    )
    reader = BookReader(ring)
    outputs = BookOutputs(top, snapshots if depth else None, depth=depth, interval_ns=1)
    reader.bind(outputs, lambda _venue, _channel: (True, False, 0))
    n_messages = 0

    def stage(side: str, price: float, *, is_snapshot: bool = False, last: bool = True) -> None:
        ring.stage(
            venue="v", symbol="S", conn=1, channel="book", ts_recv=n_messages, side=side,
            price=price, size=1.0 + n_messages, is_snapshot=is_snapshot, last=last,
        )  # fmt: skip

    for number in range(N_LEVELS):
        stage("bid", 99.0 - number, is_snapshot=True, last=False)
        stage("ask", 101.0 + number, is_snapshot=True, last=number == N_LEVELS - 1)
    ring.publish()
    reader.read()
    assert (top.published, snapshots.published) == (1, 2 * depth)

    def fill() -> None:
        nonlocal n_messages
        for _ in range(N_MESSAGES):
            n_messages += 1
            stage("bid", 99.0)
        ring.publish()

    measure(benchmark, reader.read, setup=fill, n_messages=N_MESSAGES, rounds=20)
    assert reader.available == 0
    assert top.published == 1 + n_messages
    assert snapshots.published == 2 * depth * (1 + n_messages)
