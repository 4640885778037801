"""What `run` and `replay` share: the loop, the signals, the summary."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tickwire.errors import ConfigError

if TYPE_CHECKING:
    from tickwire.feed import FeedHandler

EMERGENCY = 70


def drive(feed: FeedHandler, work: Callable[[], Awaitable[None]], summary: str | None) -> None:
    """Do the feed's work on its loop, stop it on a signal, and write the summary.

    Parameters
    ----------
    feed
        Not started yet.
    work
        What to do: it returns when the feed has been stopped.
    summary
        Where the summary goes: a file, `-` for standard output, None for nowhere.
    """
    from tickwire.feed import run

    _check_writable(summary)
    try:
        run(_until_signal(feed, work), loop=feed.config.feed.loop)
    finally:
        if summary is not None and feed.has_run:
            _write(feed.summary(), summary)


async def _until_signal(feed: FeedHandler, work: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def on_signal(number: int) -> None:
        if asked:
            print("tickwire: aborted by a second signal", file=sys.stderr, flush=True)
            os._exit(EMERGENCY)
        asked.append(number)
        feed.request_stop(signal.Signals(number).name)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        await work()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _check_writable(summary: str | None) -> None:
    if summary in (None, "-"):
        return
    folder = Path(str(summary)).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError([f"--summary {summary}: {folder} is not a folder that can be written"])


def _write(summary: dict[str, object], target: str) -> None:
    text = json.dumps(summary, indent=2)
    if target == "-":
        print(text, flush=True)
    else:
        Path(target).write_text(text + "\n", encoding="utf-8")
