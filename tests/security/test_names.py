"""Names from the network and the configuration reach paths and SQL, and stay names there."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.feed.exchange import exchange
from tests.security.messages import trade

import tickwire
from tickwire.capture import CaptureWriter
from tickwire.errors import ConfigError, PlanError
from tickwire.schema import TABLES
from tickwire.venues import load

HOSTILE = (
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "~root",
    "%2e%2e%2f",
    'a"; DROP TABLE trades;--',
    "a'; DROP TABLE trades;--",
    "nul\0here",
    "new\nline",
    "con",
    "-rf",
    "*?[x]",
    "$(touch x)`touch y`",
    "\u202egnp.exe",
    "\U0001f4a5" * 63,
    "x" * 255,
    " ",
)


def mids(names: Sequence[str]) -> bytes:
    prices = dict.fromkeys(names, "2.5")
    return json.dumps({"channel": "allMids", "data": {"mids": prices}}).encode()


def sinks(folder: Path) -> list[Any]:
    return [
        tickwire.DuckDBSink(path=folder / "market.duckdb"),
        tickwire.ParquetSink(path=folder / "parquet"),
        tickwire.IpcSink(path=folder / "ipc"),
    ]


async def collect(feed: tickwire.FeedHandler, table: str, n_rows: int) -> None:
    """Run a feed until a table has so many rows."""
    async with feed, asyncio.timeout(30):
        consumer = feed.batches(table)
        while n_rows > 0:
            n_rows -= (await consumer.get()).num_rows


def outside(folder: Path, inside: Path) -> set[str]:
    """Give everything in `folder` that is not under `inside`."""
    found = {path for path in folder.rglob("*") if not path.is_relative_to(inside)}
    return {str(path.relative_to(folder)) for path in found if path not in inside.parents}


def here() -> set[str]:
    """Give what lies in the working folder, without what tools leave there."""
    return {path.name for path in Path().iterdir() if path.name[0] not in "._"}


@contextmanager
def cell(tmp_path: Path) -> Iterator[Path]:
    """Give a folder deep enough that what climbs out of it lands where it is seen."""
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    before = here()
    yield inside
    assert outside(tmp_path, inside) == set()
    assert here() == before


def symbols_of(folder: Path, table: str) -> dict[str, list[str]]:
    """Give the symbols that stand in each output."""
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
        names = connection.sql("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        assert names == [(name,) for name in sorted((table, "gaps", "sessions", "quarantine"))]
        in_database = [s for (s,) in connection.sql(f"SELECT symbol FROM {table}").fetchall()]  # noqa: S608 - our own table
    dataset = ds.dataset(folder / "parquet" / table, format="parquet", partitioning="hive")
    (stream,) = (folder / "ipc" / table).glob("*.arrows")
    with pa.OSFile(str(stream)) as file:
        in_stream = pa.ipc.open_stream(file).read_all()
    return {
        "duckdb": sorted(in_database),
        "parquet": sorted(dataset.to_table().column("symbol").to_pylist()),
        "ipc": sorted(in_stream.column("symbol").to_pylist()),
    }


async def test_symbols_of_the_configuration_and_the_wire(tmp_path: Path) -> None:
    with cell(tmp_path) as folder:
        messages = [trade(number, symbol) for number, symbol in enumerate(HOSTILE)]
        # Symbols that the source does not name give no row; what comes last gives one.
        messages.insert(0, messages.pop())
        messages.insert(3, trade(77, "../../not-asked"))
        usable = [symbol for symbol in HOSTILE if symbol.strip()]
        with exchange([messages]) as server:
            source = tickwire.Source(
                venue="hyperliquid", channels=["trades"], symbols=usable, url=server.ws_url
            )
            feed = tickwire.FeedHandler([source], sinks(folder), state_dir=folder / "state")
            await collect(feed, "trades", len(usable))
        asked = [request["subscription"]["coin"] for request in server.requests]
        assert sorted(asked) == sorted(usable)
        assert feed.summary()["unconfigured_rows"] == {"trades": 2}
        expected = sorted(usable)
        assert symbols_of(folder, "trades") == dict.fromkeys(("duckdb", "parquet", "ipc"), expected)


async def test_symbols_that_only_the_wire_brings(tmp_path: Path) -> None:
    with cell(tmp_path) as folder:
        with exchange([[mids(HOSTILE)]]) as server:
            source = tickwire.Source(
                venue="hyperliquid", channels=["mids"], symbols=["*"], url=server.ws_url
            )
            feed = tickwire.FeedHandler([source], sinks(folder), state_dir=folder / "state")
            await collect(feed, "mids", len(HOSTILE))
        expected = sorted(HOSTILE)
        assert symbols_of(folder, "mids") == dict.fromkeys(("duckdb", "parquet", "ipc"), expected)


@pytest.mark.parametrize("name", [HOSTILE[0], *HOSTILE[2:5], *HOSTILE[6:10], HOSTILE[14]])
async def test_names_of_feeds_and_venues(tmp_path: Path, name: str) -> None:
    named = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    if "\0" in name or "\n" in name:
        with pytest.raises(ConfigError, match="name"):
            tickwire.FeedHandler(named, name=name)
        return
    with cell(tmp_path) as folder, exchange([[trade(1)]]) as server:
        venue = load("hyperliquid")
        if name.isprintable():
            venue = replace(venue, name=name)
        else:
            with pytest.raises(PlanError, match="should be printable text"):
                replace(venue, name=name)
        source = tickwire.Source(
            venue=venue, channels=["trades"], symbols=["BTC"], url=server.ws_url
        )
        feed = tickwire.FeedHandler([source], sinks(folder), name=name, state_dir=folder / "state")
        await collect(feed, "trades", 1)
        assert symbols_of(folder, "trades")["duckdb"] == ["BTC"]
        with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
            assert connection.sql("SELECT venue FROM trades").fetchall() == [(venue.name,)]
            pattern = f"{folder}/parquet/trades/**/*.parquet"
            rows = connection.read_parquet(pattern, hive_partitioning=True)
            assert rows.select("venue").fetchall() == [(venue.name,)]
        kept = ("json", "lock", "outputs.json", "streams.json")
        assert {path.name for path in (folder / "state").iterdir() if path.is_file()} == {
            f"{quote(name, safe='')}.{of_feed}" for of_feed in kept
        }
        assert len(list((folder / "state" / "spill").iterdir())) == 1


@pytest.mark.parametrize("name", ["x" * 65, "\U0001f4a5" * 20, "", "a\nb"])
def test_a_feed_s_name_fits_a_file_name(name: str) -> None:
    named = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"])
    with pytest.raises(ConfigError, match=r"^name: "):
        tickwire.FeedHandler(named, name=name)


def test_a_venue_s_name_fits_a_folder_s() -> None:
    venue = replace(load("hyperliquid"), name="\U0001f4a5" * 30)
    source = tickwire.Source(venue=venue, channels=["trades"], symbols=["BTC"])
    with pytest.raises(ConfigError, match=r"source\[0\]\.venue: has a name of more than 240 bytes"):
        tickwire.FeedHandler([source])


@pytest.mark.parametrize(
    "name", ["md:market", ":memory:", "postgres:x", "sqlite:x", "http://h/x", "a'b\"; --", "~"]
)
def test_a_database_s_path_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # DuckDB takes some prefixes for other databases, and fetches extensions for them.
    monkeypatch.chdir(tmp_path)
    if "/" in name:
        Path(name).parent.mkdir(parents=True)
    sink = tickwire.DuckDBSink(path=name).make_sink("main")
    sink.open([TABLES["trades"]])
    sink.stop()
    assert (tmp_path / name).is_file()


def test_a_capture_stays_where_it_was_asked_for(tmp_path: Path) -> None:
    with cell(tmp_path) as folder, CaptureWriter(folder / "day.jsonl") as writer:
        for number, name in enumerate(HOSTILE):
            writer.write_message(trade(number, name), number)
            writer.write_answer(number, f"https://h/{name}", b"{}")
        assert {path.name for path in folder.iterdir()} == {
            "day.jsonl",
            "day.meta.tsv",
            "day.rest.jsonl",
        }
    assert (folder / "day.rest.jsonl").read_text().count("\n") == len(HOSTILE)
