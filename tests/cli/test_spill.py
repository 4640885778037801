"""Rows that wait for a sink, over a kill and past a sink that hangs, as a user has it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from tests.cli.program import environment, from_parquet, started, tickwire, write_config
from tests.cli.test_run import run_ok, source
from tests.feed.exchange import exchange
from tests.feed.test_handler import trades

HANGING = """
import sys, threading
from tickwire.sinks import IpcSink, base
from tickwire.cli import main
base.STALLED_S = 0.5
IpcSink._write = lambda *_: threading.Event().wait()
main(sys.argv[1:])
"""


def test_a_kill_costs_no_row_of_an_unfinished_parquet_file(tmp_path: Path) -> None:
    with exchange([trades(0, 50)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="parquet")
        process = started("run", config)
        try:
            assert server.played.wait(60)
            segments = tmp_path / ".tickwire" / "spill" / "main" / "parquet" / "trades"
            until_s = time.monotonic() + 30
            while not list(segments.glob("*.segment")) and time.monotonic() < until_s:
                time.sleep(0.02)
            time.sleep(0.5)
        finally:
            process.kill()
            process.communicate()
    assert not list((tmp_path / "data").rglob("*.parquet"))
    with exchange([trades(50, 80)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="parquet")
        run_ok(config, "--max-messages", 30)
    ids = from_parquet(tmp_path, "trades")["trade_id"].to_pylist()
    assert sorted(map(int, ids)) == list(range(80))
    assert not list(segments.glob("*"))


def test_a_sink_that_hangs_ends_in_one_line_and_in_time(tmp_path: Path) -> None:
    with exchange([trades(0, 50)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="duckdb")
        config.write_text(config.read_text() + '[[sink]]\ntype = "ipc"\npath = "ipc"\n')
        arguments = ["run", config, "--max-messages", "50", "--summary", tmp_path / "sum.json"]
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", HANGING, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
            check=False,
        )
    summary = json.loads((tmp_path / "sum.json").read_text())
    assert done.returncode == 1
    assert "sink ipc has not got 50 rows of trades" in done.stderr.splitlines()[-1]
    assert summary["rows_left"]["ipc"]["trades"] == 50
    assert summary["rows_committed"]["duckdb"]["trades"] == 50


def test_a_second_signal_spills_what_a_sink_does_not_take(tmp_path: Path) -> None:
    ipc = '[[sink]]\ntype = "ipc"\npath = "ipc"\n'
    with exchange([trades(0, 50)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="duckdb")
        config.write_text(config.read_text() + ipc)
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", HANGING, "run", config],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as process:
            assert server.played.wait(60)
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
                process.send_signal(number)
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 70
    line = errors.splitlines()[-1]
    assert line.startswith("tickwire: aborted by a second signal: ")
    assert json.loads(line.partition("rows not committed: ")[2])["ipc"]["trades"] == 50
    with exchange([trades(50, 80)]) as server:
        config = write_config(tmp_path, source(server.ws_url), sinks="duckdb")
        config.write_text(config.read_text() + ipc)
        run_ok(config, "--max-messages", 30)
    ids: list[int] = []
    for path in sorted((tmp_path / "ipc" / "trades").glob("*.arrows")):
        with pa.ipc.open_stream(path) as stream:
            ids += map(int, stream.read_all()["trade_id"].to_pylist())
    assert sorted(ids) == list(range(80))


@pytest.mark.parametrize("state_dir", ["state", ""])
def test_doctor_looks_at_the_disks_of_a_configuration(tmp_path: Path, state_dir: str) -> None:
    config = write_config(tmp_path, source("ws://h"), feed=f'state_dir = "{state_dir}"')
    done = tickwire("doctor", "--config", config)
    advice = "on another disk than duckdb, parquet" if state_dir else "a kill loses what waits"
    assert advice in done.stdout
