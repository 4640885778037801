"""Programs that follow gaps and reconnects: their callbacks, and the iterator over gaps.

Rules of this file
------------------
- A callback that is a coroutine function runs as a task of its own; any other runs in a thread of
  its own, so that one that hangs holds up no other, nor the event loop.
- Each gets its events in order. Those that wait for it are bounded; past that the newest are
  dropped, counted and logged.
- An error is logged, and so is a call that takes longer than `HANG_S`. A coroutine is cancelled
  then and gets the next event; a thread cannot be, and its later events wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickwire.config import Context
from tickwire.ledger import Gap
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import shown_url
from tickwire.session import SessionObserver
from tickwire.supervise import Failures, ManagedTask, TaskManager

if TYPE_CHECKING:
    from tickwire.feed.running import RunningFeed
    from tickwire.session import Session

MAX_EVENTS = 65_536  # that wait for one callback or iterator
HANG_S = 10.0
CANCEL_S = 1.0  # and for one that was cancelled
LAST_EVENTS_S = 2.0  # how long the end of a feed waits for them

_log = get_logger("tickwire.feed")


@dataclass(frozen=True, slots=True)
class GapEvent:
    """A gap that has opened, or has ended. Times are ns since the epoch.

    Parameters
    ----------
    gap_id
        The same when it opens and when it ends.
    venue, table, symbol
        The stream; None where a gap is not of one stream.
    reason
        Why rows are missing, as in the table gaps.
    state
        `open` or `closed`.
    start_ns, end_ns
        Receive times; no end while it is open.
    event_start_ns, event_end_ns
        The venue's times, where rows have them.
    lost, recovered
        How many rows or ids, where that is known.
    conn
        The connection that lost them.
    consumer
        Who lost them, where the others did not.
    detail
        For a person.
    left_start_ns, left_end_ns
        Where `recovered` is known: the part that is missing still; None: none is.
    """

    gap_id: int
    venue: str | None
    table: str
    symbol: str | None
    reason: str
    state: str
    start_ns: int
    end_ns: int | None
    event_start_ns: int | None
    event_end_ns: int | None
    lost: int | None
    recovered: int | None
    conn: int | None
    consumer: str | None
    detail: str | None
    left_start_ns: int | None = None
    left_end_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ReconnectEvent:
    """A session has a connection again.

    Parameters
    ----------
    venue, url
        Where to; the URL without its secrets.
    conn
        The new connection's number.
    reason, detail
        Why the last one ended.
    seconds
        Without a connection, by the monotonic clock.
    """

    venue: str
    url: str
    conn: int
    reason: str
    detail: str
    seconds: float


class _Callback:
    """One callback and the events that wait for it."""

    def __init__(
        self,
        function: Callable[[Any], object],
        metrics: Callable[[], Metrics],
        failures: Callable[[], Failures],
    ) -> None:
        self._function = function
        self._name = getattr(function, "__qualname__", type(function).__name__)
        self._metrics = metrics
        self._failures = failures
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_dropping = self._has_begun = False
        self._task: ManagedTask[None] | None = None
        self._wake, self._has_ended = asyncio.Event(), asyncio.Event()
        self._since_s: float | None = None  # since when a thread's call has been running
        self._has_warned = False
        call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

    def start(self, tasks: TaskManager) -> None:
        """Begin; in the loop's thread."""
        self._has_begun = True
        if self.is_async:
            self._task = tasks.spawn(f"callback {id(self):x} {self._name}", self._run)
        else:
            name = f"callback-{self._name}"
            loop = asyncio.get_running_loop()
            threading.Thread(
                target=self._run_in_thread, args=(loop,), name=name, daemon=True
            ).start()

    def offer(self, event: object) -> None:
        """Let it have an event; in the loop's thread."""
        if self._waiting.qsize() >= MAX_EVENTS:
            self._metrics().counter("callback_events_dropped").add()
            if not self._is_dropping:
                self._is_dropping = True
                _log.warning("events dropped: a callback is too slow", callback=self._name)
            return
        self._is_dropping = False
        self._waiting.put(event)
        self._wake.set()
        self._look()

    def request_stop(self) -> None:
        """Let it end behind what waits."""
        self._waiting.put(None)
        self._wake.set()

    async def stop(self, deadline_s: float) -> None:
        """Wait until a deadline, by the loop's time, for what was requested, and cancel it."""
        if not self._has_begun:
            return
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._has_ended.wait()
        except TimeoutError:
            n_left = max(0, self._waiting.qsize() - 1)  # without the end
            _log.warning("a callback has not ended", callback=self._name, events=n_left)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_S)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            if not self._waiting.qsize():
                await self._wake.wait()
                continue
            event = self._waiting.get()
            if event is None:
                self._has_ended.set()
                return
            try:
                async with asyncio.timeout(HANG_S):
                    await self._function(event)  # type: ignore[misc] # a coroutine function here
            except TimeoutError as error:
                self._failed(error, f"took longer than {HANG_S:g} s")
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._failed(error, "was cancelled from within")  # by what it waited for
            except Exception as error:  # another's code
                self._failed(error)

    def _run_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        while (event := self._waiting.get()) is not None:
            self._since_s, self._has_warned = time.monotonic(), False
            try:
                self._function(event)
            except BaseException as error:  # another's code: `sys.exit` ends no thread
                self._failed(error)
            finally:
                self._since_s = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: it ended late
            loop.call_soon_threadsafe(self._has_ended.set)

    def _look(self) -> None:
        """Log a thread's call that does not return; when the next event comes."""
        since_s = self._since_s
        if self.is_async or since_s is None or self._has_warned:
            return
        if time.monotonic() - since_s > HANG_S:
            self._has_warned = True
            _log.warning("a callback does not return", callback=self._name, after_s=HANG_S)

    def _failed(self, error: BaseException, text: str = "") -> None:
        self._metrics().counter("callback_failures").add()
        text = text or " ".join(f"{type(error).__name__}: {error}".split())
        self._failures().report(
            error, Context.HOOK, "a callback failed",
            part=self._name, log=_log, callback=self._name, error=text,
        )  # fmt: skip


