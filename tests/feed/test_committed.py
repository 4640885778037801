"""What the next run has of streams and gaps, at whatever moment this one is killed."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import until

import tickwire
from tickwire.feed.kept import committed, positions
from tickwire.feed.kept.committed import Committed
from tickwire.feed.kept.positions import SNAPSHOT_S, Positions
from tickwire.ledger import Ledger, Place, StreamGaps
from tickwire.ring import Consumer, Dictionaries, Ring, Streams
from tickwire.schema import TABLES

NAMES = [["hyperliquid", table, "BTC"] for table in ("quotes", "trades")]


def trade(number: int) -> bytes:
    rows = [{"coin": "BTC", "side": "B", "px": "1.5", "sz": "1", "time": 1_790_000_000_000 + number,
             "hash": "0x0", "tid": number, "users": ["0x1", "0x2"]}]  # fmt: skip
    return json.dumps({"channel": "trades", "data": rows}).encode()


def feed_of(folder: Path, url: str) -> tickwire.FeedHandler:
    """A feed of two tables, of which its sink has one, and commits nothing before the stop."""
    source = tickwire.Source(
        venue="hyperliquid", channels=["trades", "quotes"], symbols=["BTC"], url=url
    )
    sink = tickwire.DuckDBSink(path=folder / "m.duckdb", tables=["trades", "gaps"], flush_ms=60_000)
    return tickwire.FeedHandler(source, sink, state_dir=folder / "state")


def stored(folder: Path) -> dict[str, Any]:
    """What the file says now."""
    found = list((folder / "state").glob("*.streams.json"))
    return json.loads(found[0].read_text()) if found else {"streams": []}


async def test_streams_are_known_before_a_venue_answers(tmp_path: Path) -> None:
    with exchange([[]], answer=lambda _request: None) as server:
        feed = feed_of(tmp_path, server.ws_url)
        async with feed:
            await until(lambda: len(stored(tmp_path)["streams"]) == len(NAMES))
            assert sorted(each[:3] for each in stored(tmp_path)["streams"]) == NAMES


async def test_a_gap_is_kept_at_once_and_not_at_the_next_snapshot(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(positions, "SNAPSHOT_S", 3600.0)
    with exchange([[trade(1)], [trade(2)]], n_requests=2) as server:
        feed = feed_of(tmp_path, server.ws_url)
        seen: list[tickwire.GapEvent] = []
        feed.on_gap(seen.append)
        async with feed:
            await until(lambda: {each.state for each in seen} == {"open", "closed"})
            gaps = {each.gap_id for each in seen if each.state == "closed"}
            await until(lambda: gaps <= {each["gap_id"] for each in stored(tmp_path)["gaps"]})


class Run:
    """One run of a feed without sinks: its trades of A come by two channels, a session each."""

    def __init__(self, folder: Path, first_gap_id: int = 0, n_more: int = 0) -> None:
        dictionaries = Dictionaries()
        self.rings = {
            name: Ring(TABLES[name], 1024, dictionaries) for name in ("trades", "gaps", "sessions")
        }
        self.ledger = Ledger(self.rings["gaps"], self.rings["sessions"], first_gap_id=first_gap_id)
        streams = {"trades": Streams(self.rings["trades"])}
        self.gaps = StreamGaps(self.ledger, "v", streams, dictionaries.symbol)
        for session in range(2):
            self.gaps.add(session, "trades", "A", "A", spliced=False)
        for number in range(n_more):
            self.gaps.add(0, "trades", f"B{number}", f"B{number}", spliced=False)
        self.positions = Positions(folder, "main")
        self.committed = Committed(self.positions, self.pipeline, [], [self.source])
        self.reader = Consumer(self.rings["gaps"])
        self.committed.start()

    @property
    def pipeline(self) -> Any:
        return SimpleNamespace(rings=self.rings, streams=["trades"], ledger=self.ledger)

    @property
    def source(self) -> Any:
        return SimpleNamespace(gaps=self.gaps)

    def states(self) -> dict[int, str]:
        """The last state of each gap."""
        batch = self.reader.take()
        rows = [] if batch is None else batch.select(["gap_id", "state"]).to_pylist()
        return {row["gap_id"]: row["state"] for row in rows}


async def test_of_two_gaps_under_one_name_both_are_ended_by_the_next_run(tmp_path: Path) -> None:
    first = Run(tmp_path)
    for session in range(2):
        first.gaps.acknowledged(session, "A")
        first.gaps.disconnected(session, "disconnect", "closed", behind_since_ns=None)
    assert first.states() == {0: "open", 1: "open"}
    first.committed.abandon()  # and the process is killed
    second = Run(tmp_path, first_gap_id=2)
    for session in range(2):
        second.gaps.acknowledged(session, "A")
    assert second.states() == {0: "closed", 1: "closed", 2: "closed"}
    assert second.positions.take_gaps() == []


async def test_a_look_at_many_streams_goes_on_in_turns_and_misses_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committed, "SLICE_S", 0.0)
    n_more = 1200
    run = Run(tmp_path, n_more=n_more)
    for number in range(n_more):
        run.gaps.acknowledged(0, f"B{number}")
    n_taken = run.positions._n_taken
    run.committed.look()
    assert run.positions._n_taken == n_taken  # it goes on
    for number in range(0, n_more, 3):  # of what was read, and of what was not
        run.gaps.lost(0, f"B{number}", "stale", "")
        if number % 300 == 0:
            await asyncio.sleep(0)
    await until(lambda: run.positions._n_taken > n_taken)
    taken = run.positions._snapshots[-1][2] if run.positions._snapshots else {}
    taken = taken or run.positions._committed
    has_gap = {name[2] for name, each in taken.items() if each.gap_id is not None}
    assert has_gap == {f"B{number}" for number in range(0, n_more, 3)}
    kept = tmp_path / "main.streams.json"
    await until(kept.exists)
    run.committed.look()
    await run.committed.close()
    found = {each[2]: each[5] for each in json.loads(kept.read_text())["streams"]}
    assert len(found) == n_more + 1  # and A
    assert set(found.values()) == {None}  # ended with the run


async def test_looks_because_of_gaps_leave_the_loop_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(10_000))  # of the processor: each look takes one
    clocks = SimpleNamespace(monotonic=time.monotonic, thread_time=lambda: next(seconds))
    monkeypatch.setattr(committed, "time", clocks)
    run = Run(tmp_path)
    n_before, began_s = run.positions._n_taken, time.monotonic()
    for number in range(20):
        run.ledger.record("trades", "stale", number, number + 1, Place("v", "A", None))
        await asyncio.sleep(0.02)
        run.committed.look()  # housekeeping
    n_looks = run.positions._n_taken - n_before
    assert 1 <= n_looks <= 2 + (time.monotonic() - began_s) / SNAPSHOT_S
    await run.committed.close()


async def test_a_gap_whose_row_waits_for_its_ring_is_not_taken_for_committed(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    for number in range(1030):
        run.ledger.record("trades", "stale", number, number + 1, Place("v", "A", None))
    assert run.rings["gaps"].published < 1030
    run.positions.commit = lambda *_: None  # type: ignore[method-assign]
    run.committed.look(last=True)
    assert run.positions._snapshots[-1][1]["gaps"] == 1030
    await run.committed.close()
