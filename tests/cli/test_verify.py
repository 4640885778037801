"""`tickwire verify`: equal outputs are equal, and one cell that differs is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from tests.cli.program import started, tickwire, write_config
from tests.cli.test_record import n_messages, wait_until
from tests.cli.test_run import source, trades
from tests.feed.exchange import exchange, hyperliquid_answer
from tests.sim.alike import one_of_each
from tests.sinks.batches import all_tables, batch_of, open_sink, write_all

from tickwire.capture import CaptureWriter
from tickwire.capture.convert import convert
from tickwire.cli.verify import LEFT_OUT, OF_A_RUN, Rows, _compared, _difference, sources_of
from tickwire.errors import TickwireError
from tickwire.schema import TABLES
from tickwire.serve.outputs import opened

N_ROWS = 300


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the same rows in every kind of output."""
    folder = tmp_path_factory.mktemp("outputs")
    tables = [table for table in all_tables() if table.name in TABLES]
    for kind, path in (("duckdb", "a.duckdb"), ("parquet", "parquet"), ("ipc", "ipc")):
        write_all(
            open_sink(kind, folder / path, tables),
            {table.name: [batch_of(table, N_ROWS, 0, seed=1)] for table in tables},
        )
    return folder


@pytest.mark.parametrize("other", ["parquet", "ipc", "a.duckdb"])
def test_the_same_rows_are_equal_in_every_output(outputs: Path, other: str) -> None:
    done = tickwire("verify", outputs / "a.duckdb", outputs / other)
    assert done.returncode == 0, done.stderr
    for table in set(TABLES) - set(OF_A_RUN):
        assert f"{table}: {N_ROWS} rows, equal" in done.stdout


CHANGED = {
    "VARCHAR": "coalesce({0}, '') || 'x'",
    "BOOLEAN": "NOT coalesce({0}, false)",
    "TIMESTAMP_NS": "coalesce({0}, TIMESTAMP_NS '1970-01-01') + INTERVAL 1 MICROSECOND",
    "BLOB": "coalesce({0}, ''::BLOB) || 'x'::BLOB",
}


@pytest.mark.parametrize(
    "table", one_of_each(sorted(set(TABLES) - set(OF_A_RUN)), set(TABLES) - {"trades", "gaps"})
)
def test_a_change_in_one_cell_of_any_column_is_found(outputs: Path, table: str) -> None:
    with opened(outputs / "a.duckdb") as (connection, relations):
        relation = relations[table]
        described = connection.execute(f"DESCRIBE {table}").fetchall()
        columns = {row[0]: row[1] for row in described}
        same = Rows(connection, relation, columns)
        assert _difference(table, same, same) == ""
        for name, kind in columns.items():
            if name in LEFT_OUT:
                continue
            otherwise = "CASE WHEN {0} = 7 THEN 8 ELSE 7 END"
            value = CHANGED.get(kind, otherwise).format(f'"{name}"')
            changed = f'CASE WHEN seq = 123 THEN {value} ELSE "{name}" END AS "{name}"'
            query = f"(SELECT * REPLACE ({changed}) FROM {relation})"  # noqa: S608 - our own names
            other = Rows(connection, query, columns)
            found = _difference(table, same, other)
            assert f"table {table}, row 124, column {name}:" in found


