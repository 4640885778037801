"""What `run` and `replay` share: the loop, the signals, the summary, `--strict`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tickwire.cli.terminal import STDERR
from tickwire.errors import ConfigError, TickwireError
from tickwire.log_writer import LOG_WRITER

if TYPE_CHECKING:
    import asyncio

    from tickwire.feed import FeedHandler

EMERGENCY = 70
STOP_S = 75.0  # what the other parts of an emergency shutdown may take, beside its hooks
ABORT_WAIT_S = 10.0  # for the loop, to do it
ABORT_LIMIT_S = 5.0  # for another thread, in its place
LAST_FLUSH_S = 1.0
ABORT_FLUSH_S = 0.1  # a second signal waits no longer for a reader of the log


def drive(
    feed: FeedHandler,
    work: Callable[[], Coroutine[Any, Any, list[str]]],
    summary: str | None,
    *,
    strict: bool = False,
    debug: bool = False,
) -> None:
    """Do the feed's work on its loop, stop it on a signal, and write the summary.

    Parameters
    ----------
    feed
        Not started yet.
    work
        What to do: it returns when the feed has been stopped, with what is worth a warning.
    summary
        Where the summary goes: a file, `-` for standard output, None for nowhere.
    strict
        Whether what is worth a warning, and a stream without a row, is a failure.
    debug
        Log what blocks the loop; add where memory grows to what SIGUSR1 logs.

    Raises
    ------
    ConfigError
        Where the summary cannot be written; before anything starts.
    TickwireError
        Where the run failed, or `strict` found something.
    """
    from tickwire.feed import run
    from tickwire.feed.verdict import silent_streams, stream_problems

    check_writable("--summary", summary)
    main = _until_signal(feed, work, summary, debug=debug)
    try:
        problems = run(main, loop=feed.config.feed.loop, debug=debug)
    except BaseException:
        _write_beside(feed, summary)  # what is wrong with it must not hide what failed
        raise
    _write_summary(feed, summary)
    if strict:
        problems += stream_problems(feed.summary(), silent_streams(feed))
        if problems:
            raise TickwireError(f"--strict: {'; '.join(problems)}")


async def _until_signal(
    feed: FeedHandler,
    work: Callable[[], Coroutine[Any, Any, list[str]]],
    summary: str | None,
    *,
    debug: bool,
) -> list[str]:
    import asyncio

    loop = asyncio.get_running_loop()
    feed.on_emergency_declared(lambda reason: _limit_emergency(loop, feed, summary, reason))
    asked: list[int] = []

    def on_signal(number: int) -> None:
        if asked:
            # A terminal that closes may hang up twice: by its kernel and by its shell.
            if number == signal.SIGHUP:
                return
            _abort(feed, summary, "aborted by a second signal")
        asked.append(number)
        feed.request_stop(signal.Signals(number).name)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    from tickwire.supervise.debugging import MemoryGrowth, SlowCallbacks

    growth = MemoryGrowth() if debug else None

    def on_usr1() -> None:
        feed.log_status()
        if growth is not None:
            growth.log_in_thread()

    loop.add_signal_handler(signal.SIGUSR1, on_usr1)
    try:
        with SlowCallbacks() if debug else contextlib.nullcontext():
            return await work()
    finally:
        for number in (*numbers, signal.SIGUSR1):
            loop.remove_signal_handler(number)
        if growth is not None:
            growth.stop()  # after what was asked for is in the log


def check_writable(option: str, target: str | None) -> None:
    """Fail now rather than at the end of a run, where a file cannot be written.

    Parameters
    ----------
    option
        Which one names it.
    target
        A file; `-` for standard output, None for nowhere.
    """
    if target in (None, "-"):
        return
    path = Path(str(target)).absolute()
    wrong = ""
    if path.is_dir():
        wrong = "is a folder, should be a file"
    elif path.exists() and not os.access(path, os.W_OK):
        wrong = "cannot be written"
    elif not path.exists() and not (
        path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
    ):
        wrong = f"{path.parent} is not a folder that can be written"
    if wrong:
        raise ConfigError([f"{option} {target}: {wrong}"])


def _limit_emergency(
    loop: asyncio.AbstractEventLoop, feed: FeedHandler, summary: str | None, reason: str
) -> None:
    """Let an emergency shutdown end at a deadline, though a hook or a call blocks the loop."""

    def end() -> None:
        why = f"emergency shutdown: {reason}; it did not end in time"
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_abort, feed, summary, why, LAST_FLUSH_S)
        time.sleep(ABORT_WAIT_S)
        # The loop is blocked, by a call outside of the pipeline: that gives the interpreter away
        # nowhere. So what its thread would do is done here; a deadline, as it may hold a lock.
        aborting = threading.Thread(target=_leave_behind, args=(feed,), name="abort", daemon=True)
        aborting.start()
        aborting.join(ABORT_LIMIT_S)
        if aborting.is_alive():
            STDERR.write("tickwire: the last rows of gaps are not written: their lock is held\n")
        _end(feed, summary, why, LAST_FLUSH_S)

    timer = threading.Timer(STOP_S + feed.longest_hook_s, end)
    timer.daemon = True
    timer.start()


def _abort(
    feed: FeedHandler, summary: str | None, why: str, flush_s: float = ABORT_FLUSH_S
) -> None:
    """End at once, and say what is left undone; nothing here waits for long."""
    _leave_behind(feed)
    _end(feed, summary, why, flush_s)


def _leave_behind(feed: FeedHandler) -> None:
    try:
        feed.abort()
    except Exception as error:  # whatever fails: it must end
        STDERR.write(f"tickwire: {type(error).__name__}: {error}\n")


def _end(feed: FeedHandler, summary: str | None, why: str, flush_s: float) -> None:
    undone = feed.uncommitted()
    n_rows = sum(sum(tables.values()) for tables in undone.values())
    left = f": {n_rows:,} rows not committed: {json.dumps(undone)}" if n_rows else ""
    STDERR.write(f"tickwire: {why}{left}\n")
    LOG_WRITER.flush(flush_s)
    if summary != "-":  # standard output may be a pipe that nothing reads
        _write_beside(feed, summary)
    os._exit(EMERGENCY)


def _write_summary(feed: FeedHandler, summary: str | None) -> None:
    if summary is not None and feed.has_run:
        LOG_WRITER.flush()  # the summary counts the lines that were dropped
        _write(feed.summary(), summary)


def _write_beside(feed: FeedHandler, summary: str | None) -> None:
    """Write the summary of a run that failed; where that fails too, say so and no more."""
    try:
        _write_summary(feed, summary)
    except Exception as error:  # the run's own failure is raised, this one only said
        STDERR.write(f"tickwire: {error}\n")


def _write(summary: dict[str, object], target: str) -> None:
    text = json.dumps(summary, indent=2)
    if target == "-":
        print(text, flush=True)
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise TickwireError(f"cannot write {target}: {error.strerror or error}") from None
