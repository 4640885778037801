"""How consumers wait, at once or for a linger, and take batches, light batches and rows."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades

import tickwire
from tickwire.errors import ConsumerLagged
from tickwire.feed import BatchConsumer, LightConsumer, QueueEmpty, QueueShutDown, RowConsumer
from tickwire.feed._taking import Getters
from tickwire.observe import Histogram
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Column, Kind

Run = Callable[[Coroutine[Any, Any, None]], None]
LINGER_MS = 40
LONG_MS = 30_000  # no test waits for it


def write(ring: Ring, *prices: float, mono_ns: int | None = None) -> None:
    # Read now: a linger counts from there.
    for price in prices:
        ring.stage(venue="v", symbol="s", conn=0, price=price, recv_mono=mono_ns)
    ring.publish()


def prices(batch: Any) -> list[float]:
    column = batch["price"]
    return list(column.tolist() if isinstance(batch, tickwire.Batch) else column.to_pylist())


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_linger_wakes_once_for_what_came_in_that_time(ring: Ring) -> None:
    consumer = BatchConsumer(ring, linger_ms=LINGER_MS)
    getting = asyncio.ensure_future(consumer.get())
    await soon()
    began = time.monotonic()
    for price in (1.0, 2.0, 3.0):
        write(ring, price)
        await soon()
        assert not getting.done()
    assert prices(await getting) == [1.0, 2.0, 3.0]
    assert time.monotonic() - began >= LINGER_MS / 1e3 * 0.9
    # Nothing came since: the next linger begins with the next row.
    getting = asyncio.ensure_future(consumer.get())
    await asyncio.sleep(LINGER_MS / 1e3 * 1.5)
    write(ring, 4.0)
    await soon()
    assert not getting.done()
    assert prices(await getting) == [4.0]


def test_lingers_on_both_loops(ring: Ring, run: Run) -> None:
    run(test_a_linger_wakes_once_for_what_came_in_that_time(ring))


def test_a_publish_calls_no_consumer_while_a_linger_runs(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LONG_MS)
        timers = []
        loop = asyncio.get_running_loop()
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        calls = []
        ring.arm(lambda: calls.append("armed by the test"))
        write(ring, 1.0)
        timers.append(loop.time())
        for price in range(100):
            write(ring, float(price))
        await soon()
        # One wake-up of the ring for 101 publishes, and nothing waits for the next.
        assert calls == ["armed by the test"]
        assert not getting.done()
        consumer.shutdown()
        assert (await getting).num_rows == 101

    run(scene())


def test_a_read_near_the_end_of_a_linger_ends_it(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LONG_MS)
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        began_ns = time.monotonic_ns()
        write(ring, 1.0, mono_ns=began_ns)
        write(ring, 2.0, mono_ns=began_ns + LONG_MS * 700_000)
        await soon()
        assert not getting.done()
        write(ring, 3.0, mono_ns=began_ns + LONG_MS * 800_000)
        await soon()
        assert prices(getting.result()) == [1.0, 2.0, 3.0]
        # The timer of that linger ends no other one.
        getting = asyncio.ensure_future(consumer.get())
        write(ring, 4.0)
        await soon()
        assert not getting.done()
        consumer.shutdown()
        assert prices(await getting) == [4.0]

    run(scene())


def test_rows_that_waited_long_enough_are_taken_at_once(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LINGER_MS)
        write(ring, 1.0)
        await asyncio.sleep(LINGER_MS / 1e3 * 1.2)  # the program was busy
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        assert prices(getting.result()) == [1.0]

    run(scene())


def test_max_rows_bounds_a_batch_and_ends_a_linger(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LONG_MS, max_rows=3)
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        write(ring, 1.0)
        write(ring, 2.0)
        await soon()
        assert not getting.done()
        write(ring, 3.0, 4.0)
        assert prices(await getting) == [1.0, 2.0, 3.0]
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        assert not getting.done()  # the fourth waits for others again
        write(ring, 5.0, 6.0)
        assert prices(await getting) == [4.0, 5.0, 6.0]
        at_once = BatchConsumer(ring, max_rows=2)
        assert [prices(at_once.get_nowait()) for _ in range(3)] == [
            [1.0, 2.0],
            [3.0, 4.0],
            [5.0, 6.0],
        ]

    run(scene())


def test_a_linger_ends_where_half_of_what_may_wait_is_there(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LONG_MS, maxsize=10, on_lag="drop")
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        for price in range(5):
            write(ring, float(price))
        assert (await getting).num_rows == 5

    run(scene())


def test_no_consumer_waits_for_a_linger_at_the_end(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        began = time.monotonic()
        consumer = BatchConsumer(ring, linger_ms=LONG_MS)
        write(ring, 1.0)
        assert prices(consumer.get_nowait()) == [1.0]
        seen: list[float] = []

        async def follow() -> None:
            async for batch in consumer:
                seen.extend(prices(batch))

        following = asyncio.ensure_future(follow())
        await soon()
        write(ring, 2.0, 3.0)
        await soon()
        assert seen == []
        consumer.shutdown()
        await following
        assert seen == [2.0, 3.0]
        closed = BatchConsumer(ring, linger_ms=LONG_MS)
        waiting = asyncio.ensure_future(closed.get())
        await soon()
        closed.close()
        with pytest.raises(QueueShutDown):
            await waiting
        assert time.monotonic() - began < LONG_MS / 1e3 / 3

    run(scene())


def test_wait_and_leases_linger_too(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LINGER_MS)
        waiting = asyncio.ensure_future(consumer.wait())
        await soon()
        for price in (1.0, 2.0):
            write(ring, price)
            await soon()
        assert not waiting.done()
        assert await waiting == 2
        with consumer.lease() as batch:
            assert prices(batch) == [1.0, 2.0]
        waiting = asyncio.ensure_future(consumer.wait())
        write(ring, 3.0)
        await soon()
        assert not waiting.done()
        assert await waiting == 1

    run(scene())


def test_a_cancelled_getter_leaves_the_linger_to_another(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LINGER_MS)
        first = asyncio.ensure_future(consumer.get())
        other = asyncio.ensure_future(consumer.get())
        await soon()
        write(ring, 1.0)
        await soon()
        first.cancel()
        assert prices(await asyncio.wait_for(other, 10)) == [1.0]

    run(scene())


def test_lag_is_raised_through_a_linger(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LINGER_MS, on_lag="raise", maxsize=4, name="slow")
        for price in range(10):
            write(ring, float(price))
        with pytest.raises(ConsumerLagged, match="slow"):
            await consumer.get()
        assert prices(await consumer.get()) == [6.0, 7.0, 8.0, 9.0]

    run(scene())


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"linger_ms": -1}, "linger_ms is -1"),
        ({"linger_ms": 60_001}, "0 to 60,000"),
        ({"linger_ms": float("nan")}, "linger_ms is nan"),
        ({"max_rows": 0}, "max_rows is 0"),
    ],
)
def test_settings_are_checked(ring: Ring, settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        BatchConsumer(ring, **settings)


def test_rows_come_one_by_one_and_do_not_suspend_while_some_are_there(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        latency = Histogram()
        consumer = RowConsumer(ring, latency)
        write(ring, 1.0, 2.0, 3.0)
        write(ring, 4.0)
        assert (consumer.qsize(), consumer.empty()) == (4, False)
        others = []
        asyncio.get_running_loop().call_soon(others.append, "ran")
        seen = []
        async for row in consumer:
            assert others == []
            seen.append((row.seq, row.price, row.symbol))
            if row.price == 2.0:
                assert consumer.qsize() == 2
            if row.price == 4.0:
                break
        assert seen == [(0, 1.0, "s"), (1, 2.0, "s"), (2, 3.0, "s"), (3, 4.0, "s")]
        assert latency.count == 4
        await consumer.join()
        with pytest.raises(QueueEmpty):
            consumer.get_nowait()

    run(scene())


def test_rows_wait_for_a_publish_and_end_with_the_consumer(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = RowConsumer(ring)
        seen: list[float] = []

        async def follow() -> None:
            async for row in consumer:
                seen.append(row.price)
                if row.price == 2.0:
                    consumer.shutdown()  # the rest of what is there still comes

        following = asyncio.ensure_future(follow())
        await soon()
        write(ring, 1.0)
        await soon()
        assert seen == [1.0]
        write(ring, 2.0, 3.0, 4.0)
        await following
        assert seen == [1.0, 2.0, 3.0, 4.0]
        with pytest.raises(QueueShutDown):
            await consumer.get()
        closed = RowConsumer(ring)
        write(ring, 5.0, 6.0)
        assert (await closed.get()).price == 1.0
        closed.close()
        assert closed.empty()
        with pytest.raises(QueueShutDown):
            closed.get_nowait()

    run(scene())


def test_getters_of_one_consumer_share_the_rows_of_a_batch(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = RowConsumer(ring)
        waiting = [asyncio.ensure_future(consumer.get()) for _ in range(2)]
        await soon()
        write(ring, 1.0, 2.0, 3.0)
        assert consumer.get_nowait().price == 1.0  # before who waits has its turn
        write(ring, 4.0)
        await soon()
        assert all(each.done() for each in waiting)
        assert consumer.get_nowait().price == 4.0
        assert consumer.empty()

        seen: list[float] = []

        async def follow() -> None:
            async for row in consumer:
                seen.append(row.price)
                await asyncio.sleep(0)

        following = [asyncio.ensure_future(follow()) for _ in range(3)]
        await soon()
        write(ring, 5.0, 6.0, 7.0, 8.0)
        await asyncio.sleep(0)
        write(ring, 9.0)
        await soon()
        assert seen == [5.0, 6.0, 7.0, 8.0, 9.0]
        consumer.close()
        await asyncio.gather(*following)

    run(scene())


def test_a_getter_is_woken_for_what_another_has_left(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, max_rows=1)
        waiting = [asyncio.ensure_future(consumer.get()) for _ in range(3)]
        await soon()
        write(ring, 1.0, 2.0, 3.0)
        await soon()
        assert [prices(each.result()) for each in waiting] == [[1.0], [2.0], [3.0]]

    run(scene())


def test_rows_are_joined_when_the_last_is_taken(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = RowConsumer(ring)
        for take in (consumer.get, consumer.__anext__, None):
            write(ring, 1.0, 2.0)
            joining = asyncio.ensure_future(consumer.join())
            await soon()
            for _ in range(2):
                assert not joining.done()
                await take() if take else consumer.get_nowait()
                await soon()
            assert joining.done()

    run(scene())


def test_a_row_is_taken_when_it_is_awaited_and_not_before(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = RowConsumer(ring)
        write(ring, 1.0, 2.0, 3.0)
        row = await consumer.get()
        following: Any = anext(consumer)
        assert row.price == 1.0
        cancelled = asyncio.create_task(following)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        following = anext(consumer)
        assert (await asyncio.create_task(following)).price == 2.0
        assert consumer.get_nowait().price == 3.0

    run(scene())


def test_rows_that_are_left_are_waited_for_no_more(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = RowConsumer(ring, linger_ms=LONG_MS)
        write(ring, 1.0, 2.0)
        consumer.get_nowait()
        write(ring, 3.0)  # which lingers
        assert await consumer.wait() == 2
        consumer.get_nowait()
        consumer.shutdown()
        consumer.get_nowait()
        assert await consumer.wait() == 0
        ended = RowConsumer(ring)
        ended.get_nowait()
        ended.shutdown()
        assert await ended.wait() == 2

    run(scene())


def test_a_column_may_have_the_name_of_a_method(run: Run) -> None:
    names = ("advance", "end", "n_left")
    table = TABLES["mids"].with_extras(
        tuple(Column(name, Kind.I64, nullable=True) for name in names)
    )
    ring = Ring(table, 1024, Dictionaries())

    async def scene() -> None:
        consumer = RowConsumer(ring)
        for number in range(2):
            ring.append(venue="v", symbol="s", conn=0, price=1.0, end=number)
        assert (await consumer.get()).end == 0
        assert consumer.qsize() == 1
        assert consumer.get_nowait().end == 1
        consumer.close()

    run(scene())


def test_a_linger_ends_where_the_writer_waits_for_room(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = BatchConsumer(ring, linger_ms=LONG_MS, maxsize=100, on_lag="block")
        getting = asyncio.ensure_future(consumer.get())
        await soon()
        write(ring, *[1.0] * 49)  # fewer than end it
        for _ in range(52):
            is_staged = ring.stage(venue="v", symbol="s", conn=0, price=2.0)
        assert not is_staged
        assert not getting.done()
        assert ring.wait_for_room(lambda: None)
        async with asyncio.timeout(5):
            assert len(prices(await getting)) == 49

    run(scene())


def test_light_batches_are_given_and_put(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        consumer = LightConsumer(ring)
        write(ring, 1.0, 2.0)
        batch = await consumer.get()
        assert prices(batch) == [1.0, 2.0]
        consumer.put_nowait(batch)
        assert consumer.qsize() == 2
        assert await consumer.get() is batch
        consumer.task_done()
        consumer.task_done()
        await consumer.join()
        with pytest.raises(TypeError, match="not RecordBatch"):
            consumer.put_nowait(batch.to_arrow())

    run(scene())


@pytest.mark.parametrize("kind", [BatchConsumer, LightConsumer, RowConsumer])
def test_what_is_awaited_can_be_wrapped_cancelled_and_dropped(
    ring: Ring, run: Run, kind: type[Any]
) -> None:
    async def scene() -> None:
        consumer = kind(ring)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(consumer), 0.01)
        wrapped = asyncio.ensure_future(anext(consumer))
        other = asyncio.ensure_future(anext(consumer))
        await soon()
        write(ring, 1.0)
        wrapped.cancel()  # it was woken
        assert await asyncio.wait_for(other, 10)
        anext(consumer)  # never awaited: nothing is lost, and nothing warns
        write(ring, 2.0)
        assert await anext(consumer)
        waiting = anext(consumer)
        once = asyncio.ensure_future(waiting)
        await soon()
        write(ring, 3.0)
        assert await once
        with pytest.raises(RuntimeError, match="awaited"):
            await waiting
        getting = consumer.get()
        task = asyncio.create_task(getting)
        await soon()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scene())


@pytest.mark.parametrize("kind", [BatchConsumer, LightConsumer, RowConsumer])
def test_an_abandoned_consumer_is_freed_at_once(ring: Ring, run: Run, kind: type[Any]) -> None:
    async def scene() -> None:
        consumer = kind(ring, linger_ms=LONG_MS)
        waiting = asyncio.ensure_future(consumer.get())
        await soon()
        write(ring, 1.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        del waiting
        gone = weakref.ref(consumer)
        gc.disable()
        try:
            del consumer
            await soon()
            assert gone() is None
        finally:
            gc.enable()

    run(scene())


def test_getters_are_called_once_and_may_be_stopped(ring: Ring, run: Run) -> None:
    async def scene() -> None:
        getters = Getters(Consumer(ring), linger_s=30.0, enough_rows=2)
        first, second = getters.wait(), getters.wait()
        write(ring, 1.0)
        assert not first.done()
        assert not second.done()
        getters.end_linger()
        assert (first.done(), second.done()) == (True, False)
        getters.stop()
        getters.forget(second)
        assert not getters

    run(scene())


def test_a_ring_calls_late_waiters_once_enough_is_published() -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries())
    called: list[str] = []
    ring.arm(lambda: called.append("three"), rows=3)
    ring.arm(lambda: called.append("five"), rows=5)
    never = called.append
    ring.arm(never, rows=4)
    ring.disarm(never)
    write(ring, 1.0, 2.0)
    assert called == []
    ring.arm(lambda: called.append("next"))
    write(ring, 3.0)
    assert called == ["next", "three"]
    write(ring, 4.0)
    write(ring, 5.0, 6.0)
    assert called == ["next", "three", "five"]


def test_a_feed_gives_rows_light_batches_and_lingers(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 5)]) as server:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                with pytest.raises(ValueError, match="form is 'heavy'"):
                    feed.batches("trades", form="heavy")  # type: ignore[call-overload] # the point
                with pytest.raises(KeyError, match="no table"):
                    feed.rows("nothing")
                slow = feed.batches("trades", linger_ms=LONG_MS, max_rows=2)
                assert (await slow.get()).num_rows == 2
                ids = []
                async for row in feed.rows("trades"):
                    assert (row.price, row.size, row.side, row.symbol) == (1.5, 2.0, "buy", "BTC")
                    ids.append(row.trade_id)
                    if len(ids) == 5:
                        break
                assert ids == ["0", "1", "2", "3", "4"]
                light = feed.batches("trades", form="light")
                assert (await light.get())["trade_id"].tolist() == ids
                slow.get_nowait()
            # The feed's end is theirs, and waits for no linger.
            assert (await slow.get()).num_rows == 1
            with pytest.raises(QueueShutDown):
                await slow.get()

    run(scene())
