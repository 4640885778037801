"""What a feed shows of itself: how it stands, its figures, what it has not done yet."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from tickwire.config import Config
from tickwire.feed.books.book_view import BookView
from tickwire.feed.emergency import EmergencyStop
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.plan.plans import FeedPlan
from tickwire.feed.prices import Price, last_prices
from tickwire.feed.probe import FeedProbe
from tickwire.feed.queried import FeedQueries
from tickwire.feed.running import RunningFeed
from tickwire.feed.summary import Status, status_of, summarise
from tickwire.feed.verdict import decoding_problems
from tickwire.logs import get_logger
from tickwire.serve.pool import ReadPool
from tickwire.serve.requests import LIMIT_S, MAX_ROWS, Limits
from tickwire.supervise import TaskManager

_log = get_logger("tickwire.feed")


class FeedView:
    """The part of a `FeedHandler` that is read, and changes nothing."""

    config: Config
    plan: FeedPlan
    _replays: bool
    _feed: RunningFeed | None
    _probe: FeedProbe | None
    _queries: FeedQueries | None
    _emergency: EmergencyStop
    _is_stopped: bool
    _end: asyncio.Event

    def __repr__(self) -> str:
        state = "not started" if self._feed is None else "runs"
        sources = ", ".join(source.venue.name for source in self.plan.sources)
        sinks = ", ".join(sink.name for sink in self.config.sinks) or "none"
        return (
            f"<FeedHandler {self.config.feed.name}: {'stopped' if self._is_stopped else state}, "
            f"sources {sources}, sinks {sinks}>"
        )

    @property
    def is_healthy(self) -> bool:
        """Whether it runs, every source is subscribed and connected, and no sink has failed."""
        probe = self._probe
        is_running = probe is not None and not self._end.is_set()
        return is_running and probe is not None and probe.is_live() and probe.is_ready()

    def status(self) -> Status:
        """Give how the feed stands; may be called from any thread."""
        feed = self._feed
        return Status() if feed is None else status_of(feed.pipeline.registry)

    def log_status(self) -> None:
        """Log how the feed and each of its tasks stand, a line each."""
        _log.info("status", **asdict(self.status()))
        for task in [] if self._feed is None else self._feed.tasks.status():
            _log.info("task", **task.to_dict())

    def summary(self) -> dict[str, Any]:
        """Give the numbers of the run: what `--summary` writes.

        Raises
        ------
        RuntimeError
            Where the feed has not been started.
        """
        feed = self._feed
        if feed is None:
            raise RuntimeError("the feed has not been started")
        return {
            **summarise(self.config.feed.name, feed.pipeline.registry, feed.usage),
            "refusals": feed.refusals(),
            **feed.quiet(),
            "emergency": self._emergency.to_dict(),
        }

    def warn_of_decoding(self) -> list[str]:
        """Log where nothing, or less than 99 %, of what came was decoded; give what was logged."""
        problems = decoding_problems(self.summary()) if self.has_run else []
        for problem in problems:
            _log.warning(problem)
        return problems

    def book(
        self, venue: str, symbol: str, *, channel: str | None = None, depth: int | None = None
    ) -> BookView:
        """Give an order book as it is now; in the loop's thread.

        Its levels are views of the book's memory, right until the loop's next turn: `copy` what is
        to stay.

        Parameters
        ----------
        venue, symbol
            As in the configuration.
        channel
            Where a symbol has books of several channels; left out: `book`, or the first one.
        depth
            Levels of each side at most; left out: all.

        Raises
        ------
        KeyError
            There is no such book.
        RuntimeError
            The feed has not been started, or keeps no books.
        """
        kept = None if self._feed is None else self._feed.pipeline.kept_books
        if kept is None:
            raise RuntimeError("no books are kept: start the feed, with a section [books]")
        return kept.view(venue, symbol, channel, depth)

    def duckdb(
        self, n: int = 10, *, limit_s: float = LIMIT_S, max_rows: int = MAX_ROWS
    ) -> ReadPool:
        """Give a bounded pool of read cursors over what is committed and what is in the rings.

        `with pool as cursor: cursor.query("SELECT ...")` in a thread, and on the event loop
        `async with pool as cursor: await cursor.query("SELECT ...")`; both give a
        `pyarrow.Table`. The same arguments give the same pool; it ends with the feed.

        Parameters
        ----------
        n
            How many cursors may be taken at a time; the others wait.
        limit_s, max_rows
            Of each statement.

        Raises
        ------
        RuntimeError
            The feed does not run.
        ValueError
            There is no such `n`.
        """
        if n < 1:
            raise ValueError(f"n is {n}: at least 1")
        self._running()
        if self._queries is None:
            raise RuntimeError("the feed does not run: use `async with` or `start`")
        return self._queries.pool(n, Limits(limit_s, max_rows))

    def last_prices(self, venues: Collection[str]) -> dict[str, Price]:
        """Give the newest price of each symbol of some venues; in the loop's thread."""
        return {} if self._feed is None else last_prices(self._feed.pipeline, venues)

    def uncommitted(self) -> dict[str, dict[str, int]]:
        """Give the rows that each sink has not committed, by table."""
        return {} if self._feed is None else self._feed.uncommitted()

    @property
    def metrics_url(self) -> str:
        """Where `/metrics` and `/health` are answered; empty where nowhere."""
        return "" if self._probe is None else self._probe.server.url

    @property
    def tasks(self) -> TaskManager:
        """The feed's tasks; programs may hang their own into it, which end with the feed.

        Raises
        ------
        RuntimeError
            Where the feed has not been started.
        """
        if self._feed is None:
            raise RuntimeError("the feed has not been started")
        return self._feed.tasks

    @property
    def pipeline(self) -> Pipeline | None:
        """Rings and decoders; None before the start."""
        return None if self._feed is None else self._feed.pipeline

    @property
    def is_replay(self) -> bool:
        """Whether it was built for a capture."""
        return self._replays

    @property
    def has_run(self) -> bool:
        """Whether there is something to summarise."""
        return self._feed is not None

    @property
    def has_hung(self) -> bool:
        """Whether the stop has left a sink behind in a call that does not return."""
        return self._feed is not None and self._feed.has_hung

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested, or something failed."""
        return self._end.is_set()

    def _running(self) -> RunningFeed:
        if self._feed is None or self._is_stopped:
            raise RuntimeError("the feed does not run: use `async with` or `start`")
        return self._feed
