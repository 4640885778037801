"""The tasks of a feed: what fails starts again by itself, and takes nothing else along."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange, hyperliquid_answer
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import TickwireError
from tickwire.venues import load

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_a_session_that_fails_starts_again_and_the_other_goes_on(run: Run) -> None:
    venue = load("hyperliquid")
    n_to_fail = 0  # not where it is tried at the plan

    def subscribe(*arguments: Any) -> str:
        nonlocal n_to_fail
        if n_to_fail:
            n_to_fail -= 1
            raise RuntimeError("a mistake in a declaration")
        return venue.subscribe(*arguments)

    async def main() -> None:
        nonlocal n_to_fail
        with exchange([trades(0, 5)]) as first, exchange([trades(5, 10)]) as second:
            sources = [
                source(first.ws_url, venue=replace(venue, name="mine", subscribe=subscribe)),
                source(second.ws_url),
            ]
            feed = tickwire.FeedHandler(sources)
            n_to_fail = 1
            with capture_logs() as events:
                async with feed:
                    consumer = feed.batches("trades")
                    ids: set[str] = set()
                    async with asyncio.timeout(30):
                        while len(ids) < 10:
                            ids |= set((await consumer.get())["trade_id"].to_pylist())
                    states = {each.name: each for each in feed.tasks.status()}
            assert second.n_connections == 1
        failed, other = states["session 0 mine.0"], states["session 1 hyperliquid.0"]
        assert (failed.state, failed.restarts, other.restarts) == ("running", 1, 0)
        assert failed.last_error.startswith("RuntimeError: a mistake in a declaration (test_tasks")
        assert feed.summary()["task_restarts"] == {"session 0 mine.0": 1}
        [event] = [event for event in events if event["event"] == "task restarts"]
        assert event["task"] == "session 0 mine.0"

    run(main())


def test_a_program_hangs_its_own_tasks_into_a_feed(run: Run) -> None:
    async def main() -> None:
        seen: list[str] = []
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            with pytest.raises(RuntimeError, match="has not been started"):
                _ = feed.tasks
            async with feed:

                async def follow() -> None:
                    async for batch in feed.batches("trades"):
                        seen.extend(batch["trade_id"].to_pylist())

                async def fail() -> None:
                    raise ValueError("a mistake of the program")

                async def wait() -> None:
                    await asyncio.Event().wait()

                following = feed.tasks.spawn("mine", follow)
                failing = feed.tasks.spawn("bad", fail)
                waiting = feed.tasks.spawn("other", wait)
                await until(lambda: len(seen) == 5 and failing.done())
                assert not feed.is_stopping
            # The end of the feed ends them: a consumer by its end, others by cancellation.
            await asyncio.wait([following, waiting], timeout=5)
            assert following.done()
            assert waiting.cancelled()
        assert seen == [str(number) for number in range(5)]
        assert feed.summary()["task_failures"] == 1

    run(main())


def test_every_task_of_a_feed_has_a_name_and_ends_with_it(run: Run) -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        with exchange([trades(0, 5)]) as server:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                await until(lambda: feed.summary()["rows"]["trades"] == 5)
                names = [status.name for status in feed.tasks.status()]
                extra = asyncio.all_tasks() - before
                known = {task._running for task in feed.tasks.tasks()} | {feed.tasks._host}
                assert extra <= known, [task.get_name() for task in extra - known]
        session = "session 0 hyperliquid.0"
        assert {"housekeeping", session} <= {*names}
        assert {f"{session}/{name}" for name in ("subscribe", "watch", "stop", "halt")} <= {*names}
        assert asyncio.all_tasks() <= before

    run(main())


def test_a_status_in_the_log_has_a_line_per_task(run: Run) -> None:
    async def main() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        with capture_logs() as events:
            feed.log_status()
        assert [event["event"] for event in events] == ["status"]
        async with feed:
            with capture_logs() as events:
                feed.log_status()
        assert [event["event"] for event in events[:2]] == ["status", "task"]
        assert {"name", "state", "restarts", "where"} <= events[1].keys()

    run(main())


def test_a_feed_is_ready_when_sources_are_subscribed_and_sinks_open(
    run: Run, tmp_path: Path
) -> None:
    async def main() -> None:
        answers = threading.Event()

        def answer(request: dict[str, Any]) -> str | None:
            answers.wait(30)
            return hyperliquid_answer(request)

        with exchange([[]]) as first, exchange([[]], answer) as second:
            feed = tickwire.FeedHandler(
                [source(first.ws_url), source(second.ws_url)],
                [tickwire.IpcSink(path=tmp_path)],
            )
            assert feed.coordinator.missing == [
                "sink ipc", "source 0 hyperliquid", "source 1 hyperliquid"
            ]  # fmt: skip
            async with feed, asyncio.timeout(30):
                waiting = feed.tasks.spawn("ready", feed.ready)
                await until(lambda: feed.coordinator.missing == ["source 1 hyperliquid"])
                assert not waiting.done()
                answers.set()
                await waiting
                await feed.ready()

    run(main())


def test_who_waits_for_a_feed_that_fails_gets_its_failure(run: Run) -> None:
    async def main() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        async with feed:
            waiting = asyncio.ensure_future(feed.ready())
            await asyncio.sleep(0)
        with pytest.raises(TickwireError, match="no source ever connected"):
            await waiting

    run(main())


def test_a_second_stop_waits_for_the_first_one(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)], [tickwire.ParquetSink(path=tmp_path, tables=["trades"])]
            )
            await feed.start()
            await until(lambda: feed.summary()["rows"]["trades"] == 5)
            first = asyncio.ensure_future(feed.stop())
            await asyncio.sleep(0)
            await feed.stop()
            assert first.done() or not feed.uncommitted()
            assert feed.summary()["rows_committed"]["parquet"]["trades"] == 5
            await first

    run(main())
