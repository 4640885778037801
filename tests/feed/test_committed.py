"""What the next run has of streams and gaps, at whatever moment this one is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.feed.exchange import exchange
from tests.feed.test_handler import until

import tickwire
from tickwire.feed import positions

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
