"""Light batches and rows: the same values as Arrow's own, of every kind of column."""

from __future__ import annotations

import gc
import resource
import threading
import weakref
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.ring.rows import TABLE_NAMES, fill, make_row, rows_of

from tickwire.feed.consumers.consumer import BatchConsumer, LightConsumer
from tickwire.feed.consumers.rows import RowConsumer
from tickwire.ring import Batch, Dictionaries, Ring, Row
from tickwire.schema import TABLES

ROWS = 1024


def filled(table: str, n_rows: int = 40, *, nulls: bool = True) -> Ring:
    ring = Ring(TABLES[table], ROWS, Dictionaries())
    fill(ring, [make_row(ring, i, nulls=nulls) for i in range(n_rows)])
    return ring


def same(found: Any, expected: Any) -> bool:
    """Compare two cells; a missing number is NaN or None."""
    if expected is None or expected != expected:
        return found is None or found != found
    return bool(found == expected)


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("table", TABLE_NAMES)
def test_columns_have_arrow_s_values(table: str, nulls: bool) -> None:
    ring = filled(table, nulls=nulls)
    light = LightConsumer(ring).get_nowait()
    arrow = BatchConsumer(ring).get_nowait()
    assert (light.num_rows, len(light)) == (arrow.num_rows, arrow.num_rows)
    assert light.column_names == arrow.schema.names
    assert light.num_columns == arrow.num_columns
    for name, rows in zip(
        arrow.schema.names, zip(*map(dict.values, rows_of(arrow)), strict=True), strict=True
    ):
        column = light[name]
        if column.dtype.kind == "M":
            missing = np.isnat(column)
            column = column.astype(np.int64).astype(object)
            column[missing] = None
        assert len(column) == len(rows)
        assert all(map(same, column.tolist(), rows)), name
        again = light.column(arrow.schema.names.index(name)).tolist()
        assert all(map(same, again, light[name].tolist()))


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("table", TABLE_NAMES)
def test_a_batch_of_one_row_has_arrow_s_values(table: str, nulls: bool) -> None:
    ring = Ring(TABLES[table], ROWS, Dictionaries())
    light, arrow, reader = LightConsumer(ring), BatchConsumer(ring), RowConsumer(ring)
    for i in range(40):
        fill(ring, [make_row(ring, i, nulls=nulls)])
        expected = rows_of(arrow.get_nowait())
        batch = light.get_nowait()
        assert batch.num_rows == 1
        assert {name: batch.to_pylist(name)[0] for name in batch.column_names} == expected[0]
        assert rows_of(batch.to_arrow()) == expected
        assert reader.get_nowait()._asdict() == expected[0]


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_columns_are_lists_of_python_s_values_too(table: str) -> None:
    ring = filled(table)
    light = LightConsumer(ring).get_nowait()
    expected = rows_of(BatchConsumer(ring).get_nowait())
    for place, name in enumerate(light.column_names):
        assert light.to_pylist(name) == [row[name] for row in expected]
        assert light.to_pylist(place) == light.to_pylist(name)
    with pytest.raises(KeyError, match="no column"):
        light.to_pylist("nothing")


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_rows_have_arrow_s_values(table: str) -> None:
    ring = filled(table)
    expected = rows_of(BatchConsumer(ring).get_nowait())
    consumer = RowConsumer(ring)
    for each in expected:
        row = consumer.get_nowait()
        assert row._asdict() == each
        assert [getattr(row, name) for name in row._fields] == list(each.values())
        assert list(row) == list(each.values())
        assert [row[place] for place in range(len(row))] == list(each.values())
    assert consumer.empty()


def test_a_light_batch_is_arrow_s_own_when_it_is_asked_to_be() -> None:
    ring = filled("book")
    light = LightConsumer(ring).get_nowait()
    prices = light["price"]
    arrow = BatchConsumer(ring).get_nowait()
    assert light.to_arrow().equals(arrow)
    assert light.to_arrow() is light.to_arrow()
    assert pa.record_batch(light).equals(arrow)
    assert pa.table(light).equals(pa.Table.from_batches([arrow]))
    assert pa.RecordBatchReader.from_stream(light).read_all().num_rows == arrow.num_rows
    assert light.schema == arrow.schema
    assert pa.schema(light) == arrow.schema
    # The view of before is still one of the same memory.
    kept = light.to_arrow()
    again = light["price"]
    assert np.array_equal(prices, again, equal_nan=True)
    del light
    gc.collect()
    assert np.array_equal(prices, kept["price"].to_numpy(zero_copy_only=False), equal_nan=True)


def test_duckdb_and_polars_take_a_light_batch() -> None:
    duckdb = pytest.importorskip("duckdb")
    light = LightConsumer(filled("mids", nulls=False)).get_nowait()
    found = duckdb.sql("SELECT count(*), sum(price) FROM light").fetchall()
    assert found == [(40, light["price"].sum())]
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(light).height == 40


