"""A capture through the pipeline of a feed: the same text, times and order give the same rows.

Rules of this file
------------------
- Time is the capture's: `ts_recv` and `conn` come from it, and so do the times of the feed's own
  rows. The feed's state is neither read nor written: sequence numbers go on behind those that its
  sinks hold. A sink that has all of the capture already is left out (`tickwire.sinks.replays`).
- REST answers go through the same splice as live, at their place in the order of time.
- A full ring waits for its sinks, whatever `overflow` says: nothing is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from tickwire.capture import Capture, Message, RestAnswer, digest_of
from tickwire.decode import ConnectionDecoder
from tickwire.errors import TickwireError
from tickwire.feed.books.books import Books, symbol_of
from tickwire.feed.handler import FeedHandler
from tickwire.feed.pipeline import Pipeline, SourcePipeline
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.streams.room import until_room
from tickwire.feed.verdict import decoding_problems
from tickwire.logs import get_logger
from tickwire.sinks import Replayed
from tickwire.supervise import in_thread
from tickwire.wording import counted

TURN_EVENTS = 2000  # after so many, the loop has a turn: signals, progress, the feed's own rows


class Replay:
    """Plays a capture into a feed.

    Parameters
    ----------
    feed
        Made with `replays=True`, not started.
    path
        The capture.
    speed
        Times its own pace; `max` does not wait.
    again
        Sinks that have all of it remove its rows, and get them anew.

    Attributes
    ----------
    on_progress
        Called now and then with how much is done and how much there is.
    n_messages
        Messages played.

    Raises
    ------
    CaptureError
        Where it cannot be read.
    """

    def __init__(
        self,
        feed: FeedHandler,
        path: str | Path,
        *,
        speed: float | Literal["max"] = "max",
        again: bool = False,
    ) -> None:
        self.path = Path(path)
        self.on_progress: Callable[[int, int], None] | None = None
        self._feed = feed
        self._speed = speed if isinstance(speed, float | int) else None
        self._again = again
        self._open()
        self._began: tuple[float, int] | None = None  # by the clock here, and there
        self._now_ns = 0
        self._decoders: dict[int, list[ConnectionDecoder]] = {}
        self._is_interrupted = False
        self.n_messages = 0
        self._n_known_elsewhere = 0  # unknown to a source, but not to all, or unknown twice
        self._log = get_logger("tickwire.replay")

    def _open(self) -> None:
        self._capture = Capture.open(self.path)
        if not self._capture.has_times:
            self._speed = None

    def _digest(self) -> str:
        """Give the id of what is played."""
        return digest_of(self._capture.files)

    @property
    def _n_total(self) -> int | None:
        """How many messages there are; None where that is not known."""
        return self._capture.n_messages

    async def run(self) -> list[str]:
        """Start the feed, play everything, and stop the feed; log the totals.

        Returns
        -------
        list
            What is worth a warning, as logged: an interruption, nothing decoded, more than 1 % of
            the messages unknown or not decodable.

        Raises
        ------
        CaptureError
            The capture is damaged.
        SinkError
            A sink cannot be opened, or has failed.
        """
        replayed = None
        try:
            if self._feed.config.sinks:
                digest = await in_thread(self._digest)
                replayed = Replayed(digest, self.path.name, self._again)
            self._feed.replayed = replayed
            await self._feed.start()
            pipeline = self._feed.pipeline
            if pipeline is not None:
                pipeline.ledger.replay_at(lambda: self._now_ns)
                self._is_interrupted = True
                await asyncio.sleep(0)  # what waits for the start has a turn, as in a run
                await self._play(pipeline)
                if replayed is not None:
                    replayed.is_whole = not self._is_interrupted
        finally:
            await self._feed.stop()
        self._feed.raise_failure()
        return self._log_totals()

    def _log_totals(self) -> list[str]:
        """Log what came of it, in a line of its own even where that is nothing."""
        summary = self._feed.summary()
        n_unknown = summary["unknown_messages"] - self._n_known_elsewhere
        rows = {table: n for table, n in summary["rows"].items() if n}
        self._log.info(
            "replayed",
            capture=self.path.name,
            messages=self.n_messages,
            unknown=n_unknown,
            errors=sum(summary["decode_errors"].values()),
            unrequested=summary["unrequested_messages"],
            unconfigured_rows=sum(summary["unconfigured_rows"].values()),
            seconds=round(summary["seconds"], 3),
            rows=sum(rows.values()),
            **{f"rows_{table}": n for table, n in rows.items()},
        )
        problems = []
        if self._is_interrupted:
            total = self._n_total
            of = "" if total is None else f"{self.n_messages:,} of "
            n = self.n_messages if total is None else total
            problems.append(f"interrupted after {of}{counted(n, 'message')}")
        problems += decoding_problems(summary, n_messages=self.n_messages, n_unknown=n_unknown)
        for problem in problems:
            self._log.warning(problem)
        return problems

    async def _play(self, pipeline: Pipeline) -> None:
        n_events = 0
        for event in self._capture.events():
            if not await self._may_go_on(pipeline, n_events, event.recv_ns):
                return
            n_events += 1
            if isinstance(event, Message):
                await self._offer_message(pipeline, event)
            else:
                await self._offer_answer(pipeline, event)
        await self._end(pipeline, n_events)

    async def _may_go_on(self, pipeline: Pipeline, n_events: int, recv_ns: int) -> bool:
        """Give the loop its turns, and wait until an event is due; False where the feed stops."""
        if n_events % TURN_EVENTS == 0:
            self._tell_progress(n_events)
            for source in pipeline.sources:
                source.gaps.look()
            if pipeline.kept_books is not None:
                pipeline.kept_books.look()
            await asyncio.sleep(0)
            if self._feed.is_stopping:
                return False
        self._now_ns = recv_ns
        if self._speed is not None:
            if self._began is None:
                self._began = time.monotonic(), recv_ns
            began_s, first_ns = self._began
            await self._wait_until(began_s + (recv_ns - first_ns) / 1e9 / self._speed)
        return not self._feed.is_stopping

    async def _end(self, pipeline: Pipeline, n_events: int) -> None:
        """Let in what is held, and end gaps and books."""
        for source in pipeline.sources:
            await self._release_held(source)
            if source.books is not None:
                source.books.end()
            source.gaps.end()
        self._tell_progress(n_events)
        self._is_interrupted = self._feed.is_stopping

    async def _release_held(self, source: SourcePipeline) -> None:
        await until_room(source.decoder, source.decoder.release_held, self._is_stopping)

    def _is_stopping(self) -> bool:
        return self._feed.is_stopping

    async def _wait_until(self, due_s: float) -> None:
        while not self._feed.is_stopping:
            wait_s = due_s - time.monotonic()
            if wait_s < 0.001:
                return
            await asyncio.sleep(min(wait_s, 0.1))

    async def _offer_message(self, pipeline: Pipeline, message: Message) -> None:
        decoders = self._decoders.get(message.connection)
        if decoders is None:
            for source in pipeline.sources:
                if _takes(source, message.connection):
                    source.gaps.connected(0, message.connection)
            decoders = [
                source.decoder.connection(
                    message.connection,
                    labels=common_labels(source.plan),
                    symbol=common_symbol(source.plan),
                )
                for source in pipeline.sources
                if _takes(source, message.connection)
            ]
            self._decoders[message.connection] = decoders
        n_decoders = len(decoders)
        n_unknown = _n_unknown(pipeline) if n_decoders > 1 else 0
        for decoder in decoders:
            offer = partial(decoder.decode, message.payload, message.recv_ns)
            if not offer() and not await until_room(decoder, offer, self._is_stopping):
                return
            if decoder.has_events:
                decoder.take_events()
        self.n_messages += n_decoders > 0
        if n_decoders > 1:
            # Another venue's source does not know it; unknown it is where none of them does.
            n_more = _n_unknown(pipeline) - n_unknown
            self._n_known_elsewhere += n_more - (n_more == n_decoders)
        for source in pipeline.sources:
            if source.books is not None and source.books.has_news:
                source.books.look()

    async def _offer_answer(self, pipeline: Pipeline, answer: RestAnswer) -> None:
        for source in pipeline.sources:
            rule = source.plan.venue.book
            if rule is None or not _takes(source, answer.connection):
                continue
            if not isinstance(source.books, Books):
                continue
            symbol = symbol_of(rule, answer.url)
            if symbol is None or symbol not in source.plan.spliced:
                continue
            try:
                await source.books.splice(
                    symbol,
                    answer.data,
                    answer.recv_ns,
                    answer.connection,
                    early=True,
                    is_over=self._is_stopping,
                )
            except TickwireError as error:
                source.books.failed(symbol, error)

    def _tell_progress(self, n_events: int) -> None:
        if self.on_progress is None:
            return
        total = self._n_total
        if total is not None:
            self.on_progress(min(n_events, total), total)
        else:
            self.on_progress(self._capture.n_bytes_read, self._capture.n_bytes)


def _n_unknown(pipeline: Pipeline) -> int:
    return sum(source.decoder.unknown_messages for source in pipeline.sources)


def _takes(source: SourcePipeline, connection: int) -> bool:
    wanted = source.plan.settings.replay_connections
    return wanted is None or connection in wanted


def common_labels(plan: SourcePlan) -> dict[str, str]:
    """Give the labels of a source's connections, where all have the same.

    A capture does not say which of them a connection was.
    """
    labels = [connection.labels for connection in plan.connections]
    return labels[0] if all(each == labels[0] for each in labels) else {}


def common_symbol(plan: SourcePlan) -> str | None:
    """Give what messages are of that do not say it, where there is one such symbol."""
    symbols = {each.symbol for each in plan.connections if each.symbol is not None}
    return symbols.pop() if len(symbols) == 1 else None
