"""`tickwire emergency`, `[[emergency]]` and the exit code 70."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.program import environment, from_duckdb, source, started, tickwire, write_config
from tests.feed.exchange import exchange
from tests.feed.test_handler import trades

HOOKS = """
import asyncio, time
from pathlib import Path

class Orders:
    def __init__(self, out_file, fails=False):
        self.out = Path(out_file)
        self.fails = fails

    def __repr__(self):
        return "Orders()"

    async def start(self, feed):
        self.out.write_text("started")

    async def __call__(self, event):
        if self.fails:
            raise RuntimeError("no account")
        self.out.write_text(f"cancelled: {event.reason}")
        return "2 orders cancelled"

    async def stop(self):
        self.out.write_text(self.out.read_text() + ", stopped")

async def hangs():
    await asyncio.sleep(600)

async def blocks():
    time.sleep(600)
"""


def write(folder: Path, url: str, hooks: str) -> Path:
    (folder / "mine.py").write_text(HOOKS)
    path = write_config(folder, source(url))
    path.write_text(path.read_text() + hooks)
    return path


def wait_for(path: Path) -> None:
    deadline_s = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_running_feed_is_asked_to_shut_down(tmp_path: Path) -> None:
    sections = """
[[emergency]]
hook = "mine:Orders"
options = { out_file = "told.txt" }
[[emergency]]
hook = "mine:hangs"
deadline_s = 0.2
"""
    with exchange([trades(0, 10)]) as server:
        config = write(tmp_path, server.ws_url, sections)
        process = started("run", config, "--summary", tmp_path / "sum.json")
        try:
            assert server.played.wait(60)
            wait_for(tmp_path / ".tickwire" / "main.sock")
            asked = tickwire("emergency", config, "--reason", "positions\ndiffer")
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout == f"{config}: shuts down (pid {process.pid})\n"
    assert process.returncode == 70
    assert errors.splitlines()[-1] == (
        "tickwire: emergency shutdown: positions differ; "
        "1 of 2 hooks not done (hangs late: did not end within 0.2 s)"
    )
    assert (tmp_path / "told.txt").read_text() == "cancelled: positions differ, stopped"
    summary = json.loads((tmp_path / "sum.json").read_text())
    states = {
        hook["name"]: (hook["state"], hook["report"]) for hook in summary["emergency"]["hooks"]
    }
    assert states == {
        "Orders": ("done", "2 orders cancelled"),
        "hangs": ("late", "did not end within 0.2 s"),
    }
    assert summary["rows_left"] == {}
    assert from_duckdb(tmp_path, "trades").num_rows == 10
    events = from_duckdb(tmp_path, "sessions").column("event").to_pylist()
    assert events.count("emergency") == 1


def test_nothing_to_ask_is_exit_code_1(tmp_path: Path) -> None:
    asked = tickwire("emergency", "main", cwd=tmp_path)
    assert asked.returncode == 1
    assert asked.stderr == "tickwire: no feed 'main' runs, or none that can be asked\n"
    config = write_config(tmp_path, source("ws://127.0.0.1:1"), feed='state_dir = ""')
    asked = tickwire("emergency", config)
    assert asked.returncode == 1
    assert "has no state_dir" in asked.stderr


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ('hook = "mine:Nothing"', "emergency[0].hook: 'mine:Nothing': mine has no 'Nothing'"),
        ('hook = "Orders"', "emergency[0].hook: is 'Orders', should be 'package.module:NAME'"),
        ('hook = "mine:HOOK"', "emergency[0].hook: 'mine:HOOK': mine has no 'HOOK'"),
        ('hook = "mine:Path"', "emergency[0].hook: mine:Path is a PosixPath, not callable"),
        (
            'hook = "mine:hangs"\noptions = { a = 1 }',
            "emergency[0].options: mine:hangs is no class, and takes none",
        ),
        (
            'hook = "mine:Orders"',
            "emergency[0].options: mine:Orders cannot be made: TypeError: Orders.__init__() "
            "missing 1 required positional argument: 'out_file'",
        ),
        ('hook = "mine:hangs"\ndeadline_s = 0.0', "emergency[0].deadline_s: is 0.0, should be"),
    ],
)
def test_a_hook_that_cannot_be_had_is_a_mistake(tmp_path: Path, section: str, problem: str) -> None:
    config = write(tmp_path, "ws://127.0.0.1:1", f"[[emergency]]\n{section}\n")
    checked = tickwire("check", config)
    assert checked.returncode == 2
    assert checked.stderr.startswith(f"tickwire: {config}: {problem}")


def test_a_hook_that_blocks_the_loop_does_not_keep_the_process(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        config = write(
            tmp_path, server.ws_url, '[[emergency]]\nhook = "mine:blocks"\ndeadline_s = 0.1\n'
        )
        program = (
            "import sys; from tickwire.cli import driving, main; driving.STOP_S = 0.5; "
            "driving.ABORT_WAIT_S = 0.5; "
            "main(sys.argv[1:])"
        )
        arguments = ["run", str(config), "--summary", str(tmp_path / "sum.json")]
        process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-c", program, *arguments],
            env=environment(), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.played.wait(60)
            wait_for(tmp_path / ".tickwire" / "main.sock")
            assert tickwire("emergency", config).returncode == 0
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 70
    assert errors.splitlines()[-1].startswith(
        "tickwire: emergency shutdown: asked for by `tickwire emergency`; it did not end in time"
    )
    summary = json.loads((tmp_path / "sum.json").read_text())
    assert summary["emergency"]["hooks"][0]["state"] == "running"
    # What the loop would have written, another thread has.
    assert from_duckdb(tmp_path, "trades").num_rows == 10
    gaps = from_duckdb(tmp_path, "gaps")
    assert {*zip(gaps["reason"].to_pylist(), gaps["state"].to_pylist(), strict=True)} == {
        ("shutdown", "open")
    }
