"""What a stop leaves behind is a gap of its stream, for the other sinks and the next run."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import SinkError
from tickwire.feed.kept.losses import LostRows, lost_rows
from tickwire.ledger import Position
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES
from tickwire.sinks import IpcSink, attempts, base
from tickwire.store import Spill

Run = Callable[[Coroutine[Any, Any, None]], None]
GAPS = (
    "SELECT gap_id, table_name, symbol, state, lost, consumer, ts_end >= ts_start "
    "FROM gaps WHERE reason = 'sink'"
)


def mids(*rows: tuple[str, int, int | None]) -> Ring:
    ring = Ring(TABLES["mids"], 1024, Dictionaries(), seq_base=100)
    for symbol, ts_recv, ts_event in rows:
        assert ring.append(
            venue="v", symbol=symbol, ts_recv=ts_recv, ts_event=ts_event, conn=0, price=1.0
        )
    return ring


def test_lost_rows_are_told_by_stream_with_the_last_one_before() -> None:
    ring = mids(("A", 1, 0), ("B", 2, None), ("A", 3, 2), ("A", 4, 3), ("C", 5, None), ("A", 6, 5))
    assert lost_rows(ring, 6) == []
    assert lost_rows(ring, 3) == [
        LostRows("v", "A", 2, Position(3, 2), Position(4, 3), Position(6, 5)),
        LostRows("v", "C", 1, None, Position(5, None), Position(5, None)),
    ]
    assert lost_rows(mids(), 0) == []


def test_rows_that_have_left_the_ring_are_counted() -> None:
    ring = mids(*[("A", n, None) for n in range(1, 1501)])
    gone, rest = lost_rows(ring, 10)
    assert (gone.symbol, gone.n_rows + rest.n_rows) == (None, 1490)
    assert (rest.symbol, rest.last) == ("A", Position(1500, None))


def test_rows_that_a_spill_in_memory_has_are_told_by_stream() -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries(), seq_base=100)
    consumer = Consumer(ring)
    spill = Spill(None, ["mids"])
    for n in range(1, 3001):
        assert ring.append(venue="v", symbol="AB"[n % 2], ts_recv=n, ts_event=n, conn=0, price=1.0)
        if n % 500 == 0:  # the last rows of the spill are in the ring, too
            spill.append("mids", consumer.take())
    expected = [
        LostRows("v", "B", 1495, Position(9, 9), Position(11, 11), Position(2999, 2999)),
        LostRows("v", "A", 1495, Position(10, 10), Position(12, 12), Position(3000, 3000)),
    ]
    assert lost_rows(ring, 10, spill.in_memory("mids")) == expected
    # What is nowhere is counted.
    gone, *rest = lost_rows(ring, 10, spill.in_memory("mids")[1:])
    assert (gone.symbol, gone.n_rows, sum(each.n_rows for each in rest)) == (None, 490, 2500)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An IPC sink whose writes do not return before the test ends."""
    event = threading.Event()
    monkeypatch.setattr(base, "STALLED_S", 0.3)
    monkeypatch.setattr(attempts, "SPILL_AFTER_S", 0.1)
    monkeypatch.setattr(IpcSink, "_write", lambda *_: event.wait())
    yield event
    event.set()


async def run_once(folder: Path, first: int, **feed: Any) -> tickwire.FeedHandler:
    """Have ten trades with a DuckDB sink and an IPC sink."""
    sinks = [
        tickwire.DuckDBSink(path=folder / "m.duckdb"),
        tickwire.IpcSink(path=folder / "ipc", tables=["trades"]),
    ]
    with exchange([trades(first, first + 10)]) as server:
        handler = tickwire.FeedHandler([source(server.ws_url)], sinks, **feed)
        async with handler:
            await until(lambda: handler.summary()["rows"]["trades"] == 10)
            await asyncio.sleep(0.3)
    return handler


def gaps_of(folder: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
        return connection.execute(GAPS).fetchall()


def test_rows_that_a_sink_has_not_got_are_its_gap_in_the_others(
    run: Run, tmp_path: Path, hanging: threading.Event
) -> None:
    async def main() -> None:
        handler = await run_once(tmp_path, 0)
        with pytest.raises(SinkError, match="ipc has not got 10 rows"):
            handler.raise_failure()

    run(main())
    [(_, *found)] = gaps_of(tmp_path)
    assert found == ["trades", "BTC", "closed", 10, "ipc", True]


@pytest.mark.parametrize("is_full", [False, True])
def test_what_is_spilled_is_not_lost_and_what_is_not_is_told_by_the_next_run_too(
    run: Run,
    tmp_path: Path,
    hanging: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
) -> None:
    feed = {"state_dir": tmp_path / "state"}
    monkeypatch.setattr(Spill, "is_full", is_full)

    async def main() -> None:
        await run_once(tmp_path, 0, **feed)
        first = gaps_of(tmp_path)
        assert len(first) == is_full
        hanging.set()
        monkeypatch.undo()
        await run_once(tmp_path, 10, **feed)
        # Once more under its number, for the sink that had not got that row either; and only once.
        assert gaps_of(tmp_path) == 2 * first
        await run_once(tmp_path, 20, **feed)
        assert gaps_of(tmp_path) == 2 * first
        with duckdb.connect(str(tmp_path / "m.duckdb"), read_only=True) as connection:
            downs = connection.execute(
                "SELECT count(*) FROM gaps, trades t WHERE reason = 'down' AND state = 'closed' "
                "AND table_name = 'trades' AND t.ts_recv > ts_start AND t.ts_recv < ts_end"
            ).fetchone()
        assert downs == (0,)  # a sink's own gap lengthens no other one

    run(main())
