"""Order books that need a REST snapshot: fetch it, splice it in, say what is missing.

Rules of this file
------------------
- `BookSplice` holds the deltas of a symbol until its snapshot has come; this looks a few times a
  second for symbols that wait, and fetches at the pace that the venue allows.
- The decoder takes a snapshot and the deltas held for it in one stretch of the loop's thread, so
  that no delta comes between them.
- Nothing here is called while a message is decoded: what happened to a chain is found by `look`.
- A snapshot that is older than the oldest delta held is no use: fetch another one, later each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Literal, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from tickwire.book import BookSplice
from tickwire.config import Context
from tickwire.decode import Decoder
from tickwire.errors import BookBroken, TickwireError
from tickwire.feed.plan.endpoints import request_url
from tickwire.feed.streams.room import never, until_room
from tickwire.ledger import BookGaps, Ledger, Place
from tickwire.ledger.reasons import OVERFLOW
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.ring import Dictionary
from tickwire.supervise import Backoff, Failures, ManagedTask, cancel_all, spawn
from tickwire.venues import BookRule, Venue

LOOK_S = 0.02
HOLE_NS = 2_000_000_000  # how long another connection may take to fill a hole
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 30.0


_log = get_logger("tickwire.feed")

SnapshotOutcome = Literal["spliced", "unwanted", "old", "full"]


class Rest(Protocol):
    """What fetches a snapshot."""

    async def get(self, url: str) -> tuple[bytes, int]:
        """Give the body and the wall clock at its arrival, ns."""


class Books:
    """The spliced books of one source.

    Parameters
    ----------
    venue
        With a `book` rule.
    splice
        The splice of the source's decoder.
    decoder
        The source's.
    symbols
        The feed's dictionary of symbols.
    ledger
        Where events are written down.
    gaps
        The source's.
    metrics
        Counts what is fetched again.
    failures
        Where failures are reported.
    """

    def __init__(
        self,
        venue: Venue,
        splice: BookSplice,
        decoder: Decoder,
        symbols: Dictionary,
        ledger: Ledger,
        gaps: BookGaps,
        metrics: Metrics | None = None,
        failures: Failures | None = None,
    ) -> None:
        if venue.book is None:
            raise ValueError(f"{venue.name} has no book rule")
        self._venue = venue
        self._rule: BookRule = venue.book
        self._splice = splice
        self._decoder = decoder
        self._symbols = symbols
        self._ledger = ledger
        self._gaps = gaps
        self._metrics = Metrics() if metrics is None else metrics
        self._failures = failures or Failures(metrics=self._metrics)
        self._doubts: dict[str, tuple[int, str]] = {}  # right until then; why
        self._n_breaks_seen = 0
        self._n_waiting_seen = 0
        self._conns: dict[str, int] = {}
        # Called with each answer that the books took: URL, body, when it came, and connection.
        self.on_answer: Callable[[str, bytes, int, int], None] | None = None

    def on_connected(self, symbols: tuple[str, ...], conn: int) -> None:
        """Note which connection brings the deltas of these symbols."""
        self._conns.update(dict.fromkeys(symbols, conn))

    def on_left(self, symbols: tuple[str, ...], conn: int, other: int) -> None:
        """Note that a connection has ended, and another one brings these symbols."""
        self.on_connected(symbols, other)

    def share(self, is_shared: bool) -> None:
        """Note whether several connections bring the same changes."""
        self._splice.is_shared = is_shared

    def on_disconnected(self, symbols: tuple[str, ...]) -> None:
        """Forget these symbols' chains and what was held for them.

        What has its snapshot and only waits for room is published first: it was received.
        """
        for symbol in symbols:
            if symbol in self._conns:
                self._splice.end(self._symbols.code(symbol))
        self.look()

    def acknowledged(self, symbol: str) -> None:
        """Note that a symbol has been asked for: its snapshot is fetched when changes come."""

    def doubt(self, symbol: str, good_ns: int, detail: str) -> bool:
        """Break a book that an oracle has found to be wrong; False where it has none now.

        Parameters
        ----------
        symbol
            Whose.
        good_ns
            ts_recv up to which it is known to be right.
        detail
            For a person.
        """
        self._doubts[symbol] = good_ns, detail
        is_broken = self._splice.doubt(self._symbols.code(symbol))
        self.look()
        self._doubts.pop(symbol, None)
        return is_broken

    @property
    def held_bytes(self) -> int:
        """Bytes of the deltas that are held."""
        return self._splice.held.n_bytes

    @property
    def waiting(self) -> list[str]:
        """The symbols whose deltas wait for a snapshot."""
        if not self._splice.n_waiting:
            return []
        return [self._symbols.value(code) for code in self._splice.waiting()]

    @property
    def is_releasing(self) -> bool:
        """Whether held deltas that have their snapshot wait for room in a ring."""
        return self._splice.n_releasing > 0

    @property
    def has_news(self) -> bool:
        """Whether a chain broke or a symbol began or ceased to wait since the last look."""
        splice = self._splice
        return splice.n_breaks != self._n_breaks_seen or splice.n_waiting != self._n_waiting_seen

    def listen(self, on_news: Callable[[], object] | None) -> None:
        """Have `on_news` called when a look may find something, from now on; once."""
        self._splice.listen(on_news)

    @property
    def next_look_s(self) -> float | None:
        """When a look may find something that nothing tells: a hole that was not filled in time."""
        return LOOK_S if self._splice.n_ahead else None

    def look(self) -> list[str]:
        """Note broken chains and new waits; give the symbols that wait for a snapshot."""
        if self._splice.n_ahead:
            self._splice.give_up_holes(HOLE_NS)
        self._n_waiting_seen = self._splice.n_waiting
        if self._splice.n_breaks != self._n_breaks_seen:
            self._n_breaks_seen = self._splice.n_breaks
            for code, n_missing in self._splice.take_broken():
                symbol = self._symbols.value(code)
                since_ns, detail = self._doubts.get(symbol, (None, None))
                self._gaps.broken(symbol, n_missing, since_ns, detail)  # which logs it
                self._failures.report(
                    BookBroken(symbol, n_missing), Context.BOOK, part=self._venue.name, quiet=True
                )
        symbols = self.waiting
        for symbol in symbols:
            self._gaps.waits(symbol)
        return symbols

    def url_path(self, symbol: str) -> str:
        """Give path and query of the request for a symbol's snapshot."""
        return self._rule.begin.path.format(symbol=quote(symbol, safe=""))

    def offer(
        self,
        symbol: str,
        payload: bytes,
        ts_recv: int,
        conn: int | None = None,
        *,
        early: bool = False,
    ) -> SnapshotOutcome:
        """Splice a snapshot in.

        Parameters
        ----------
        symbol
            Whose book it is.
        payload
            The REST answer.
        ts_recv
            When it came, ns since the epoch.
        conn
            The connection of its rows; the one of the symbol's deltas where left out.
        early
            Take it before the first delta too, as a replay must; live, nothing is asked for then.

        Returns
        -------
        str
            `spliced`; `unwanted`: the book has no need of it; `old`: fetch a newer one; `full`: a
            ring is full: offer it again.

        Raises
        ------
        TickwireError
            Where the answer is no snapshot.
        """
        outcome = self._decoder.take_snapshot(
            self._rule.begin.message,
            payload,
            symbol=symbol,
            ts_recv=ts_recv,
            conn=self._conns.get(symbol, 0) if conn is None else conn,
            early=early,
        )
        if outcome == "spliced":
            self._gaps.spliced(symbol, ts_recv)
        return outcome

    async def splice(
        self,
        symbol: str,
        payload: bytes,
        ts_recv: int,
        conn: int | None = None,
        *,
        early: bool = False,
        is_over: Callable[[], bool] = never,
    ) -> SnapshotOutcome:
        """Splice a snapshot in as soon as there is room; `full` where the wait was over before.

        The parameters are those of `offer`, and when to wait no longer.
        """
        outcome: SnapshotOutcome = "full"

        def offer() -> bool:
            nonlocal outcome
            outcome = self.offer(symbol, payload, ts_recv, conn, early=early)
            return outcome != "full"

        await until_room(self._decoder, offer, is_over)
        return outcome

    def answered(self, symbol: str, url: str, payload: bytes, ts_recv: int) -> None:
        """Note that the books have taken an answer, whatever it was worth to them."""
        if self.on_answer is not None:
            self.on_answer(url, payload, ts_recv, self._conns.get(symbol, 0))

    def failed(self, symbol: str, error: TickwireError) -> None:
        """Write down that a snapshot could not be had; a gap is open from the first time on."""
        self.look()
        self._ledger.event("snapshot_failed", str(error), Place(self._venue.name, symbol))
        self._failures.report(
            error, Context.REST, "snapshot_failed", part=self._venue.name, log=_log,
            venue=self._venue.name, symbol=symbol,
        )  # fmt: skip
        self._gaps.waits(symbol, str(error))
        self._metrics.counter("snapshot_retries").add()

    def outdated(self, symbol: str) -> None:
        """Write down that a snapshot is older than the oldest change that is held."""
        text = "older than the oldest change that is held; fetched again"
        self._ledger.event("snapshot_old", text, Place(self._venue.name, symbol))
        self._failures.report(
            TickwireError(text), Context.BOOK, "snapshot_old", part=self._venue.name, log=_log,
            venue=self._venue.name, symbol=symbol,
        )  # fmt: skip
        self._metrics.counter("snapshot_retries").add()

    def end(self) -> None:
        """Write down which changes had their snapshot and did not fit, at the end of the feed."""
        self._splice.give_up_holes(0)
        self.look()
        for code, conn, first_ns, last_ns in self._splice.drop_unreleased():
            place = Place(self._venue.name, self._symbols.value(code), conn)
            self._ledger.record("book", OVERFLOW, first_ns, last_ns, place)


