"""The consumer keeps the promises of `asyncio.Queue`; its items are batches, its sizes rows."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pyarrow as pa
import pytest

import tickwire
from tickwire.feed.consumers.consumer import BatchConsumer
from tickwire.feed.consumers.row_queue import QueueEmpty, QueueShutDown
from tickwire.observe import Histogram
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

Run = Callable[[Coroutine[Any, Any, None]], None]


def write(ring: Ring, *prices: float) -> None:
    for price in prices:
        ring.stage(venue="v", symbol="s", conn=0, price=price)
    ring.publish()


def prices(batch: pa.RecordBatch) -> list[float]:
    return list(batch.column("price").to_pylist())


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_its_exceptions_are_asyncio_s() -> None:
    assert tickwire.QueueEmpty is asyncio.QueueEmpty
    assert tickwire.QueueShutDown is QueueShutDown
    if hasattr(asyncio, "QueueShutDown"):
        assert tickwire.QueueShutDown is asyncio.QueueShutDown


def test_get_gives_everything_published_since_the_last_get(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            write(ring, 1.0)
            write(ring, 2.0, 3.0)
            assert prices(await consumer.get()) == [1.0, 2.0, 3.0]
            write(ring, 4.0)
            assert prices(await consumer.get()) == [4.0]

    run(scene())


def test_it_starts_at_the_oldest_row_that_the_ring_holds(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        write(ring, 1.0, 2.0)
        with BatchConsumer(ring) as consumer:
            assert prices(consumer.get_nowait()) == [1.0, 2.0]

    run(scene())


def test_get_waits_for_a_publish(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            getter = asyncio.create_task(consumer.get())
            await soon()
            assert not getter.done()
            write(ring, 7.0)
            assert prices(await getter) == [7.0]

    run(scene())


def test_each_of_several_getters_gets_its_own_batch(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            getters = [asyncio.create_task(consumer.get()) for _ in range(3)]
            for price in (1.0, 2.0, 3.0):
                await soon()
                write(ring, price)
            got = await asyncio.wait_for(asyncio.gather(*getters), 10)
            assert [prices(batch) for batch in got] == [[1.0], [2.0], [3.0]]

    run(scene())


def test_a_cancelled_getter_loses_nothing(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            cancelled = asyncio.create_task(consumer.get())
            other = asyncio.create_task(consumer.get())
            await soon()
            write(ring, 1.0)  # wakes the first one ...
            cancelled.cancel()  # ... which never comes to take it
            assert prices(await asyncio.wait_for(other, 10)) == [1.0]
            assert cancelled.cancelled()

    run(scene())


def test_get_nowait_does_not_wait(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            with pytest.raises(QueueEmpty):
                consumer.get_nowait()
            write(ring, 1.0)
            assert prices(consumer.get_nowait()) == [1.0]

    run(scene())


def test_qsize_maxsize_and_empty_count_rows(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            assert consumer.maxsize == ring.capacity
            assert (consumer.qsize(), consumer.empty()) == (0, True)
            write(ring, 1.0, 2.0, 3.0)
            assert (consumer.qsize(), consumer.empty()) == (3, False)
            consumer.get_nowait()
            assert (consumer.qsize(), consumer.empty()) == (0, True)

    run(scene())


def test_join_waits_until_every_batch_is_done(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            await consumer.join()  # nothing to wait for
            write(ring, 1.0)
            joiner = asyncio.create_task(consumer.join())
            await soon()
            assert not joiner.done()
            await consumer.get()
            write(ring, 2.0)
            await consumer.get()
            consumer.task_done()
            await soon()
            assert not joiner.done()
            consumer.task_done()
            await asyncio.wait_for(joiner, 10)
            with pytest.raises(ValueError, match="too many times"):
                consumer.task_done()

    run(scene())


def test_join_waits_for_rows_that_came_after_the_last_batch(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            write(ring, 1.0)
            await consumer.get()
            joiner = asyncio.create_task(consumer.join())
            await soon()
            write(ring, 2.0)
            consumer.task_done()
            await soon()
            assert not joiner.done()
            await consumer.get()
            consumer.task_done()
            await asyncio.wait_for(joiner, 10)

    run(scene())


def test_after_shutdown_what_is_there_can_be_taken(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring)
        write(ring, 1.0)
        consumer.shutdown()
        write(ring, 2.0)  # too late for it
        assert consumer.qsize() == 1
        assert prices(await consumer.get()) == [1.0]
        assert consumer.qsize() == 0
        with pytest.raises(QueueShutDown):
            await consumer.get()
        with pytest.raises(QueueShutDown):
            consumer.get_nowait()
        joiner = asyncio.create_task(consumer.join())
        await soon()
        assert not joiner.done()
        consumer.task_done()
        await asyncio.wait_for(joiner, 10)

    run(scene())


def test_an_immediate_shutdown_gives_the_rows_up(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring)
        write(ring, 1.0)
        joiner = asyncio.create_task(consumer.join())
        await soon()
        consumer.shutdown(immediate=True)
        await asyncio.wait_for(joiner, 10)
        assert consumer.empty()
        with pytest.raises(QueueShutDown):
            consumer.get_nowait()

    run(scene())


@pytest.mark.parametrize("immediate", [False, True])
def test_a_shutdown_wakes_all_getters(run: Run, ring: Ring, immediate: bool) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring)
        getters = [asyncio.create_task(consumer.get()) for _ in range(3)]
        await soon()
        consumer.shutdown(immediate)
        results = await asyncio.wait_for(asyncio.gather(*getters, return_exceptions=True), 10)
        assert [type(result) for result in results] == [QueueShutDown] * 3

    run(scene())


def test_iteration_ends_with_the_shutdown(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring)
        write(ring, 1.0)
        seen = []
        async for batch in consumer:
            seen += prices(batch)
            if len(seen) < 3:
                write(ring, seen[-1] + 1)
            else:
                consumer.shutdown()
        assert seen == [1.0, 2.0, 3.0]

    run(scene())


def test_a_closed_or_collected_consumer_holds_nothing_back(run: Run, ring: Ring) -> None:
    def fits_a_lap() -> bool:
        return all(
            ring.append(venue="v", symbol="s", conn=0, price=0.0) for _ in range(2 * ring.capacity)
        )

    async def scene() -> None:
        held = BatchConsumer(ring)
        assert not fits_a_lap()
        held.close()
        assert fits_a_lap()
        async with BatchConsumer(ring) as inside:
            assert not fits_a_lap()
            assert inside.qsize() > 0
        assert fits_a_lap()
        forgotten: BatchConsumer | None = BatchConsumer(ring)
        assert forgotten is not None
        forgotten.get_nowait()
        waiting = asyncio.create_task(forgotten.get())
        await soon()
        waiting.cancel()
        await asyncio.wait([waiting])
        del waiting
        gone = weakref.ref(forgotten)
        forgotten = None
        gc.collect()
        assert gone() is None  # although it asked the ring to be woken
        assert fits_a_lap()

    run(scene())


def test_a_lease_borrows_and_gives_back(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            with pytest.raises(QueueEmpty), consumer.lease():
                pass
            write(ring, 1.0, 2.0)
            joiner = asyncio.create_task(consumer.join())
            with consumer.lease() as batch:
                assert prices(batch) == [1.0, 2.0]
                await soon()
                assert not joiner.done()
            await asyncio.wait_for(joiner, 10)
            assert consumer.empty()
            consumer.shutdown()
            with pytest.raises(QueueShutDown), consumer.lease():
                pass

    run(scene())


def test_a_range_that_wraps_comes_as_two_leases(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring) as consumer:
            write(ring, *[0.0] * (ring.capacity - 3))
            consumer.get_nowait()
            write(ring, *map(float, range(10)))
            leased = []
            while not consumer.empty():
                with consumer.lease() as batch:
                    leased.append(prices(batch))
            assert leased == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]]

    run(scene())


def test_a_lease_behind_a_jump_of_the_ring_is_whole(run: Run) -> None:
    async def scene() -> None:
        ring = Ring(TABLES["mids"], 1024, Dictionaries(), window_rows=100)
        with BatchConsumer(ring) as consumer:
            write(ring, *[0.0] * 700)
            consumer.get_nowait()
            assert ring.rewind()
            assert consumer.empty()
            write(ring, *map(float, range(1000)))
            assert consumer.qsize() == 1000
            with consumer.lease() as batch:
                assert prices(batch) == list(map(float, range(1000)))
                assert batch.column("seq").to_pylist() == list(range(700, 1700))
            assert consumer.empty()

    run(scene())


def test_a_batch_outlives_the_ring_and_the_consumer(run: Run) -> None:
    async def scene() -> None:
        ring = Ring(TABLES["mids"], 1024, Dictionaries())
        consumer = BatchConsumer(ring)
        write(ring, 1.0)
        batch = consumer.get_nowait()
        consumer.close()
        del ring, consumer
        gc.collect()
        assert prices(batch) == [1.0]
        assert batch.column("symbol").to_pylist() == ["s"]

    run(scene())


def test_the_age_of_every_row_is_recorded(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        latency = Histogram()
        with BatchConsumer(ring, latency) as consumer:
            write(ring, 1.0, 2.0)
            consumer.get_nowait()
            write(ring, 3.0)
            with consumer.lease():
                pass
            assert latency.count == 3

    run(scene())


def test_wait_makes_a_lease_usable_in_a_loop(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        seen: list[float] = []
        consumer = BatchConsumer(ring)

        async def read() -> None:
            while await consumer.wait():
                with consumer.lease() as batch:
                    seen.extend(prices(batch))

        reading = asyncio.ensure_future(read())
        await soon()
        for price in (1.0, 2.0, 3.0):
            write(ring, price, price)
            await soon()
        assert seen == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
        write(ring, 4.0)
        consumer.shutdown()
        await reading
        assert seen[-1] == 4.0
        assert await consumer.wait() == 0

    run(scene())


def test_wait_leaves_the_rows_to_a_getter_and_ends_with_the_consumer(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring)
        waiting = asyncio.ensure_future(consumer.wait())
        await soon()
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        write(ring, 1.0, 2.0)
        assert await waiting == 2
        assert prices(await getting) == [1.0, 2.0]
        waiting = asyncio.ensure_future(consumer.wait())
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        waiting.cancel()
        await soon()
        write(ring, 3.0)
        assert prices(await getting) == [3.0]
        waiting = asyncio.ensure_future(consumer.wait())
        await soon()
        consumer.close()
        assert await waiting == 0

    run(scene())


def test_a_consumer_says_what_it_is(ring: Ring) -> None:
    consumer = BatchConsumer(ring)
    write(ring, 1.0)
    assert repr(consumer) == f"<BatchConsumer of {ring.table.name}: 1 row to take>"
    consumer.close()
    assert repr(consumer) == f"<BatchConsumer of {ring.table.name}: ended>"
