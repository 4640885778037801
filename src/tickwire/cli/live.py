"""The line that moves while a run goes on in a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import IO, TYPE_CHECKING, cast

from tickwire.cli.terminal import TERMINAL
from tickwire.wording import counted

if TYPE_CHECKING:
    from rich.text import Text

    from tickwire.feed import FeedHandler
    from tickwire.feed.summary import Status

UPDATES_PER_S = 4


@contextmanager
def live_line(feed: FeedHandler) -> Iterator[None]:
    """Show messages/s, rows, ring depth, latency and gaps on standard error, if it is a terminal.

    Parameters
    ----------
    feed
        Its status is read from a thread of its own, so the loop never waits for the terminal.
    """
    if not TERMINAL.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live

    meter = Meter(feed)
    done = threading.Event()
    # Not rich's own refresh thread: that one is not joined, and would outlive the feed.
    with Live(
        get_renderable=meter,
        console=Console(file=cast("IO[str]", TERMINAL)),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
    ) as live:

        def refresh() -> None:
            while not done.wait(1 / UPDATES_PER_S):
                live.refresh()

        thread = threading.Thread(target=refresh, name="live-line", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class Meter:
    """Gives the line for the time since it was last asked.

    Parameters
    ----------
    feed
        Whose.
    """

    def __init__(self, feed: FeedHandler) -> None:
        self._feed = feed
        self._seen_s = monotonic()
        self._seen_messages = 0
        self._rate = 0.0

    def __call__(self) -> Text:
        """Give the line as it is now."""
        from rich.text import Text

        status = self._feed.status()
        now_s = monotonic()
        if now_s - self._seen_s >= 0.5 / UPDATES_PER_S:
            self._rate = (status.messages - self._seen_messages) / (now_s - self._seen_s)
            self._seen_s, self._seen_messages = now_s, status.messages
        return Text(line_of(status, self._rate), no_wrap=True, overflow="ellipsis")


def line_of(status: Status, messages_per_s: float) -> str:
    """Put a status in one line."""
    p99 = "-" if status.p99_us is None else f"{status.p99_us:,.0f} us"
    return (
        f"{status.connected}/{status.connections} connected  "
        f"{messages_per_s:,.0f} messages/s  {counted(status.rows, 'row')}  "
        f"ring {status.depth:.1%}  p99 {p99}  {counted(status.gaps, 'gap')}"
        + "".join(
            f"  {n} {what}"
            for n, what in (
                (status.refused, "refused"),
                (status.silent, "without a message"),
                (status.stale, "stale"),
            )
            if n
        )
    )
