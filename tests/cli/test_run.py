"""`tickwire run` against an exchange made of another library, over real sockets."""

import json
import re
import signal
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import trustme
from tests.cli.program import from_duckdb, from_parquet, source, started, tickwire, write_config
from tests.feed.exchange import answering, binance_answer, exchange, hyperliquid_refusal
from tests.reference import (
    BinanceReference,
    HyperliquidReference,
    compare,
    read_messages,
    read_rest,
)

CARRIERS = ("protocol", "stream", "picows")
IGNORED = ("seq", "ts_recv", "conn")


def trade(number: int, coin: str = "BTC") -> bytes:
    return json.dumps(
        {
            "channel": "trades",
            "data": [
                {
                    "coin": coin,
                    "side": "BA"[number % 2],
                    "px": f"{97000 + number / 10}",
                    "sz": "0.1",
                    "time": 1730160007687 + number,
                    "hash": "0x00",
                    "tid": number,
                    "users": ["0xb", "0xs"],
                }
            ],
        }
    ).encode()


def trades(start: int, stop: int) -> list[bytes]:
    return [trade(number) for number in range(start, stop)]


def run_ok(config: Path, *options: object) -> dict[str, Any]:
    done = tickwire("run", config, "--summary", "-", *options)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def check_sinks(folder: Path, expected: dict[str, Any], ignore: Sequence[str] = IGNORED) -> None:
    for name, rows in expected.items():
        compare(rows, from_duckdb(folder, name), ignore)
        if len(rows):
            compare(rows, from_parquet(folder, name), ignore)


@pytest.mark.captures
@pytest.mark.parametrize("carrier", CARRIERS)
def test_hyperliquid_lands_as_the_reference_says(tmp_path: Path, carrier: str) -> None:
    channels = ["trades", "quotes", "book", "candles:1m", "tickers", "mids"]
    messages = [
        message.payload
        for name in (
            "hyperliquid/hbt-docstring-hyperliquid",
            "hyperliquid/hlarchive-l2book-btc-20240101-12-a",
        )
        for message in read_messages(name, 1500)
    ]
    messages += trades(0, 500)
    reference = HyperliquidReference(channels, ["BTC"])
    for payload in messages:
        reference.message(payload, 0, 0)
    with exchange([messages]) as server:
        config = write_config(tmp_path, source(server.ws_url, channels=channels, carrier=carrier))
        summary = run_ok(config, "--until-idle", 1)
    # The capture has symbols that the source does not name.
    expected = {name: rows.of("BTC") for name, rows in reference.tables.items()}
    n_all, n_rows = (sum(map(len, tables.values())) for tables in (reference.tables, expected))
    assert sum(summary["unconfigured_rows"].values()) == n_all - n_rows > 0
    check_sinks(tmp_path, expected)
    assert summary["messages"] == reference.counts["data"]
    for name, rows in expected.items():
        assert summary["rows"][name] == len(rows)
        assert summary["rows_committed"]["duckdb"][name] == len(rows)
        assert summary["rows_committed"]["parquet"][name] == len(rows)
    assert summary["connects"] == 1
    assert summary["gaps"] == 0
    assert summary["decode_errors"] == {}
    assert summary["latency_us"]["read_to_ring"]["count"] > 0
    assert summary["latency_us"]["read_to_commit"]["count"] >= n_rows


@pytest.mark.captures
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("venue", "capture", "symbol"),
    [
        ("binance", "binance/hbt-spot-btcusdt_20240808", "BTCUSDT"),
        ("binance-usdm", "binance/hbt-usdm-btcusdt_20240808", "BTCUSDT"),
        ("binance-coinm", "binance/hbt-coinm-btcusd_perp_20240808", "BTCUSD_PERP"),
    ],
)
def test_binance_lands_as_the_reference_says(
    tmp_path: Path, carrier: str, venue: str, capture: str, symbol: str
) -> None:
    channels = ["trades", "quotes", "book"]
    messages = read_messages(capture, 3000)
    [snapshot] = [answer for answer in read_rest(capture) if answer.symbol == symbol]
    reference = BinanceReference(venue, channels, [symbol])
    for message in messages:
        reference.message(message.payload, 0, 0)
    reference.rest(symbol, snapshot.payload, 0, 0)
    assert len(reference.tables["book"]) > 1000
    payloads = [message.payload for message in messages]
    with exchange([payloads], binance_answer, {symbol: snapshot.payload}) as server:
        config = write_config(
            tmp_path,
            source(
                server.ws_url,
                venue=venue,
                channels=channels,
                symbols=[symbol],
                rest_url=server.rest_url,
                carrier=carrier,
            ),
        )
        summary = run_ok(config, "--until-idle", 1)
    check_sinks(tmp_path, reference.tables)
    assert summary["gaps"] == 0


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Give a server's TLS context, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return context, tmp_path / "ca.pem"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_tls_with_an_authority_of_one_s_own(
    tmp_path: Path, carrier: str, authority: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca_file = authority
    with exchange([trades(0, 500)], tls=context) as server:
        config = write_config(
            tmp_path, source(server.ws_url, carrier=carrier, ca_file=str(ca_file))
        )
        summary = run_ok(config, "--max-messages", 500)
    assert summary["rows_committed"]["parquet"]["trades"] == 500


