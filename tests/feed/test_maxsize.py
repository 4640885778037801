"""What may wait for one consumer is bounded below the ring's capacity; programs may put batches."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import ConsumerLagged
from tickwire.feed import BatchConsumer, QueueEmpty, QueueFull, QueueShutDown
from tickwire.ring import Dictionaries, Loss, Ring
from tickwire.schema import TABLES

Run = Callable[[Coroutine[Any, Any, None]], None]


def fill(ring: Ring, n_rows: int) -> int:
    """Publish rows one by one; give how many fitted."""
    for n in range(n_rows):
        if not ring.append(venue="x", symbol="BTC", ts_recv=n + 1, conn=0, price=float(n)):
            return n
        ring.publish()
    return n_rows


def prices(batch: Any) -> list[float]:
    return [float(each) for each in batch.column("price").to_pylist()]


def test_a_consumer_that_blocks_stops_the_writer_at_its_bound(ring: Ring, run: Run) -> None:
    async def main() -> None:
        other = BatchConsumer(ring)
        assert fill(ring, 3) == 3
        consumer = BatchConsumer(ring, maxsize=10)  # begins at the oldest row
        assert fill(ring, 100) == 7
        assert (consumer.qsize(), consumer.maxsize, consumer.full()) == (10, 10, True)
        assert ring.is_waited_for
        assert other.get_nowait().num_rows == 10  # it is not the one that is waited for
        assert fill(ring, 1) == 0
        assert len(prices(consumer.get_nowait())) == 10
        assert not ring.is_waited_for
        assert fill(ring, 100) == 10
        consumer.close()
        assert fill(ring, 100) == 100  # only the ring's own bound is left

    run(main())


def test_a_message_of_more_rows_than_the_bound_fits(ring: Ring, run: Run) -> None:
    async def main() -> None:
        consumer = BatchConsumer(ring, maxsize=4)
        for n in range(50):
            assert ring.stage(venue="x", symbol="BTC", ts_recv=1, conn=0, price=float(n))
        ring.publish()
        assert not ring.stage(venue="x", symbol="BTC", ts_recv=1, conn=0, price=0.0)
        assert consumer.get_nowait().num_rows == 50
        assert ring.stage(venue="x", symbol="BTC", ts_recv=1, conn=0, price=0.0)

    run(main())


def test_many_rounds_lose_nothing(run: Run) -> None:
    async def main() -> None:
        ring = Ring(TABLES["mids"], 1024, Dictionaries(), window_rows=64)
        consumer, other = BatchConsumer(ring, maxsize=100), BatchConsumer(ring)
        seen: list[int] = []
        n_sent = 0
        while n_sent < 20_000:
            n_sent += fill(ring, 137)
            assert consumer.qsize() <= 100
            seen += consumer.get_nowait().column("seq").to_pylist()
            if n_sent % 3 == 0 or other.qsize() > 600:
                other.get_nowait()
            ring.rewind()
        assert seen == list(range(n_sent))

    run(main())


@pytest.mark.parametrize("on_lag", ["drop", "raise"])
def test_a_consumer_that_may_lose_rows_drops_its_oldest(ring: Ring, run: Run, on_lag: Any) -> None:
    async def main() -> None:
        losses: list[Loss] = []
        consumer = BatchConsumer(ring, on_lag=on_lag, maxsize=10, on_loss=losses.append)
        other = BatchConsumer(ring)
        assert fill(ring, 25) == 25
        if on_lag == "raise":
            with pytest.raises(ConsumerLagged, match="lost 15 rows"):
                consumer.get_nowait()
        assert prices(consumer.get_nowait()) == [float(n) for n in range(15, 25)]
        assert losses == [Loss(15, 1, 15)]
        assert other.qsize() == 25
        with pytest.raises(QueueEmpty):
            consumer.get_nowait()

    run(main())


def test_a_bound_of_less_than_a_row_is_refused_and_a_larger_one_is_the_rings(ring: Ring) -> None:
    with pytest.raises(ValueError, match="maxsize is 0: at least 1 row"):
        BatchConsumer(ring, maxsize=0)
    assert BatchConsumer(ring, maxsize=1 << 40).maxsize == ring.capacity


def test_what_is_put_comes_first_and_waits_for_room(ring: Ring, run: Run) -> None:
    async def main() -> None:
        consumer = BatchConsumer(ring, maxsize=10)
        fill(ring, 6)
        mine = consumer.get_nowait().slice(0, 4)
        consumer.task_done()
        fill(ring, 6)
        consumer.put_nowait(mine)
        assert consumer.qsize() == 10
        with pytest.raises(QueueFull):
            consumer.put_nowait(mine)
        with pytest.raises(TypeError, match=r"put a pyarrow\.RecordBatch, not list"):
            consumer.put_nowait([])
        waiting = asyncio.ensure_future(consumer.put(mine))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert (await consumer.get()).equals(mine)
        assert (await consumer.get()).num_rows == 6
        await waiting
        consumer.shutdown()
        with pytest.raises(QueueShutDown):
            consumer.put_nowait(mine)
        with pytest.raises(QueueShutDown):
            await consumer.put(mine)
        assert (await consumer.get()).equals(mine)
        with pytest.raises(QueueShutDown):
            await consumer.get()
        for _ in range(3):
            consumer.task_done()
        await consumer.join()

    run(main())


def test_who_waits_gets_what_is_put(ring: Ring, run: Run) -> None:
    async def main() -> None:
        consumer = BatchConsumer(ring)
        fill(ring, 3)
        mine = consumer.get_nowait()
        waiting = asyncio.ensure_future(consumer.get())
        await asyncio.sleep(0)
        consumer.put_nowait(mine)
        assert (await waiting).equals(mine)
        consumer.put_nowait(mine)
        with consumer.lease() as batch:
            assert batch.equals(mine)

    run(main())


def test_a_feed_shows_what_waits_for_each_consumer(run: Run) -> None:
    async def main() -> None:
        with exchange([trades(0, 50)]) as server:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                bounded = feed.batches("trades", maxsize=20, on_lag="drop", name="slow")
                quick = feed.batches("trades", name="quick")
                await until(lambda: feed.summary()["rows"]["trades"] == 50)
                n_taken = 0
                while n_taken < 50:
                    n_taken += (await quick.get()).num_rows
                await until(lambda: feed.status().waiting.get("trades/slow") == 50)
                await until(lambda: feed.status().waiting["trades/quick"] == 0)
                assert bounded.get_nowait().num_rows == 20
                await until(lambda: feed.status().waiting["trades/slow"] == 0)
                summary = feed.summary()
                assert summary["consumer_high_water_rows"]["trades"]["slow"] == 50
                assert summary["consumer_dropped_rows"] == {"trades": {"slow": 30}}
                await until(lambda: feed.summary()["rows"]["gaps"] >= 1)

    run(main())
