"""Trades that ids show to be missing from a gap, for what can have them by their ids.

Rules of this file
------------------
- A gap of a stream opens with the greatest id of each of its channels, before anything of the time
  after it has come. Once it has ended and a trade has come, the ids between are what is missing.
- A stream that brings nothing after its gap may have missed trades all the same: after `QUIET_NS`
  its hole has no end, and what is there counts.
- More than `MOST_SINCE` ids are not looked through: as many are remembered.
- Gaps that end before a trade comes between them have one hole together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tickwire.ledger.gaps import Gap
from tickwire.ledger.index import StreamState
from tickwire.ledger.reasons import NEVER_CONNECTED, PAUSED

TABLE = "trades"
QUIET_NS = 5_000_000_000
MOST_SINCE = 4_000
MOST_GAPS = 100  # of one hole; of more nothing is said
MOST_ID = 2**63 - 1  # what is greater is no number that a venue counts by
NOT_FILLED = (PAUSED, NEVER_CONNECTED)  # asked for, and without an id before

Ids = tuple[int, int]  # the first and the last


class Numbers(Protocol):
    """The ids of delivered trades, as `decode.Seen` has them, by a symbol's code."""

    def newest(self, memory: int, symbol: int, /) -> tuple[int, int]:
        """Give the greatest id, and how many ids there were."""

    def ids_after(self, memory: int, symbol: int, trade: int, /) -> list[int]:
        """Give the ids that are greater than one, in their order."""


@dataclass(slots=True, eq=False)
class Hole:
    """What may be missing from gaps of a stream that have ended.

    Parameters
    ----------
    stream
        Whose.
    gaps
        At least one, in their order.
    before
        By channel: the greatest id before the first of them, and how many ids had come by then.
    ended_ns
        When the last of them ended, by the monotonic clock.
    is_filled, left
        Whether it has been had, and what is left of it then; see `StreamGaps.filled`.
    """

    stream: StreamState
    gaps: list[Gap]
    before: Mapping[str, tuple[int, int]]
    ended_ns: int
    is_filled: bool = False
    left: tuple[int | None, int | None] | None = None

    def join(self, later: Hole) -> None:
        """Take the gaps of a later one, too."""
        if later is not self:
            self.gaps += later.gaps[: MOST_GAPS - len(self.gaps)]


@dataclass(slots=True)
class Missing:
    """What a channel misses.

    Parameters
    ----------
    ids
        Those that are surely missing, as ranges in their order.
    open_from
        From here on any may be, because none has come; None: nothing more is missing.
    """

    ids: list[Ids] = field(default_factory=list)
    open_from: int | None = None

    @property
    def n_ids(self) -> int:
        """How many are surely missing."""
        return sum(last - first + 1 for first, last in self.ids)

    def has(self, number: int) -> bool:
        """Whether a trade may be missing."""
        if self.open_from is not None:
            return number >= self.open_from
        return any(first <= number <= last for first, last in self.ids)

    def last(self, n_ids: int) -> int:
        """Give the id from which on so many are surely missing, of more."""
        for first, last in reversed(self.ids):
            if n_ids <= last - first + 1:
                return last - n_ids + 1
            n_ids -= last - first + 1
        raise ValueError("so many are not missing")

    def after(self, number: int) -> int | None:
        """Give the first id behind one that may be missing."""
        if self.open_from is not None:
            return max(self.open_from, number + 1)
        return next((max(first, number + 1) for first, last in self.ids if last > number), None)


