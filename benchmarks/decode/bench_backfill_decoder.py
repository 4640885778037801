"""A page of missed trades, from the bytes of the answer to published rows."""

import json

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import Decoder, Program
from tickwire.decode.plan import constant, given, message, ms, rows, text
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

N_TRADES = 1000  # what venues give at once
PAGE = message(
    "missed",
    kind="backfill",
    rows=[
        rows(
            at="[]",
            into="trades",
            symbol=given(),
            ts_event=ms("time"),
            channel=constant("trades"),
            price="price",
            size="qty",
            side=constant("buy"),
            trade_id=text("id"),
        )
    ],
)


@pytest.mark.informational
def test_a_page_of_trades(benchmark: BenchmarkFixture) -> None:
    """1,000 trades of one answer; the ring is written over and over."""
    dictionaries = Dictionaries()
    rings = {"trades": Ring(TABLES["trades"], 1 << 14, dictionaries)}
    program = Program("bench", [PAGE], {"trades": TABLES["trades"]})
    decoder = Decoder(program, rings, dictionaries, venue="bench")
    page = json.dumps(
        [
            {"id": n, "price": f"{60_000 + n % 100}.50", "qty": "0.125", "time": 1_764_500_000_000}
            for n in range(N_TRADES)
        ]
    ).encode()

    def run() -> int:
        taken = decoder.backfills.take("missed", page, symbol="BTCUSDT", ts_recv=1, conn=1)
        return 0 if taken is None else taken[0]

    found = measure(benchmark, run, n_messages=N_TRADES, n_bytes=len(page), rounds=100)
    assert found == N_TRADES
