"""One ordered stream over several tables, against a sorted reference."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tickwire
from tickwire.feed.consumers.consumer import BatchConsumer
from tickwire.feed.consumers.merged import Merge, MergedBatches
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES as QUOTES
from tickwire.sim import Simulator

Run = Callable[[Coroutine[Any, Any, None]], None]
MS = 1_000_000
TABLES = ("a", "b", "c")
Key = tuple[int, str, int]  # time, table, number within the table


def batch_of(times: list[int], first: int) -> pa.RecordBatch:
    """Give rows of a table, numbered from `first` on."""
    columns = {"ts_recv": pa.array(times, pa.timestamp("ns", "UTC"))}
    numbers = pa.array(range(first, first + len(times)), pa.int64())
    return pa.RecordBatch.from_pydict(columns | {"seq": numbers})


def keys_of(given: list[tuple[str, pa.RecordBatch]]) -> list[Key]:
    return [
        (ts, table, seq)
        for table, batch in given
        for ts, seq in zip(
            batch["ts_recv"].cast("int64").to_pylist(), batch["seq"].to_pylist(), strict=True
        )
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most_late_ms", [0, 4, 40])
def test_rows_come_in_their_order_each_once(seed: int, most_late_ms: int) -> None:
    """Those that are late are counted, and nothing but them is out of its order."""
    rng = np.random.default_rng(seed)
    merge = Merge(TABLES, 0.005)
    numbers = dict.fromkeys(TABLES, 0)
    sent: list[Key] = []
    given: list[Key] = []
    late: list[Key] = []
    now_s = 0.0
    for _ in range(300):
        now_s += float(rng.exponential(0.002))
        name = TABLES[int(rng.integers(3))]
        size = int(rng.integers(1, 6))
        delays = rng.integers(0, most_late_ms * MS + 1, size)
        times = np.sort(round(now_s * 1e9) - delays) // MS * MS  # with equal ones
        rows = [(int(ts), name, numbers[name] + n) for n, ts in enumerate(times)]
        newest = max((key[0] for key in given), default=-(2**63))
        late += [row for row in rows if row[0] < newest]
        sent += rows
        merge.add(name, batch_of(times.tolist(), numbers[name]), now_s)
        numbers[name] += size
        if rng.random() < 0.7:
            given += keys_of(merge.take(now_s))
        assert merge.n_rows == len(sent) - len(given)
    given += keys_of(merge.take(now_s, is_end=True))
    assert sorted(given) == sorted(sent)
    assert sum(merge.n_late.values()) == len(late)
    assert (len(late) > 0) == (most_late_ms == 40)
    were_late = set(late)
    times = [key[0] for key in given if key not in were_late]
    assert times == sorted(times)
    for name in TABLES:
        in_time = [key for key in given if key[1] == name and key not in were_late]
        assert in_time == sorted(in_time)  # of equal times, those of a table in its ring's order
    assert merge.n_rows == 0
    assert merge.due_s() is None


def test_a_row_waits_for_later_ones_or_for_its_time() -> None:
    merge = Merge(("a", "b"), 0.010)
    merge.add("a", batch_of([100 * MS, 101 * MS], 0), 1.0)
    assert merge.take(1.0) == []
    assert merge.due_s() == 1.01
    merge.add("b", batch_of([100 * MS, 110 * MS], 0), 1.001)
    assert keys_of(merge.take(1.001)) == [(100 * MS, "a", 0), (100 * MS, "b", 0)]
    assert keys_of(merge.take(1.01)) == [(101 * MS, "a", 1)]
    assert merge.take(1.01) == []
    assert keys_of(merge.take(1.0111)) == [(110 * MS, "b", 1)]
    merge.add("a", batch_of([109 * MS, 110 * MS], 2), 1.02)
    assert merge.n_late == {"a": 1, "b": 0}
    assert keys_of(merge.take(1.03)) == [(109 * MS, "a", 2), (110 * MS, "a", 3)]


def test_batches_are_slices_without_a_copy() -> None:
    merge = Merge(("a", "b"), 0.0)
    batch = batch_of([1, 2, 3, 4], 0)
    merge.add("a", batch, 1.0)
    merge.add("b", batch_of([2], 0), 1.0)
    given = merge.take(1.0)
    assert [(name, len(each)) for name, each in given] == [("a", 2), ("b", 1), ("a", 2)]
    assert given[0][1]["seq"].buffers()[1].address == batch["seq"].buffers()[1].address


@pytest.mark.parametrize("max_rows", [3, 10, 1000])
def test_a_backlog_that_does_not_fit_keeps_its_order(run: Run, max_rows: int) -> None:
    """Rows that wait in rings for room are not late, whichever table they are of."""

    async def main() -> None:
        dictionaries = Dictionaries()
        rings = {name: Ring(QUOTES["quotes"], 4096, dictionaries) for name in TABLES}
        consumers = {}
        for name, ring in rings.items():
            batch_rows = max(max_rows // 6, 1)
            consumers[name] = BatchConsumer(ring, name=name, max_rows=batch_rows)
        late: list[tuple[str, int]] = []
        merged = MergedBatches(
            consumers, 0.005, max_rows, batch_rows, lambda name, n: late.append((name, n))
        )

        def publish(name: str, times: range) -> None:
            for ts in times:
                assert rings[name].append(venue="x", symbol="X", conn=0, ts_recv=ts * MS)
            rings[name].publish()

        publish("a", range(0, 1000, 2))
        publish("b", range(1, 1000, 20))  # and none of `c`
        for consumer in consumers.values():
            consumer.shutdown()
        given: list[int] = []
        async for _, batch in merged:
            given += batch["ts_recv"].cast("int64").to_pylist()
            assert merged.waiting_rows <= max_rows
        expected = sorted([*range(0, 1000, 2), *range(1, 1000, 20)])
        assert given == [ts * MS for ts in expected]
        assert not late

    run(main())


def test_a_feed_s_tables_in_one_stream(run: Run) -> None:
    async def main() -> None:
        async with Simulator("binance-usdm", rate=2000) as sim, asyncio.timeout(30):
            source = tickwire.Source(
                venue="binance-usdm", channels=["trades", "quotes"], symbols=["BTCUSDT"],
                url=sim.ws_url, rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source)
            rows: list[Key] = []
            async with feed:
                merged = feed.merged(["trades", "quotes"], within_ms=40, max_rows=5000)
                async for table, batch in merged:
                    rows += keys_of([(table, batch)])
                    assert merged.waiting_rows < 6000
                    if len(rows) > 2000:
                        feed.request_stop()
                        break
                stopping = asyncio.ensure_future(feed.stop())
                async for table, batch in merged:
                    rows += keys_of([(table, batch)])
                await stopping
            assert merged.late_rows == {"trades": 0, "quotes": 0}
            times = [row[0] for row in rows]
            assert times == sorted(times)
            for table in ("trades", "quotes"):
                found = [number for _, name, number in rows if name == table]
                assert found == list(range(found[0], found[0] + len(found)))
                assert len(found) == feed.summary()["rows"][table]
            assert "merged_late_rows" not in feed.summary() or not any(
                feed.summary()["merged_late_rows"].values()
            )

    run(main())


def test_a_quiet_feed_gives_what_has_waited(run: Run) -> None:
    """And who gives up in between loses nothing."""

    async def main() -> None:
        async with Simulator("binance-usdm", rate=500) as sim, asyncio.timeout(30):
            source = tickwire.Source(
                venue="binance-usdm", channels=["trades", "quotes"], symbols=["BTCUSDT"],
                url=sim.ws_url, rest_url=sim.rest_url,
            )  # fmt: skip
            async with tickwire.FeedHandler(source) as feed:
                merged = feed.merged(["trades", "gaps", "quotes"], within_ms=20)
                seen = [await anext(merged) for _ in range(3)]
                for _ in range(20):
                    try:
                        async with asyncio.timeout(0.003):
                            seen.append(await anext(merged))
                    except TimeoutError:
                        continue
                numbers: dict[str, list[int]] = {"trades": [], "quotes": []}
                for table, batch in seen:
                    numbers[table] += batch["seq"].to_pylist()
                for found in numbers.values():
                    assert found == list(range(len(found)))
                merged.close()
                with pytest.raises(StopAsyncIteration):
                    await anext(merged)

    run(main())


def test_what_cannot_be_merged_is_refused(run: Run) -> None:
    async def main() -> None:
        async with Simulator("hyperliquid", rate=100) as sim:
            source = tickwire.Source(
                venue="hyperliquid", channels=["trades"], symbols=["BTC"], url=sim.ws_url
            )
            async with tickwire.FeedHandler(source) as feed:
                with pytest.raises(KeyError, match="no table 'quotes'"):
                    feed.merged(["trades", "quotes"])
                for tables, more, wrong in [
                    ([], {}, "at least one"),
                    (["trades", "trades"], {}, "each once"),
                    (["trades"], {"by": "ts_event"}, "by is"),
                    (["trades"], {"within_ms": -1}, "within_ms is -1"),
                    (["trades"], {"max_rows": 0}, "max_rows is 0"),
                ]:
                    with pytest.raises(ValueError, match=wrong):
                        feed.merged(tables, **more)  # type: ignore[arg-type]

    run(main())
