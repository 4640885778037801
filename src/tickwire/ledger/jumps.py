"""Trades that a venue's numbers show to be missing while a stream goes on.

Rules of this file
------------------
- Only for channels whose ids count by one, as the venue declares.
- Looked at a few times a second, and not per trade: as long as the greatest id less the number of
  trades does not change, none is missing. Where it has, the ids between two looks tell which are.
- Connections that bring the same take turns, so ids may come out of their order for a moment: what
  has not come by the look after next is missing.
- The gap (`sequence`) lies between the last trades of two looks, which are a quarter of a second
  apart.
- What another gap says is not said again: where one has opened or ended meanwhile, ids begin anew.
  What a silence has swallowed is fetched as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tickwire.ledger.gaps import Gap, Moment, Place
from tickwire.ledger.holes import MOST_SINCE, TABLE, Holes, Numbers
from tickwire.ledger.index import StreamIndex, StreamState
from tickwire.ledger.open_gaps import OpenGaps, part_of
from tickwire.ledger.reasons import SEQUENCE

Ids = Mapping[str, tuple[int, int]]  # by channel: the greatest, and how many there were


@dataclass(frozen=True, slots=True)
class _Look:
    """What a stream had at a look.

    Parameters
    ----------
    since
        Where its last gap had ended.
    last
        Its last row.
    ids
        Of its channels.
    """

    since: Moment | None
    last: Moment
    ids: Ids


class Jumps:
    """Finds the ids that are left out of one source's streams of trades.

    Parameters
    ----------
    index, gaps
        The source's streams, and their gaps.
    numbers
        The ids of what was delivered.
    counted
        Channels whose ids count by one, and the memory of the ids of each.
    holes
        Where the gaps are reported, so that they are filled, where any can be.
    """

    def __init__(
        self,
        index: StreamIndex,
        gaps: OpenGaps,
        numbers: Numbers,
        counted: Mapping[str, int],
        holes: Holes | None,
    ) -> None:
        self._index = index
        self._gaps = gaps
        self._numbers = numbers
        self._counted = dict(counted)
        self._holes = holes
        self._good: dict[StreamState, _Look] = {}  # nothing is missing up to there
        self._doubted: dict[StreamState, _Look] = {}  # ids up to there may still come

    def look(self) -> None:
        """Write the gaps of ids that have not come."""
        self._look_at(self._index, is_last=False)

    def end(self, streams: Iterable[StreamState]) -> None:
        """Write the gaps of ids that have not come by the end of these streams' connection."""
        self._look_at(streams, is_last=True)

    def _look_at(self, streams: Iterable[StreamState], *, is_last: bool) -> None:
        if not self._counted:
            return
        for stream in streams:
            if stream.table == TABLE and not stream.channels.isdisjoint(self._counted):
                self._look_at_one(stream, is_last=is_last)

    def silent(self, stream: StreamState, gap: Gap) -> None:
        """Note that a silence is a gap: where ids show what it has swallowed, that can be had."""
        good, now = self._good.get(stream), self._now(stream)
        if self._holes is None or not self._holes.has(stream):
            return
        hole = self._holes.adjoin(stream, gap)
        if hole is not None:
            if hole.is_filled:
                left = None if hole.left is None else part_of(gap, *hole.left)
                self._gaps.ledger.recovered(gap, 0, left)
            return
        if good is None or now is None:
            return
        if good.since is stream.since and _jumps(good.ids, now.ids):
            self._holes.jumped(stream, gap, good.ids)

    def _look_at_one(self, stream: StreamState, *, is_last: bool) -> None:
        good = self._good.get(stream)
        if good is not None and (stream.gap is not None or stream.since is not good.since):
            good = None
            self._doubted.pop(stream, None)
        now = self._now(stream)
        if stream.gap is not None or now is None:
            self._good.pop(stream, None)
            return
        if good is None:
            self._good[stream] = now
            return
        doubted = self._doubted.pop(stream, None)
        if doubted is None and not _jumps(good.ids, now.ids):
            self._good[stream] = now
            return
        if doubted is None and not is_last:
            self._doubted[stream] = now
            return
        until = now if doubted is None else doubted
        n_missing = sum(self._missing(stream, channel, good, until) for channel in good.ids)
        if n_missing:
            self._record(stream, good, until, n_missing)
        self._good[stream] = until
        if is_last and until is not now:
            self._look_at_one(stream, is_last=True)

    def _now(self, stream: StreamState) -> _Look | None:
        found = self._index.rows(stream)
        ids = {
            channel: self._numbers.newest(memory, stream.code)
            for channel, memory in self._counted.items()
            if channel in stream.channels
        }
        if found is None or not all(n for _, n in ids.values()):
            return None
        if stream.since is not None and found.last_mono_ns < stream.since.mono_ns:
            return None  # its gap has ended, and what that has swallowed shows with the first row
        last = Moment(found.last_recv_ns, found.last_event_ns, found.last_mono_ns)
        return _Look(stream.since, self._gaps.when_due(stream, last), ids)

    def _missing(self, stream: StreamState, channel: str, good: _Look, until: _Look) -> int:
        first, n_before = good.ids[channel]
        last, n_after = until.ids[channel]
        if n_after - n_before > MOST_SINCE:  # more than are remembered
            return max(0, last - first - (n_after - n_before))
        ids = self._numbers.ids_after(self._counted[channel], stream.code, first)
        return last - first - sum(number <= last for number in ids)

    def _record(self, stream: StreamState, good: _Look, until: _Look, n_missing: int) -> None:
        end = until.last
        gap = self._gaps.ledger.record(
            stream.table,
            SEQUENCE,
            good.last.recv_ns,
            end.recv_ns,
            Place(self._index.venue, stream.symbol, self._index.conns.get(stream.session)),
            lasted_ns=end.mono_ns - good.last.mono_ns,
            event_start_ns=good.last.event_ns,
            event_end_ns=end.event_ns,
            lost=n_missing,
            detail=stream.detail(f"{n_missing} ids are left out"),
        )
        if self._holes is not None and self._holes.has(stream):
            self._holes.jumped(stream, gap, good.ids)


def _jumps(before: Ids, now: Ids) -> bool:
    """Whether ids have been left out, or come out of their order."""
    return any(now[name][0] - now[name][1] != before[name][0] - before[name][1] for name in before)
