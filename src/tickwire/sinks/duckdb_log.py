"""The write-ahead log that a killed process has left beside a DuckDB file: whether it can be read.

Rules of this file
------------------
- A log is there only where the last stop was not clean. Then another process opens the file first,
  as a library may abort on what is damaged; it only reads.
- A log that cannot be read is kept under another name, in one line of the log. What is before the
  damage is used where DuckDB takes it: it stops there without a word where a log is torn.
- Where the file cannot be opened without its log either, nothing was wrong with the log. Nor is it
  damage where disk or memory is short, or the other process is killed: then the log stays.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tickwire.clock import wall_ns
from tickwire.logs import get_logger
from tickwire.sinks.files import start_mark, sync_folder

PROBE_S = 60.0
# The compiled module alone starts in half the time, where DuckDB has it by this name.
PROBE = """
import sys
try:
    import _duckdb as duckdb
except ImportError:
    import duckdb
try:
    connection = duckdb.connect(
        sys.argv[1], read_only=True, config={"threads": 1, "memory_limit": sys.argv[2]}
    )
    connection.execute("FROM duckdb_tables()").fetchall()
except duckdb.Error as error:
    sys.exit(" ".join(str(error).split()))
"""
LOG = "replaying WAL file"
DAMAGE_AT = re.compile(r"entry at byte position (\d+)")
# A library ends itself by these; by others somebody else ends it.
ABORTS = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
# What memory or disk lack says nothing of a log: it may be replayed later.
LACKS = re.compile(
    r"out of memory|failed to (?:pin|offload)|allocation|allocate|temp_directory|temporary file"
    r"|no space left|quota exceeded|too many open files|input/output error",
    re.IGNORECASE,
)
_log = get_logger("tickwire.sinks")


def settle_log(path: Path, sink: str, memory_mb: int) -> bool:
    """Set a write-ahead log aside that DuckDB cannot read.

    Parameters
    ----------
    path
        The database file.
    sink
        For the line of the log.
    memory_mb
        What the other process may use.

    Returns
    -------
    bool
        Whether it was.

    Raises
    ------
    OSError
        It cannot be renamed.
    """
    log = path.with_name(f"{path.name}.wal")
    if not log.exists() or not path.exists():
        return False
    why = _refusal(path, memory_mb)
    if LOG not in why:
        return False
    aside = log.with_name(f"{log.name}.damaged-{start_mark(wall_ns())}")
    log.rename(aside)
    n_kept = 0
    damage = DAMAGE_AT.search(why)
    if damage is not None:
        n_kept = int(damage[1])
        with aside.open("rb") as source, log.open("wb") as target:
            _copy(source.fileno(), target.fileno(), n_kept)
            os.fsync(target.fileno())
        if _refusal(path, memory_mb):
            n_kept = 0
            log.unlink()
    if not n_kept and _refusal(path, memory_mb):
        aside.rename(log)
        return False
    sync_folder(path.parent)
    n_bytes = aside.stat().st_size
    _log.error(
        "a write-ahead log cannot be read: it is set aside, and rows that only it had are missing",
        sink=sink, file=str(log), kept=str(aside), bytes=n_bytes - n_kept, why=why,
    )  # fmt: skip
    return True


def _refusal(path: Path, memory_mb: int) -> str:
    """Say why a process of its own cannot open a file; empty where it can."""
    if not sys.executable or getattr(sys, "frozen", False):
        return ""
    command = [sys.executable, "-c", PROBE, os.fspath(path), f"{memory_mb}MiB"]
    try:
        done = subprocess.run(  # noqa: S603 - this program, and a path as an argument
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROBE_S,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode < 0:
        is_abort = -done.returncode in ABORTS
        ended = f"the process that is {LOG} ended by signal {-done.returncode}"
        return ended if is_abort else ""
    why = done.stderr.decode(errors="replace").strip() if done.returncode else ""
    return "" if LACKS.search(why) else why


def _copy(source: int, target: int, n_bytes: int) -> None:
    """Copy the first bytes of a file."""
    at = 0
    while at < n_bytes:
        data = os.pread(source, min(1 << 20, n_bytes - at), at)
        if not data:
            return
        at += os.write(target, data)
