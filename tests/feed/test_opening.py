"""Outputs are opened by their workers: one that hangs keeps neither the loop nor the feed."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.config import Feed
from tickwire.errors import SinkError, TickwireError
from tickwire.feed import opening
from tickwire.feed.kept import state as state_module
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state_file import Stored
from tickwire.feed.sources.sources import LiveSource
from tickwire.schema import TABLES
from tickwire.sinks import IpcSink, attempts, spiller
from tickwire.store import Spill

Run = Callable[[Coroutine[Any, Any, None]], None]


class Opening:
    """The opening of an IPC sink, which hangs until it may go on, and then may fail."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.errors: list[Exception] = []
        self.threads: list[str] = []


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    monkeypatch.setattr(opening, "REPORT_S", 0.05)
    monkeypatch.setattr(opening, "OPEN_S", 0.2)
    monkeypatch.setattr(attempts, "SPILL_AFTER_S", 0.1)
    monkeypatch.setattr(spiller, "SPILL_LOOK_S", 0.01)
    state = Opening()
    open_ipc = IpcSink._open

    def hangs(self: IpcSink) -> None:
        state.threads.append(threading.current_thread().name)
        state.may_go_on.wait(30)
        if state.errors:
            raise state.errors.pop()
        open_ipc(self)

    monkeypatch.setattr(IpcSink, "_open", hangs)
    yield state
    state.may_go_on.set()


@pytest.mark.parametrize("moves", [True, False])
def test_rows_of_old_rings_take_as_long_as_they_move(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    monkeypatch.setattr(opening, "OPEN_S", 0.4)
    store = RingStore(tmp_path / "rings", "main", {})
    has_ended = threading.Event()

    def recover(sink: str, tables: tuple[str, ...], spill: Spill) -> None:
        for _ in range(90):
            time.sleep(0.01)
            store.n_recovered += moves
        has_ended.set()

    monkeypatch.setattr(store, "recover", recover)
    settings = tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"])
    sink = IpcSink(settings, "main")
    sink.prepare([TABLES["trades"]])

    async def main() -> None:
        feed = Feed(state_dir=tmp_path)
        if moves:
            assert list(await opening.open_sinks(feed, [sink], store)) == ["ipc"]
            assert has_ended.is_set()
            sink.stop(drain=False)
        else:
            with pytest.raises(SinkError, match=r"spill/main does not answer in 0\.4 s"):
                await opening.open_sinks(feed, [sink], store)
            has_ended.wait(5)

    run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_a_feed_starts_without_an_output_that_hangs_and_spills_its_rows(
    run: Run, tmp_path: Path, hanging: Opening, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tickwire")
    hanging.errors = [SinkError("sink ipc: no such disk")] if fails else []

    async def main() -> None:
        longest_s = 0.0

        async def tick() -> None:
            nonlocal longest_s
            while True:
                began_s = time.monotonic()
                await asyncio.sleep(0.01)
                longest_s = max(longest_s, time.monotonic() - began_s)

        ticking = asyncio.create_task(tick())
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [
                    tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"], flush_ms=1),
                    tickwire.ParquetSink(path=tmp_path / "data", tables=["trades"], rotate_s=0.05),
                ],
                state_dir=tmp_path / "state",
            )
            async with feed:
                await until(lambda: feed.summary()["rows_committed"]["parquet"]["trades"] == 5)
                await until(lambda: feed.summary()["sink_spilled_rows"]["ipc"] == 5)
                assert feed.coordinator.missing == ["sink ipc"]
                assert any("ipc" in each for each in feed.status().failing_sinks)
                hanging.may_go_on.set()
                await feed.ready()
                await until(lambda: feed.summary()["rows_committed"]["ipc"]["trades"] == 5)
            ticking.cancel()
        assert feed.uncommitted() == {}
        assert longest_s < 2.0

    run(main())
    assert set(hanging.threads) == {"sink-ipc"}
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("waiting for sinks to open") for line in lines)
    assert any(line.startswith("the output of a sink does not open") for line in lines)
    assert any(line.startswith("a sink fails: ") for line in lines) == fails
    assert any(line.startswith("the output of a sink is open") for line in lines) != fails


def test_an_error_in_time_is_an_error_of_the_start_and_opens_nothing(
    run: Run, tmp_path: Path, hanging: Opening
) -> None:
    hanging.errors = [SinkError("sink ipc: no such disk")]
    hanging.may_go_on.set()
    before = set(threading.enumerate())

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [
                    tickwire.DuckDBSink(path=tmp_path / "market.duckdb", tables=["trades"]),
                    tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"]),
                ],
                state_dir=tmp_path / "state",
            )
            with pytest.raises(SinkError, match="sink ipc: no such disk"):
                await feed.start()
            await feed.stop()

    run(main())
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert not any(name.startswith(("sink-", "spill-")) for name in names)
    assert not (tmp_path / "state" / "spill").exists()


