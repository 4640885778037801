"""`tickwire replay`: the same capture gives the same rows, those of the reference."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.cli.program import from_duckdb, from_parquet, tickwire, write_config
from tests.reference import BinanceReference, compare, read_messages, read_rest
from tests.reference.captures import capture_path

from tickwire.capture import CaptureWriter

SECOND_NS = 1_000_000_000


def delta(first: int, last: int, price: str = "1.5") -> bytes:
    return json.dumps(
        {
            "stream": "btcusdt@depth@100ms",
            "data": {
                "e": "depthUpdate",
                "E": 1700000000000 + last,
                "s": "BTCUSDT",
                "U": first,
                "u": last,
                "b": [[price, "2"]],
                "a": [],
            },
        }
    ).encode()


def snapshot(last: int) -> bytes:
    return json.dumps(
        {"lastUpdateId": last, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]}
    ).encode()


def source(**more: Any) -> dict[str, Any]:
    return {"venue": "binance", "channels": ["book"], "symbols": ["BTCUSDT"]} | more


def replay_ok(folder: Path, capture: Path, *sources: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    config = write_config(folder, *sources)
    done = tickwire("replay", capture, config, "--summary", "-")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.mark.captures
@pytest.mark.parametrize(
    ("venue", "name", "symbol"),
    [
        ("binance", "binance/hbt-spot-btcusdt_20240808", "BTCUSDT"),
        ("binance-coinm", "binance/hbt-coinm-btcusd_perp_20240808", "BTCUSD_PERP"),
    ],
)
def test_a_capture_gives_the_rows_of_the_reference_every_time(
    tmp_path: Path, venue: str, name: str, symbol: str
) -> None:
    channels = ["trades", "quotes", "book"]
    wanted = source(venue=venue, channels=channels, symbols=[symbol])
    reference = BinanceReference(venue, channels, [symbol])
    answers = read_rest(name)
    for message in read_messages(name):
        while answers and answers[0].ts_recv <= message.ts_recv:
            answer = answers.pop(0)
            reference.rest(answer.symbol, answer.payload, answer.ts_recv, 0)
        reference.message(message.payload, message.ts_recv, message.conn)
    for run in ("first", "second"):
        summary = replay_ok(tmp_path / run, capture_path(name), wanted)
        assert summary["messages"] == reference.counts["data"]
        for table, rows in reference.tables.items():
            compare(rows, from_duckdb(tmp_path / run, table), ignore=())
    for table in reference.tables:
        first, second = (from_parquet(tmp_path / run, table) for run in ("first", "second"))
        assert first.equals(second)
        assert first["seq"].to_pylist() == list(range(first.num_rows))


def written(folder: Path, *events: tuple[int, int, bytes | tuple[str, bytes]]) -> Path:
    """Write a capture of (second, connection, message or (url, answer))."""
    path = folder / "capture.jsonl"
    with CaptureWriter(path) as writer:
        for second, connection, content in events:
            if isinstance(content, bytes):
                writer.write_message(content, second * SECOND_NS, connection)
            else:
                writer.write_answer(second * SECOND_NS, *content, connection)
    return path


URL = "https://www.binance.com/api/v1/depth?symbol=BTCUSDT&limit=1000"


def rows(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    values = [
        (table[name].cast("int64") if name.startswith("ts_") else table[name]).to_pylist()
        for name in columns
    ]
    return list(zip(*values, strict=True))


def test_deltas_wait_for_their_snapshot_and_keep_their_times(tmp_path: Path) -> None:
    capture = written(
        tmp_path,
        (1, 0, delta(1, 5)),
        (2, 0, delta(6, 10)),
        (3, 0, (URL, snapshot(7))),
        (4, 0, delta(11, 12)),
    )
    summary = replay_ok(tmp_path, capture, source())
    book = from_duckdb(tmp_path, "book")
    assert rows(book, "ts_recv", "is_snapshot", "venue_seq") == [
        (3 * SECOND_NS, True, 7),
        (3 * SECOND_NS, True, 7),
        (2 * SECOND_NS, False, 10),
        (4 * SECOND_NS, False, 12),
    ]
    assert summary["gaps"] == 0


def test_without_a_snapshot_there_are_no_book_rows_and_gaps_says_so(tmp_path: Path) -> None:
    capture = written(tmp_path, (1, 0, delta(1, 5)), (9, 0, delta(6, 10)))
    summary = replay_ok(tmp_path, capture, source())
    assert summary["rows"]["book"] == 0
    gaps = from_duckdb(tmp_path, "gaps")
    columns = ("symbol", "table_name", "reason", "ts_start", "ts_end", "ts_recv")
    assert rows(gaps, *columns)[-1] == (
        "BTCUSDT", "book", "waiting_for_snapshot", SECOND_NS, 9 * SECOND_NS, 9 * SECOND_NS
    )  # fmt: skip
    assert gaps["gap_id"].to_pylist() == [0, 0]
    assert gaps["state"].to_pylist() == ["open", "closed"]


def test_a_broken_chain_waits_for_the_next_snapshot_and_gaps_says_so(tmp_path: Path) -> None:
    capture = written(
        tmp_path,
        (1, 0, (URL, snapshot(5))),
        (2, 0, delta(6, 10)),
        (3, 0, delta(20, 25)),
        (4, 0, (URL, snapshot(22))),
        (5, 0, delta(26, 30)),
    )
    replay_ok(tmp_path, capture, source())
    assert rows(from_duckdb(tmp_path, "book"), "is_snapshot", "venue_seq") == [
        (True, 5),
        (True, 5),
        (False, 10),
        (True, 22),
        (True, 22),
        (False, 25),
        (False, 30),
    ]
    gaps = from_duckdb(tmp_path, "gaps")
    assert rows(gaps, "gap_id", "state", "symbol", "reason", "ts_start", "ts_end") == [
        (0, "open", "BTCUSDT", "sequence", 2 * SECOND_NS, None),
        (0, "closed", "BTCUSDT", "sequence", 2 * SECOND_NS, 4 * SECOND_NS),
    ]


def test_a_source_takes_its_connections_of_the_capture(tmp_path: Path) -> None:
    capture = written(
        tmp_path,
        (1, 4, (URL, snapshot(5))),
        (2, 4, delta(6, 10)),
        (2, 5, delta(100, 110)),
        (3, 4, delta(11, 12)),
    )
    replay_ok(tmp_path, capture, source(replay_connections=[4]))
    book = from_duckdb(tmp_path, "book")
    assert rows(book, "conn", "venue_seq") == [(4, 5), (4, 5), (4, 10), (4, 12)]


def test_a_capture_without_times_counts_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"not json\n" + delta(1, 2).replace(b"depth@100ms", b"depth@1000ms") + b"\n")
    replay_ok(tmp_path, path, source(channels=["book:1000ms"]))
    quarantine = from_duckdb(tmp_path, "quarantine")
    assert rows(quarantine, "ts_recv", "conn", "payload") == [(1, 0, b"not json")]


def test_the_state_of_a_live_feed_is_left_alone(tmp_path: Path) -> None:
    capture = written(tmp_path, (1, 0, (URL, snapshot(5))), (2, 0, delta(6, 10)))
    replay_ok(tmp_path, capture, source())
    assert not (tmp_path / ".tickwire").exists()


def test_a_capture_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    config = write_config(tmp_path, source())
    for name, text in (("none.jsonl", "cannot|No such file"), ("capture.txt", "jsonl")):
        done = tickwire("replay", tmp_path / name, config)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert name in line, text
    assert not (tmp_path / "market.duckdb").exists()