def test_rows_that_are_missing_are_found(outputs: Path, tmp_path: Path) -> None:
    shutil.copy(outputs / "a.duckdb", tmp_path / "b.duckdb")
    with duckdb.connect(str(tmp_path / "b.duckdb")) as connection:
        connection.execute("DELETE FROM trades WHERE seq >= 290")
    done = tickwire("verify", outputs / "a.duckdb", tmp_path / "b.duckdb")
    assert done.returncode == 1
    assert "table trades: 300 and 290 rows, the first 290 equal" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_equals_the_tables_of_its_run(tmp_path: Path) -> None:
    with exchange([trades(0, 2000)], hyperliquid_answer) as venue:
        config = write_config(tmp_path, source(venue.ws_url, check_symbols=False))
        with config.open("a") as file:
            file.write('[[sink]]\ntype = "raw"\npath = "rec"\nflush_ms = 5\n')
        with started("run", config) as process:
            wait_until(lambda: (tmp_path / "rec").exists() and venue.played.is_set())
            wait_until(lambda: n_messages(tmp_path / "rec") == 2000)
            process.terminate()
            assert process.wait(30) == 0
    for output in ("market.duckdb", "data"):
        done = tickwire("verify", tmp_path / "rec", tmp_path / output)
        assert done.returncode == 0, done.stderr
        assert "trades: 2,000 rows, equal" in done.stdout
    with duckdb.connect(str(tmp_path / "market.duckdb")) as connection:
        connection.execute("UPDATE trades SET size = 7 WHERE seq = 1000")
    done = tickwire("verify", tmp_path / "rec", tmp_path / "market.duckdb", "--config", config)
    assert done.returncode == 1
    assert "table trades, row 1001, column size: '0.1' and '7.0'" in done.stderr


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = tickwire("verify", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 1
    assert "there is no such file" in done.stderr


def test_a_table_that_neither_has_is_an_error(outputs: Path) -> None:
    done = tickwire("verify", outputs / "ipc", outputs / "parquet", "--table", "tardes")
    assert done.returncode == 1
    assert "neither of the two has a table tardes" in done.stderr


def test_a_table_that_is_named_is_compared_alone(outputs: Path) -> None:
    done = tickwire("verify", outputs / "ipc", outputs / "parquet", "--table", "gaps")
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["gaps"]


def test_outputs_without_a_table_in_common_are_an_error() -> None:
    with duckdb.connect() as connection:
        rows = Rows(connection, "none", {})
        assert _compared([{"mids": rows}, {"gaps": rows}], [False, False], None) == ["mids"]
        with pytest.raises(TickwireError, match="no table in common"):
            _compared([{"gaps": rows}, {"sessions": rows}], [False, False], None)
        with pytest.raises(TickwireError, match="no table in common"):
            _compared([{"mids": rows}, {"gaps": rows}], [True, False], None)


def relation(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    described = connection.execute(f"DESCRIBE {query}").fetchall()
    return Rows(connection, f"({query})", {row[0]: row[1] for row in described})


def test_a_table_or_a_column_that_one_lacks_is_named() -> None:
    with duckdb.connect() as connection:
        two = relation(connection, "SELECT n AS seq, n AS price FROM range(2) t(n)")
        none = relation(connection, "SELECT n AS seq, n AS price FROM range(0) t(n)")
        assert _difference("mids", two, None) == "table mids: the second one has none"
        assert _difference("mids", None, two) == "table mids: the first one has none"
        assert _difference("mids", None, none) == _difference("mids", none, None) == ""
        more = relation(connection, "SELECT n AS seq, n AS price, n AS size FROM range(2) t(n)")
        lacking = "table mids: the {} one has no column size"
        assert _difference("mids", more, two) == lacking.format("second")
        assert _difference("mids", two, more) == lacking.format("first")


def test_texts_are_equal_however_an_output_keeps_them() -> None:
    with duckdb.connect() as connection:
        text = relation(connection, "SELECT 1 AS seq, 'buy' AS side")
        code = relation(connection, "SELECT 1 AS seq, 'buy'::ENUM('sell', 'buy') AS side")
        assert code.columns["side"].startswith("ENUM")
        assert _difference("trades", text, code) == ""


def test_a_recording_without_sources_needs_a_configuration(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "day.jsonl") as writer:
        writer.write_message(b"{}", 1, 0)
    convert(tmp_path / "day.jsonl", tmp_path / "rec")
    with pytest.raises(TickwireError, match="names no sources; give --config"):
        sources_of(tmp_path / "rec", None)
    config = write_config(tmp_path, source("ws://h", check_symbols=False))
    assert [each.venue for each in sources_of(tmp_path / "rec", config)] == ["hyperliquid"]
