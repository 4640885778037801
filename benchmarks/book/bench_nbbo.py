"""The best bid and ask of an instrument over four venues, beside the same books without it."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookOutputs, BookReader, NbboOutput
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_ROWS = 4_000
VENUES = ("a", "b", "c", "d")


@pytest.mark.parametrize("has_nbbo", [False, True])
def test_best_prices_over_four_venues(benchmark: BenchmarkFixture, has_nbbo: bool) -> None:
    """4,000 messages of one level near the best price; ns for a message."""
    dictionaries = Dictionaries()
    ring, top, nbbo = (
        Ring(TABLES[name], 1 << 16, dictionaries) for name in ("book", "top", "nbbo")
    )
    output = NbboOutput(nbbo, {(venue, "S"): "BTC-USD" for venue in VENUES}) if has_nbbo else None
    reader = BookReader(ring)
    reader.bind(BookOutputs(top, None, nbbo=output), lambda _venue, _channel: (True, False, 0))
    rng = np.random.default_rng(1)

    def fill() -> None:
        for number in range(N_ROWS):
            is_ask, ticks, size = (int(each) for each in rng.integers(0, (2, 5, 4)))
            ring.stage(
                venue=VENUES[number % 4], symbol="S", conn=1, channel="book",
                side="ask" if is_ask else "bid", price=100.0 + (ticks if is_ask else -1 - ticks),
                size=float(size), is_snapshot=number < 4, last=True,
            )  # fmt: skip
        ring.publish()

    measure(benchmark, reader.read, setup=fill, n_messages=N_ROWS, rounds=20)
    assert top.published > N_ROWS
    assert (nbbo.published > N_ROWS) == has_nbbo