def test_an_unknown_certificate_is_refused(
    tmp_path: Path, authority: tuple[ssl.SSLContext, Path]
) -> None:
    context, _ = authority
    with exchange([trades(0, 10)], tls=context) as server:
        done = tickwire("run", write_config(tmp_path, source(server.ws_url)), "--duration", 1)
        assert server.n_connections == 0
    assert done.returncode == 1
    assert "certificate" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tickwire: no source ever connected: ")


def test_a_book_without_its_snapshot_is_a_gap(tmp_path: Path) -> None:
    deltas = [
        json.dumps(
            {
                "stream": "btcusdt@depth@100ms",
                "data": {
                    "e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": number, "u": number,
                    "b": [["1.5", "2"]], "a": [],
                },
            }
        ).encode()
        for number in range(1, 4)
    ]  # fmt: skip
    with exchange([deltas], binance_answer) as server:
        config = write_config(
            tmp_path,
            source(
                server.ws_url,
                venue="binance",
                channels=["book"],
                symbols=["BTCUSDT"],
                rest_url=server.rest_url,
            ),
        )
        summary = run_ok(config, "--until-idle", 1)
    assert summary["messages"] == 3
    assert summary["rows"]["book"] == 0
    gaps = from_duckdb(tmp_path, "gaps")
    assert set(gaps["reason"].to_pylist()) == {"waiting_for_snapshot"}
    assert set(gaps["symbol"].to_pylist()) == {"BTCUSDT"}
    events = from_duckdb(tmp_path, "sessions")
    assert any("404" in detail for detail in events["detail"].to_pylist())


