"""`tickwire coverage`: the same of every sink, from the command line, the view and the query."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.cli.program import tickwire
from tests.cli.test_run import run_ok, source, trades
from tests.feed.exchange import exchange

from tickwire.cli.coverage import _share
from tickwire.cli.times import time_ns
from tickwire.ledger.coverage import coverage_sql

ROOT = Path(__file__).parents[2]
SAME = ("venue", "table", "symbol", "from", "to", "seconds")
SAME += ("complete_s", "missing_s", "unverifiable_s", "complete", "missing", "unverifiable")
SAME += ("gaps", "rows")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What three sinks have of a feed that was disconnected once."""
    folder = tmp_path_factory.mktemp("coverage")
    sinks = [("duckdb", "market.duckdb"), ("parquet", "data"), ("ipc", "streams")]
    sinks.append(("raw", "recording"))  # it has messages, and no tables
    with exchange([trades(0, 10), trades(15, 30)]) as server:
        text = "[[source]]\n" + "".join(
            f"{key} = {json.dumps(value)}\n"
            for key, value in source(server.ws_url, backoff_max_s=0.2).items()
        )
        for kind, path in sinks:
            text += f'[[sink]]\ntype = "{kind}"\npath = "{path}"\n'
        config = folder / "feeds.toml"
        config.write_text(text)
        run_ok(config, "--max-messages", 25)
    return folder


def streams(*arguments: object) -> list[dict[str, Any]]:
    done = tickwire("coverage", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return found


def same(stream: dict[str, Any]) -> dict[str, Any]:
    """What compares equal though DuckDB 1.4 cuts Parquet's times to us."""
    return {
        key: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
        for key, value in stream.items()
    }


def test_every_sink_of_a_configuration_gives_the_same(folder: Path) -> None:
    found = streams(folder / "feeds.toml")
    assert [each["sink"] for each in found] == ["duckdb", "parquet", "ipc"]
    first, *others = ({key: each[key] for key in SAME} for each in found)
    assert others == [same(first)] * 2
    assert (first["venue"], first["table"], first["symbol"]) == ("hyperliquid", "trades", "BTC")
    assert (first["gaps"], first["rows"]) == (1, 25)
    assert first["missing_s"] > 0
    shares = first["complete"] + first["missing"] + first["unverifiable"]
    assert shares == pytest.approx(1)


def test_an_output_alone_and_the_view_give_the_same(folder: Path) -> None:
    [first, *_] = streams(folder / "feeds.toml")
    for name in ("market.duckdb", "data", "streams"):
        [each] = streams(folder / name)
        assert {key: each[key] for key in SAME} == same({key: first[key] for key in SAME})
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
        view = connection.execute(
            "SELECT venue, table_name, symbol, complete_s, missing_s, unverifiable_s FROM coverage"
        ).fetchall()
    assert view == [tuple(first[key] for key in ("venue", "table", "symbol", *SAME[6:9]))]


def test_the_query_can_be_printed_and_is_the_documented_one(folder: Path) -> None:
    [first, *_] = streams(folder / "feeds.toml")
    done = tickwire("coverage", folder / "data", "--sql")
    [row] = duckdb.sql(done.stdout).fetchall()
    assert row[6:9] == pytest.approx([first[key] for key in SAME[6:9]], abs=1e-5)
    text = (ROOT / "docs" / "coverage.md").read_text()
    documented = re.findall(r"```sql\n(.*?);\n```", text, re.S)[-1]
    assert documented == coverage_sql(
        {
            name: f"read_parquet('data/{name}/**/*.parquet', hive_partitioning = true, "
            "union_by_name = true)"
            for name in ("trades", "book", "gaps")
        },
        "parquet",
    )


def test_streams_and_times_can_be_chosen(folder: Path) -> None:
    assert streams(folder / "data", "--symbol", "ETH") == []
    assert streams(folder / "data", "--table", "book") == []
    [each] = streams(folder / "data", "--from", "2000-01-01", "--to", "2000-01-02T00:00:00Z")
    assert (each["seconds"], each["complete_s"], each["rows"]) == (86_400, 0, 0)


def test_people_get_columns(folder: Path) -> None:
    done = tickwire("coverage", folder / "market.duckdb")
    head, row = done.stdout.splitlines()
    assert head.split()[:4] == ["sink", "venue", "table", "symbol"]
    assert row.split()[:3] == ["hyperliquid", "trades", "BTC"]


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database" * 1000)
    (tmp_path / "empty").mkdir()
    for arguments, code, text in (
        ([folder / "nothing"], 1, "there is no such file or folder"),
        ([tmp_path / "text.duckdb"], 1, "cannot be read"),
        ([tmp_path / "empty"], 1, "has no table gaps"),
        ([folder / "data", "--from", "yesterday"], 2, "should be ISO 8601"),
    ):
        done = tickwire("coverage", *arguments)
        assert done.returncode == code
        [line] = done.stderr.splitlines()
        assert text in line


def test_times_are_read_to_the_nanosecond_in_any_zone() -> None:
    assert time_ns(None, "--to") is None
    for text in ("1970-01-02", "1970-01-02T00:00Z", "1970-01-02T02:00+02:00"):
        assert time_ns(text, "--to") == 86_400 * 10**9
    assert time_ns("1970-01-01T00:00:01.123456789", "--to") == 1_123_456_789


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    assert [_share(each) for each in (None, 0.0, 1e-9, 0.5, 1 - 1e-9, 1.0)] == [
        "-",
        "0.000%",
        "<0.001%",
        "50.000%",
        ">99.999%",
        "100.000%",
    ]
