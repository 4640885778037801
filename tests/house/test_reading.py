"""Every block of docs/reading.md is run, beside files that our sinks have written."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.cli.program import tickwire
from tests.sinks.batches import SETTINGS, batch_of, write_all

from tickwire import __version__
from tickwire.clock import wall_ns
from tickwire.feed import LightConsumer, RowConsumer
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Column, Kind

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
TRADES = TABLES["trades"]
WIDER = TRADES.with_extras((Column("tx_hash", Kind.TEXT, nullable=True),))
N_ROWS = 50  # of each run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with all sinks' files: a run without extras, then one with them."""
    folder = tmp_path_factory.mktemp("reading")
    now_ns = wall_ns()
    for run, table in enumerate((TRADES, WIDER)):
        first = run * N_ROWS
        batch = batch_of(
            table,
            N_ROWS,
            first,
            venue=["hyperliquid"] * N_ROWS,
            symbol=["BTC", "ETH"] * (N_ROWS // 2),
            price=[2.0] * N_ROWS,
            size=[3.0] * N_ROWS,
            ts_recv=[now_ns + row for row in range(first, first + N_ROWS)],
        )
        for kind, name in (("duckdb", "market.duckdb"), ("parquet", "data"), ("ipc", "ipc")):
            sink = SETTINGS[kind](path=folder / name).make_sink("main")
            sink.open([table], ["hyperliquid"])
            write_all(sink, {"trades": [batch]})
    return folder


def block(having: str) -> str:
    [found] = [text for _, text in BLOCKS if having in text]
    return str(found)


def printed(folder: Path, having: str, time_zone: str = "Asia/Seoul") -> str:
    done = subprocess.run(  # noqa: S603 - our own page
        [sys.executable, "-c", block(having)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TZ": time_zone},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text: str) -> list[int]:
    """Give the numbers that stand alone in a cell."""
    return [int(number) for number in re.findall(r"│\s+(\d+)\s+│", text)]


def test_every_block_is_run_here() -> None:
    assert sorted(name for name, _ in BLOCKS) == [*["python"] * 12, "sh"]


def test_sql_is_answered(folder: Path) -> None:
    (folder / "feeds.toml").write_text(
        '[[source]]\nvenue = "hyperliquid"\nchannels = ["trades"]\nsymbols = ["BTC"]\n'
        '[[sink]]\ntype = "duckdb"\npath = "market.duckdb"\n'
    )
    shown = printed(folder, "tickwire.connect")
    assert "100" in shown
    assert "[('BTC', 2.0)" in shown or "[('ETH', 2.0)" in shown
    [program, *arguments] = shlex.split(block("tickwire query"))
    done = tickwire(*arguments, cwd=folder)
    assert program == "tickwire"
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["symbol", "trades", "latest"]
    assert done.stdout.splitlines()[-1] == "(2 rows)"


def test_rows_had_by_rest_are_found(folder: Path) -> None:
    with duckdb.connect(str(folder / "market.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE sessions AS SELECT 'backfill' AS event, min(conn) AS conn FROM trades"
        )
    assert re.findall(r"(BTC|ETH) +│ +(\d+)", printed(folder, "AS had_by_rest")) != []


def test_duckdb_reads_the_dataset(folder: Path) -> None:
    shown = printed(folder, "AS notional")
    assert re.findall(r"(BTC|ETH) +│ +(\d+) +│ +([\d.]+)", shown) == [
        (symbol, "50", "300.0") for symbol in re.findall("BTC|ETH", shown)
    ]
    assert len(re.findall("BTC|ETH", shown)) == 2


def test_polars_reads_the_dataset(folder: Path) -> None:
    shown = printed(folder, 'extra_columns="ignore"')
    assert sorted(re.findall(r"(BTC|ETH) +┆ (\d+)", shown)) == [("BTC", "50"), ("ETH", "50")]


@pytest.mark.parametrize(
    ("having", "expected"),
    [("diagonal_relaxed", "shape: (100, 2)"), ("unify_schemas", "tx_hash: string")],
)
def test_columns_that_were_added_later_are_read(folder: Path, having: str, expected: str) -> None:
    assert expected in printed(folder, having)


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1 cuts Parquet's times to us")
@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Seoul", "America/St_Johns"])
def test_times_compare_in_any_time_zone(folder: Path, time_zone: str) -> None:
    last_hour, in_both, *in_days = numbers(printed(folder, "AS in_both", time_zone))
    assert (last_hour, in_both, sum(in_days)) == (100, 100, 100)


def test_streams_are_read(folder: Path) -> None:
    assert printed(folder, "ipc/trades").split() == ["50", "50"]


def test_batches_whose_dictionaries_grow_go_to_an_arrow_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = Ring(TABLES["mids"], 1024, Dictionaries())
    consumer = Consumer(ring)
    batches = []
    for i in range(20):
        ring.append(venue="hyperliquid", symbol=f"C{i}", ts_recv=i, conn=1, price=1.5)
        batches.append(consumer.take())
    monkeypatch.chdir(tmp_path)
    exec(compile(block("emit_dictionary_deltas"), "reading.md", "exec"), {"batches": batches})  # noqa: S102
    assert capsys.readouterr().out == "20\n"
    assert len({len(batch["symbol"].dictionary) for batch in batches}) == 20


@pytest.mark.parametrize("having", ['form="light"', "feed.rows"])
async def test_light_batches_and_rows_are_read(
    having: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = Ring(TRADES, 1024, Dictionaries())
    for price in (2.0, 7.0, 3.0):
        ring.append(
            venue="v",
            symbol="BTC",
            conn=0,
            channel="trades",
            price=price,
            size=1.0,
            side="buy",
            trade_id="1",
        )

    class Feed:
        """A feed that ends."""

        def batches(self, table: str, *, form: str) -> LightConsumer:
            assert (table, form) == ("trades", "light")
            return self.ended(LightConsumer(ring))

        def rows(self, table: str) -> RowConsumer:
            return self.ended(RowConsumer(ring))

        def ended(self, consumer: Any) -> Any:
            consumer.shutdown()
            return consumer

    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    names: dict[str, Any] = {"feed": Feed()}
    await eval(compile(block(having), "reading.md", "exec", flags=flags), names)  # noqa: S307 - our own
    if having == "feed.rows":
        assert names["best"] == {"BTC": 7.0}
    else:
        assert capsys.readouterr().out == "3 7.0 BTC\n"
        assert names["table"].num_rows == names["frame"].height == 3


def test_metadata_is_shown(folder: Path) -> None:
    shown = printed(folder, "tickwire.version")
    assert f"{__version__.encode()} b'hyperliquid'" in shown
    assert "b'quote currency'" in shown
    assert "tickwire.feed=main" in shown