def test_what_cannot_be_decoded_is_quarantined_and_the_feed_goes_on(tmp_path: Path) -> None:
    bad = [b'{"channel":"trades","data":[{"coin":', b'{"channel":"trades","data":[{"coin":"BTC"}]}']
    messages = [trade(0), *bad, trade(1)]
    with exchange([messages]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        summary = run_ok(config, "--until-idle", 1)
    assert from_duckdb(tmp_path, "trades")["trade_id"].to_pylist() == ["0", "1"]
    assert from_duckdb(tmp_path, "quarantine")["payload"].to_pylist() == bad
    assert sum(summary["decode_errors"].values()) == 2
    [gap] = [each for each in read_gaps(tmp_path) if each["state"] == "closed"]
    assert (gap["table_name"], gap["symbol"], gap["reason"]) == ("trades", "BTC", "decode_error")


def test_a_disconnect_leaves_a_gap_for_each_stream_and_the_feed_comes_back(tmp_path: Path) -> None:
    with exchange([trades(0, 10), trades(5, 20)], n_requests=2) as server:
        config = write_config(
            tmp_path, source(server.ws_url, channels=["trades", "quotes"], backoff_max_s=0.2)
        )
        summary = run_ok(config, "--until-idle", 2)
    assert server.n_connections == 2
    assert (summary["connects"], summary["reconnects"], summary["gaps"]) == (2, 1, 2)
    rows = from_duckdb(tmp_path, "trades")
    assert rows["trade_id"].to_pylist() == [str(number) for number in range(20)]
    conns = rows["conn"].to_pylist()
    assert conns == [conns[0]] * 10 + [conns[0] + 1] * 10
    gaps = from_duckdb(tmp_path, "gaps")
    # The last row says how many trades of the gap, by their times, came after all.
    assert gaps["state"].to_pylist() == ["open"] * 2 + ["closed"] * 3
    assert gaps["gap_id"].to_pylist()[:4] == [0, 1] * 2
    assert gaps["ts_end"].is_null().to_pylist() == [True, True, False, False, False]
    assert gaps["recovered"].to_pylist()[4] == 10
    assert gaps["table_name"].to_pylist()[4] == "trades"
    gaps = gaps.slice(0, 4)
    gaps = gaps.slice(2)
    assert sorted(gaps["table_name"].to_pylist()) == ["quotes", "trades"]
    for name, value in {
        "venue": "hyperliquid",
        "symbol": "BTC",
        "conn": conns[0],
        "reason": "disconnect",
        "lost": None,
        "recovered": None,
    }.items():
        assert gaps[name].to_pylist() == [value] * 2
    received = rows["ts_recv"].cast("int64").to_pylist()
    by_table = {gap["table_name"]: gap for gap in gaps.cast(in_ns(gaps.schema)).to_pylist()}
    trades_gap, quotes_gap = by_table["trades"], by_table["quotes"]
    assert trades_gap["ts_start"] == received[9]
    assert trades_gap["ts_event_start"] == rows["ts_event"].cast("int64")[9].as_py()
    # It has never had a row: from its acknowledgement on, which a process that stood still reads
    # with the first trades.
    assert quotes_gap["ts_start"] < received[10]
    for gap in by_table.values():
        assert received[9] < gap["ts_end"] <= received[10]
    events = from_duckdb(tmp_path, "sessions")["event"].to_pylist()
    assert events.count("connected") == events.count("subscribed") == 2


def test_the_loop_is_the_one_configured(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        config = write_config(tmp_path, source(server.ws_url), feed='loop = "asyncio"')
        assert run_ok(config, "--max-messages", 10)["rows"]["trades"] == 10


def test_max_messages_stops_after_the_read_that_brings_the_last(tmp_path: Path) -> None:
    with exchange([trades(0, 5000)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        summary = run_ok(config, "--max-messages", 100)
    assert summary["messages"] >= 100
    assert summary["rows_committed"]["duckdb"]["trades"] == summary["messages"]
    ids = from_duckdb(tmp_path, "trades")["trade_id"].to_pylist()
    assert ids == [str(number) for number in range(summary["messages"])]


def test_max_messages_counts_over_all_sources(tmp_path: Path) -> None:
    of_eth = [trade(number, "ETH") for number in range(5000)]
    with exchange([trades(0, 5000)]) as one, exchange([of_eth]) as other:
        config = write_config(tmp_path, source(one.ws_url), source(other.ws_url, symbols=["ETH"]))
        summary = run_ok(config, "--max-messages", 6000)
    # A read brings at most 256 KiB, and no read is taken after the one that brings the 6000th.
    assert 6000 <= summary["messages"] <= 6000 + 262_144 // len(trade(0))
    assert summary["rows_committed"]["duckdb"]["trades"] == summary["messages"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_what_the_rings_hold(tmp_path: Path, number: int) -> None:
    with exchange([trades(0, 3000)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        process = started("run", config, "--summary", "-")
        try:
            assert server.played.wait(60)
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    summary = json.loads(out)
    n_rows = summary["rows"]["trades"]
    assert n_rows > 0
    assert from_duckdb(tmp_path, "trades").num_rows == n_rows
    assert from_parquet(tmp_path, "trades").num_rows == n_rows


def test_sequence_numbers_and_connections_go_on_over_restarts(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        run_ok(config, "--max-messages", 10)
    with exchange([trades(100, 110)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        run_ok(config, "--max-messages", 10)
    rows = from_duckdb(tmp_path, "trades")
    assert rows["seq"].to_pylist() == list(range(20))
    assert rows["conn"].to_pylist() == [0] * 10 + [1] * 10
    assert (tmp_path / ".tickwire" / "main.json").exists()


def test_numbers_never_repeat_after_a_kill(tmp_path: Path) -> None:
    with exchange([trades(0, 5000)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        process = started("run", config)
        try:
            wait_for_commits(process, tmp_path)
        finally:
            process.kill()
            process.communicate()
    before = from_duckdb(tmp_path, "trades")
    assert before.num_rows > 0
    with exchange([trades(100, 110)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        run_ok(config, "--max-messages", 10)
    after = from_duckdb(tmp_path, "trades").slice(before.num_rows)
    assert after.num_rows == 10
    assert min(after["seq"].to_pylist()) > max(before["seq"].to_pylist())
    assert min(after["conn"].to_pylist()) > max(before["conn"].to_pylist())


def test_a_kill_within_an_outage_leaves_an_open_gap_that_the_next_run_ends(
    tmp_path: Path,
) -> None:
    with exchange([trades(0, 10), []], answering(1)) as server:
        config = write_config(tmp_path, source(server.ws_url, backoff_max_s=0.1), sinks="duckdb")
        process = started("-v", "run", config)
        try:
            assert process.stderr is not None
            assert any("gap open" in line for line in process.stderr)
            time.sleep(1)  # many times flush_ms
        finally:
            process.kill()
            process.communicate()
    [before] = from_duckdb(tmp_path, "gaps").select(["gap_id", "state", "reason"]).to_pylist()
    assert (before["state"], before["reason"]) == ("open", "disconnect")
    with exchange([trades(10, 20), trades(20, 30)]) as server:
        config = write_config(tmp_path, source(server.ws_url, backoff_max_s=0.1), sinks="duckdb")
        run_ok(config, "--max-messages", 20)
    gaps = from_duckdb(tmp_path, "gaps")
    gaps = gaps.cast(in_ns(gaps.schema)).to_pylist()
    first, *after = [gap for gap in gaps if gap["recovered"] is None]
    assert [gap["state"] for gap in after] == ["open", "closed"] * 2
    again, ended, *after = after
    assert again["gap_id"] == ended["gap_id"] == before["gap_id"]  # it went on until the next run
    assert ended["ts_start"] == first["ts_start"]
    [number] = {gap["gap_id"] for gap in after}
    assert number > before["gap_id"]
    assert {gap["reason"] for gap in after} == {"disconnect"}


def test_between_two_runs_each_stream_is_down_from_its_last_committed_row(tmp_path: Path) -> None:
    for start in (0, 20):
        with exchange([trades(start, start + 20)]) as server:
            config = write_config(tmp_path, source(server.ws_url, channels=["trades", "quotes"]))
            run_ok(config, "--max-messages", 20)
    received = from_duckdb(tmp_path, "trades")["ts_recv"].cast("int64").to_pylist()
    gaps = from_duckdb(tmp_path, "gaps")
    gaps = gaps.cast(in_ns(gaps.schema)).to_pylist()
    assert {gap["reason"] for gap in gaps} == {"down"}
    by_table = {gap["table_name"]: gap for gap in gaps if gap["state"] == "closed"}
    assert sorted(by_table) == ["quotes", "trades"]
    assert by_table["trades"]["ts_start"] == received[19]
    assert received[19] < by_table["trades"]["ts_end"] <= received[20]
    assert by_table["quotes"]["ts_start"] < received[0]  # acknowledged, and no row


def test_after_a_kill_a_stream_is_down_from_a_row_that_was_committed(tmp_path: Path) -> None:
    with exchange([trades(0, 20)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="duckdb")
        process = started("run", config)
        try:
            assert server.played.wait(60)
            time.sleep(1.5)  # a few snapshots
        finally:
            process.kill()
            process.communicate()
    with exchange([trades(20, 40)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="duckdb")
        run_ok(config, "--max-messages", 20)
    rows = from_duckdb(tmp_path, "trades")
    assert rows["trade_id"].to_pylist() == [str(number) for number in range(40)]
    received = rows["ts_recv"].cast("int64").to_pylist()
    gaps = from_duckdb(tmp_path, "gaps")
    # Ids that the sink has and those that came count up by one: nothing of it is missing.
    _, gap, whole = gaps.cast(in_ns(gaps.schema)).to_pylist()
    assert (gap["reason"], gap["state"], gap["recovered"]) == ("down", "closed", None)
    assert gap["ts_start"] == received[19]
    assert received[19] < gap["ts_end"] <= received[20]
    assert (whole["gap_id"], whole["state"], whole["recovered"]) == (gap["gap_id"], "closed", 0)


def read_gaps(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of gaps; times in ns."""
    gaps = from_duckdb(folder, "gaps")
    return gaps.cast(in_ns(gaps.schema)).to_pylist()


def in_ns(schema: pa.Schema) -> pa.Schema:
    """The schema with times as integers."""
    return pa.schema(
        [
            field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field
            for field in schema
        ]
    )


def wait_for_commits(process: Any, folder: Path) -> None:
    """Wait until a running feed has committed rows: its write-ahead log has grown, and rests."""
    log = folder / "market.duckdb.wal"
    n_bytes, deadline_s = 0, time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline_s:
        before, n_bytes = n_bytes, log.stat().st_size if log.exists() else 0
        if before == n_bytes > 100_000:
            return
        time.sleep(0.2)
    raise AssertionError("the feed committed nothing")


def test_a_second_signal_aborts(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        process = started("run", config, "--summary", tmp_path / "sum.json")
        try:
            assert server.played.wait(60)
            # While it is stopped both wait, and then both come before the stop is through.
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
                process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 70
    assert errors.splitlines()[-1] == "tickwire: aborted by a second signal"
    assert json.loads((tmp_path / "sum.json").read_text())["rows_left"] == {}
    assert from_parquet(tmp_path, "trades").num_rows == 10  # its file was closed
    shutdown = from_duckdb(tmp_path, "gaps")
    assert shutdown["reason"].to_pylist() == ["shutdown"]
    assert shutdown["state"].to_pylist() == ["open"]
    with exchange([trades(10, 20)]) as server:
        run_ok(write_config(tmp_path, source(server.ws_url)), "--max-messages", 10)
    assert from_duckdb(tmp_path, "trades").num_rows == 20
    gaps = from_duckdb(tmp_path, "gaps")
    assert gaps["state"].to_pylist() == ["open", "open", "closed"]
    assert len({*gaps["gap_id"].to_pylist()}) == 1
    received = from_duckdb(tmp_path, "trades")["ts_recv"].cast("int64").to_pylist()
    assert {*gaps["ts_start"].cast("int64").to_pylist()} == {received[9]}


def test_a_locked_sink_is_told_before_any_connection_is_made(tmp_path: Path) -> None:
    holder = duckdb.connect(str(tmp_path / "market.duckdb"))
    try:
        with exchange([trades(0, 1)]) as server:
            config = write_config(tmp_path, source(server.ws_url))
            done = tickwire("run", config, "--duration", 5)
            assert server.n_connections == 0
    finally:
        holder.close()
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "market.duckdb" in line


def test_without_a_connection_the_run_fails(tmp_path: Path) -> None:
    config = write_config(tmp_path, source("ws://127.0.0.1:9"))
    done = tickwire("run", config, "--duration", 1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("tickwire: no source ever connected: ")


def test_a_stop_within_the_first_connect_says_what_was_waited_for(tmp_path: Path) -> None:
    summary_path = tmp_path / "summary.json"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"wss://127.0.0.1:{silent.getsockname()[1]}/ws"
        config = write_config(tmp_path, source(url))
        done = tickwire("run", config, "--duration", 1, "--summary", summary_path)
    assert done.returncode == 1
    why = r"wss://127\.0\.0\.1:\d+/ws: stopped after [01]\.\d s of connecting"
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(f"tickwire: no source ever connected: {why}", last)
    [told] = [line for line in done.stderr.splitlines() if 'event="connect given up"' in line]
    assert re.search(why, told)
    summary = json.loads(summary_path.read_text())
    assert summary["failed_connects"] == 1
    [why_in_summary] = summary["never_connected"]
    assert re.fullmatch(f"hyperliquid: {why}", why_in_summary)
    assert {*from_duckdb(tmp_path, "gaps")["reason"].to_pylist()} == {"never_connected"}
    sessions = from_duckdb(tmp_path, "sessions")
    assert sessions["event"].to_pylist() == ["connect_failed"]
    assert re.fullmatch(why, sessions["detail"].to_pylist()[0])


def test_a_refusal_names_the_subscription(tmp_path: Path) -> None:
    with exchange([[]], hyperliquid_refusal) as server:
        config = write_config(tmp_path, source(server.ws_url))
        done = tickwire("run", config, "--duration", 30)
    assert done.returncode == 1
    assert "every subscription was refused: trades BTC: Invalid" in done.stderr.splitlines()[-1]


def test_a_second_feed_of_the_same_name_is_refused(tmp_path: Path) -> None:
    with exchange([trades(0, 1)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="none")
        process = started("run", config)
        try:
            assert server.played.wait(60)
            done = tickwire("run", config)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert done.returncode == 1
    assert "another running feed is named 'main'" in done.stderr


def test_sigusr1_shows_how_the_feed_and_its_tasks_stand(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        process = started("run", write_config(tmp_path, source(server.ws_url)))
        try:
            assert server.played.wait(60)
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    lines = errors.splitlines()
    [status] = [line for line in lines if "event=status" in line]
    assert "connected=1" in status
    tasks = [line for line in lines if "event=task " in line]
    assert any(
        'name="session 0 hyperliquid.0"' in line and "state=running" in line for line in tasks
    )


def test_a_summary_that_cannot_be_written_hides_no_failure(tmp_path: Path) -> None:
    config = write_config(tmp_path, source("ws://127.0.0.1:9"))
    done = tickwire("run", config, "--duration", 0.1, "--summary", "/dev/full")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert "tickwire: cannot write /dev/full: No space left on device" in lines
    assert lines[-1].startswith("tickwire: no source ever connected: ")


def test_debug_says_where_memory_grows(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        process = started("run", write_config(tmp_path, source(server.ws_url)), "--debug")
        try:
            assert server.played.wait(60)
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    growths = [line for line in errors.splitlines() if 'event="memory growth"' in line]
    assert 1 <= len(growths) <= 10
    assert all(" bytes=" in line and " where=" in line for line in growths)
