"""A log that cannot be written: the feed goes on, stops on a signal, and ends."""

import fcntl
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import (
    Program,
    command,
    environment,
    from_duckdb,
    started,
    write_config,
)
from tests.cli.test_run import source, trades
from tests.feed.exchange import exchange

from tickwire.cli.logs import _OfLibraries
from tickwire.cli.terminal import STDERR, TERMINAL, flush_output
from tickwire.log_writer import LOG_WRITER

KINDS = ("a full pipe", "closed", "no reader", "a full disk")
LOOPS = ("uvloop", "asyncio")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def combinations() -> Iterator[Any]:
    """Each kind on each loop, with one signal; with all of them where there is time."""
    for number, each in enumerate(product(KINDS, LOOPS, SIGNALS)):
        turn, nth = divmod(number, len(SIGNALS))
        is_first = nth == turn % len(SIGNALS)
        yield pytest.param(*each, marks=() if is_first else pytest.mark.thorough)


def full_pipe() -> tuple[int, int]:
    """Give both ends of a pipe that takes nothing more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


@contextmanager
def program(kind: str, *arguments: object) -> Iterator[Program | subprocess.Popen[str]]:
    """Start a command whose standard error fails in one way."""
    process: Program | subprocess.Popen[str]
    reader = -1
    if kind == "closed":
        line = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command(*arguments)]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment())  # noqa: S603 - our own program
    else:
        if kind == "a full disk":
            errors = os.open("/dev/full", os.O_WRONLY)
        else:
            reader, errors = full_pipe() if kind == "a full pipe" else os.pipe()
        process = started(*arguments, stderr=errors)
        os.close(errors)
    if kind == "no reader":
        os.close(reader)
        reader = -1
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        if reader >= 0:
            os.close(reader)


@pytest.mark.parametrize(("kind", "loop", "number"), list(combinations()))
def test_a_feed_goes_on_and_stops_on_a_signal(
    tmp_path: Path, kind: str, loop: str, number: signal.Signals
) -> None:
    with exchange([trades(0, 10), trades(10, 20)]) as server:
        config = write_config(
            tmp_path, source(server.ws_url, backoff_max_s=0.1), feed=f'loop = "{loop}"'
        )
        with program(kind, "-v", "run", config, "--summary", tmp_path / "sum.json") as process:
            assert server.played.wait(60)  # a second connection: the first one's end was no end
            process.send_signal(number)
            assert process.wait(20) == 0
    assert from_duckdb(tmp_path, "trades")["trade_id"].to_pylist() == [*map(str, range(20))]
    summary: dict[str, Any] = json.loads((tmp_path / "sum.json").read_text())
    assert summary["rows_committed"]["parquet"]["trades"] == 20
    assert summary["log_lines_dropped"] > 5


def test_a_second_signal_aborts_though_its_line_cannot_be_written(tmp_path: Path) -> None:
    with exchange([trades(0, 10)]) as server:
        config = write_config(tmp_path, source(server.ws_url))
        with program("a full pipe", "run", config) as process:
            assert server.played.wait(60)
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
                process.send_signal(number)
            assert process.wait(20) == 70


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_ends_the_program_though_it_cannot_be_reported(tmp_path: Path, kind: str) -> None:
    with program(kind, "run", tmp_path / "nothing.toml") as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""  # not written elsewhere either


def test_what_was_dropped_is_reported_when_the_pipe_is_read_again(tmp_path: Path) -> None:
    reader, errors = full_pipe()
    n_filled = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
    with exchange([trades(0, 10)] * 3 + [trades(0, 10)]) as server:
        config = write_config(tmp_path, source(server.ws_url, backoff_max_s=0.1))
        process = subprocess.Popen(  # noqa: S603 - our own program
            command("run", config), stderr=errors, env=environment()
        )
        os.close(errors)
        try:
            assert server.played.wait(60)
            with os.fdopen(reader, "rb") as stream:
                assert stream.read(n_filled) == b"x" * n_filled
                process.terminate()
                lines = stream.read().decode().splitlines()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
    # A pipe that was merely slow costs nothing.
    assert sum("event=connected" in line for line in lines) == 4
    assert any("event=stopping" in line for line in lines)


def test_a_stream_in_the_place_of_standard_error_gets_the_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stand_in)
    print("one line", file=STDERR)
    assert stand_in.getvalue() == "one line\n"
    stand_in.close()
    n_dropped = LOG_WRITER.n_dropped
    print("two\nlines", file=STDERR)
    assert LOG_WRITER.n_dropped == n_dropped + 2


def test_standard_error_is_a_stream_like_others() -> None:
    assert TERMINAL.writable()
    assert sys.__stderr__ is not None
    assert TERMINAL.fileno() == sys.__stderr__.fileno()
    assert TERMINAL.encoding == "utf-8"


def test_a_library_s_line_that_cannot_be_made_is_counted() -> None:
    record = logging.LogRecord("asyncio", logging.WARNING, "x.py", 1, "%d lost", ("two",), None)
    n_dropped = LOG_WRITER.n_dropped
    _OfLibraries().emit(record)
    assert LOG_WRITER.n_dropped == n_dropped + 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [("check", "CONFIG"), ("doctor",), ("--help",), ("sim", "--port", "0")]
)
def test_what_cannot_be_said_on_standard_output_is_one_line(
    tmp_path: Path, words: tuple[str, ...], unbuffered: str
) -> None:
    config = write_config(tmp_path, source("ws://127.0.0.1:9"))
    given = [config if word == "CONFIG" else word for word in words]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(  # noqa: S603 - our own program
            command(*given),
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
            env=environment() | {"PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 1
    said = "tickwire: standard output cannot be written: No space left on device"
    assert done.stderr.splitlines()[-1] == said
    assert done.stderr.count("standard output") == 1
    assert "Traceback" not in done.stderr


def test_what_its_reader_does_not_want_any_more_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        output.write("a line")
        assert flush_output() is None
        output.flush()  # as Python does at its end
