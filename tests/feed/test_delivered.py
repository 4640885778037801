"""Ids of trades over restarts: read back from sinks, spills or rings; what they say of gaps."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange
from tests.feed.test_handler import until

import tickwire
from tickwire.config import SinkSettings
from tickwire.errors import SinkError
from tickwire.feed.kept import delivered
from tickwire.schema import TABLES
from tickwire.sinks import Sink

Run = Callable[[Coroutine[Any, Any, None]], None]
KINDS = ["duckdb", "parquet", "ipc"]
FIRST_MS = 1_790_000_000_000


def message(ids: range, coin: str = "BTC") -> bytes:
    """A message of trades whose ids are no numbers that count by one, but texts like them."""
    trades = [
        {"coin": coin, "side": "B", "px": f"{100 + i}.5", "sz": "1", "time": FIRST_MS + i,
         "hash": "0x0", "tid": i * 7, "users": ["0x1", "0x2"]}
        for i in ids
    ]  # fmt: skip
    return json.dumps({"channel": "trades", "data": trades}).encode()


def sinks_of(folder: Path, kinds: list[str]) -> list[SinkSettings]:
    made: dict[str, SinkSettings] = {
        "duckdb": tickwire.DuckDBSink(path=folder / "m.duckdb"),
        "parquet": tickwire.ParquetSink(path=folder / "data"),
        "ipc": tickwire.IpcSink(path=folder / "ipc"),
    }
    return [made[kind] for kind in kinds]


async def feed_once(
    folder: Path, kinds: list[str], ids: range, n_new: int, coins: tuple[str, ...] = ("BTC",)
) -> dict[str, Any]:
    """Run a feed over a socket until it has so many new trades; gives its summary."""
    with exchange([[message(ids, coin) for coin in coins]], n_requests=len(coins)) as server:
        source = tickwire.Source(
            venue="hyperliquid", channels=["trades"], symbols=list(coins), url=server.ws_url
        )
        feed = tickwire.FeedHandler(source, sinks_of(folder, kinds), state_dir=folder / "state")
        async with feed:
            await until(lambda: feed.summary()["messages"] >= len(coins))
            await until(lambda: feed.summary()["rows"]["trades"] == n_new)
        return feed.summary()


def ids_of(folder: Path, kind: str) -> list[int]:
    if kind == "duckdb":
        with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
            rows = connection.execute("SELECT trade_id FROM trades ORDER BY seq").fetchall()
        return [int(row[0]) for row in rows]
    found: list[str] = []
    if kind == "parquet":
        for path in sorted((folder / "data" / "trades").glob("*/*/*.parquet")):
            found += pq.ParquetFile(path).read(columns=["trade_id"])["trade_id"].to_pylist()
    else:
        for path in sorted((folder / "ipc" / "trades").glob("*.arrows")):
            with pa.OSFile(str(path)) as file:
                table = pa.ipc.open_stream(file).read_all()
            found += table["trade_id"].to_pylist()
    return [int(each) for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trade_that_is_repeated_after_a_restart_is_stored_once(
    run: Run, tmp_path: Path, kind: str
) -> None:
    async def main() -> None:
        await feed_once(tmp_path, [kind], range(1, 51), 50)
        summary = await feed_once(tmp_path, [kind], range(31, 61), 10)
        assert summary["known_trades"] == 50
        assert summary["duplicate_trades"] == 20
        assert ids_of(tmp_path, kind) == [i * 7 for i in range(1, 61)]

    run(main())


async def test_what_is_repeated_says_that_nothing_of_the_time_down_is_missing(
    tmp_path: Path,
) -> None:
    await feed_once(tmp_path, KINDS, range(1, 51), 50)
    await feed_once(tmp_path, KINDS, range(31, 61), 10)
    with duckdb.connect(str(tmp_path / "m.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT state, lost, recovered, epoch_ns(ts_event_start) FROM gaps "
            "WHERE reason = 'down' AND table_name = 'trades' ORDER BY seq"
        ).fetchall()
    assert rows[0] == ("open", None, None, (FIRST_MS + 50) * 1_000_000)
    assert rows[-1][0] == "closed"
    assert rows[-1][2] is not None


async def test_sinks_that_differ_leave_the_time_down_a_gap_and_no_trade_twice(
    tmp_path: Path,
) -> None:
    await feed_once(tmp_path, ["duckdb"], range(1, 51), 50)
    await feed_once(tmp_path, ["duckdb", "ipc"], range(31, 61), 10)
    assert ids_of(tmp_path, "duckdb") == [i * 7 for i in range(1, 61)]
    assert ids_of(tmp_path, "ipc") == [i * 7 for i in range(51, 61)]
    with duckdb.connect(str(tmp_path / "m.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT recovered FROM gaps WHERE reason = 'down' AND table_name = 'trades'"
        ).fetchall()
    assert rows
    assert all(row == (None,) for row in rows)


@pytest.mark.parametrize("is_settled", [False, True])
async def test_rows_behind_a_gap_that_no_sink_may_have_do_not_end_it(
    tmp_path: Path, is_settled: bool
) -> None:
    # The run between was killed before its gap was stored: a sink has rows before and behind it.
    await feed_once(tmp_path, KINDS, range(1, 51), 50)
    (path,) = (tmp_path / "state").glob("*.streams.json")
    stored = json.loads(path.read_text())
    assert stored["unsettled"] == []
    name = ["hyperliquid", "trades", "BTC"]
    stored["streams"] = [[*name, 1_000, None, None, None]]
    stored["unsettled"] = [] if is_settled else [name]
    path.write_text(json.dumps(stored))
    await feed_once(tmp_path, KINDS, range(31, 61), 10)
    with duckdb.connect(str(tmp_path / "m.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT epoch_ns(ts_start) = 1000, recovered IS NULL FROM gaps "
            "WHERE reason = 'down' AND table_name = 'trades'"
        ).fetchall()
    assert rows
    assert all(begins == (not is_settled) for begins, _ in rows)
    assert is_settled or all(is_whole for _, is_whole in rows)
    assert json.loads(path.read_text())["unsettled"] == []


class HeldSink:
    """A sink's output of a few trades."""

    def __init__(self, name: str, trades: list[tuple[int, str]], fails: bool = False) -> None:
        self.name = name
        self.tables = {"trades": TABLES["trades"]}
        self.opened: Future[None] = Future()
        self.opened.set_result(None)
        rows = [
            {"seq": seq, "venue": "hyperliquid", "symbol": symbol, "ts_event": seq, "ts_recv": seq,
             "conn": 0, "channel": "trades", "price": 1.0, "size": 1.0, "side": "buy",
             "trade_id": str(seq)}
            for seq, symbol in trades
        ]  # fmt: skip
        self._rows = pa.RecordBatch.from_pylist(rows, schema=TABLES["trades"].arrow_schema)
        self._fails = fails

    def newest_rows(
        self, table: str, columns: Sequence[str], n_rows: int
    ) -> Iterator[pa.RecordBatch]:
        if self._rows.num_rows:
            yield self._rows.select(list(columns))
        if self._fails:
            raise SinkError("a damaged file")

    def rows_of(self, *args: object) -> None:
        return None


