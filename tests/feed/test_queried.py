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
from tickwire.config.sockets import query_socket
from tickwire.feed.queried import _cursor
from tickwire.serve.places import find, noted_outputs
from tickwire.serve.requests import QueryError
from tickwire.serve.statements import QueryRefused
from tickwire.sim import Simulator
from tickwire.sinks.duckdb import DuckDBSettings

N_CLIENTS = 4
ENOUGH = 12  # answers of each client


@pytest.mark.volume
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
                connection.query(
                    "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c"
                )
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


def test_a_table_of_no_sink_is_what_the_ring_holds_and_a_closed_sink_is_an_error(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with Simulator(rate=500, symbols=("BTC",)) as sim:
            source = tickwire.Source(
                venue=sim.venue, channels=["trades", "quotes"], symbols=["BTC"], url=sim.ws_url
            )
            sinks = [
                tickwire.DuckDBSink(path=tmp_path / "market.duckdb", tables=["trades"]),
                tickwire.DuckDBSink(name="other", path=tmp_path / "other.duckdb", tables=["gaps"]),
            ]
            feed = tickwire.FeedHandler([source], sinks)
            async with feed:
                await until(lambda: int(feed.summary()["rows"]["quotes"]) > 20)
                async with feed.duckdb() as cursor:
                    sql = "SELECT count(*) AS n FROM quotes, (FROM trades LIMIT 1)"
                    assert (await cursor.query(sql)).to_pylist()[0]["n"] > 20
                    with pytest.raises(QueryRefused, match="gaps is in the file of sink other"):
                        await cursor.query("FROM gaps")
                with pytest.raises(QueryError, match="is not open; try again"):
                    _cursor(DuckDBSettings(tmp_path / "closed.duckdb").make_sink("feed"))

    asyncio.run(main())


def test_notes_that_cannot_be_kept_stop_no_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with Simulator(rate=200, symbols=("BTC",)) as sim:
            source = tickwire.Source(
                venue=sim.venue, channels=["trades"], symbols=["BTC"], url=sim.ws_url
            )
            folder = tmp_path / ".tickwire"
            noted_outputs(folder, "main").mkdir(parents=True)
            async with tickwire.FeedHandler([source], state_dir=str(folder)) as feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 0)
                assert query_socket(folder, "main").exists()

    asyncio.run(main())


def test_a_configuration_whose_secrets_are_not_set_here_names_its_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    fine = '[[source]]\nvenue = "binance"\nchannels = ["trades"]\nsymbols = ["B"]\n'
    text = fine + (
        '[[source]]\nvenue = "binance"\nchannels = ["trades"]\nsymbols = ["A"]\n'
        'headers = { key = "{env:NO_SUCH_SECRET}" }\n[[sink]]\ntype = "parquet"\npath = "data"\n'
    )
    path.write_text(text)
    assert [output.type for output in find(str(path)).outputs] == ["parquet"]
    path.write_text("[feed]\nnothing = 1\n")
    with pytest.raises(tickwire.errors.ConfigError):
        find(str(path))
