"""What a row costs until its sink has it: `python -m benchmarks.sink_costs`.

A simulator sends trades and quotes at a fixed rate to `tickwire run`, once without a sink and once
with each, in turn. Shown is the CPU of the whole process per message, of it what each thread took:
the loop, the sink's own, and the others together. What the bare statements of a DuckDB flush take
is measured beside it, for as many rows as such a flush has.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tickwire.schema import TABLES

MOST_US = {"duckdb 50": 6.0, "duckdb 250": 3.5, "parquet": 3.5, "ipc": 3.0}
SINKS = {
    "none": "",
    "ipc": 'type = "ipc"\npath = "{folder}/ipc"',
    "parquet": 'type = "parquet"\npath = "{folder}/data"\nrotate_s = 5',
    "duckdb 50": 'type = "duckdb"\npath = "{folder}/m.duckdb"\nflush_ms = 50',
    "duckdb 250": 'type = "duckdb"\npath = "{folder}/m.duckdb"\nflush_ms = 250',
}
CONFIG = """
[feed]
state_dir = "{folder}/state"
[[source]]
venue = "hyperliquid"
channels = ["trades", "quotes"]
symbols = ["BTC", "ETH"]
url = "{url}"
"""


def run(url: str, sink: str, seconds: float) -> tuple[float, list[float], int]:
    """Run a feed; gives us of CPU per message, of it by thread (greatest first), and messages."""
    with tempfile.TemporaryDirectory(prefix="tickwire-sinks-") as name:
        folder = Path(name)
        text = CONFIG.format(folder=folder, url=url)
        if SINKS[sink]:
            text += "[[sink]]\n" + SINKS[sink].format(folder=folder) + "\n"
        config = folder / "feed.toml"
        config.write_text(text, encoding="utf-8")
        feed = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tickwire", "run", str(config), "--summary",
             str(folder / "summary.json")], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until_s = time.monotonic() + 60
            while not (folder / "state" / "main.query.sock").exists():  # it is about to connect
                if time.monotonic() > until_s:
                    raise TimeoutError("the feed does not start")
                time.sleep(0.02)
            before = _threads_s(feed.pid)
            time.sleep(seconds)
            after = _threads_s(feed.pid)
            threads = sorted((s - before.get(task, 0.0) for task, s in after.items()), reverse=True)
        finally:
            feed.send_signal(signal.SIGTERM)
            code = feed.wait(60)
        if code:
            raise RuntimeError(f"the feed ended with {code}")
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        n = summary["messages"]
        check_whole(summary)
        return sum(threads) / n * 1e6, [each / n * 1e6 for each in threads], n


def check_whole(summary: dict[str, Any]) -> None:
    """Refuse a run of which a sink lacks rows: what it cost says nothing.

    Parameters
    ----------
    summary
        As `tickwire run --summary` writes it.
    """
    for sink, committed in summary["rows_committed"].items():
        lacking = {
            table: n - committed.get(table, 0)
            for table, n in summary["rows"].items()
            if n != committed.get(table, 0)
        }
        if lacking:
            raise RuntimeError(f"{sink} lacks rows: {lacking}")


def _threads_s(pid: int) -> dict[str, float]:
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        found[task.name] = (int(fields[11]) + int(fields[12])) / ticks
    return found


def statements_us(n_rows: int) -> float:
    """Give the us of CPU of a bare transaction that inserts rows of two tables."""
    table = TABLES["quotes"].arrow_schema
    batch = pa.RecordBatch.from_arrays(
        [pa.nulls(n_rows, f.type) for f in table], schema=table.remove_metadata()
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(f"{folder}/x.duckdb") as connection,
    ):
        connection.execute("SET threads = 1")
        connection.execute("SET checkpoint_threshold = '4GiB'")
        rows = pa.Table.from_batches([batch])
        for table_name in ("a", "b"):
            connection.execute(f"CREATE TABLE {table_name} AS FROM rows LIMIT 0")
        n_flushes = 200
        began_s = time.process_time()
        for _ in range(n_flushes):
            connection.begin()
            for table_name in ("a", "b"):
                connection.execute(f"INSERT INTO {table_name} FROM rows")
            connection.commit()
        del rows
        return (time.process_time() - began_s) / n_flushes * 1e6


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink_costs", description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    simulator = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "tickwire", "sim", "--venue", "hyperliquid", "--symbols", "BTC,ETH",
         "--rate", str(given.rate), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    costs: dict[str, list[tuple[float, list[float], int]]] = {sink: [] for sink in SINKS}
    try:
        assert simulator.stdout is not None
        url = simulator.stdout.readline().strip().removeprefix("ws=")
        for _ in range(given.rounds):
            for sink in SINKS:
                costs[sink].append(run(url, sink, given.seconds))
    finally:
        simulator.terminate()
        simulator.wait()
    has_missed = False
    for sink, rounds in costs.items():
        cpu_us, threads, n = sorted(rounds)[len(rounds) // 2]
        most_us = MOST_US.get(sink)
        has_missed |= most_us is not None and cpu_us > most_us
        shown = ", ".join(f"{each:.2f}" for each in threads[:3])
        rest = sum(threads[3:])
        wanted = "" if most_us is None else f" (at most {most_us:g})"
        print(
            f"{sink}: {cpu_us:.2f} us of CPU a message{wanted}, by thread {shown}, others "
            f"{rest:.2f}; {n / given.seconds:,.0f} messages/s"
        )
    for flush_ms in (50, 250):
        n_messages = given.rate * flush_ms // 1000
        us = statistics.median(statements_us(n_messages // 2) for _ in range(3))
        print(
            f"bare statements of a flush of {flush_ms} ms: {us:,.0f} us, {us / n_messages:.2f} a "
            "message"
        )
    return int(has_missed)


if __name__ == "__main__":
    sys.exit(main())