@pytest.mark.parametrize(
    ("behind", "fails", "newest"),
    [
        ([(5, "BTC"), (6, "BTC")], False, {"BTC": 6}),  # ETH may be missing there
        ([(5, "BTC"), (6, "BTC"), (8, "BTC")], False, {"BTC": 8, "ETH": 7}),
        ([(5, "BTC"), (6, "BTC")], True, {}),
        ([], False, {}),  # killed before its first row
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
async def test_a_stream_that_a_sink_may_lack_does_not_begin_behind_it(
    behind: list[tuple[int, str]], fails: bool, newest: dict[str, int], is_first: bool
) -> None:
    from tickwire.feed.pipeline import GAP_ID, Pipeline
    from tickwire.store import Spill

    feed = tickwire.FeedHandler(
        tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC", "ETH"])
    )
    pipeline = Pipeline(feed.plan, dict.fromkeys([*feed.plan.tables, GAP_ID], 0))
    known = delivered.Delivered(pipeline.sources, pipeline.dictionaries.symbol)
    ahead = HeldSink("ahead", [(5, "BTC"), (6, "BTC"), (7, "ETH"), (8, "BTC")])
    sinks = [ahead, HeldSink("behind", behind, fails)]
    spills = {sink.name: Spill(None, ["trades"]) for sink in sinks}
    await known.read(cast("list[Sink]", sinks[::-1] if is_first else sinks), spills)
    assert {name[2]: each.recv_ns for name, each in known.newest.items()} == newest
    hidden = (
        {"BTC": 5, "ETH": 5}
        if not behind
        else {"ETH": 5}
        if "ETH" not in newest and not fails
        else {}
    )
    assert {name[2]: each.recv_ns for name, each in known.lacked.items()} == hidden
    assert known.is_certain == (newest == {"BTC": 8, "ETH": 7})


def mapped_files() -> str:
    return Path("/proc/self/maps").read_text(encoding="utf-8")


async def test_a_symbol_with_few_trades_is_looked_for_further_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivered, "MOST_ROWS", 20)
    await feed_once(tmp_path, ["duckdb"], range(1, 51), 100, ("ETH", "BTC"))
    with capture_logs() as logs:
        await feed_once(tmp_path, ["duckdb"], range(1, 51), 0, ("ETH", "BTC"))
    (line,) = [each for each in logs if each["event"] == "ids of delivered trades were read back"]
    assert line["trades"] == 100


async def test_an_output_that_cannot_be_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed_once(tmp_path, ["duckdb"], range(1, 11), 10)
    monkeypatch.setattr(delivered, "READ_S", -1.0)
    with capture_logs() as logs:
        await feed_once(tmp_path, ["duckdb"], range(6, 16), 10)
    (line,) = [each for each in logs if "may be stored" in each["event"]]
    assert line["why"] == "takes more than -1 s"
    assert len(ids_of(tmp_path, "duckdb")) == 20


async def test_without_a_sink_of_trades_the_last_runs_rings_say_it(tmp_path: Path) -> None:
    from tests.feed.runs import Run as RingRun

    from tickwire.feed.kept.delivered import Delivered

    ring_run = RingRun(tmp_path)
    ring_run.append(5)
    ring_run.kill()
    again = RingRun(tmp_path)
    feed = tickwire.FeedHandler(
        tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    )
    from tickwire.feed.pipeline import GAP_ID, Pipeline

    pipeline = Pipeline(feed.plan, dict.fromkeys([*feed.plan.tables, GAP_ID], 0))
    known = Delivered(pipeline.sources, pipeline.dictionaries.symbol)
    known.note_rings(again.store)
    await known.read([], {})
    assert known.is_certain
    assert known.newest["hyperliquid", "trades", "BTC"].event_ns is None
    symbol = pipeline.dictionaries.symbol.code("BTC")
    assert pipeline.sources[0].decoder.seen.newest(0, symbol) == (4, 5)
    again.store.discard()
    # Memory of a file that is gone is given back with its last user.
    gone = str(ring_run.store.files.folder / "trades.ring")
    del ring_run
    gc.collect()
    assert gone not in mapped_files()
    again.kill()


def test_the_spill_is_read_newest_first_and_stays(tmp_path: Path) -> None:
    from tests.sinks.batches import batch_of

    from tickwire.store import Spill

    def seqs(batches: Iterator[pa.RecordBatch]) -> list[int]:
        return [batch.column("seq")[0].as_py() for batch in batches]

    spill = Spill(tmp_path, ["trades"])
    for first in (0, 5, 10):
        spill.append("trades", batch_of(TABLES["trades"], 5, first))
    assert seqs(spill.newest("trades")) == [10, 5, 0]
    assert spill.next()["trades"].column("seq")[0].as_py() == 0
    assert seqs(spill.newest("trades")) == [10, 5, 0]
    spill.close()
