"""`tickwire query`: of a feed that runs, and of its files when it does not, in every form."""

import asyncio
import csv
import io
import json
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.program import command, environment, tickwire
from tests.feed.test_handler import until

import tickwire as library
from tickwire.config.sockets import query_socket
from tickwire.serve.client import Connection
from tickwire.serve.places import Place
from tickwire.serve.requests import Limits
from tickwire.sim import Simulator

COUNTS = "SELECT count(*) AS n, max(seq) AS last, count(DISTINCT seq) AS numbers FROM trades"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "market.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            "CREATE TABLE trades (seq BIGINT, ts TIMESTAMP_NS, price DOUBLE, text VARCHAR)"
        )
        database.execute(
            "INSERT INTO trades VALUES (1, '2026-01-02 03:04:05.123456789', 0.5, 'a,b'), "
            "(2, NULL, 'nan', 'é\n'), (3, NULL, NULL, NULL)"
        )
    return path


def test_a_running_feed_and_its_files_answer_the_same(tmp_path: Path) -> None:
    config = tmp_path / "feed.toml"

    async def main() -> dict[str, object]:
        async with Simulator(rate=500, symbols=("BTC",)) as sim:
            config.write_text(
                f'[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
                f'url = "{sim.ws_url}"\n[[sink]]\ntype = "duckdb"\npath = "market.duckdb"\n'
            )
            feed = library.FeedHandler.from_toml(config)
            async with feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 50)
                arguments = ("query", COUNTS, "--json", "--feed", config)
                asked = await asyncio.to_thread(tickwire, *arguments)
                assert asked.returncode == 0, asked.stderr
                [row] = json.loads(asked.stdout)
                assert row["n"] == row["last"] + 1 == row["numbers"] > 50
                refused = await asyncio.to_thread(
                    tickwire, "query", "DELETE FROM trades", "--feed", config
                )
                assert refused.returncode == 2
                assert refused.stderr == "tickwire: only SELECT may run, not DELETE\n"
                status = await asyncio.to_thread(tickwire, "status", config, "--json")
                assert json.loads(status.stdout)["queries"] == []
        return feed.summary()

    summary = asyncio.run(main())
    done = tickwire("query", COUNTS, "--json", "--feed", config)
    [row] = json.loads(done.stdout)
    assert row["n"] == row["numbers"] == summary["rows"]["trades"]


def test_a_table_for_people(output: Path) -> None:
    done = tickwire("query", "FROM trades ORDER BY seq", "--feed", output)
    assert done.stdout.splitlines() == [
        "seq  ts                             price  text",
        "  1  2026-01-02T03:04:05.123456789    0.5  a,b",
        "  2                                   nan  é?",
        "  3",
        "(3 rows)",
    ]


def test_json_csv_arrow_and_parquet(output: Path) -> None:
    sql = (
        "SELECT *, [1.5, 'inf'::DOUBLE] AS list, 'x'::BLOB AS data FROM trades ORDER BY seq LIMIT 2"
    )
    rows = json.loads(tickwire("query", sql, "--feed", output, "--json").stdout)
    assert rows[0] == {
        "seq": 1,
        "ts": "2026-01-02T03:04:05.123456789",
        "price": 0.5,
        "text": "a,b",
        "list": [1.5, None],
        "data": "eA==",
    }
    assert rows[1]["price"] is None
    assert (
        json.loads(tickwire("query", "FROM trades LIMIT 0", "--feed", output, "--json").stdout)
        == []
    )
    sql = "SELECT seq, text FROM trades ORDER BY seq"
    text = tickwire("query", sql, "--feed", output, "--csv").stdout
    assert [row["text"] for row in csv.DictReader(io.StringIO(text))] == ["a,b", "é\n", ""]
    path = output.parent / "x.parquet"
    assert tickwire("query", sql, "--feed", output, "--parquet", path).returncode == 0
    assert pq.read_table(path).column("seq").to_pylist() == [1, 2, 3]
    assert list(output.parent.glob(".*")) == []


def test_times_and_decimals_as_json(output: Path) -> None:
    sql = (
        "SELECT DATE '2026-01-02' AS a, TIME '03:04:05' AS b, 1.25::DECIMAL(5, 2) AS c, "
        "INTERVAL 90 SECOND AS d, 1 AS a, {'k': 'nan'::DOUBLE} AS e"
    )
    [row] = json.loads(tickwire("query", sql, "--feed", output, "--json").stdout)
    assert (row["a"], row["b"], row["c"], row["e"]) == (
        "2026-01-02",
        "03:04:05",
        "1.25",
        {"k": None},
    )
    assert row["a_2"] == 1


def test_errors_are_one_line_each(output: Path, tmp_path: Path) -> None:
    for code, arguments in (
        (2, ("SELECT 1", "--csv", "--json", "--feed", output)),
        (2, ("FROM nowhere", "--feed", output)),
        (2, ("SELECT 1", "--feed", output, "--limit-s", 0)),
        (1, ("SELECT nowhere FROM trades", "--feed", output)),
        (1, ("SELECT 1", "--feed", tmp_path / "nowhere")),
        (1, ("SELECT 1", "--feed", output, "--parquet", tmp_path / "no" / "x.parquet")),
        (1, ("SELECT * FROM range(10)", "--feed", output, "--max-rows", 5)),
        (1, ("SELECT [seq] FROM trades", "--feed", output, "--csv")),
    ):
        done = tickwire("query", *arguments)
        assert done.returncode == code, arguments
        assert done.stderr.startswith("tickwire: ")
        assert len(done.stderr.splitlines()) == 1


def test_arrow_goes_to_standard_output(output: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        command("query", "FROM trades", "--feed", output, "--arrow"),
        capture_output=True, env=environment(), check=True,
    )  # fmt: skip
    assert pa.ipc.open_stream(done.stdout).read_all().num_rows == 3


@pytest.mark.parametrize(("kind", "suffix"), [("parquet", "*.parquet"), ("ipc", "*.arrows")])
def test_a_feed_without_a_database_is_asked_too(tmp_path: Path, kind: str, suffix: str) -> None:
    sinks = {"parquet": library.ParquetSink, "ipc": library.IpcSink}
    path = tmp_path / "out"

    async def main() -> None:
        async with Simulator(rate=500, symbols=("BTC",)) as sim:
            source = library.Source(
                venue=sim.venue, channels=["trades"], symbols=["BTC"], url=sim.ws_url
            )
            feed = library.FeedHandler(
                [source], [sinks[kind](path=path)], state_dir=str(tmp_path / ".tickwire")
            )
            async with feed:
                await until(lambda: int(feed.summary()["rows"]["trades"]) > 50)
                connection = await asyncio.to_thread(_connected, tmp_path)
                rows = await asyncio.to_thread(lambda: connection.query(COUNTS).read_all())
                [row] = rows.to_pylist()
                assert row["n"] == row["last"] + 1 == row["numbers"] > 50

    asyncio.run(main())
    assert next(path.rglob(suffix)).exists()
    with library.connect(path) as connection:
        assert connection.query("SELECT count(*) FROM trades").read_all().num_rows == 1


def _connected(folder: Path) -> Connection:

    return Connection(Place("main", query_socket(folder / ".tickwire", "main")), Limits())
