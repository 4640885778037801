"""The thread that writes the log: order, bounds, drops, and what it never does."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tickwire.log_writer import LogWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def fill(descriptor: int) -> int:
    os.set_blocking(descriptor, False)
    n_bytes = 0
    try:
        while True:
            n_bytes += os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)
        return n_bytes


def test_lines_are_written_in_their_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = LogWriter(lambda: writer)
    for number in range(1000):
        log.write(f"{number}\n")
    assert log.flush(10)
    assert os.read(reader, 65_536).split() == [str(number).encode() for number in range(1000)]
    assert log.n_dropped == 0


def test_a_full_pipe_neither_blocks_nor_grows(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    n_filled = fill(writer)
    log = LogWriter(lambda: writer, most_waiting=1000)
    log.write("first\n")
    began_s = time.monotonic()
    while log._waiting:  # the thread has taken it, and hangs
        time.sleep(0.001)
    for _ in range(1000):
        log.write("123456789\n")
    assert log.n_dropped == 900
    assert not log.flush(0.01)
    assert time.monotonic() - began_s < 5
    assert log.n_dropped == 1000
    log.write("last\n")
    while n_filled:
        n_filled -= len(os.read(reader, n_filled))
    assert log.flush(10)
    assert os.read(reader, 65_536) == b"first\nlog lines dropped lines=1000\nlast\n"
    assert log.n_dropped == 1000


def test_what_fails_is_dropped_and_reported_once_it_works_again(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    full = os.open("/dev/full", os.O_WRONLY)
    at = [full]
    log = LogWriter(lambda: at[0])
    log.notice = lambda n_lines: f"{n_lines} dropped\n"
    log.write("one\ntwo\n")
    assert log.flush(10)
    assert log.n_dropped == 2
    os.close(full)  # a closed one fails otherwise
    log.write("three\n")
    assert log.flush(10)
    at[0] = writer
    log.write("four\n")
    log.write("five\n")
    assert log.flush(10)
    assert b"3 dropped\n" in os.read(reader, 65_536)
    assert log.n_dropped == 3
    log.write("six\n")
    assert log.flush(10)
    assert os.read(reader, 65_536) == b"six\n"


def test_a_non_blocking_descriptor_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    n_filled = fill(writer)
    os.set_blocking(writer, False)
    log = LogWriter(lambda: writer)
    log.write("late\n")
    assert not log.flush(0.01)
    while n_filled:
        n_filled -= len(os.read(reader, n_filled))
    assert log.flush(10)
    assert os.read(reader, 100) == b"late\n"
    assert log.n_dropped == 0


def test_a_forked_child_has_a_thread_of_its_own(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = LogWriter(lambda: writer)
    log.write("parent\n")
    assert log.flush(10)
    with log._changed:  # held by another thread when the child is made
        log._reset()
        assert log._thread is None
    log.write("child\n")
    assert log.flush(10)
    assert os.read(reader, 100) == b"parent\nchild\n"


def test_many_threads_may_write(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = LogWriter(lambda: writer)
    threads = [
        threading.Thread(target=lambda: [log.write("0123456789\n") for _ in range(100)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(10)
    assert os.read(reader, 65_536) == b"0123456789\n" * 800


def test_the_last_lines_are_written_where_exit_handlers_were_cleared() -> None:
    # As in a child of multiprocessing, from Python 3.13 on.
    program = (
        "import atexit\n"
        "from tickwire.log_writer import LOG_WRITER\n"
        "atexit._clear()\n"
        "LOG_WRITER.write('x' * 100_000 + '\\n')\n"
    )
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "x" * 100_000 + "\n"
