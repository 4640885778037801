"""A consumer that lags: who waits for it, what it loses, and what is reported."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until
from tests.sinks.batches import cells

import tickwire
from tickwire.errors import ConsumerLagged
from tickwire.feed.consumers.consumer import BatchConsumer
from tickwire.feed.streams import lag
from tickwire.feed.streams.lag import LagWatch
from tickwire.ledger import Ledger
from tickwire.observe import Registry
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

Run = Callable[[Coroutine[Any, Any, None]], None]
STOPS = "a consumer stops the feed: the ring is full of rows that it has not taken"


def fill(ring: Ring, n_rows: int = 10**6) -> int:
    for i in range(n_rows):
        if not ring.append(venue="v", symbol="s", conn=0, price=float(i), ts_recv=i):
            return i
    return n_rows


class Watched:
    """A ring with a watch over it, and a clock that is set."""

    def __init__(self, overflow: str = "block") -> None:
        dictionaries = Dictionaries()
        self.ring = Ring(TABLES["mids"], 1024, dictionaries, overflow=overflow)
        self.gaps = Ring(TABLES["gaps"], 1024, dictionaries)
        self.told = Consumer(self.gaps)
        sessions = Ring(TABLES["sessions"], 1024, dictionaries)
        self.registry = Registry()
        self.now_s = 0.0
        metrics = self.registry.labelled()
        ledger = Ledger(self.gaps, sessions, metrics=metrics)
        self.watch = LagWatch({"mids": self.ring}, ledger, metrics, lambda: self.now_s)

    def look(self, seconds: float) -> None:
        """Let time go on, looking as often as a feed does."""
        for _ in range(round(seconds / 0.05)):
            self.now_s += 0.05
            self.watch.look()

    def blocked_s(self) -> dict[str, float]:
        return self.registry.by("consumer_blocked_seconds", "consumer")


def test_the_consumer_that_a_full_ring_waits_for_is_named_after_a_second() -> None:
    it = Watched()
    forgotten, reader = Consumer(it.ring), Consumer(it.ring)
    it.watch.watch("mids", "forgotten", forgotten)
    it.watch.watch("mids", "reader", reader)
    with capture_logs() as told:
        it.look(5)
        fill(it.ring)
        reader.take()
        it.look(0.9)
        assert told == []
        it.look(30)
        (line,) = told
        assert {key: line[key] for key in ("event", "table", "consumer", "rows", "log_level")} == {
            "event": STOPS,
            "table": "mids",
            "consumer": "forgotten",
            "rows": 1023,
            "log_level": "warning",
        }
        it.look(60)
        assert len(told) == 2
        forgotten.take()
        it.look(2)
        assert [line["event"] for line in told[2:]] == ["the consumer takes rows again"]
    assert it.blocked_s() == {"forgotten": pytest.approx(90.9, abs=0.2)}


def test_a_loop_that_was_late_is_no_wait_of_a_consumer() -> None:
    it = Watched()
    consumer = Consumer(it.ring)
    it.watch.watch("mids", "c", consumer)
    fill(it.ring)
    it.now_s += 60
    it.watch.look()
    assert it.blocked_s() == {"c": lag.LONGEST_LOOK_S}


def test_what_one_consumer_loses_is_a_gap_of_its_own() -> None:
    it = Watched()
    loser, reader = Consumer(it.ring, on_lag="drop"), Consumer(it.ring)
    it.watch.watch("mids", "loser", loser)
    it.watch.watch("mids", "reader", reader)
    for _ in range(4):
        fill(it.ring)
        reader.take()
    it.look(3)
    (gap,) = cells(it.told.take())
    assert gap["table_name"] == "mids"
    assert gap["reason"] == "overflow"
    assert gap["consumer"] == "loser"
    assert gap["lost"] == loser.n_dropped > 2000
    assert gap["state"] == "closed"
    assert it.registry.by("consumer_dropped_rows", "consumer") == {"loser": loser.n_dropped}
    lost = loser.n_dropped
    loser.close()
    it.watch.look()
    assert [it.watch.n_dropped("mids", name) for name in ("loser", "reader")] == [lost, 0]
    assert it.blocked_s() == {}


def test_names_of_closed_consumers_are_used_again() -> None:
    it = Watched()
    names = []
    for _ in range(3):
        names.append(it.watch.free_name("mids"))
        it.watch.watch("mids", names[-1], Consumer(it.ring))
    assert names == ["batches-1", "batches-2", "batches-3"]
    first = it.watch._watched["mids"][0].rows
    first.close()
    assert it.watch.free_name("mids") == "batches-1"


def test_raise_tells_once_what_was_lost_and_goes_on(run: Run, ring: Ring) -> None:
    async def scene() -> None:
        with BatchConsumer(ring, on_lag="raise", name="mine") as consumer:
            fill(ring, 3000)
            with pytest.raises(
                ConsumerLagged, match=r"mine lagged and lost [12],\d+ rows of mids"
            ) as e:
                await consumer.get()
            batch = await consumer.get()
            assert batch.num_rows == 3000 - e.value.n_rows
            fill(ring, 3000)
            with pytest.raises(ConsumerLagged):
                consumer.get_nowait()
            with consumer.lease() as borrowed:
                assert borrowed.num_rows > 0

    run(scene())


def test_a_choice_that_does_not_exist_is_refused(ring: Ring) -> None:
    with pytest.raises(ValueError, match="on_lag is 'wait': block, drop or raise"):
        BatchConsumer(ring, on_lag="wait")  # type: ignore[arg-type] # that is the test


def test_a_forgotten_consumer_is_told_by_log_status_and_summary(run: Run) -> None:
    n_rows = 40_000

    async def scene() -> None:
        with exchange([trades(0, n_rows)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)], ring_rows=16_384)
            with capture_logs() as told:
                async with feed:
                    forgotten = feed.batches("trades")
                    await until(lambda: any(line["event"] == STOPS for line in told))
                    assert set(feed.status().blocked) == {"trades/batches-1"}
                    forgotten.close()
                    await until(lambda: feed.summary()["messages"] == n_rows)
            blocked = feed.summary()["consumer_blocked_s"]
            assert blocked["trades"]["batches-1"] > 0.9

    run(scene())


@pytest.mark.parametrize("on_lag", ["drop", "raise"])
def test_a_forgotten_consumer_that_may_lose_rows_stops_nothing(run: Run, on_lag: Any) -> None:
    n_rows = 40_000

    async def scene() -> None:
        with exchange([trades(0, n_rows)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)], ring_rows=16_384)
            async with feed:
                feed_gaps = feed.batches("gaps")
                forgotten = feed.batches("trades", on_lag=on_lag, name="forgotten")
                rows = 0
                async with asyncio.timeout(60):
                    async for batch in feed.batches("trades"):
                        rows += batch.num_rows
                        if rows == n_rows:
                            break
                gap = cells(await feed_gaps.get())[0]
                assert (gap["reason"], gap["consumer"]) == ("overflow", "forgotten")
                assert forgotten.qsize() < 16_384
            assert feed.summary()["consumer_dropped_rows"]["trades"]["forgotten"] > 20_000

    run(scene())
