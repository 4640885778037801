"""What a run says in a terminal when it is over."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.program import tickwire, write_config
from tests.cli.test_live import MIDS, SOURCE, in_a_terminal
from tests.feed.exchange import exchange

from tickwire.cli.report import elapsed, report_lines

SUMMARY = {
    "feed": "main", "seconds": 100.0, "messages": 123_456, "connects": 3, "reconnects": 2,
    "rows": {"trades": 50_000, "book": 0, "gaps": 3}, "dropped_rows": 0,
    "rows_committed": {"duckdb": {"trades": 49_999}, "parquet": {"trades": 50_000, "gaps": 3}},
    "refusals": [],
}  # fmt: skip
TARGETS = {"duckdb": "/data/m.duckdb", "parquet": "/data/pq"}


def test_totals_gaps_and_paths_are_there() -> None:
    gaps = {"trades": {"disconnect": 2, "stale": 0}, "book": {"sequence": 1}}
    assert report_lines(SUMMARY, gaps, {"book": {"sequence": 1}}, TARGETS) == [
        "main: 1 min 40 s, 123,456 messages (1,235/s), 3 connects, 2 of them reconnects",
        "  table     rows  duckdb  parquet",
        "  trades  50,000  49,999   50,000",
        "  gaps         3       0        3",
        "  gaps of trades: 2 disconnect",
        "  gaps of book: 1 sequence (1 open)",
        "  duckdb: /data/m.duckdb",
        "  parquet: /data/pq",
    ]


def test_refusals_and_losses_are_named() -> None:
    summary = {**SUMMARY, "dropped_rows": 7, "refusals": [f"no {n}" for n in range(12)]}
    lines = report_lines(summary, {}, {}, {})
    assert "  no gaps" in lines
    assert "  7 rows were overwritten unread" in lines
    assert lines[-3:] == ["  refused: no 8", "  refused: no 9", "  refused: 2 more"]


def test_what_never_connected_is_named() -> None:
    lines = report_lines({**SUMMARY, "never_connected": ["okx: wss://h: refused"]}, {}, {}, {})
    assert lines[-1] == "  never connected: okx: wss://h: refused"


def test_a_run_without_rows() -> None:
    summary = {**SUMMARY, "rows": {"trades": 0}, "seconds": 0, "messages": 0}
    assert report_lines(summary, {}, {}, {})[1] == "  no rows"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.21, "4.2 s"), (303, "5 min 3 s"), (7_502, "2 h 5 min"), (273_800, "3 d 4 h")],
)
def test_a_time_is_put_as_people_read_it(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_a_run_in_a_terminal_ends_with_its_report(tmp_path: Path) -> None:
    with exchange([[MIDS] * 20]) as server:
        config = write_config(tmp_path, {**SOURCE, "url": server.ws_url})
        code, out, seen = in_a_terminal("run", config, "--duration", 1)
        done = tickwire("run", config, "--duration", 0.1)
    assert (code, out) == (0, "")
    assert ", 20 messages (" in seen
    assert f"duckdb: {tmp_path / 'market.duckdb'}" in seen
    assert seen.index("no gaps") > seen.index("20 messages (")
    assert "messages (" not in done.stderr  # where it is no terminal
