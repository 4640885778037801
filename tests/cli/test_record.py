"""`tickwire record`: a folder that can be replayed, however the process ended."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import started, tickwire, write_config
from tests.cli.test_run import source, trades
from tests.feed.exchange import exchange, hyperliquid_answer

from tickwire.capture import Recording
from tickwire.cli.times import time_ns


def n_messages(folder: Path) -> int:
    """Count the trades that can be read."""
    rows = (row for _, row in Recording(folder).rows())
    return sum(row.kind == "message" and b'"trades"' in row.payload[:30] for row in rows)


def wait_until(what: Any, seconds: float = 30) -> None:
    until_s = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_it_records_and_says_how_much(tmp_path: Path) -> None:
    with exchange([trades(0, 200)], hyperliquid_answer) as venue:
        config = write_config(tmp_path, source(venue.ws_url, check_symbols=False))
        done = tickwire("record", config, tmp_path / "rec", "--duration", "1.5", "--summary", "-")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["recorded_messages"]["raw"] >= 200
    assert summary["recording_dropped_messages"] == {}
    assert n_messages(tmp_path / "rec") == 200
    assert "event=recorded" in done.stderr
    assert not (tmp_path / "market.duckdb").exists()  # the configuration's sinks are not


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_what_can_be_read(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "rec"
    with exchange([trades(0, 2000)], hyperliquid_answer) as venue:
        config = write_config(tmp_path, source(venue.ws_url, check_symbols=False))
        with started("record", config, folder) as process:
            wait_until(venue.played.is_set)
            if number == signal.SIGKILL:
                wait_until(lambda: n_messages(folder) == 2000)
            process.send_signal(number)
            code = process.wait(30)
    assert code == (0 if number == signal.SIGTERM else -number)
    assert n_messages(folder) == 2000


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    config = write_config(tmp_path, source("ws://127.0.0.1:9"))
    (tmp_path / "file").touch()
    done = tickwire("record", config, tmp_path / "file" / "rec", "--duration", "1")
    assert done.returncode == 1
    assert "cannot make the folder" in done.stderr


def test_times_of_options() -> None:
    assert time_ns("1970-01-01T00:00:01.123456789", "--from") == 1_123_456_789
    assert time_ns("1970-01-01T01:00:00+01:00", "--from") == 0
    assert time_ns(None, "--from") is None
