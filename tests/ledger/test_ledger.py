"""The feed's own rows: nothing blocks, nothing grows, nothing is lost while there is room."""

import pyarrow as pa

from tickwire.ledger import Ledger, Place
from tickwire.ledger import ledger as ledger_module
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1024


def rings() -> tuple[Ring, Ring]:
    dictionaries = Dictionaries()
    return Ring(TABLES["gaps"], ROWS, dictionaries), Ring(TABLES["sessions"], ROWS, dictionaries)


def one_row(batch: pa.RecordBatch) -> dict[str, object]:
    assert batch.num_rows == 1
    return {
        name: (column.cast("int64") if pa.types.is_timestamp(column.type) else column)[0].as_py()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def test_a_gap_is_a_row() -> None:
    gaps, sessions = rings()
    ledger = Ledger(gaps, sessions)
    ledger.clock = lambda: 99
    consumer = Consumer(gaps)
    ledger.gap("book", "sequence", 10, 20, Place("binance", "BTCUSDT", 3), lost=7, recovered=True)
    assert one_row(consumer.take()) == {
        "seq": 0,
        "venue": "binance",
        "symbol": "BTCUSDT",
        "ts_event": None,
        "ts_recv": 99,
        "conn": 3,
        "table_name": "book",
        "reason": "sequence",
        "ts_start": 10,
        "ts_end": 20,
        "lost": 7,
        "recovered": True,
    }
    assert ledger.n_gaps == 1


def test_an_event_is_a_row_and_a_long_detail_is_cut() -> None:
    gaps, sessions = rings()
    ledger = Ledger(gaps, sessions)
    ledger.clock = lambda: 99
    consumer = Consumer(sessions)
    ledger.event("warning", "x" * 10_000, Place("hyperliquid"), log=True)
    row = one_row(consumer.take())
    assert (row["venue"], row["symbol"], row["conn"]) == ("hyperliquid", None, None)
    assert (row["event"], row["detail"], row["ts_recv"]) == ("warning", "x" * 4096, 99)


def test_what_finds_a_full_ring_waits_and_keeps_its_order() -> None:
    gaps, sessions = rings()
    ledger = Ledger(gaps, sessions)
    consumer = Consumer(gaps)
    for number in range(ROWS + 100):
        ledger.gap("trades", "disconnect", number, number, Place())
    assert ledger.n_waiting == ROWS + 100 - gaps.published > 0
    starts: list[int] = []
    while (batch := consumer.take()) is not None:
        starts += batch.column("ts_start").cast("int64").to_pylist()
        ledger.retry()
    assert ledger.n_waiting == 0
    assert starts == list(range(ROWS + 100))


def test_what_waits_is_bounded_and_what_is_given_up_is_counted() -> None:
    gaps, sessions = rings()
    ledger = Ledger(gaps, sessions)
    consumer = Consumer(gaps)
    n_gaps = 3 * ledger_module.MAX_WAITING
    for number in range(n_gaps):
        ledger.gap("trades", "disconnect", number, number, Place())
    assert ledger.n_waiting == ledger_module.MAX_WAITING
    n_seen = 0
    while (batch := consumer.take()) is not None:
        n_seen += batch.num_rows
        ledger.retry()
    assert n_seen + ledger.n_unwritten == n_gaps == ledger.n_gaps