def test_views_of_numbers_and_times_are_no_copies_and_keep_the_memory() -> None:
    light = LightConsumer(filled("mids", nulls=False)).get_nowait()
    price, again = light["price"], light["price"]
    assert price.__array_interface__["data"] == again.__array_interface__["data"]
    assert not price.flags.writeable
    assert light["ts_recv"].dtype == np.dtype("datetime64[ns]")
    assert light["conn"].dtype == np.int32
    expected = price.copy()
    del light, again
    gc.collect()
    others = [LightConsumer(filled("mids")).get_nowait() for _ in range(50)]
    assert np.array_equal(price, expected)
    assert others


def test_codes_are_equal_where_strings_are() -> None:
    light = LightConsumer(filled("mids", nulls=False)).get_nowait()
    codes, symbols = light.codes("symbol"), light["symbol"]
    assert codes.dtype == np.int32
    assert len(set(zip(codes.tolist(), symbols.tolist(), strict=True))) == len(set(symbols))
    with pytest.raises(TypeError, match="no codes"):
        light.codes("price")


def test_what_is_no_column_is_refused() -> None:
    light = LightConsumer(filled("mids")).get_nowait()
    with pytest.raises(KeyError, match="no column 'px'"):
        light["px"]
    with pytest.raises(IndexError, match="no column 99"):
        light[99]
    assert light[-1].tolist() == light[light.num_columns - 1].tolist()
    row = RowConsumer(filled("mids")).get_nowait()
    with pytest.raises(AttributeError, match="px"):
        row.px  # noqa: B018 - it raises
    with pytest.raises(KeyError, match="px"):
        row["px"]
    with pytest.raises(TypeError, match="from a feed"):
        Batch()
    with pytest.raises(TypeError, match="from a feed"):
        Row()


def test_a_row_is_used_again_and_its_copy_is_not() -> None:
    ring = filled("mids", 3, nulls=False)
    consumer = RowConsumer(ring)
    first = consumer.get_nowait()
    kept, price = first.copy(), first.price
    second = consumer.get_nowait()
    assert second is first
    assert second.price != price
    assert (kept.price, kept.seq) == (price, 0)
    assert "price=" in repr(kept)
    assert {"price", "copy", "_asdict"} <= set(dir(kept))
    consumer.close()
    with pytest.raises(ValueError, match="no row any more"):
        second["price"]
    with pytest.raises(AttributeError):
        second.price  # noqa: B018 - it raises
    assert repr(second) == "<Row: none>"
    assert kept.price == price


def test_rows_that_were_dropped_while_they_were_copied_are_not_shown() -> None:
    ring = Ring(TABLES["mids"], ROWS, Dictionaries(), overflow="drop_oldest")
    consumer = LightConsumer(ring)
    done = threading.Event()
    wrong: list[str] = []
    seen = 0

    def take() -> None:
        nonlocal seen
        last = -1
        while not (done.is_set() and consumer.empty()):
            if consumer.empty():
                continue
            light = consumer.get_nowait()
            seqs, prices = light["seq"], light["price"]
            seen += len(seqs)
            if seqs[0] <= last or not np.array_equal(seqs, np.arange(seqs[0], seqs[0] + len(seqs))):
                wrong.append("seq")
            if not np.array_equal(prices, seqs / 2):
                wrong.append("price")
            if light.to_arrow()["seq"].to_pylist() != seqs.tolist():
                wrong.append("arrow")
            last = int(seqs[-1])

    taker = threading.Thread(target=take)
    taker.start()
    row = make_row(ring, 1, nulls=False)
    for i in range(20_000):
        ring.append(**(row | {"price": i / 2}))
    done.set()
    taker.join()
    assert wrong == []
    assert seen + consumer.rows.n_dropped == 20_000


@pytest.mark.volume
def test_taking_light_batches_and_rows_does_not_grow_memory() -> None:
    ring = Ring(TABLES["trades"], ROWS, Dictionaries())
    light, rows = LightConsumer(ring), RowConsumer(ring)
    row = make_row(ring, 1, nulls=False)

    def turn(n_turns: int) -> None:
        for _ in range(n_turns):
            assert ring.append(**row)
            batch = light.get_nowait()
            assert len(batch["price"]) == batch.num_rows
            assert batch["symbol"][0] == row["symbol"]
            assert pa.record_batch(batch).num_rows == batch.num_rows
            view = rows.get_nowait()
            assert view.copy().trade_id == row["trade_id"]

    turn(2_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turn(6_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000


def test_a_batch_is_freed_with_the_last_who_looks_at_it() -> None:
    ring = filled("mids")
    light = LightConsumer(ring).get_nowait()
    view = light["price"]
    gone = weakref.ref(ring)
    del ring, light
    gc.collect()
    assert len(view) == 40
    assert gone() is None  # a batch keeps its memory, not the ring
