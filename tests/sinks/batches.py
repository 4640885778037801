"""Random batches of any table, and a source that hands them out."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from tickwire.observe import Histogram
from tickwire.schema import TABLES, Column, Kind, Table
from tickwire.sinks import DuckDBSettings, IpcSettings, ParquetSettings, Sink

NOW_NS = 1_723_161_255_319_702_566  # its last digits are lost in anything but ns
DAY_NS = 86_400_000_000_000
SETTINGS = {"duckdb": DuckDBSettings, "parquet": ParquetSettings, "ipc": IpcSettings}
WORDS = ["BTC", "E\"T'H; DROP TABLE trades; --", "käse/..", "", "x" * 40]


class ListSource:
    """A source of given batches; counts what it is asked."""

    def __init__(self, batches: Iterable[pa.RecordBatch] = ()) -> None:
        self.lock = threading.Lock()
        self.batches = deque(batches)
        self.is_closed = False
        self.n_looks = 0
        self.n_commits = 0

    def put(self, batch: pa.RecordBatch) -> None:
        with self.lock:
            self.batches.append(batch)

    @property
    def available(self) -> int:
        with self.lock:
            self.n_looks += 1
            return sum(batch.num_rows for batch in self.batches)

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        with self.lock:
            return self.batches.popleft() if self.batches else None

    @property
    def depth(self) -> float:
        return 0.0

    @property
    def holds(self) -> int:
        return 0

    def commit(self) -> None:
        self.n_commits += 1

    def record(self, histogram: Histogram) -> None:
        histogram.add(1)

    def close(self) -> None:
        self.is_closed = True


def value(column: Column, rng: random.Random, row: int) -> object:
    if column.nullable and rng.random() < 0.4:
        return None
    match column.kind:
        case Kind.I64:
            return rng.randrange(-(2**62), 2**62)
        case Kind.I32:
            return rng.randrange(-(2**31) + 1, 2**31)
        case Kind.F64:
            return rng.choice([0.1, -0.0, 5e-324, 1.7976931348623157e308, rng.random()])
        case Kind.TS:
            return NOW_NS + row
        case Kind.BOOL:
            return rng.random() < 0.5
        case Kind.TEXT:
            return rng.choice(WORDS) + str(row)
        case Kind.BINARY:
            return rng.randbytes(rng.randrange(20))
    return rng.choice(WORDS) or "-"  # a hive path cannot tell an empty venue from null


def batch_of(
    table: Table, n_rows: int, first_seq: int = 0, seed: int = 0, **fixed: list[object]
) -> pa.RecordBatch:
    """`n_rows` random rows of `table`; `fixed` replaces whole columns."""
    rng = random.Random(seed)
    columns = {
        column.name: [value(column, rng, first_seq + row) for row in range(n_rows)]
        for column in table.columns
    }
    columns["seq"] = list(range(first_seq, first_seq + n_rows))
    columns |= fixed
    arrays = []
    for field in table.arrow_schema:
        if pa.types.is_dictionary(field.type):
            # Only the words used so far: the dictionary differs from batch to batch.
            words = list(dict.fromkeys(word for word in columns[field.name] if word is not None))
            codes = [None if word is None else words.index(word) for word in columns[field.name]]
            arrays.append(
                pa.DictionaryArray.from_arrays(
                    pa.array(codes, field.type.index_type), pa.array(words, pa.utf8())
                )
            )
        else:
            arrays.append(pa.array(columns[field.name], field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=table.arrow_schema)


def cells(data: pa.RecordBatch | pa.Table) -> list[dict[str, object]]:
    """Rows as dicts, times as integers in ns and dictionaries as text."""
    columns = {}
    for field, column in zip(data.schema, data.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            assert field.type.unit == "ns"
            columns[field.name] = column.cast(pa.int64()).to_pylist()
        else:
            columns[field.name] = column.to_pylist()
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def all_tables() -> list[Table]:
    return list(TABLES.values())


def open_sink(kind: str, path: Path, offered: Iterable[Table], feed: str = "main", **keys) -> Sink:
    sink = SETTINGS[kind](path=path, **keys).make_sink(feed)
    sink.open(offered)
    return sink


def write_all(sink: Sink, batches: dict[str, list[pa.RecordBatch]]) -> None:
    """Run the sink over the batches, to the end."""
    sources = {name: ListSource(batches.get(name, ())) for name in sink.tables}
    sink.start(sources)
    sink.stop()
    if sink.failed is not None:
        raise sink.failed
    assert all(source.is_closed for source in sources.values())


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.005)
