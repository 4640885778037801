"""Everything on at once: `python -m benchmarks.all_on`, or `make bench-all-on`.

Four simulated venues, each a process, send trades, quotes and books of one instrument to one feed.
First with everything off: batches alone. Then with books, oracles, `nbbo`, the ledger, metrics that
are scraped, alerts, DuckDB, Parquet and rings in files. Shown are the times from read to batch and
from read to commit, CPU per message, memory and disk; checkpoints of DuckDB count apart. Afterwards
each row of `nbbo`, as Parquet has it, is compared with one that a slow reference makes from `top`.

Gates: 10,000 messages a second, a p99 from read to commit of 100 ms, no row dropped, books compared
with their oracles, none found wrong and none broken, memory that does not grow from the first half
to the second by more than a quarter, a log of DuckDB that stays below 512 MB, and `nbbo` equal row
by row.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.all_on.answer import compare_nbbo
from benchmarks.all_on.feed import NAME, VENUES
from benchmarks.verdicts import all_held

LEAST_MESSAGES_S = 10_000
MOST_COMMIT_MS = 100.0
MOST_GROWTH = 1.25
MOST_LOG_MB = 512
BYTES_A_MESSAGE = 500  # on disk, at most; files of rings apart
RINGS_BYTES = 2 << 30
SYMBOLS = {"okx": "BTC-USDT", "kraken": "BTC/USDT"}
FIGURES = (
    ("messages/s", "messages_s", 0),
    ("rows/s", "rows_s", 0),
    ("CPU us a message", "cpu_us", 2),
    ("of it the loop's", "loop_us", 2),
    ("read to batch p50, ms", "batch_p50_ms", 3),
    ("read to batch p99, ms", "batch_p99_ms", 3),
    ("read to commit p50, ms", "commit_p50_ms", 1),
    ("read to commit p99, ms", "commit_p99_ms", 1),
    ("the same at checkpoints", "checkpoint_p99_ms", 1),
    ("checkpoints", "checkpoints", 0),
    ("loop late p99, ms", "loop_p99_ms", 2),
    ("loop late most, ms", "loop_max_ms", 2),
    ("memory, first half, MB", "memory_early_mb", 0),
    ("memory, second half, MB", "memory_late_mb", 0),
    ("DuckDB's log at most, MB", "log_mb", 0),
    ("disk: DuckDB, MB", "duckdb_mb", 0),
    ("disk: Parquet, MB", "parquet_mb", 0),
    ("disk: rings, MB", "rings_mb", 0),
    ("dropped rows", "dropped_rows", 0),
    ("books broken", "breaks", 0),
    ("oracle compared", "oracle_checked", 0),
    ("oracle found wrong", "oracle_mismatches", 0),
    ("gaps", "gaps", 0),
)


@contextlib.contextmanager
def _exchanges(rate: float) -> Iterator[dict[str, list[str]]]:
    """Serve all venues, each in its process; gives their addresses."""
    processes = []
    try:
        for venue in VENUES:
            command = [
                sys.executable, "-m", "tickwire", "sim", "--venue", venue, "--port", "0",
                "--rate", str(rate / len(VENUES)), "--symbols", SYMBOLS.get(venue, "BTCUSDT"),
            ]  # fmt: skip
            processes.append(
                subprocess.Popen(  # noqa: S603
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            )
        urls = {}
        for venue, process in zip(VENUES, processes, strict=True):
            assert process.stdout is not None
            urls[venue] = [process.stdout.readline().strip().partition("=")[2] for _ in range(2)]
        yield urls
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _run(
    rate: float, seconds: float, folder: Path, *, is_on: bool, has_rings: bool = False
) -> dict[str, Any]:
    """Give what a run showed; its files stay in the folder."""
    with _exchanges(rate) as urls:
        job = {"urls": urls, "seconds": seconds, "folder": str(folder), "is_on": is_on}
        job["has_rings"] = has_rings
        command = [sys.executable, "-m", "benchmarks.all_on.feed", json.dumps(job)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
            assert child.stdout is not None
            url = child.stdout.readline().strip()
            while child.poll() is None and url.startswith("http"):
                with contextlib.suppress(OSError):  # it may be over
                    urllib.request.urlopen(f"{url}/metrics", timeout=5).read()  # noqa: S310
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(1.0)
            text = child.stdout.read()
        if child.returncode:
            raise SystemExit("the feed failed")
    found: dict[str, Any] = json.loads(text)
    return found


def _print(off: dict[str, Any], on: dict[str, Any]) -> None:
    print(f"\n{'':30}{'all off':>12}{'all on':>12}")
    for title, key, digits in FIGURES:
        shown = ["-" if run.get(key) is None else f"{run[key]:,.{digits}f}" for run in (off, on)]
        print(f"{title:30}{shown[0]:>12}{shown[1]:>12}")


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and exit 1 where a gate is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all_on", description=__doc__)
    parser.add_argument("--rate", type=float, default=20_000.0, help="messages a second together")
    parser.add_argument("--seconds", type=float, default=60.0, help="600 for ten minutes")
    parser.add_argument("--no-rings", action="store_true", help="rings in memory, not in files")
    options = parser.parse_args(arguments)
    needed = int(options.rate * options.seconds * BYTES_A_MESSAGE) + RINGS_BYTES
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        parser.error(f"{tempfile.gettempdir()}: needs {needed / 1e9:.1f} GB")
    print(f"{', '.join(VENUES)}: {NAME}, {options.rate:,.0f} messages/s, {options.seconds:g} s")
    with tempfile.TemporaryDirectory(prefix="tickwire-all-on-") as folder:
        off = _run(options.rate, options.seconds, Path(folder, "off"), is_on=False)
        on = _run(
            options.rate, options.seconds, Path(folder, "on"), is_on=True,
            has_rings=not options.no_rings,
        )  # fmt: skip
        began_s = time.monotonic()
        answer = compare_nbbo(Path(folder, "on", "data"), [tuple(each) for each in on["books"]])
        took_s = time.monotonic() - began_s
    _print(off, on)
    verdicts = [
        (on["messages_s"] >= LEAST_MESSAGES_S, f"at least {LEAST_MESSAGES_S:,} messages/s"),
        (on["commit_p99_ms"] <= MOST_COMMIT_MS, f"read to commit p99 {MOST_COMMIT_MS:g} ms"),
        (on["dropped_rows"] == 0, "no row dropped"),
        (
            on["oracle_checked"] > 0 and on["oracle_mismatches"] == on["breaks"] == 0,
            "books compared with their oracles, none found wrong and none broken",
        ),
        (
            on["memory_late_mb"] <= MOST_GROWTH * on["memory_early_mb"],
            f"memory of the second half at most {MOST_GROWTH:g} of the first's",
        ),
        (on["log_mb"] <= MOST_LOG_MB, f"DuckDB's log at most {MOST_LOG_MB} MB"),
        (answer.is_equal, f"nbbo: {answer} ({took_s:.0f} s)"),
    ]
    print()
    sys.exit(not all_held(verdicts))


if __name__ == "__main__":
    main()
