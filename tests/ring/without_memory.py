"""What `test_no_memory.py` runs where `no_memory.c` is preloaded: functions by their names."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.ring.rows import fill, make_row, rows_of

from tickwire.feed._taking import Getters
from tickwire.feed.consumers.consumer import LightConsumer
from tickwire.ring import Batch, Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

TABLE = TABLES["trades"]
N_ROWS = 700  # so large a copy is in no pool
COPY, STRUCT = 0, 1  # the allocations of a take, in order


def fail_after(n_allocations: int) -> None:
    ctypes.CDLL(None).tw_fail_after(ctypes.c_long(n_allocations))


def filled(n_rows: int = N_ROWS) -> Ring:
    ring = Ring(TABLE, 1024, Dictionaries())
    fill(ring, [make_row(ring, i) for i in range(n_rows)])
    return ring


def drain() -> list[Any]:
    """Leave no block of the size of Arrow's struct in the pool, as long as the result is kept."""
    return [Consumer(filled(1)).take() for _ in range(4)]


def fails(act: Callable[[], Any], at: int = COPY) -> None:
    """Have one allocation inside of `act` fail."""
    kept = drain()
    fail_after(at)
    try:
        with pytest.raises(MemoryError, match="no memory for a record batch"):
            act()
    finally:
        fail_after(-1)
    del kept


def a_take_that_fails_leaves_the_rows() -> None:
    expected = rows_of(Consumer(filled()).take())
    for options, at in (({}, COPY), ({"commits": True}, COPY), ({"commits": True}, STRUCT)):
        consumer = Consumer(filled(), **options)
        fails(consumer.take, at)
        assert rows_of(consumer.take()) == expected, (options, at)


def a_lease_that_fails_has_ended() -> None:
    expected = rows_of(Consumer(filled()).take())
    for at in (COPY, STRUCT):
        consumer = Consumer(filled())
        fails(consumer.lease, at)
        (batch,) = consumer.lease()
        assert rows_of(batch) == expected
        del batch
        consumer.release()


def light(ring: Ring) -> tuple[Batch, list[dict[str, Any]]]:
    expected = rows_of(Consumer(ring).take())
    batch = LightConsumer(ring).get_nowait()
    assert isinstance(batch, Batch)
    return batch, expected


def a_light_batch_is_as_it_was() -> None:
    """It had lost its rows, and a view of before showed freed memory."""
    batch, expected = light(filled())
    prices, codes = batch["price"], batch.codes("symbol")
    before = prices.copy(), codes.copy()
    fails(batch.to_arrow, 0)
    assert np.array_equal(batch["price"], before[0], equal_nan=True)
    others = [light(filled())[0] for _ in range(4)]  # would be written where it was
    assert np.array_equal(prices, before[0], equal_nan=True)
    assert np.array_equal(codes, before[1])
    assert rows_of(batch.to_arrow()) == expected
    del others


def a_light_batch_is_as_it_was_where_pyarrow_fails() -> None:
    import _testcapi

    batch, expected = light(filled())
    prices = batch["price"]
    before = prices.copy()
    n_failed = 0
    for at in range(1000):
        _testcapi.set_nomemory(at, at + 1)
        try:
            arrow = batch.to_arrow()
        except MemoryError:
            n_failed += 1
        else:
            break
        finally:
            _testcapi.remove_mem_hooks()
        assert np.array_equal(batch["price"], before, equal_nan=True)
    assert n_failed > 1
    assert rows_of(arrow) == expected
    assert np.array_equal(prices, before, equal_nan=True)


def a_wait_that_fails_is_noticed_and_none_waits() -> None:
    """Where a ring has no memory to note who waits, the caller gets an error."""

    async def wait() -> None:
        import _testcapi

        n_failed, has_failed = 0, True
        while has_failed:
            ring = Ring(TABLE, 1024, Dictionaries())
            getters = Getters(Consumer(ring))
            _testcapi.set_nomemory(n_failed, n_failed + 1)
            try:
                getters.wait()
                has_failed = False
            except MemoryError:
                n_failed += 1
            finally:
                _testcapi.remove_mem_hooks()
            fill(ring, [make_row(ring, 0)])
            assert not getters
        assert n_failed > 1

    asyncio.run(wait())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        try:
            globals()[name]()
        except BaseException:
            print(f"{name}:\n{traceback.format_exc()}", file=sys.stderr)
        else:
            print(name)
