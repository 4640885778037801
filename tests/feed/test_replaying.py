"""A replay from Python: rings that are full, a stop in its midst, answers that are of no use."""

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from structlog.testing import capture_logs
from tests.cli.test_replay import URL, delta, snapshot
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.capture import CaptureWriter
from tickwire.feed.kept.state import State
from tickwire.feed.replays.replaying import Replay

ACKNOWLEDGED = (
    b'{"channel":"subscriptionResponse","data":{"method":"subscribe",'
    b'"subscription":{"type":"trades","coin":"BTC"}}}'
)


def capture_of(folder: Path, messages: list[bytes]) -> Path:
    path = folder / "day.jsonl"
    with CaptureWriter(path) as writer:
        for number, message in enumerate(messages):
            writer.write_message(message, number)
    return path


async def begun(feed: tickwire.FeedHandler, replay: Replay) -> asyncio.Task[list[str]]:
    """Start it, and give it back while it has played nothing."""
    running = asyncio.create_task(replay.run())
    while feed.pipeline is None:  # noqa: ASYNC110 - its first turn comes later
        await asyncio.sleep(0)
    return running


async def test_a_ring_that_is_full_holds_the_capture_back(tmp_path: Path) -> None:
    path = capture_of(tmp_path, [ACKNOWLEDGED, *trades(0, 3000)])
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    replay = Replay(feed, path)
    running = await begun(feed, replay)
    consumer = feed.batches("trades", on_lag="block", maxsize=1000)
    seen: list[str] = []
    await until(lambda: consumer.qsize() == 1000)
    while len(seen) < 3000:
        seen += (await consumer.get()).column("trade_id").to_pylist()
    assert await running == []
    assert seen == [str(number) for number in range(3000)]
    assert replay.n_messages == 3001


async def test_a_stop_while_a_ring_is_full_ends_it(tmp_path: Path) -> None:
    path = capture_of(tmp_path, trades(0, 3000))
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    running = await begun(feed, Replay(feed, path))
    consumer = feed.batches("trades", on_lag="block", maxsize=1000)
    await until(lambda: consumer.qsize() == 1000)
    await feed.stop()
    [problem] = await running
    assert problem.startswith("interrupted after ")


async def test_a_stop_at_its_start_plays_nothing(tmp_path: Path) -> None:
    path = capture_of(tmp_path, trades(0, 10))
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    replay = Replay(feed, path)
    running = await begun(feed, replay)
    stopping = asyncio.create_task(feed.stop())
    assert any("interrupted after 0" in problem for problem in await running)
    await stopping
    assert replay.n_messages == 0


async def test_progress_is_by_bytes_where_messages_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl.zst"
    with CaptureWriter(path, has_times=False) as writer:
        for message in trades(0, 10):
            writer.write_message(message)
    told: list[tuple[int, int]] = []
    feed = tickwire.FeedHandler([source("ws://h")], replays=True)
    replay = Replay(feed, path)
    replay.on_progress = lambda done, total: told.append((done, total))
    await replay.run()
    assert told[-1][0] == told[-1][1] > 0


async def test_answers_of_no_use_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    with CaptureWriter(path) as writer:
        writer.write_message(delta(1, 5), 1)
        writer.write_answer(2, URL.replace("BTCUSDT", "ETHUSDT"), snapshot(1))
        writer.write_answer(3, "https://h/api/v3/time", b"{}")
        writer.write_answer(4, URL, b"{}")
        writer.write_answer(5, URL, snapshot(3))
        writer.write_message(delta(6, 10), 6)
    books = tickwire.Source(venue="binance", channels=["book"], symbols=["BTCUSDT"])
    feed = tickwire.FeedHandler([books, source("ws://h")], replays=True)
    with capture_logs() as logs:
        await Replay(feed, path).run()
    assert feed.summary()["rows"]["book"] == 2 + 2
    assert [line["symbol"] for line in logs if line["event"] == "snapshot_failed"] == ["BTCUSDT"]


def stored(folder: Path, table: str = "trades") -> list[tuple[int, str]]:
    with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
        return connection.execute(f"SELECT seq, trade_id FROM {table} ORDER BY seq").fetchall()  # noqa: S608


def stored_in_ipc(folder: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for path in (folder / "ipc" / "trades").glob("*.arrows"):
        for batch in pa.ipc.open_stream(path.read_bytes()):
            found += zip(batch["seq"].to_pylist(), batch["trade_id"].to_pylist(), strict=True)
    return sorted(found)


async def play(folder: Path, capture: Path, *, again: bool = False, **keys: Any) -> list[str]:
    """Replay into a DuckDB file and IPC streams; gives the sinks that were left out."""
    sinks = [
        tickwire.DuckDBSink(path=folder / "m.duckdb"),
        tickwire.IpcSink(path=folder / "ipc"),
    ]
    feed = tickwire.FeedHandler([source("ws://h")], sinks, replays=True, **keys)
    with capture_logs() as logs:
        await tickwire.replay(capture, feed, again=again)
    return [line["sink"] for line in logs if "nothing is added" in line["event"]]


async def test_a_capture_is_added_once_and_anew_where_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = capture_of(tmp_path / "a", trades(0, 5))
    second = capture_of(tmp_path / "b", trades(5, 8))
    ids = [str(number) for number in range(8)]
    assert await play(tmp_path, first) == []
    assert await play(tmp_path, second) == []
    assert stored(tmp_path) == stored_in_ipc(tmp_path) == list(enumerate(ids))
    assert await play(tmp_path, first) == ["duckdb", "ipc"]
    assert stored(tmp_path) == stored_in_ipc(tmp_path) == list(enumerate(ids))
    assert await play(tmp_path, first, again=True) == []
    moved = list(enumerate([*ids[5:], *ids[:5]], 5))
    assert stored(tmp_path) == stored_in_ipc(tmp_path) == moved


async def test_a_replay_passes_the_numbers_of_rows_on_their_way(tmp_path: Path) -> None:
    capture = capture_of(tmp_path, trades(0, 5))
    sink, folder = tickwire.DuckDBSink(path=tmp_path / "m.duckdb"), tmp_path / "state"
    async with tickwire.FeedHandler([source("ws://127.0.0.1:1")], [sink], state_dir=folder):
        pass
    # As after a kill: rows up to 99 may wait in a spill.
    state = State(folder, "main")
    state.use({"trades": 100})
    state.close()
    await play(tmp_path, capture, state_dir=folder)
    assert [seq for seq, _ in stored(tmp_path)] == list(range(100, 105))
