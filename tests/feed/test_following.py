"""Programs that follow gaps and reconnects, over real sockets."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.feed.consumers import following
from tickwire.ledger import Place

Run = Callable[[Coroutine[Any, Any, None]], None]


def broken(*plays: Any) -> Any:
    """An exchange whose first connection ends after its messages."""
    return exchange(plays or [trades(0, 10), trades(10, 20)])


def test_gaps_and_reconnects_come_to_plain_and_to_async_callbacks(run: Run) -> None:
    plain: list[tickwire.GapEvent] = []
    awaited: list[tickwire.GapEvent] = []
    reconnects: list[tickwire.ReconnectEvent] = []
    threads: set[str] = set()

    async def scene() -> None:
        with broken() as server:
            feed = tickwire.FeedHandler([source(server.ws_url, backoff_max_s=0.05)])

            @feed.on_gap
            def note(gap: tickwire.GapEvent) -> None:
                threads.add(threading.current_thread().name)
                plain.append(gap)

            @feed.on_gap
            async def note_too(gap: tickwire.GapEvent) -> None:
                await asyncio.sleep(0)
                awaited.append(gap)

            feed.on_reconnect(reconnects.append)
            async with feed:
                rows = feed.batches("trades")
                await until(lambda: len(plain) >= 2 and len(awaited) >= 2)
                await until(lambda: feed.summary()["rows"]["trades"] == 20)
            batches = [batch async for batch in rows]
        received = [ns for each in batches for ns in each["ts_recv"].cast("int64").to_pylist()]
        opened, closed = plain[:2]  # another says how many rows came again
        assert (opened.venue, opened.table, opened.symbol) == ("hyperliquid", "trades", "BTC")
        assert (opened.reason, opened.state, opened.end_ns) == ("disconnect", "open", None)
        assert (opened.start_ns, opened.gap_id, opened.conn) == (received[9], 0, 0)
        assert (closed.gap_id, closed.state) == (0, "closed")
        assert closed.end_ns is not None
        assert received[9] < closed.end_ns <= received[10]
        assert awaited[:2] == plain[:2]
        [reconnect] = reconnects
        assert (reconnect.venue, reconnect.conn, reconnect.reason) == ("hyperliquid", 1, "closed")
        assert 0 < reconnect.seconds < 30

    run(scene())
    assert threads != {threading.current_thread().name}


def test_gaps_can_be_iterated_until_the_feed_ends(run: Run) -> None:
    async def scene() -> None:
        with broken() as server:
            feed = tickwire.FeedHandler([source(server.ws_url, backoff_max_s=0.05)])
            gaps = feed.gaps()
            async with feed:
                first = await asyncio.wait_for(anext(gaps), 30)
                await until(lambda: feed.summary()["rows"]["trades"] == 20)
            states = [first.state] + [gap.state async for gap in gaps]
            assert states[:2] == ["open", "closed"]
            assert [gap async for gap in gaps] == []

    run(scene())


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_a_callback_that_fails_or_hangs_is_logged_and_hurts_nothing_else(
    run: Run,
    kind: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(following, "HANG_S", 0.05)
    monkeypatch.setattr(following, "LAST_EVENTS_S", 0.2)
    released = threading.Event()
    seen: list[str] = []

    def plain(gap: tickwire.GapEvent) -> None:
        if fault == "fails":
            raise RuntimeError("no database")
        released.wait(60)

    async def awaited(gap: tickwire.GapEvent) -> None:
        if fault == "fails":
            raise RuntimeError("no database")
        await asyncio.sleep(60)

    async def scene() -> None:
        with broken() as server:
            feed = tickwire.FeedHandler([source(server.ws_url, backoff_max_s=0.05)])
            feed.on_gap(plain if kind == "plain" else awaited)
            feed.on_gap(lambda gap: seen.append(gap.state))
            async with feed:
                await until(lambda: seen[:2] == ["open", "closed"])
                await until(lambda: feed.summary()["rows"]["trades"] == 20)
                began_s = time.monotonic()
            assert time.monotonic() - began_s < 5
            if (kind, fault) != ("plain", "hangs"):
                assert feed.summary()["callback_failures"] >= 2

    run(scene())
    released.set()
    lines = [record.getMessage() for record in caplog.records]
    expected = {
        ("plain", "fails"): "error=RuntimeError: no database",
        ("async", "fails"): "error=RuntimeError: no database",
        ("plain", "hangs"): "a callback has not ended",
        ("async", "hangs"): "took longer than 0.05 s",
    }[kind, fault]
    assert any(expected in line and "callback=" in line for line in lines), lines


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_callback_that_exits_or_is_cancelled_from_within_gets_the_next_event(
    run: Run, kind: str
) -> None:
    seen: list[int] = []

    def plain(gap: tickwire.GapEvent) -> None:
        seen.append(gap.start_ns)
        if gap.start_ns == 0:
            sys.exit(3)

    async def awaited(gap: tickwire.GapEvent) -> None:
        seen.append(gap.start_ns)
        if gap.start_ns == 0:
            raise asyncio.CancelledError

    async def scene() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        feed.on_gap(plain if kind == "plain" else awaited)
        async with feed:
            for number in range(2):
                ledger_of(feed).record("trades", "stale", number, 9, Place("v", "A", None))
            await until(lambda: seen[:2] == [0, 1])
            assert feed.summary()["callback_failures"] == 1

    run(scene())


def test_what_waits_for_a_slow_callback_is_bounded_and_counted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MAX_EVENTS", 5)
    monkeypatch.setattr(following, "LAST_EVENTS_S", 0.1)
    released = threading.Event()

    async def scene() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        feed.on_gap(lambda gap: released.wait(60))
        async with feed:
            ledger = ledger_of(feed)
            for _ in range(20):
                ledger.record("trades", "stale", 1, 2, Place("v", "A", None))
            assert 10 <= feed.summary()["callback_events_dropped"] <= 17

    run(scene())
    released.set()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_stop_waits_for_what_callbacks_have_not_had_and_no_longer(
    run: Run, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LAST_EVENTS_S", 60.0)
    released = threading.Event()
    seen: list[int] = []

    def plain(gap: tickwire.GapEvent) -> None:
        released.wait(10)
        seen.append(gap.start_ns)

    async def awaited(gap: tickwire.GapEvent) -> None:
        await asyncio.to_thread(released.wait, 10)
        seen.append(gap.start_ns)

    async def scene() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        async with feed:
            feed.on_gap(plain if kind == "plain" else awaited)
            for number in range(3):
                ledger_of(feed).record("trades", "stale", number, 9, Place("v", "A", None))
            asyncio.get_running_loop().call_later(0.1, released.set)
            began_s = time.monotonic()
        assert seen[:3] == [0, 1, 2]
        assert time.monotonic() - began_s < 10

    run(scene())


def test_a_callback_that_hangs_takes_no_time_of_the_others(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "LAST_EVENTS_S", 0.2)
    released = threading.Event()
    seen: list[int] = []

    def hangs(_gap: tickwire.GapEvent) -> None:
        released.wait(60)

    def plain(gap: tickwire.GapEvent) -> None:
        seen.append(gap.start_ns)

    async def awaited(gap: tickwire.GapEvent) -> None:
        seen.append(gap.start_ns)

    async def scene() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        for callback in (hangs, plain, awaited):
            feed.on_gap(callback)
        async with feed:
            ledger_of(feed).record("trades", "stale", 7, 9, Place("v", "A", None))

    run(scene())
    released.set()
    assert seen.count(7) == 2
    late = [each.getMessage() for each in caplog.records if "has not ended" in each.getMessage()]
    assert len(late) == 1, late
    assert "hangs" in late[0]


def ledger_of(feed: tickwire.FeedHandler) -> Any:
    assert feed.pipeline is not None
    return feed.pipeline.ledger


@pytest.mark.parametrize("register", ["on_gap", "on_reconnect"])
def test_a_callback_must_be_callable(register: str) -> None:
    feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
    method: Callable[[Any], object] = getattr(feed, register)
    with pytest.raises(TypeError, match="a callback is 7, should be callable"):
        method(7)