class GapStream:
    """Gaps as they open and as they end; ends with the feed. Made by `FeedHandler.gaps`."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[GapEvent | None] = asyncio.Queue(MAX_EVENTS)
        self._has_ended = False

    def __aiter__(self) -> GapStream:
        return self

    async def __anext__(self) -> GapEvent:
        if self._has_ended and self._events.empty():
            raise StopAsyncIteration
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def offer(self, event: GapEvent) -> bool:
        """Add an event; False where too many wait."""
        if self._events.full():
            return False
        self._events.put_nowait(event)
        return True

    def end(self) -> None:
        """Let the iteration end behind what waits."""
        self._has_ended = True
        if not self._events.full():
            self._events.put_nowait(None)


class Following:
    """Who follows the gaps and reconnects of one feed."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        self._failures = Failures(metrics=self._metrics)
        self._on_gap: list[_Callback] = []
        self._on_reconnect: list[_Callback] = []
        self._streams: list[GapStream] = []
        self._tasks: TaskManager | None = None  # while it runs

    def add_gap(self, function: Callable[[GapEvent], object]) -> None:
        """Call a function with each gap that opens, and again when it ends."""
        self._on_gap.append(self._added(function))

    def add_reconnect(self, function: Callable[[ReconnectEvent], object]) -> None:
        """Call a function when a session has a connection again."""
        self._on_reconnect.append(self._added(function))

    def add_stream(self) -> GapStream:
        """Give an iterator over gaps from now on."""
        stream = GapStream()
        self._streams.append(stream)
        return stream

    def start(self, feed: RunningFeed) -> None:
        """Follow a feed that is about to start."""
        self._metrics = feed.pipeline.metrics
        self._failures = feed.failures
        self._tasks = feed.tasks
        feed.pipeline.ledger.follow(self._gap)
        for source in feed.sources:
            for session in source.sessions:
                session.add_observer(_ReconnectObserver(self._reconnected))
        for callback in (*self._on_gap, *self._on_reconnect):
            callback.start(feed.tasks)

    async def stop(self) -> None:
        """Let everyone have what waits, and end."""
        self._tasks = None
        deadline_s = asyncio.get_running_loop().time() + LAST_EVENTS_S
        every = (*self._on_gap, *self._on_reconnect)
        for callback in every:  # all of them first: the time is one for all
            callback.request_stop()
        for callback in every:
            await callback.stop(deadline_s)
        for stream in self._streams:
            stream.end()

    def _added(self, function: Callable[[Any], object]) -> _Callback:
        if not callable(function):
            raise TypeError(f"a callback is {function!r}, should be callable")
        callback = _Callback(function, lambda: self._metrics, lambda: self._failures)
        if self._tasks is not None:
            callback.start(self._tasks)
        return callback

    def _gap(self, gap: Gap) -> None:
        if not self._on_gap and not self._streams:
            return
        event = GapEvent(
            gap.gap_id,
            gap.place.venue,
            gap.table,
            gap.place.symbol,
            gap.reason,
            gap.state,
            gap.start_ns,
            gap.end_ns,
            gap.event_start_ns,
            gap.event_end_ns,
            gap.lost,
            gap.recovered,
            gap.place.conn,
            gap.consumer,
            gap.detail,
            gap.left_start_ns,
            gap.left_end_ns,
        )
        _offer(self._on_gap, event)
        for stream in self._streams:
            if not stream.offer(event):
                self._metrics.counter("callback_events_dropped").add()

    def _reconnected(self, event: ReconnectEvent) -> None:
        _offer(self._on_reconnect, event)


def _offer(callbacks: Iterable[_Callback], event: object) -> None:
    for callback in callbacks:
        callback.offer(event)


class _ReconnectObserver(SessionObserver):
    """Sees when a session has a connection again."""

    def __init__(self, report: Callable[[ReconnectEvent], None]) -> None:
        self._report = report
        self._last: tuple[float, str, str] | None = None

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Note when and why a connection ended; another one may have taken its place."""
        is_replaced = reason == "stopped"
        self._last = None if is_replaced else (time.monotonic(), reason, detail)

    def connected(self, session: Session, conn: int) -> None:
        """Report a connection after another one."""
        if self._last is None:
            return
        since_s, reason, detail = self._last
        seconds = time.monotonic() - since_s
        url = shown_url(session.url)
        self._report(ReconnectEvent(session.venue.name, url, conn, reason, detail, seconds))