@pytest.mark.parametrize("report_s", [0.01, 25.0])
def test_an_output_that_hangs_delays_no_error_of_another(
    run: Run, tmp_path: Path, hanging: Opening, monkeypatch: pytest.MonkeyPatch, report_s: float
) -> None:
    monkeypatch.setattr(opening, "REPORT_S", report_s)
    monkeypatch.setattr(opening, "OPEN_S", 25.0)
    monkeypatch.setattr(opening, "STOP_S", 0.1)
    (tmp_path / "data").write_text("no folder")

    async def main() -> None:
        feed = tickwire.FeedHandler(
            [source("ws://127.0.0.1:9")],
            [
                tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"]),
                tickwire.ParquetSink(path=tmp_path / "data", tables=["trades"]),
            ],
            state_dir=tmp_path / "state",
        )
        began_s = time.monotonic()
        with pytest.raises(SinkError, match="sink parquet"):
            await feed.start()
        assert time.monotonic() - began_s < 20.0
        await feed.stop()

    run(main())


def test_a_spill_that_does_not_answer_is_an_error_of_the_start(
    run: Run, tmp_path: Path, hanging: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging.may_go_on.set()
    ended = threading.Event()

    def never(*_: object) -> None:
        ended.wait(30)

    monkeypatch.setattr(opening, "spill_of", never)

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"])],
                state_dir=tmp_path / "state",
            )
            with pytest.raises(SinkError, match=r"sink ipc: .*spill.* does not answer in 0.2 s"):
                await feed.start()

    run(main())
    ended.set()


def test_a_stop_while_an_output_hangs_leaves_it_and_keeps_its_rows(
    run: Run, tmp_path: Path, hanging: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.sinks.base.STALLED_S", 0.2)

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"])],
                state_dir=tmp_path / "state",
            )
            async with feed:
                await until(lambda: feed.summary()["rows"]["trades"] == 5)
            assert feed.uncommitted() == {"ipc": {"trades": 5}}
            with pytest.raises(SinkError, match=r"5 rows of trades \(they wait in "):
                feed.raise_failure()

    run(main())


def test_a_stop_while_outputs_are_opened_makes_no_connection(
    run: Run, tmp_path: Path, hanging: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr(LiveSource, "start", lambda self, _tasks: started.append(self))

    async def main() -> None:
        with exchange([trades(0, 5)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.IpcSink(path=tmp_path / "ipc", tables=["trades"])],
                state_dir=None,
            )
            running = asyncio.create_task(feed.run())
            await until(lambda: bool(hanging.threads))
            feed.request_stop()
            hanging.may_go_on.set()
            with contextlib.suppress(TickwireError):
                await running
            assert started == []

    run(main())


def test_the_state_is_opened_while_the_loop_goes_on_and_a_disk_that_hangs_is_an_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "OPEN_S", 0.05)
    may_go_on, threads = threading.Event(), []
    read = state_module.read_stored

    def hangs(path: Path) -> Stored | None:
        threads.append(threading.current_thread())
        may_go_on.wait(30)
        return read(path)

    monkeypatch.setattr(state_module, "read_stored", hangs)

    async def main() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")], state_dir=tmp_path / "state")
        with pytest.raises(TickwireError, match=r"does not answer in 0\.05 s"):
            await feed.start()
        while not threads:  # noqa: ASYNC110 - a thread has no event
            await asyncio.sleep(0.001)
        may_go_on.set()
        [thread] = threads
        assert thread is not threading.current_thread()
        thread.join(10)
        # What was opened in vain holds no lock.
        monkeypatch.setattr(state_module, "OPEN_S", 60.0)
        await state_module.open_state(tmp_path / "state", feed.plan.config.feed.name, ["trades"])

    run(main())


def test_a_state_that_is_open_when_its_start_is_cancelled_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        opens = state_module.in_thread

        async def cancelled(open_it: Callable[[], Any]) -> None:
            await opens(open_it)
            raise asyncio.CancelledError

        monkeypatch.setattr(state_module, "in_thread", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await state_module.open_state(tmp_path, "feed", ["trades"])
        monkeypatch.setattr(state_module, "in_thread", opens)
        state, _ = await state_module.open_state(tmp_path, "feed", ["trades"])
        state.close()

    asyncio.run(main())
