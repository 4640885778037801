"""Queries of a feed that runs, over real sockets and a real DuckDB file: each answer is checked."""

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest
from benchmarks.query import QUESTION, checked
from tests.feed.test_handler import until

import tickwire
from tickwire.serve.places import find, noted_outputs
from tickwire.serve.query_server import query_socket
from tickwire.sim import Simulator

N_CLIENTS = 4
ENOUGH = 12  # answers of each client


def test_every_answer_is_the_rows_up_to_some_seq(tmp_path: Path) -> None:
    config = tmp_path / "feed.toml"
    answers: list[tuple[int, int, int]] = []

    def ask() -> None:
        with tickwire.connect(config, limit_s=30) as connection:
            for _ in range(ENOUGH):
                [row] = connection.query(QUESTION).read_all().to_pylist()
                answers.append((row["n"], row["last"], row["sum"]))

    async def main() -> None:
        async with Simulator(rate=2000) as sim:
            config.write_text(
                '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades", "quotes"]\n'
                f'symbols = ["BTC", "ETH"]\nurl = "{sim.ws_url}"\n'
                '[[sink]]\ntype = "duckdb"\npath = "market.duckdb"\nflush_ms = 10\n'
            )
            async with tickwire.FeedHandler.from_toml(config) as feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 0)
                clients = [threading.Thread(target=ask) for _ in range(N_CLIENTS)]
                for client in clients:
                    client.start()
                for client in clients:
                    await asyncio.to_thread(client.join)
                assert feed.pipeline is not None
                registry = feed.pipeline.registry
                assert registry.total("queries") == N_CLIENTS * ENOUGH
                assert registry.total("queries_failed") == 0

    asyncio.run(main())
    assert len(answers) == N_CLIENTS * ENOUGH
    assert answers[-1][0] > answers[0][0] > 0
    assert checked(tmp_path / "market.duckdb", answers) == []
    n_rows, last, total = answers[-1]
    assert checked(tmp_path / "market.duckdb", [(n_rows, last, total ^ 1)])
    assert checked(tmp_path / "market.duckdb", [(n_rows - 1, last, total)])


def test_a_feed_notes_its_outputs_and_ends_its_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed: list[str] = []

    def ask() -> None:
        with tickwire.connect("main", limit_s=60) as connection:
            try:
                connection.query("SELECT count(*) FROM range(1000000000) a, range(1000000000) b")
            except tickwire.errors.TickwireError as error:
                failed.append(str(error))

    async def main() -> None:
        async with Simulator(rate=200, symbols=("BTC",)) as sim:
            source = tickwire.Source(
                venue=sim.venue, channels=["trades"], symbols=["BTC"], url=sim.ws_url
            )
            sinks = [tickwire.ParquetSink(path="data"), tickwire.DuckDBSink(path="market.duckdb")]
            feed = tickwire.FeedHandler([source], sinks, state_dir=".tickwire")
            async with feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 0)
                client = threading.Thread(target=ask)
                client.start()
                assert feed._probe is not None
                await until(lambda: bool(feed._probe.details()["queries"]))
                began_s = time.monotonic()
            assert time.monotonic() - began_s < 15
            client.join()

    asyncio.run(main())
    assert failed
    assert not query_socket(Path(".tickwire"), "main").exists()
    noted = json.loads(noted_outputs(Path(".tickwire"), "main").read_text())
    assert [each["type"] for each in noted["outputs"]] == ["parquet", "duckdb"]
    assert [output.type for output in find("main").outputs] == ["duckdb", "parquet"]
    with tickwire.connect("main") as connection:
        [row] = connection.query("SELECT count(*) AS n FROM trades").read_all().to_pylist()
        assert row["n"] > 0
    assert next(Path("data").rglob("*.parquet")).exists()
