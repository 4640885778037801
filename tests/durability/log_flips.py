"""Random bytes of a DuckDB write-ahead log, changed: `python -m tests.durability.log_flips`.

A sink commits and is killed, so that its log is there. In each round one byte of the log has
another bit, and a sink is opened on it as a start opens it: it must open, with the rows of whole
commits, all of them as they were. What a start tries in a process of its own runs in a forked one
here, which has DuckDB loaded already: by far the most of a round is to load it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import structlog
from tests.sinks.batches import ListSource, batch_of, wait_for

from tickwire.schema import TABLES
from tickwire.sinks import DuckDBSettings, DuckDBSink, duckdb_log

TRADES = TABLES["trades"]
N_COMMITS, ROWS = 20, 100
KILLED, LESS, ALL, WRONG, FAILED = 9, 10, 11, 12, 13
WORDS = {LESS: "cost rows", ALL: "cost nothing", WRONG: "gave wrong rows", FAILED: "kept it closed"}


def forked(work: Callable[[], int]) -> int:
    """Run a function in a forked process; gives its exit code, or minus the signal's number."""
    pid = os.fork()
    if not pid:
        code = FAILED
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refusal(path: Path, memory_mb: int) -> str:
    """Say why a process of its own cannot open a file, as `duckdb_log._refusal` does."""
    reading, writing = os.pipe()

    def work() -> int:
        config = {"threads": "1", "memory_limit": f"{memory_mb}MiB"}
        try:
            with duckdb.connect(str(path), read_only=True, config=config) as connection:
                connection.execute("FROM duckdb_tables()").fetchall()
        except duckdb.Error as error:
            os.write(writing, " ".join(str(error).split()).encode()[:4096])
            return 1
        return 0

    code = forked(work)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        why = said.read().decode(errors="replace")
    if code < 0:
        is_abort = -code in duckdb_log.ABORTS
        return f"the process that is {duckdb_log.LOG} ended by signal {-code}" if is_abort else ""
    return why


def commit_and_end(path: Path) -> int:
    """Commit, and end without a checkpoint."""
    sink = DuckDBSettings(path=path, flush_ms=1).make_sink("main")
    sink.open([TRADES])
    source = ListSource()
    sink.start({"trades": source})
    for i in range(N_COMMITS):
        source.put(batch_of(TRADES, ROWS, i * ROWS))
        wait_for(lambda i=i: sink.rows_committed["trades"] == (i + 1) * ROWS)
    return KILLED


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """Open a sink on a file, and give its rows."""
    sink = DuckDBSink(DuckDBSettings(path=path), "main")
    sink.open([TRADES])
    with sink.cursor() as cursor:
        rows: list[tuple[object, ...]] = cursor.execute("FROM trades ORDER BY rowid").fetchall()
    sink.stop(drain=False)
    return rows


def judged(path: Path, whole: Path) -> int:
    """Give what a changed log has come to."""
    duckdb_log._refusal = refusal
    rows = rows_of(path)
    with duckdb.connect(str(whole), read_only=True) as connection:
        expected = connection.execute("FROM trades ORDER BY rowid").fetchall()
    if rows != expected[: len(rows)] or len(rows) % ROWS:
        return WRONG
    return ALL if len(rows) == len(expected) else LESS


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.durability.log_flips", description=__doc__
    )
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance, found = random.Random(given.seed), Counter[int]()
    with tempfile.TemporaryDirectory(prefix="tickwire-flips-") as name:
        left, whole = Path(name, "left.duckdb"), Path(name, "whole.duckdb")
        if forked(lambda: commit_and_end(left)) != KILLED:
            raise SystemExit("the sink did not commit")
        file, log = left.read_bytes(), left.with_name("left.duckdb.wal").read_bytes()
        whole.write_bytes(file)
        whole.with_name("whole.duckdb.wal").write_bytes(log)
        forked(lambda: len(rows_of(whole)) and 0)
        for number in range(given.flips):
            folder = Path(name, "changed")
            folder.mkdir()
            changed = bytearray(log)
            at, bit = chance.randrange(len(log)), chance.randrange(8)
            changed[at] ^= 1 << bit
            path = folder / "m.duckdb"
            path.write_bytes(file)
            path.with_name("m.duckdb.wal").write_bytes(changed)
            code = forked(lambda path=path: judged(path, whole))
            found[code] += 1
            if code not in (LESS, ALL):
                print(f"change {number}, bit {bit} of byte {at}: {WORDS.get(code, code)}")
            if code == -signal.SIGINT:
                break
            shutil.rmtree(folder)
    shown = ", ".join(f"{n} {WORDS.get(code, f'ended with {code}')}" for code, n in found.items())
    print(f"{given.flips} changed logs of {len(log):,} bytes: {shown}")
    return 0 if set(found) <= {LESS, ALL} else 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    sys.exit(main())