async def fetch_books(books: Books, rest: Rest, rest_url: str) -> None:
    """Fetch snapshots as they are due, until cancelled.

    Parameters
    ----------
    books
        Whose.
    rest
        Keeps within the venue's pace.
    rest_url
        What requests are made with; see `request_url`.
    """
    fetching: dict[str, ManagedTask[None]] = {}
    news = asyncio.Event()
    try:
        while True:
            news.clear()
            books.listen(news.set)  # before the look: what it does not see calls
            for symbol in books.look():
                task = fetching.get(symbol)
                if task is None or task.done():
                    if task is not None:
                        task.result()
                    task = spawn(symbol, _fetch(books, rest, rest_url, symbol))
                    task.add_done_callback(lambda _task: news.set())  # it may wait again
                    fetching[symbol] = task
            await asyncio.sleep(LOOK_S)  # many begin to wait at once
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(books.next_look_s):
                    await news.wait()
    finally:
        books.listen(None)
        await cancel_all(fetching.values())


async def _fetch(books: Books, rest: Rest, rest_url: str, symbol: str) -> None:
    backoff = Backoff(FIRST_RETRY_S, MAX_RETRY_S, at_once=0)
    while True:
        try:
            url = request_url(rest_url, books.url_path(symbol))
            payload, ts_recv = await rest.get(url)
            outcome = await books.splice(symbol, payload, ts_recv)
            books.answered(symbol, url, payload, ts_recv)
            if outcome in ("spliced", "unwanted"):
                return
            books.outdated(symbol)
        except TickwireError as error:
            books.failed(symbol, error)
        await asyncio.sleep(backoff.next_delay_s())


def symbol_of(rule: BookRule, url: str) -> str | None:
    """Give the symbol that a REST request asked the snapshot of; None where it asked another thing.

    Host, version and the other parameters may differ: captures are older than declarations.
    """
    asked, declared = urlsplit(url), urlsplit(rule.begin.path)
    if _unversioned(asked.path) != _unversioned(declared.path):
        return None
    parameters = dict(parse_qsl(asked.query))
    for key, value in parse_qsl(declared.query):
        if value == "{symbol}":
            return parameters.get(key)
    return None


def _unversioned(path: str) -> str:
    return re.sub(r"/v\d+(?=/)", "/v", path)
