"""Read cursors in the feed's own process: in threads, on both event loops, bounded."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import uvloop
from tests.feed.test_handler import until

import tickwire
from tickwire.serve.pool import ReadPool
from tickwire.serve.queries import Queries
from tickwire.serve.requests import Limits, QueryError
from tickwire.serve.snapshot import Database, TableSource, isolated
from tickwire.serve.statements import QueryRefused
from tickwire.sim import Simulator

COUNTS = (
    "SELECT count(*) AS n, coalesce(max(seq), -1) AS last, count(DISTINCT seq) AS d FROM trades"
)
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run_on_loop(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(coroutine)

    return run_on_loop


def assert_whole(table: pa.Table) -> int:
    [row] = table.to_pylist()
    assert row["n"] == row["last"] + 1 == row["d"]
    return int(row["n"])


def test_a_feed_gives_cursors_and_ends_them(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with Simulator(rate=1000, symbols=("BTC",)) as sim:
            source = tickwire.Source(
                venue=sim.venue, channels=["trades"], symbols=["BTC"], url=sim.ws_url
            )
            sink = tickwire.DuckDBSink(path=tmp_path / "market.duckdb", flush_ms=5)
            feed = tickwire.FeedHandler([source], [sink])
            with pytest.raises(RuntimeError):
                feed.duckdb()
            async with feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 50)
                pool = feed.duckdb(n=2)
                assert feed.duckdb(n=2) is pool
                with pytest.raises(ValueError, match="at least 1"):
                    feed.duckdb(n=0)
                found = []

                async def ask() -> None:
                    async with pool as cursor:
                        found.extend([assert_whole(await cursor.query(COUNTS)) for _ in range(4)])

                await asyncio.gather(*(ask() for _ in range(5)))
                assert len(found) == 20
                assert max(found) > 50
                with pytest.raises(QueryRefused):
                    async with pool as cursor:
                        await cursor.query("DROP TABLE trades")
                assert feed.pipeline is not None
                assert feed.pipeline.registry.total("queries") == 21
            with pytest.raises(RuntimeError):
                feed.duckdb(n=2)
            with pytest.raises(QueryError, match="the feed stops"):
                async with pool as cursor:
                    await cursor.query(COUNTS)

    run(main())


def test_no_more_cursors_than_that(run: Run) -> None:
    instance = isolated()
    database = Database(
        instance.cursor,
        {"mids": TableSource(None, lambda: pa.table({"seq": [1]}))},
        is_locked=True,
    )
    pool = ReadPool(Queries(database, n_turns=1), 1, Limits(20, 10))
    pool._limits = Limits(0.05, 10)  # of who waits

    async def main() -> None:
        async with pool as cursor:
            assert (await cursor.query("FROM mids")).to_pylist() == [{"seq": 1}]
            with pytest.raises(QueryError, match="no cursor was free"):
                async with pool:
                    pass

    run(main())
    with pool as held:
        assert held.query("FROM mids").num_rows == 1
        failed = []

        def take() -> None:
            try:
                with pool:
                    pass
            except QueryError as error:
                failed.append(str(error))

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        assert failed == ["no cursor was free in 0.05 s"]
    instance.close()
