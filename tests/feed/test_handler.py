"""The feed handler from Python: connect, stream batches, stop."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import answering, exchange, hyperliquid_answer, hyperliquid_refusal
from tests.net.servers import Peer, close, serve_raw, text

import tickwire
from tickwire.errors import ConfigError, SinkError, TickwireError
from tickwire.feed import housekeeping
from tickwire.health import State
from tickwire.ledger import log
from tickwire.schema import TABLES
from tickwire.sinks import IpcSink
from tickwire.venues import load

Run = Callable[[Coroutine[Any, Any, None]], None]


def trades(start: int, stop: int) -> list[bytes]:
    return [
        json.dumps(
            {
                "channel": "trades",
                "data": [
                    {
                        "coin": "BTC",
                        "side": "B",
                        "px": "1.5",
                        "sz": "2",
                        "time": 1000 + number,
                        "hash": "0x00",
                        "tid": number,
                        "users": ["0xb", "0xs"],
                    }
                ],
            }
        ).encode()
        for number in range(start, stop)
    ]


def source(url: str, **more: Any) -> tickwire.Source:
    keys = {"venue": "hyperliquid", "channels": ["trades"], "symbols": ["BTC"], "url": url} | more
    return tickwire.Source(**keys)


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - what it waits for has no event
        await asyncio.sleep(0.01)


def test_batches_stream_every_row_once(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 2000)]) as server:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                seen: list[str] = []
                async for batch in feed.batches("trades"):
                    assert isinstance(batch, pa.RecordBatch)
                    assert batch.schema == TABLES["trades"].arrow_schema
                    seen += batch.column("trade_id").to_pylist()
                    if len(seen) >= 2000:
                        break
                assert seen == [str(number) for number in range(2000)]
                assert feed.summary()["latency_us"]["read_to_batch"]["count"] == 2000

    run(scene())


def test_at_the_end_consumers_give_what_is_left_and_stop(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 50)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            async with feed:
                consumer = feed.batches("trades")
                await until(lambda: consumer.qsize() == 50)
            batches = [batch async for batch in consumer]
            assert sum(batch.num_rows for batch in batches) == 50
            with pytest.raises(tickwire.QueueShutDown):
                consumer.get_nowait()
            with pytest.raises(RuntimeError, match="does not run"):
                feed.batches("trades")

    run(scene())


def test_a_table_that_no_source_feeds_is_refused(run: Run) -> None:
    async def scene() -> None:
        with exchange([[]]) as server:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                with pytest.raises(KeyError, match="no table 'book': one of trades, gaps"):
                    feed.batches("book")

    run(scene())


def test_sinks_and_consumers_get_the_same_rows(run: Run, tmp_path: Path) -> None:
    async def scene() -> None:
        with exchange([trades(0, 300)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.ParquetSink(path=tmp_path), tickwire.IpcSink(path=tmp_path / "ipc")],
                state_dir=tmp_path / "state",
            )
            async with feed:
                n_rows = 0
                consumer = feed.batches("trades")
                while n_rows < 300:
                    n_rows += (await consumer.get()).num_rows
            committed = feed.summary()["rows_committed"]
            assert committed["parquet"]["trades"] == committed["ipc"]["trades"] == 300
            assert (tmp_path / "state" / "main.json").exists()

    run(scene())


@pytest.mark.parametrize("limit", ["duration", "messages", "idle"])
def test_a_run_ends_at_its_limit(run: Run, limit: str) -> None:
    async def scene() -> None:
        with exchange([trades(0, 10)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            limits: dict[str, dict[str, Any]] = {
                "duration": {"duration_s": 2.0},
                "messages": {"max_messages": 10},
                "idle": {"until_idle_s": 1.0},
            }
            await asyncio.wait_for(feed.run(**limits[limit]), 60)
            assert feed.summary()["messages"] == 10
            assert feed.summary()["rows"]["trades"] == 10

    run(scene())


def test_a_source_that_brings_data_can_be_idle_without_an_acknowledgement(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 10)], lambda _: None) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            await asyncio.wait_for(feed.run(until_idle_s=0.5), 60)
            assert feed.summary()["messages"] == 10
            assert feed.summary()["reconnects"] == 0

    run(scene())


def test_a_run_that_never_connected_fails(run: Run) -> None:
    async def scene() -> None:
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
        with pytest.raises(TickwireError, match="no source ever connected"):
            await feed.run(duration_s=0.5)
        assert feed.summary()["connects"] == 0

    run(scene())


def test_a_run_whose_subscriptions_are_refused_fails(run: Run) -> None:
    async def scene() -> None:
        with exchange([[]], hyperliquid_refusal) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            with pytest.raises(TickwireError, match="every subscription was refused: trades BTC"):
                await asyncio.wait_for(feed.run(), 60)

    run(scene())


@pytest.mark.parametrize(
    ("list_s", "wait_s", "error", "match"),
    [
        (0.3, 10.0, ConfigError, "hyperliquid has no 'BTC'"),
        (30.0, 0.3, TickwireError, "every subscription was refused: trades BTC"),
    ],
)
def test_a_refusal_of_all_waits_for_what_the_venue_lists(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    list_s: float,
    wait_s: float,
    error: type[TickwireError],
    match: str,
) -> None:
    async def check(*_: object) -> list[str]:
        await asyncio.sleep(list_s)
        raise ConfigError(["source[0].symbols: hyperliquid has no 'BTC'"])

    monkeypatch.setattr("tickwire.feed.running.check_symbols", check)
    monkeypatch.setattr("tickwire.feed.housekeeping.LISTS_S", wait_s)

    async def scene() -> None:
        with exchange([[]], hyperliquid_refusal) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)])
            with pytest.raises(error, match=match):
                await asyncio.wait_for(feed.run(), 20)

    run(scene())


def test_a_sink_that_cannot_be_opened_stops_the_start(run: Run, tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "file").write_text("")
        with exchange([trades(0, 1)]) as server:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)],
                [tickwire.DuckDBSink(path=tmp_path / "file" / "market.duckdb")],
                state_dir=tmp_path / "state",
            )
            with pytest.raises(SinkError):
                await feed.start()
            assert server.n_connections == 0
        # The name is free again.
        feed = tickwire.FeedHandler([source("ws://127.0.0.1:9")], state_dir=tmp_path / "state")
        await feed.start()
        await feed.stop()

    run(scene())


def test_a_gap_that_nothing_ends_lasts_until_the_stop(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 10), []], answering(1)) as server:
            feed = tickwire.FeedHandler([source(server.ws_url, backoff_max_s=0.1)])
            async with feed:
                gaps, rows = feed.batches("gaps"), feed.batches("trades")
                await until(lambda: feed.summary()["reconnects"] == 1)
                opened = gaps.get_nowait()
                assert gaps.empty()
                before_ns = time.time_ns()
            [closed] = [batch async for batch in gaps]
            last = rows.get_nowait().column("ts_recv").cast("int64").to_pylist()[-1]
            for batch, state in ((opened, "open"), (closed, "closed")):
                assert batch.column("state").to_pylist() == [state]
                assert batch.column("gap_id").to_pylist() == [0]
                assert batch.column("table_name").to_pylist() == ["trades"]
                assert batch.column("reason").to_pylist() == ["disconnect"]
                assert batch.column("ts_start").cast("int64").to_pylist() == [last]
                [detail] = batch.column("detail").to_pylist()
                assert detail.startswith("closed: 1001")
            assert opened.column("ts_end").to_pylist() == [None]
            assert before_ns < closed.column("ts_end").cast("int64").to_pylist()[0]

    run(scene())


def test_trades_of_one_id_are_counted_and_those_that_conflict_logged(run: Run) -> None:
    async def scene() -> None:
        [trade] = trades(1, 2)
        plays = [trade, trade, trade.replace(b'"1.5"', b'"1.25"'), trade]
        with exchange([plays]) as server, capture_logs() as logs:
            async with tickwire.FeedHandler([source(server.ws_url)]) as feed:
                await until(lambda: any(line["event"] == "conflicting_trades" for line in logs))
                await until(lambda: feed.summary()["messages"] == 4)
                await asyncio.sleep(0.5)
                summary = feed.summary()
        assert summary["rows"]["trades"] == 2
        assert (summary["duplicate_trades"], summary["conflicting_trades"]) == (2, 1)
        [line] = [line for line in logs if line["event"] == "conflicting_trades"]
        assert (line["venue"], line["count"], line["log_level"]) == ("hyperliquid", 1, "warning")

    run(scene())


def test_a_full_ring_drops_the_oldest_rows_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.05)  # a gap for each look, with losses
    monkeypatch.setattr(log, "LINE_EVERY_S", 1000.0)  # tests/ledger/test_log.py has a clock

    async def scene() -> None:
        n_trades = 40_000
        with exchange([trades(0, n_trades)]) as server, capture_logs() as logs:
            feed = tickwire.FeedHandler(
                [source(server.ws_url)], ring_rows=16_384, overflow="drop_oldest"
            )
            async with feed:
                consumer = feed.batches("trades")
                await until(lambda: feed.summary()["messages"] == n_trades)
                rows = sum([batch.num_rows async for batch in drained(consumer)])
                await asyncio.sleep(0.2)
                gaps = feed.batches("gaps").get_nowait()
                summary = feed.summary()
            assert rows + summary["dropped_rows"] == n_trades
            # A busy machine stands still, which is a gap of its own.
            cells = gaps.select(["table_name", "reason", "lost"]).to_pylist()
            dropped = [row for row in cells if row["reason"] == "overflow"]
            assert {row["table_name"] for row in dropped} == {"trades"}
            assert sum(row["lost"] for row in dropped) == summary["dropped_rows"] > 0
            lines = [
                line for line in logs if line["event"] == "gap" and line["reason"] == "overflow"
            ]
            # One at once, one of all others at the stop; the sums are whole.
            assert len(lines) == min(2, len(dropped))
            assert sum(line["lost"] for line in lines) == summary["dropped_rows"]

    run(scene())


async def drained(consumer: Any) -> Any:
    while not consumer.empty():
        yield consumer.get_nowait()


def test_a_full_ring_blocks_the_socket_until_the_consumer_comes(run: Run) -> None:
    async def scene() -> None:
        n_trades = 40_000
        with exchange([trades(0, n_trades)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)], ring_rows=16_384)
            async with feed:
                consumer = feed.batches("trades")
                await until(lambda: consumer.qsize() > 16_000)
                await asyncio.sleep(0.3)
                assert feed.summary()["messages"] < 16_384
                ids: list[str] = []
                while len(ids) < n_trades:
                    ids += (await consumer.get()).column("trade_id").to_pylist()
                assert ids == [str(number) for number in range(n_trades)]
                assert feed.summary()["gaps"] == 0

    run(scene())


def test_a_disconnect_while_a_full_ring_blocks_is_a_gap_of_that_reason(run: Run) -> None:
    async def scene() -> None:
        n_trades = 17_000  # a few more than the ring holds: the kernel keeps the others
        sent, blocked, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.shake_hands()
            if sent.is_set():
                await closed.wait()  # a connection of later is quiet
                await peer.answer_close()
                return
            _, request = await peer.read_frame()
            answer = hyperliquid_answer(json.loads(request))
            assert answer is not None
            await peer.send(text(answer))
            await peer.send(b"".join(text(one.decode()) for one in trades(0, n_trades)))
            sent.set()
            await blocked.wait()
            await peer.send(close(1008, "slow consumer"))
            closed.set()
            await peer.read_close()

        async with asyncio.timeout(60), serve_raw(script) as port:
            feed = tickwire.FeedHandler(
                [source(f"ws://127.0.0.1:{port}", backoff_max_s=0.05)], ring_rows=16_384
            )
            async with feed:
                rows, gaps = feed.batches("trades"), feed.batches("gaps")
                await sent.wait()
                assert feed._feed is not None
                session = feed._feed.sources[0].sessions[0]
                await until(lambda: session.is_paused)
                blocked.set()
                await closed.wait()
                ids: list[str] = []
                while len(ids) < n_trades:
                    ids += (await rows.get()).column("trade_id").to_pylist()
                await until(lambda: feed.summary()["connects"] == 2)
            assert ids == [str(number) for number in range(n_trades)]
            found = [
                row
                for batch in [batch async for batch in gaps]
                for row in batch.select(["gap_id", "reason", "state"]).to_pylist()
            ]
            both = {"gap_id": 0, "reason": "overflow"}
            assert found == [both | {"state": "open"}, both | {"state": "closed"}]

    run(scene())


def test_a_blocked_feed_can_be_stopped(run: Run) -> None:
    async def scene() -> None:
        with exchange([trades(0, 40_000)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)], ring_rows=16_384)
            async with feed:
                consumer = feed.batches("trades")
                await until(lambda: consumer.qsize() > 16_000)
            ids = [number async for batch in consumer for number in batch["trade_id"].to_pylist()]
            assert ids == [str(number) for number in range(len(ids))]
            assert len(ids) == feed.summary()["messages"]

    run(scene())


def test_a_sink_that_fails_stops_no_other(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = IpcSink._write

    def fail(sink: IpcSink, batches: Any) -> None:
        if sink.name == "broken":
            raise OSError(5, "Input/output error")
        write(sink, batches)

    async def scene() -> None:
        monkeypatch.setattr(IpcSink, "_write", fail)
        monkeypatch.setattr("tickwire.sinks.attempts.RETRY_AT_STOP_S", 0.1)
        with exchange([trades(0, 40_000)]) as server, capture_logs() as logs:
            sinks = [
                tickwire.IpcSink(path=tmp_path / "ipc"),
                tickwire.IpcSink(path=tmp_path / "other", name="broken"),
            ]
            feed = tickwire.FeedHandler([source(server.ws_url)], sinks, ring_rows=16_384)
            await feed.start()
            rows = 0
            async for batch in feed.batches("trades"):  # the feed goes on
                rows += batch.num_rows
                if rows == 40_000:
                    break
            assert feed.status().failing_sinks == ("broken",)
            assert feed._probe is not None
            parts = {each.name: each for each in feed._probe.components()}
            assert parts["sink broken"].state is State.DEGRADED
            assert parts["sink broken"].reasons[0].startswith("its rows wait: OSError")
            assert parts["sink ipc"].state is State.OK
            await feed.stop()
            lost = (
                "sink broken has not got 40,000 rows of trades, .*: OSError: .*Input/output error"
            )
            with pytest.raises(SinkError, match=lost):
                feed.raise_failure()
            summary = feed.summary()
            assert summary["rows_committed"]["ipc"]["trades"] == 40_000
            assert summary["rows_left"]["broken"]["trades"] == 40_000
            assert summary["sink_failures"]["broken"] > 1
            told = [line for line in logs if line["event"].startswith("a sink fails")]
            assert [line["sink"] for line in told] == ["broken"]

    run(scene())


def test_a_venue_may_be_declared_by_the_program(run: Run) -> None:
    async def scene() -> None:
        mine = replace(load("hyperliquid"), name="mine")
        with exchange([trades(0, 5)]) as server:
            async with tickwire.FeedHandler([source(server.ws_url, venue=mine)]) as feed:
                batch = await feed.batches("trades").get()
                assert set(batch.column("venue").to_pylist()) == {"mine"}

    run(scene())


def test_a_file_and_python_build_the_same_feed(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(
        '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
        'url = "ws://127.0.0.1:9"\n'
    )
    from_file = tickwire.FeedHandler.from_toml(path)
    by_hand = tickwire.FeedHandler([source("ws://127.0.0.1:9")])
    assert from_file.plan.sources == by_hand.plan.sources
    assert from_file.config.feed.state_dir == tmp_path / ".tickwire"
    assert by_hand.config.feed.state_dir is None
    with pytest.raises(ConfigError, match=r"source\[0\]\.channels"):
        tickwire.FeedHandler([source("ws://h", channels=["nothing"])])


def test_tickwire_run_runs_on_uvloop() -> None:
    async def which() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert tickwire.run(which()).startswith("uvloop")
    assert tickwire.run(which(), loop="asyncio").startswith("asyncio")


def test_rooms_are_loaded_when_they_are_named() -> None:
    code = "import tickwire, sys; assert 'duckdb' not in sys.modules; tickwire.session.connect"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603 - our own code


def test_a_feed_does_not_import_what_it_may_never_need() -> None:
    code = "import sys; from tickwire import FeedHandler; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)  # noqa: S603 - our own code
    assert not {"duckdb", "aiohttp", "python_socks"} & set(done.stdout.decode().split())


def test_the_package_gives_its_names_and_no_others() -> None:
    for name in tickwire.__all__:
        assert getattr(tickwire, name) is not None
        assert name in dir(tickwire)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tickwire.nothing  # type: ignore[attr-defined] # that is the point


def test_a_handler_takes_a_source_several_or_a_config(tmp_path: Path) -> None:
    one = source("ws://127.0.0.1:1")
    parquet = tickwire.ParquetSink(tmp_path)
    feeds = [
        tickwire.FeedHandler(one, parquet),
        tickwire.FeedHandler([one], [parquet]),
        tickwire.FeedHandler(
            tickwire.Config(tickwire.Feed(state_dir=None), (one,), (parquet,), "feeds.toml")
        ),
    ]
    for feed in feeds:
        assert feed.config.sources == (one,)
        assert feed.config.sinks == (parquet,)
        assert feed.config.feed == tickwire.Feed(state_dir=None)
        assert repr(feed) == "<FeedHandler main: not started, sources hyperliquid, sinks parquet>"
    assert tickwire.FeedHandler(one, ring_rows=16_384, name="x").config.feed == tickwire.Feed(
        ring_rows=16_384, name="x", state_dir=None
    )
    kept = tickwire.Config(tickwire.Feed(state_dir=tmp_path), (one,))
    assert tickwire.FeedHandler(kept).config.feed.state_dir == tmp_path
    assert tickwire.FeedHandler(kept, replays=True).config.feed.state_dir is None


@pytest.mark.parametrize(
    ("arguments", "keys", "error", "words"),
    [
        (([],), {}, ConfigError, "source: is required, at least one Source"),
        (("feeds.toml",), {}, TypeError, "write FeedHandler.from_toml\\('feeds.toml'\\)"),
        ((["hyperliquid"],), {}, TypeError, "sources: has a str, should be Source objects"),
        ((None,), {}, TypeError, "sources: is None, should be Source objects"),
        ((source("ws://h"), ["data"]), {}, TypeError, "sinks: has a str, should be such as"),
        ((source("ws://h"), "data"), {}, TypeError, "sinks: has a str, should be such as"),
        ((source("ws://h"),), {"ring_row": 1}, ConfigError, "did you mean 'ring_rows'"),
        (
            (tickwire.Config(tickwire.Feed(), (source("ws://h"),)),),
            {"name": "x"},
            TypeError,
            "give nothing else",
        ),
    ],
)
def test_what_a_handler_cannot_take_is_a_clear_error(
    arguments: tuple[Any, ...], keys: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        tickwire.FeedHandler(*arguments, **keys)


def test_a_source_says_what_it_is_and_shows_no_declaration() -> None:
    own = source("ws://h", venue=replace(load("hyperliquid"), name="mine"))
    assert "venue='<mine>'" in repr(own)
    assert len(repr(own)) < 600


def test_the_public_names_are_all_there() -> None:
    for name in tickwire.__all__:
        assert getattr(tickwire, name) is not None
    assert {"BatchConsumer", "Config", "Status", "errors"} <= set(tickwire.__all__)
