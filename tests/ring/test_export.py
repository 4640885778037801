"""Batches are valid Arrow with the table's schema, whatever the rows hold."""

from __future__ import annotations

import gc
import random
import threading

import pyarrow as pa
import pytest
from tests.ring.rows import TABLE_NAMES, fill, make_row, rows_of

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Column, Kind


@pytest.mark.parametrize("table", TABLE_NAMES)
@pytest.mark.parametrize("borrow", [False, True])
def test_rows_come_out_as_they_went_in(table: str, borrow: bool) -> None:
    ring = Ring(TABLES[table], 1024, Dictionaries(), seq_base=1000)
    consumer = Consumer(ring)
    expected = [make_row(ring, i) for i in range(200)]
    fill(ring, expected)
    if borrow:
        (batch,) = consumer.lease()
    else:
        batch = consumer.take()
    batch.validate(full=True)
    assert batch.schema == TABLES[table].arrow_schema
    assert rows_of(batch) == [row | {"seq": 1000 + i} for i, row in enumerate(expected)]


PATTERNS = {
    "every third": lambda i, n: i % 3 == 0,
    "all": lambda i, n: True,
    "only the last": lambda i, n: i == n - 1,
    "all but the last": lambda i, n: i != n - 1,
}


@pytest.mark.parametrize("table", TABLE_NAMES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_nullable_column_can_be_null(table: str, pattern: str) -> None:
    ring = Ring(TABLES[table], 1024, Dictionaries())
    consumer = Consumer(ring)
    nullable = [column.name for column in TABLES[table].columns if column.nullable]
    full = make_row(ring, 3, nulls=False)
    for n in (1, 7, 8, 9, 65):
        lacks = [PATTERNS[pattern](i, n) for i in range(n)]
        for name in nullable:
            rows = [full | {name: None} if lack else full for lack in lacks]
            fill(ring, rows)
            batch = consumer.take()
            batch.validate(full=True)
            assert batch.column(name).null_count == sum(lacks)
            assert [row[name] is None for row in rows_of(batch)] == lacks


def test_without_nulls_there_is_no_bitmap() -> None:
    ring = Ring(TABLES["quotes"], 1024, Dictionaries())
    consumer = Consumer(ring)
    fill(ring, [make_row(ring, 5, nulls=False)] * 10)
    batch = consumer.take()
    assert all(column.buffers()[0] is None for column in batch.columns)


def test_buffers_are_aligned() -> None:
    ring = Ring(TABLES["book"], 1024, Dictionaries())
    consumer = Consumer(ring)
    fill(ring, [make_row(ring, i) for i in range(13)])
    batch = consumer.take()
    for column in batch.columns:
        for buffer in column.buffers()[:2]:
            assert buffer is None or buffer.address % 64 == 0


def test_a_lease_borrows_the_rings_memory_and_a_take_does_not() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries())
    consumer = Consumer(ring)
    block = ring.columns["price"].__array_interface__["data"][0]
    fill(ring, [make_row(ring, i) for i in range(10)])
    (leased,) = consumer.lease()
    assert leased.column("price").buffers()[1].address == block
    consumer.release()
    fill(ring, [make_row(ring, i) for i in range(10)])
    taken = consumer.take().column("price").buffers()[1].address
    assert not block <= taken < block + 1024 * 8


def test_batches_outlive_everything() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries())
    consumer = Consumer(ring)
    rows = [make_row(ring, i) for i in range(50)]
    fill(ring, rows)
    (leased,) = consumer.lease()
    consumer.release()
    fill(ring, rows)
    taken = consumer.take()
    price = taken.column("price")
    symbol = taken.column("symbol")
    expected = rows_of(taken)
    del consumer, ring
    gc.collect()
    assert [row["price"] for row in rows_of(leased)] == [row["price"] for row in rows]
    assert rows_of(taken) == expected
    del taken, leased
    gc.collect()
    assert price.to_pylist() == [row["price"] for row in rows]
    assert symbol.to_pylist() == [row["symbol"] for row in rows]


def test_dictionaries_grow_between_batches() -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries())
    consumer = Consumer(ring)
    row = make_row(ring, 0)
    batches = []
    for i in range(300):
        fill(ring, [row | {"symbol": f"S{i}"}, row | {"symbol": "S0"}])
        batches.append(consumer.take())
    for i, batch in enumerate(batches):
        assert batch.column("symbol").to_pylist() == [f"S{i}", "S0"]
        assert len(batch.column("symbol").dictionary) == i + 1
    table = pa.Table.from_batches(batches).unify_dictionaries()
    table.validate(full=True)
    assert table.column("symbol").to_pylist()[::2] == [f"S{i}" for i in range(300)]


def test_every_kind_of_extra_column_travels() -> None:
    extras = tuple(
        Column(f"extra_{kind.name.lower()}", kind, True, 16 if kind >= Kind.TEXT else 0)
        for kind in Kind
    )
    table = TABLES["trades"].with_extras(extras)
    ring = Ring(table, 1024, Dictionaries())
    consumer = Consumer(ring)
    rows = [make_row(ring, i) for i in range(100)]
    fill(ring, rows)
    batch = consumer.take()
    batch.validate(full=True)
    assert batch.schema == table.arrow_schema
    assert rows_of(batch) == [row | {"seq": i} for i, row in enumerate(rows)]


def test_batches_export_through_the_pycapsule_interface() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries())
    consumer = Consumer(ring)
    fill(ring, [make_row(ring, i) for i in range(5)])
    batch = consumer.take()
    copy = pa.record_batch(batch)
    del batch
    copy.validate(full=True)
    assert copy.num_rows == 5


def test_large_batches_keep_their_rows_whatever_is_dropped_around_them() -> None:
    ring = Ring(TABLES["trades"], 4096, Dictionaries())
    consumer = Consumer(ring)
    row = make_row(ring, 1, nulls=False)
    draw = random.Random(5)
    alive: dict[int, pa.RecordBatch] = {}
    for turn in range(60):
        n = draw.choice((1500, 2500, 4000))
        fill(ring, [row | {"conn": turn, "trade_id": str(turn)}] * n)
        alive[turn] = consumer.take()
        if len(alive) > 5:
            gone = alive.pop(draw.choice(list(alive)))
            thread = threading.Thread(target=gone.equals, args=(gone,))
            del gone
            thread.start()
            thread.join()
            del thread  # with it goes the last reference, held by its arguments
        for of_turn, batch in alive.items():
            assert batch.column("conn").unique().to_pylist() == [of_turn]
            assert batch.column("trade_id").unique().to_pylist() == [str(of_turn)]
