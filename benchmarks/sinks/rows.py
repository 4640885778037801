"""Batches of trades as a busy feed brings them."""

from __future__ import annotations

import random
from collections import deque

import pyarrow as pa

from tickwire.schema import TABLES

TRADES = TABLES["trades"]
START_NS = 1_723_161_255_319_702_566


class Batches:
    """A source that has all its batches at once."""

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        self.batches = deque(batches)

    @property
    def available(self) -> int:
        """Batches left."""
        return len(self.batches)

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        """Give the next batch."""
        return self.batches.popleft() if self.batches else None

    @property
    def depth(self) -> float:
        """No ring is behind it."""
        return 0.0

    def commit(self) -> None:
        """Nothing waits for it."""

    def record(self, histogram: object) -> None:
        """Leave it as it is."""

    def close(self) -> None:
        """Drop what is left."""
        self.batches.clear()


def size(batches: list[pa.RecordBatch]) -> int:
    """Give how many bytes of Arrow they are."""
    return sum(batch.nbytes for batch in batches)


def trades(n_batches: int, n_rows: int, n_symbols: int = 200) -> list[pa.RecordBatch]:
    """Seeded batches of `n_rows` trades each."""
    rng = random.Random(1)
    symbols = pa.array([f"SYMBOL{i}" for i in range(n_symbols)])

    def code(values: pa.Array, width: pa.DataType, codes: list[int]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes, width), values)

    batches = []
    for i in range(n_batches):
        first = i * n_rows
        times = pa.array(
            range(START_NS + first, START_NS + first + n_rows), pa.timestamp("ns", "UTC")
        )
        zeros = [0] * n_rows
        columns = [
            pa.array(range(first, first + n_rows), pa.int64()),
            code(pa.array(["hyperliquid"]), pa.int16(), zeros),
            code(symbols, pa.int32(), rng.choices(range(n_symbols), k=n_rows)),
            times,
            times,
            pa.array(zeros, pa.int32()),
            code(pa.array(["trades"]), pa.int16(), zeros),
            pa.array([rng.randrange(10**7) / 100 for _ in range(n_rows)]),
            pa.array([rng.randrange(10**5) / 1000 for _ in range(n_rows)]),
            code(pa.array(["buy", "sell"]), pa.int16(), rng.choices((0, 1), k=n_rows)),
            pa.array([str(rng.randrange(10**15)) for _ in range(n_rows)]),
        ]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=TRADES.arrow_schema))
    return batches
