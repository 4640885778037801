"""An emergency stops the feed by itself, commits what it can, runs the hooks, and fails the run."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import EmergencyShutdown

Run = Callable[[Coroutine[Any, Any, None]], None]


def feed_of(url: str, folder: Path, **options: Any) -> tickwire.FeedHandler:
    sink = tickwire.ParquetSink(path=folder, tables=["trades", "sessions"])
    return tickwire.FeedHandler([source(url)], [sink], **options)


def test_rows_are_committed_hooks_run_and_the_run_fails(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = feed_of(server.ws_url, tmp_path)
            told: list[str] = []

            @feed.on_emergency
            async def cancel_orders(event: tickwire.EmergencyEvent) -> str:
                told.append(event.reason)
                return "none open"

            async def broken() -> None:
                raise ValueError("no account")

            feed.on_emergency(broken, deadline_s=2.0, name="close positions")
            working = asyncio.ensure_future(feed.run())
            await until(lambda: feed.has_run and feed.summary()["rows"]["trades"] == 5)
            threading.Thread(target=feed.declare_emergency, args=("from a thread",)).start()
            with pytest.raises(EmergencyShutdown) as ended:
                await working
        assert str(ended.value) == (
            "emergency shutdown: from a thread; 1 of 2 hooks not done "
            "(close positions failed: ValueError: no account)"
        )
        assert told == ["from a thread"]
        summary = feed.summary()
        assert summary["rows_committed"]["parquet"]["trades"] == 5
        assert summary["emergency"]["reason"] == "from a thread"
        hooks = {
            hook["name"].split(".")[-1]: hook["state"] for hook in summary["emergency"]["hooks"]
        }
        assert hooks == {"cancel_orders": "done", "close positions": "failed"}
        found = ds.dataset(tmp_path / "sessions", partitioning="hive").to_table(["event", "detail"])
        assert {"event": "emergency", "detail": "from a thread"} in found.to_pylist()

    run(main())


def test_a_program_that_waits_for_something_else_is_stopped_too(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = feed_of(server.ws_url, tmp_path)

            async def program() -> None:
                async with feed:
                    await until(lambda: feed.summary()["rows"]["trades"] == 5)
                    consumer = feed.batches("trades")
                    feed.declare_emergency("mine")
                    feed.declare_emergency("another")
                    assert [batch.num_rows async for batch in consumer] == [5]
                    async with asyncio.timeout(20):
                        await until(lambda: not feed.tasks.is_running)

            with pytest.raises(EmergencyShutdown, match="mine"):
                await program()
            assert feed.summary()["rows_committed"]["parquet"]["trades"] == 5
            assert feed.uncommitted() == {}

    run(main())


def test_hooks_do_not_wait_for_a_flush_that_hangs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr("tickwire.feed.handler.FLUSH_S", 0.3)

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = feed_of(server.ws_url, tmp_path)
            ran: list[bool] = []

            @feed.on_emergency
            async def hook() -> None:
                ran.append(released.is_set())

            working = asyncio.ensure_future(feed.run())
            await until(lambda: feed.has_run and feed.summary()["rows"]["trades"] == 5)
            assert feed._feed is not None
            monkeypatch.setattr(feed._feed.sinks[0], "_write", lambda _: released.wait(30))
            monkeypatch.setattr(feed._feed.sinks[0], "_finish", lambda: released.wait(30))
            feed.declare_emergency("the disk hangs")
            with pytest.raises(EmergencyShutdown, match=r"the disk hangs; .* rows not committed"):
                await working
            assert ran == [False]
            released.set()

    run(main())


def test_an_emergency_before_the_start_is_one_after_it(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = feed_of(server.ws_url, tmp_path)
            feed.declare_emergency("too early")
            with pytest.raises(EmergencyShutdown, match="too early"):
                await feed.run()

    run(main())


def test_a_rule_over_metrics_is_an_emergency(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        alert = tickwire.AlertSettings(name="rows", when="rows > 4", emergency=True)
        with exchange([trades(0, 5)]) as server:
            feed = feed_of(server.ws_url, tmp_path, alerts=[alert])
            with pytest.raises(EmergencyShutdown, match="emergency shutdown: alert rows: rows > 4"):
                await feed.run(duration_s=20)

    run(main())
