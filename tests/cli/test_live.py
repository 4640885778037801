"""What moves in a terminal: the live line of `run`, the progress of `replay`."""

import json
import os
import pty
import subprocess
from pathlib import Path

from tests.cli.program import command, ended, environment, tickwire, write_config
from tests.feed.exchange import exchange

from tickwire.capture import CaptureWriter
from tickwire.cli.live import line_of
from tickwire.feed import Status

MIDS = b'{"channel":"allMids","data":{"mids":{"BTC":"80868.5"}}}'
SOURCE = {"venue": "hyperliquid", "channels": ["mids"], "symbols": ["BTC"]}


def in_a_terminal(*arguments: object) -> tuple[int, str, str]:
    """Run a command whose standard error is a terminal; give exit code, output and errors."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own program
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        env={**environment(), "TERM": "xterm"},
    )
    os.close(terminal)
    seen = b""
    with ended(process):
        try:
            while part := os.read(master, 65_536):
                seen += part
        except OSError:  # Linux says so when the other side is closed
            pass
        finally:
            os.close(master)
        out, _ = process.communicate(timeout=60)
    return process.returncode, out, seen.decode()


def test_a_run_in_a_terminal_shows_how_it_goes(tmp_path: Path) -> None:
    with exchange([[MIDS] * 20]) as server:
        config = write_config(tmp_path, {**SOURCE, "url": server.ws_url})
        code, out, shown = in_a_terminal("run", config, "--duration", 2, "--summary", "-")
    assert code == 0, shown
    assert "1/1 connected" in shown
    assert "messages/s" in shown
    assert json.loads(out)["messages"] == 20


def test_a_replay_in_a_terminal_shows_its_progress(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "capture.jsonl") as writer:
        for number in range(5000):
            writer.write_message(MIDS, number)
    code, out, shown = in_a_terminal(
        "replay", tmp_path / "capture.jsonl", write_config(tmp_path, SOURCE), "--summary", "-"
    )
    assert code == 0, shown
    assert json.loads(out)["messages"] == 5000
    assert "capture.jsonl" in shown
    assert "/5000" in shown


def test_without_a_terminal_nothing_moves(tmp_path: Path) -> None:
    with exchange([[MIDS]]) as server:
        config = write_config(tmp_path, {**SOURCE, "url": server.ws_url})
        done = tickwire("run", config, "--duration", 1)
    assert done.stdout == ""
    assert "messages/s" not in done.stderr
    assert all(line.startswith("timestamp=") for line in done.stderr.splitlines()), done.stderr


def test_the_line_says_what_is_known() -> None:
    status = Status(1, 2, 1000, 12_345, 3, 0.25, 1234.5)
    assert line_of(status, 99.6) == (
        "1/2 connected  100 messages/s  12,345 rows  ring 25.0%  p99 1,234 us  3 gaps"
    )
    assert "p99 -" in line_of(Status(), 0.0)
