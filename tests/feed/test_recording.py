"""A feed that is recorded, over real sockets and on both loops: its replay gives the same rows."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.capture.recordings import Written
from tests.cli.test_replay import delta, snapshot
from tests.cli.test_run import trades
from tests.feed.exchange import binance_answer, exchange, hyperliquid_answer
from tests.feed.test_backfill import REST_CONN, Scene

import tickwire
from tickwire.capture import Recording
from tickwire.errors import CaptureError, ConfigError
from tickwire.feed.replays.recorded_replay import RecordedReplay, replay_of
from tickwire.feed.sources.recording import SourceRecorder
from tickwire.sinks import RawSettings

LEFT_OUT = ("seq", "conn")


def raw(folder: Path, **keys: Any) -> RawSettings:
    return RawSettings(path=folder, flush_ms=5, memory_mb=1, **keys)


async def rows_of(consumer: Any) -> pa.Table:
    batches = [batch async for batch in consumer]
    if not batches:
        return pa.table({})
    table = pa.Table.from_batches(batches)
    columns = [
        column.cast(pa.utf8()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).drop_columns(LEFT_OUT)


async def live(source: tickwire.Source, folder: Path, table: str, n_rows: int) -> pa.Table:
    """Take rows from a feed that is recorded, until there are so many."""
    feed = tickwire.FeedHandler([source], [raw(folder)])
    async with feed:
        consumer = feed.batches(table)
        async with asyncio.timeout(20):
            while consumer.qsize() < n_rows:  # noqa: ASYNC110 - a count has no event
                await asyncio.sleep(0.01)
    return await rows_of(consumer)


async def replayed(played: tickwire.Source, folder: Path, table: str, **part: Any) -> pa.Table:
    feed = tickwire.FeedHandler([played], replays=True)
    replay = replay_of(feed, folder, **part)
    assert isinstance(replay, RecordedReplay)
    running = asyncio.create_task(replay.run())
    while feed.pipeline is None:  # noqa: ASYNC110 - its first turn comes later
        await asyncio.sleep(0)
    consumer = feed.batches(table)
    taking = asyncio.create_task(rows_of(consumer))
    await running
    return await taking


@pytest.mark.parametrize("carrier", ["protocol", "stream", "picows"])
def test_trades_over_a_reconnect(run: Callable[..., Any], tmp_path: Path, carrier: Any) -> None:
    with exchange([trades(0, 500), trades(450, 900)], hyperliquid_answer) as venue:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=["trades"],
            symbols=["BTC"],
            url=venue.ws_url,
            carrier=carrier,
            check_symbols=False,
        )
        rows = run(live(source, tmp_path, "trades", 900))
    again = run(replayed(source, tmp_path, "trades"))
    assert again.equals(rows)
    assert rows.num_rows == 900
    kinds = [row.kind for _, row in Recording(tmp_path).rows()]
    assert kinds.count("connect") == kinds.count("disconnect") == 2
    assert kinds.count("sent") == 2


def test_a_book_with_its_snapshots(run: Callable[..., Any], tmp_path: Path) -> None:
    messages = [delta(n, n) for n in range(100, 400)]
    with exchange(
        [messages[:200], messages[10:]], binance_answer, {"BTCUSDT": snapshot(120)}
    ) as venue:
        source = tickwire.Source(
            venue="binance",
            channels=["book"],
            symbols=["BTCUSDT"],
            url=venue.ws_url,
            rest_url=venue.rest_url,
            check_symbols=False,
        )
        rows = run(live(source, tmp_path, "book", 280))
    again = run(replayed(source, tmp_path, "book"))
    assert again.equals(rows)
    kinds = [row.kind for _, row in Recording(tmp_path).rows()]
    assert kinds.count("answer") >= 1


TRADES_OF_BTC = '{"type":"trades","coin":"BTC"}'


async def test_a_part_of_the_time_and_another_source(tmp_path: Path) -> None:
    with exchange([trades(0, 300)], hyperliquid_answer) as venue:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=["trades"],
            symbols=["BTC"],
            url=venue.ws_url,
            check_symbols=False,
        )
        rows = await live(source, tmp_path, "trades", 300)
    times = rows.column("ts_recv").cast(pa.int64())
    middle = times[150].as_py()
    n_before = sum(time.as_py() < middle for time in times)
    before = await replayed(source, tmp_path, "trades", to_ns=middle)
    after = await replayed(source, tmp_path, "trades", from_ns=middle)
    assert (before.num_rows, after.num_rows) == (n_before, 300 - n_before)
    assert pa.concat_tables([part for part in (before, after) if part.num_rows]).equals(rows)
    assert (await replayed(source, tmp_path, "trades", source=0)).num_rows == 300
    feed = tickwire.FeedHandler([source], replays=True)
    summary = await tickwire.replay(tmp_path, feed, source="hyperliquid")
    assert summary["rows"]["trades"] == 300
    assert Recording(tmp_path).connections == [[[["trades", "", TRADES_OF_BTC]]]]
    unplayed = "a recorded source has none here: it is not decoded"
    other = tickwire.Source(venue="binance", channels=["trades"], symbols=["BTCUSDT"])
    feed = tickwire.FeedHandler([other], replays=True)
    with capture_logs() as logged:
        await tickwire.replay(tmp_path, feed)
    assert [line["source"] for line in logged if line["event"] == unplayed] == [0]


async def test_no_secret_of_a_source_is_in_its_recording(tmp_path: Path) -> None:
    secret = "tok3n-that-is-a-secret"  # noqa: S105
    with exchange([trades(0, 10)], hyperliquid_answer) as venue:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=["trades"],
            symbols=["BTC"],
            url=f"{venue.ws_url}/ws?token={secret}",
            headers={"Authorization": f"Bearer {secret}"},
            check_symbols=False,
        )
        await live(source, tmp_path, "trades", 10)
    for run, row in Recording(tmp_path).rows():
        assert secret not in f"{run} {row}"
    for path in tmp_path.iterdir():  # noqa: ASYNC240
        assert secret.encode() not in path.read_bytes()


def test_a_feed_has_one_recording_and_it_has_no_tables(tmp_path: Path) -> None:
    source = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    with pytest.raises(ConfigError, match="should be the only one"):
        tickwire.FeedHandler([source], [raw(tmp_path / "a"), raw(tmp_path / "b", name="b")])
    with pytest.raises(ConfigError, match="records messages, not tables"):
        tickwire.FeedHandler([source], [raw(tmp_path, tables=["trades"])])


async def test_a_replay_records_nothing(tmp_path: Path) -> None:
    source = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    feed = tickwire.FeedHandler([source], [raw(tmp_path / "a")], replays=True)
    assert feed.config.sinks == ()


def test_a_part_of_a_capture_is_an_error(tmp_path: Path) -> None:
    source = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    feed = tickwire.FeedHandler([source], replays=True)
    with pytest.raises(CaptureError, match="not of a capture"):
        replay_of(feed, tmp_path / "day.jsonl", from_ns=5)


async def test_a_torn_recording_is_replayed_to_its_last_block(tmp_path: Path) -> None:
    with exchange([trades(0, 300)], hyperliquid_answer) as venue:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=["trades"],
            symbols=["BTC"],
            url=venue.ws_url,
            check_symbols=False,
        )
        rows = await live(source, tmp_path, "trades", 300)
    [path] = tmp_path.iterdir()  # noqa: ASYNC240
    path.write_bytes(path.read_bytes()[:-3])  # of its end mark
    with capture_logs() as logged:
        again = await replayed(source, tmp_path, "trades")
    assert again.equals(rows)
    assert any("torn" in line["event"] for line in logged)
    assert json.loads(Recording(tmp_path)._files[0].content.schema.metadata[b"tickwire.sources"])


async def test_trades_that_were_missed_are_recorded_as_the_answer_had_them(tmp_path: Path) -> None:
    written = Written(tmp_path)
    scene = Scene()
    assert scene.source.backfiller is not None
    recorder = SourceRecorder(written.recorder, 0, "binance", lambda _session: (0, 0))
    scene.source.backfiller.on_answer = recorder.backfill
    scene.miss((11, 20))
    async with scene.filling():
        await scene.until_filled()
    [path] = written.finish()
    [row] = [row for _, row in Recording(path).rows()]
    assert (row.kind, row.venue, row.conn) == ("backfill", "binance", REST_CONN)
    detail = json.loads(row.payload)
    assert (detail["message"], detail["symbol"]) == ("missed trades", "BTCUSDT")
    assert [trade["id"] for trade in json.loads(detail["trades"])] == list(range(11, 21))
