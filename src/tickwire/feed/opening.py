"""The start of a feed's sinks: their outputs and spills are opened, none of them by the loop.

Rules of this file
------------------
- A file system that hangs keeps no other part: each output is opened by its sink's worker, each
  spill in a thread of its own.
- What is wrong with an output within `OPEN_S` is an error of the start, before any connection is
  made. After that the feed starts: the rows of a sink that is not open are spilled, and
  `feed.ready()` waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from functools import partial

from tickwire.config import Feed
from tickwire.errors import SinkError
from tickwire.feed.kept.added import fill_added
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.spilling import spill_folder, spill_of, warn_of_unclaimed
from tickwire.logs import get_logger
from tickwire.sinks import Sink
from tickwire.store import Spill
from tickwire.supervise import cancel_all, in_thread, spawn

OPEN_S = 5.0
REPORT_S = 1.0  # a wait is worth a line
STOP_S = 2.0  # for what was opened in vain

_log = get_logger("tickwire.feed")


class SinkAheadError(SinkError):
    """Sinks hold numbers that the feed's state knows nothing of.

    Parameters
    ----------
    numbers
        The lowest that are free, by name.
    """

    def __init__(self, numbers: Mapping[str, int]) -> None:
        super().__init__(f"sinks are ahead of the feed's state: {dict(numbers)}")
        self.numbers = dict(numbers)


async def open_sinks(
    feed: Feed,
    sinks: Sequence[Sink],
    rings: RingStore | None = None,
    first: Mapping[str, int] | None = None,
    live: tuple[str, Mapping[str, int]] = ("", {}),
    *,
    waits: bool = False,
) -> dict[str, Spill]:
    """Open the outputs and the spills of sinks that are prepared; gives the spills by sink.

    What the last run's rings have left goes into the spills; a sink that was added gets what
    others have in theirs, too.

    Parameters
    ----------
    feed, sinks, rings
        The feed's.
    first
        Numbers that the feed begins with, by table and other name; what sinks hold is below.
    live
        Of a replay: the id of the feed that runs live, and numbers that it has not used. Rows on
        their way to an output of its own have lower ones.
    waits
        However long an output takes to open; else `OPEN_S`.

    Raises
    ------
    SinkAheadError
        It is not.
    SinkError
        An output cannot be written, or a spill does not answer.
    SegmentError
        A spill cannot be used.
    """
    spills: dict[str, Spill] = {}
    open_s = None if waits else OPEN_S
    for sink in sinks:
        sink.begin_open()
    try:
        await _wait({sink.name: sink.opened for sink in sinks}, open_s)
        for sink in sinks:
            if sink.opened.done():
                sink.opened.result()
        for sink in sinks:
            if not sink.opened.cancel():
                sink.opened.result()
                continue
            _log.warning(
                "the output of a sink does not open: the feed starts, and its rows are spilled",
                sink=sink.name,
                path=sink.settings.target,
                seconds=open_s,
            )
        for sink in sinks:
            spills[sink.name] = await _open_spill(feed, sink)
        if not waits:
            await in_thread(partial(fill_added, sinks, spills))
        if rings is not None:
            for sink in sinks:
                await _recover(feed, sink, rings, spills[sink.name])
        ahead = _numbers_ahead(sinks, spills, first or {}, *live)
        if ahead:
            raise SinkAheadError(ahead)
        if rings is not None:
            await in_thread(rings.discard)
    except BaseException:
        await asyncio.shield(_discard(sinks))
        for spill in spills.values():
            spill.close()
        raise
    await in_thread(partial(warn_of_unclaimed, feed, list(sinks)))
    return spills


async def _wait(opened: dict[str, Future[None]], open_s: float | None) -> None:
    """Wait until all are open, one has failed, or for a time."""
    first_s = REPORT_S if open_s is None else min(REPORT_S, open_s)
    done, late = await in_thread(partial(wait, opened.values(), first_s, FIRST_EXCEPTION))
    if late and not any(each.exception() for each in done):
        names = ", ".join(name for name, each in opened.items() if each in late)
        _log.warning("waiting for sinks to open", sinks=names, seconds=first_s)
        rest_s = None if open_s is None else open_s - first_s
        await in_thread(partial(wait, late, rest_s, FIRST_EXCEPTION))


def _numbers_ahead(
    sinks: Iterable[Sink],
    spills: Mapping[str, Spill],
    first: Mapping[str, int],
    live_id: str,
    live_numbers: Mapping[str, int],
) -> dict[str, int]:
    """Give the lowest free numbers where sinks, or their spills, hold any that are not below."""
    found: dict[str, int] = {}
    for sink in sinks:
        held = {} if sink.opened.cancelled() else dict(sink.held.next_numbers)
        if live_id and sink.held.feed_id == live_id:
            held |= {name: max(n, held.get(name, 0)) for name, n in live_numbers.items()}
        for table in sink.tables:
            held[table] = max(held.get(table, 0), spills[sink.name].last_seq(table) + 1)
        for name, number in held.items():
            if number > first.get(name, number):
                found[name] = max(number, found.get(name, 0))
    return found


async def _open_spill(feed: Feed, sink: Sink) -> Spill:
    try:
        async with asyncio.timeout(OPEN_S):
            return await in_thread(partial(spill_of, feed, sink))
    except TimeoutError:
        raise _no_answer(feed, sink) from None


async def _recover(feed: Feed, sink: Sink, rings: RingStore, spill: Spill) -> None:
    """Give the spill what rings have left: as long as it takes, while the disk takes rows."""
    tables = tuple(sink.tables)
    recovery = spawn(
        f"rings of {sink.name}", in_thread(partial(rings.recover, sink.name, tables, spill))
    )
    n_before = -1
    try:
        while not recovery.done():
            if rings.n_recovered == n_before:
                raise _no_answer(feed, sink)
            n_before = rings.n_recovered
            await asyncio.wait([recovery], timeout=OPEN_S)
    finally:
        await cancel_all([recovery])
    recovery.result()


def _no_answer(feed: Feed, sink: Sink) -> SinkError:
    return SinkError(f"sink {sink.name}: {spill_folder(feed)} does not answer in {OPEN_S:g} s")


async def _discard(sinks: Iterable[Sink]) -> None:
    """Close what is open, and leave what hangs."""
    stops = [
        spawn(f"stop of {sink.name}", in_thread(partial(sink.stop, drain=False))) for sink in sinks
    ]
    if stops:
        await asyncio.wait(stops, timeout=STOP_S)
    await cancel_all(stops)