class Holes:
    """The holes of a source's streams of trades.

    Parameters
    ----------
    numbers
        The ids of what was delivered.
    channels
        Those whose trades can be had by id, and the memory of the ids of each.
    monotonic
        A clock, ns.
    """

    def __init__(
        self, numbers: Numbers, channels: Mapping[str, int], monotonic: Callable[[], int]
    ) -> None:
        self._numbers = numbers
        self._channels = channels
        self._monotonic = monotonic
        self._before: dict[StreamState, dict[str, tuple[int, int]]] = {}
        self._waiting: dict[StreamState, Hole] = {}
        self._taken: dict[StreamState, Hole] = {}  # the last of each
        self.found = asyncio.Event()  # while some may become due

    def has(self, stream: StreamState) -> bool:
        """Whether missed rows of a stream can be had."""
        return stream.table == TABLE and not stream.channels.isdisjoint(self._channels)

    def newest(self, stream: StreamState) -> dict[str, int]:
        """Give the greatest id of each channel of a stream that has had any."""
        found = {name: ids[0] for name, ids in self._newest(stream).items()}
        return {name: number for name, number in found.items() if number}

    def _newest(self, stream: StreamState) -> dict[str, tuple[int, int]]:
        return {
            channel: self._numbers.newest(memory, stream.code)
            for channel, memory in self._channels.items()
            if channel in stream.channels
        }

    def opened(self, stream: StreamState, before: Mapping[str, int] | None = None) -> None:
        """Note that a gap of a stream has opened.

        Parameters
        ----------
        stream
            Whose.
        before
            The greatest ids of an earlier run; left out: what has come by now.
        """
        if before is None:
            self._before[stream] = self._newest(stream)
        else:
            channels = self._newest(stream)
            self._before[stream] = {name: (before.get(name, 0), 0) for name in channels}

    def closed(self, stream: StreamState, gap: Gap) -> None:
        """Note that a gap of a stream has ended."""
        before = self._before.pop(stream, {})
        hole = self._waiting.get(stream)
        if gap.reason in NOT_FILLED or (hole is None and not any(n for n, _ in before.values())):
            return
        if hole is None:
            hole = self._waiting[stream] = Hole(stream, [], before, 0)
        if len(hole.gaps) < MOST_GAPS:
            hole.gaps.append(gap)
        hole.ended_ns = self._monotonic()
        self.found.set()

    def jumped(self, stream: StreamState, gap: Gap, before: Mapping[str, tuple[int, int]]) -> None:
        """Note that ids were left out while a stream went on.

        Parameters
        ----------
        stream, gap
            Whose, and what says so.
        before
            By channel: the greatest id before it, and how many ids had come by then.
        """
        hole = self._waiting.get(stream)
        if hole is None:
            hole = self._waiting[stream] = Hole(stream, [], before, 0)
        if len(hole.gaps) < MOST_GAPS:
            hole.gaps.append(gap)
        hole.ended_ns = self._monotonic()
        self.found.set()

    def adjoin(self, stream: StreamState, gap: Gap) -> Hole | None:
        """Give the hole whose last gap ended where one began, now of that one too; None: none did.

        Between the two nothing came, so what is missing from both is the same.
        """
        hole = self._waiting.get(stream) or self._taken.get(stream)
        if hole is None or not hole.gaps or hole.gaps[-1].end_ns != gap.start_ns:
            return None
        if len(hole.gaps) < MOST_GAPS and not hole.is_filled:
            hole.gaps.append(gap)
        return hole

    def take_due(self, *, is_last: bool = False) -> list[Hole]:
        """Give the holes that are due, or at the end all, and forget them."""
        now_ns = self._monotonic() if self._waiting else 0
        due = [
            hole
            for hole in self._waiting.values()
            if is_last or now_ns - hole.ended_ns >= QUIET_NS or self._is_told(hole)
        ]
        for hole in due:
            del self._waiting[hole.stream]
            self._taken[hole.stream] = hole
        if not self._waiting:
            self.found.clear()
        return due

    def _is_told(self, hole: Hole) -> bool:
        """Whether every channel has had a trade since."""
        newest = self._newest(hole.stream)
        return all(newest[name][0] > number for name, (number, _) in hole.before.items() if number)

    def missing(self, hole: Hole, channel: str) -> Missing | None:
        """Give what a channel misses; None where that cannot be known."""
        first, n_before = hole.before.get(channel, (0, 0))
        memory, code = self._channels[channel], hole.stream.code
        _, n_now = self._numbers.newest(memory, code)
        if not 0 < first <= MOST_ID or n_now - n_before > MOST_SINCE:
            return None
        found = Missing()
        last = first
        for number in self._numbers.ids_after(memory, code, first):
            if number > last + 1:
                found.ids.append((last + 1, number - 1))
            last = number
        if last == first:
            if n_now > n_before:  # trades came whose ids do not count on
                return None
            found.open_from = first + 1
        return found

    def ids_since(self, hole: Hole, channel: str) -> set[int]:
        """Give the ids of a channel that have come since a hole began."""
        first, _ = hole.before[channel]
        return set(self._numbers.ids_after(self._channels[channel], hole.stream.code, first))
