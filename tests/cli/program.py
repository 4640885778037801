"""The program as a user starts it: a process of its own.

Rules of this file
------------------
- `tickwire` and `started` fork a server that has imported the program once: to import what a feed
  needs takes longer than most of these tests. Each command is a new process all the same, with its
  own arguments, environment, folder and streams, and warnings are errors.
- A test of how a process begins, or in a terminal, starts Python by `command` and `environment`.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from tickwire.bench import processes
from tickwire.cli import main

TIMEOUT_S = 100
# What commands import when they are called, and the tests' own; the last one spares what is forked
# the collection of all of it.
PRELOADED = (
    "tests.cli.program",
    "tickwire.bench",
    "tickwire.cli.app",
    "tickwire.feed",
    "tickwire.sim",
    "tickwire.sinks.duckdb",
    "tickwire.sinks.ipc",
    "tickwire.sinks.parquet",
    "tests.cli.frozen",
)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tickwire", *map(str, arguments)]


def environment() -> dict[str, str]:
    # Without a terminal's settings the output is the same everywhere.
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@contextmanager
def ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """Let no process outlive its test, whatever fails: a later one would be reported for it."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


def server() -> ForkServerContext:
    """Give what forks processes that have imported the program."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


class Program:
    """A command that was started, with the methods of `subprocess.Popen` that tests call.

    Parameters
    ----------
    stderr
        A descriptor for its errors, instead of a pipe.
    """

    def __init__(
        self,
        *arguments: object,
        cwd: Path | None = None,
        stderr: int | None = None,
    ) -> None:
        context = server()
        out, their_out = context.Pipe(duplex=False)
        errors, their_errors = context.Pipe(duplex=False)
        if stderr is not None:
            their_errors.close()
            their_errors = Connection(os.dup(stderr), readable=False)
        self._process = context.Process(
            target=_run,
            args=(
                [str(argument) for argument in arguments],
                environment(),
                str(cwd or Path.cwd()),
                their_out,
                their_errors,
            ),
        )
        self._process.start()
        with out, errors, their_out, their_errors:
            self.stdout = os.fdopen(os.dup(out.fileno()))
            self.stderr = os.fdopen(os.dup(errors.fileno()))

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = TIMEOUT_S) -> int:
        """Wait for its end."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("tickwire", timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = TIMEOUT_S) -> tuple[str, str]:
        """Read all of both streams, and wait for its end."""
        read = {}

        def read_all(stream: Any) -> None:
            read[stream] = "" if stream.closed else stream.read()

        streams = (self.stdout, self.stderr)
        threads = [threading.Thread(target=read_all, args=(each,)) for each in streams]
        for thread in threads:
            thread.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            for thread in threads:
                thread.join(TIMEOUT_S)
            for each in streams:
                each.close()
        return read[self.stdout], read[self.stderr]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()
        self._process.close()


def _run(
    arguments: list[str], env: dict[str, str], folder: str, out: Connection, errors: Connection
) -> None:
    """Become the program."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for number, pipe in ((1, out), (2, errors)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, closefd=False)  # type: ignore[misc]
    sys.argv = ["tickwire", *arguments]
    server()
    processes.START_METHOD = "forkserver"  # a benchmark's processes
    warnings.simplefilter("error")
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out


def tickwire(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with Program(*arguments, cwd=cwd) as program:
        out, errors = program.communicate()
        return subprocess.CompletedProcess([*map(str, arguments)], program.wait(), out, errors)


def started(*arguments: object, stderr: int | None = None) -> Program:
    """Start a command."""
    return Program(*arguments, stderr=stderr)


def source(url: str | None = None, **more: Any) -> dict[str, Any]:
    """A source of a configuration: trades of BTC, from Hyperliquid or its like at a URL."""
    keys = {"venue": "hyperliquid", "channels": ["trades"], "symbols": ["BTC"]}
    return keys | ({} if url is None else {"url": url}) | more


def write_config(
    folder: Path, *sources: dict[str, Any], sinks: str = "both", feed: str = ""
) -> Path:
    """Write a configuration with a DuckDB file and a Parquet dataset in `folder`."""
    lines = ["[feed]", feed]
    for source in sources:
        lines.append("[[source]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in source.items()]
    if sinks in ("both", "duckdb"):
        lines += ["[[sink]]", 'type = "duckdb"', 'path = "market.duckdb"']
    if sinks in ("both", "parquet"):
        lines += ["[[sink]]", 'type = "parquet"', 'path = "data"']
    path = folder / "feeds.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def from_duckdb(folder: Path, table: str) -> pa.Table:
    """Read a table in the order of seq."""
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
        return connection.sql(f'SELECT * FROM "{table}" ORDER BY seq').to_arrow_table()  # noqa: S608 - our own name


def from_parquet(folder: Path, table: str) -> pa.Table:
    """Read a table in the order of seq."""
    dataset = ds.dataset(folder / "data" / table, format="parquet", partitioning="hive")
    return dataset.to_table().sort_by("seq")
