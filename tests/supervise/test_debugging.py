"""Debug mode names what blocks the loop, and where memory grows."""

import asyncio
import threading
import time
import tracemalloc

import pytest
from structlog.testing import capture_logs

from tickwire.supervise import TaskManager
from tickwire.supervise.debugging import MOST_GROWTHS, MemoryGrowth, SlowCallbacks


async def test_what_blocks_the_loop_is_named() -> None:
    async def block() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - that is the mistake

    with capture_logs() as events, SlowCallbacks(0.1) as slow:
        async with TaskManager() as tasks:
            await tasks.spawn("the culprit", block)
        await asyncio.sleep(0.2)
    # Where the machine is busy, other callbacks are slow too.
    assert slow.n_slow == sum(event["event"] == "the loop is blocked" for event in events)
    blocked, after = [event for event in events if event.get("task") == "the culprit"]
    assert (blocked["event"], after["event"]) == ("the loop is blocked", "slow callback")
    assert blocked["where"].startswith("test_debugging.py:")
    assert blocked["where"].endswith("block")
    assert after["seconds"] >= 0.4


async def test_a_loop_that_turns_is_not_named() -> None:
    with capture_logs() as events, SlowCallbacks(5.0) as slow:
        await asyncio.sleep(0.1)
    assert (slow.n_slow, events) == (0, [])


def test_growth_is_shown_largest_first() -> None:
    growth = MemoryGrowth()
    try:
        kept = [bytes(1_000_000), [bytes(100) for _ in range(1000)]]
        found = growth.largest()
        assert 2 <= len(found) <= MOST_GROWTHS
        assert found[0][0].startswith("supervise/test_debugging.py:")
        assert found[0][1] >= 1_000_000
        assert [each[1] for each in found] == sorted((each[1] for each in found), reverse=True)
        with capture_logs() as events:
            growth.log()
        assert events[0]["event"] == "memory growth"
        assert kept
    finally:
        growth.stop()
    assert not tracemalloc.is_tracing()


def test_growth_is_found_in_a_thread_one_look_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    growth = MemoryGrowth()
    go_on = threading.Event()

    def largest() -> list[tuple[str, int, int]]:
        assert go_on.wait(30)
        return [("here.py:1", 2, 3)]

    monkeypatch.setattr(growth, "largest", largest)
    with capture_logs() as events:
        for _ in range(2):
            growth.log_in_thread()
        assert [each["event"] for each in events] == ["memory growth is being looked at already"]
        go_on.set()
        growth.stop()
        assert events[1:] == [
            {
                "event": "memory growth",
                "where": "here.py:1",
                "bytes": 2,
                "blocks": 3,
                "log_level": "info",
            }
        ]
