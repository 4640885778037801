"""Silences that are shorter than what liveness acts upon, and longer than a stream ever is.

Rules of this file
------------------
- When a silence ends that was longer than `floor` and `TIMES` the longest of the last minutes, rows
  of it may be missing: it is a gap (`stale`), written when it is over. Nothing is asked for again.
- Limits are learned for each stream, and for all streams of a session in a table together: where a
  link of many slow streams falls silent, that is found though each of them may be quiet. Then the
  gap of each stream is the silence of them all.
- Silences alone have limits of their own: without the pauses that all streams of the session had,
  or all sessions of the feed, for a session. On a busy machine those make every silence longer,
  and would hide one that a stream has alone.
- In its first seconds a stream has shown little: there only a silence of a second, and eight times
  the longest, is too long. On recorded markets no start at any moment of them gave a wrong gap.
- What a silence was by the venue's clock counts too, where rows have one: a program that stood
  still has missed nothing. Where they have none, a silence while nothing could be read is no gap.
- An acknowledgement ends a gap provisionally. Where the first row after it takes longer than three
  times the longest silence, the time between is a gap too, however short.
- A silence that still lasts when a session is stopped is too long by the same measure.
- A stream whose venue numbers its rows needs no such gap: the numbers have told.
- What was declared teaches nothing, however often it comes: a venue that stalls again and again
  is declared each time. Only where a stream is silent so for more than half of a window, that is
  what it is like, and the longest is learned. A stream that slows down teaches by its silences
  within the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tickwire.ledger.gaps import Gap, Moment, Place
from tickwire.ledger.index import StreamIndex, StreamState
from tickwire.ledger.open_gaps import OpenGaps, Trades
from tickwire.ledger.reasons import STALE
from tickwire.ring import Silence

Times = npt.NDArray[np.int64]

TIMES = 3
LOOK_NS = 200_000_000  # below the pause of a feed's housekeeping
LEARN_NS = 1_000_000_000
# Of many connections a share is learned at each look, so that no look takes long.
PARTS_A_SHARE = 64
MOST_SHARES = 4
WINDOW_NS = 300_000_000_000  # what is older than two of these is forgotten
FEWEST_LEARNED = 5  # looks at a stream with rows, before its limit counts
# Before that a much longer silence is needed.
FEWEST_EARLY = 2
EARLY_TIMES = 8
EARLY_FLOOR_NS = 1_000_000_000
EARLY_ALONE_NS = 500_000_000  # while all its companions go on
FEWEST_ROWS = 100
USUAL_NS = WINDOW_NS // 2  # silent for longer than that in a window, a stream is like that
RESOLUTION_NS = 1_000_000  # of a venue's clock
NEVER = int(np.iinfo(np.int64).max)


@dataclass(slots=True)
class _Longest:
    """The longest silences of the streams of one part in one table, by code; the last is all.

    `now` and `before` have two rows: silences, and silences alone.
    """

    now: Times = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    before: Times = field(default_factory=lambda: np.zeros((2, 1), np.int64))
    n_learned: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    n_rows: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    found_ns: Times = field(default_factory=lambda: np.zeros(1, np.int64))
    window_ns: int = 0

    def grow(self, n: int) -> None:
        """Have a place for each code below n, and the one of all."""
        missing = n + 1 - self.now.shape[1]
        if missing > 0:
            for name in ("now", "before", "n_learned", "n_rows", "found_ns"):
                old = getattr(self, name)
                more = np.zeros((*old.shape[:-1], missing), np.int64)
                parts = (old[..., :-1], more, old[..., -1:])
                setattr(self, name, np.concatenate(parts, axis=-1))

    def learn(self, now_ns: int, n_rows: Times, longest: Times, floor_ns: int) -> Times:
        """Note the longest silences of the last look; give the limits. Both have two rows."""
        if now_ns - self.window_ns >= WINDOW_NS:
            self.window_ns = now_ns
            self.before, self.now = self.now, np.zeros_like(self.now)
            self.found_ns[:] = 0
        self.n_learned += n_rows > self.n_rows
        self.n_rows = n_rows
        self.now = np.maximum(self.now, longest)
        longest = np.maximum(self.now, self.before)
        early_ns = np.maximum(floor_ns, [[EARLY_FLOOR_NS], [EARLY_ALONE_NS]])
        limits = np.where(
            self.n_learned >= FEWEST_LEARNED,
            np.maximum(TIMES * longest, floor_ns),
            np.maximum(EARLY_TIMES * longest, early_ns),
        )
        # Alone, it is longer than any silence, too: companions may be livelier than they were.
        limits[1] = np.maximum(limits[1], longest[0])
        return np.where((self.n_learned >= FEWEST_EARLY) & (n_rows >= FEWEST_ROWS), limits, NEVER)

    def found(self, silence: Silence) -> None:
        """Note a silence beyond the limit, and learn it where the stream is mostly silent so."""
        at = -1 if silence.code is None else silence.code
        self.found_ns[at] += silence.silent_ns
        if self.found_ns[at] > USUAL_NS:
            for row, ns in enumerate((silence.silent_ns, silence.alone_ns)):
                self.now[row, at] = max(int(self.now[row, at]), ns)


class Silences:
    """Finds the short silences of a source's streams, a few times a second.

    Parameters
    ----------
    index
        The source's streams.
    gaps
        Their gaps.
    floor_ns
        No shorter silence is a gap; 0: none is.
    trades
        What was delivered of each symbol.

    Attributes
    ----------
    on_gap
        Called with each stream and gap that is written.
    """

    def __init__(
        self,
        index: StreamIndex,
        gaps: OpenGaps,
        floor_ns: int,
        trades: Trades | None = None,
    ) -> None:
        self._index = index
        self._gaps = gaps
        self._floor_ns = floor_ns
        self._trades = trades
        self.on_gap: Callable[[StreamState, Gap], None] = lambda _stream, _gap: None
        self._samples: dict[int, tuple[int, ...]] = {}  # by code
        self._longest: dict[tuple[int, str], _Longest] = {}  # by part and table
        self._held_ns: dict[int, int] = {}  # by session: until then nothing could be read
        # Streams whose gap an acknowledgement has ended, and when, until a row follows.
        self._promised: dict[StreamState, Moment] = {}
        self._looked_ns = 0
        self._learned_ns = 0
        self._share = 0  # of the parts, learned last

    def hold(self, session: int, now_ns: int) -> None:
        """Note that until now nothing could be read, or it was read late."""
        self._held_ns[session] = now_ns

    def acknowledged(self, stream: StreamState) -> None:
        """Note that an acknowledgement has ended a stream's gap: its first row is to come."""
        is_watched = not (stream.is_spliced or stream.may_be_silent)
        if self._floor_ns and stream.since is not None and is_watched:
            self._promised[stream] = stream.since

    def look(self, *, at_once: bool = False) -> None:
        """Write the gaps of silences that have ended, and learn; a few times a second.

        Parameters
        ----------
        at_once
            Look now: other gaps are about to open.
        """
        if not self._floor_ns:
            return
        now_ns = self._gaps.ledger.monotonic()
        if now_ns - self._looked_ns < LOOK_NS and not at_once:
            return
        self._looked_ns = now_ns
        for part, table in self._index.parts():
            silences = self._index.take_silences(part, table)
            # That of all streams first: it says more exactly where theirs begin and end.
            for silence in sorted(silences, key=lambda each: each.code is not None):
                self._note(part, table, silence)
        self._look_at_promises()
        parts = self._index.parts()
        n_shares = max(1, min(MOST_SHARES, -(-len(parts) // PARTS_A_SHARE)))
        if now_ns - self._learned_ns >= LEARN_NS // n_shares:
            self._learned_ns = now_ns
            self._share = (self._share + 1) % n_shares
            self._learn(now_ns, parts[self._share :: n_shares])

    def _note(self, part: int, table: str, silence: Silence) -> None:
        if silence.code is None:
            streams = self._index.of_part(part, table)
        else:
            stream = self._index.of_code(part, table, silence.code)
            streams = [] if stream is None else [stream]
        is_found = False
        for stream in streams:
            is_found |= self._declare(stream, silence)
        if is_found:
            longest = self._longest[part, table]
            longest.found(silence)

    def _declare(self, stream: StreamState, silence: Silence) -> bool:
        """Write the gap of a silence; False where nothing is missing, or another gap says so."""
        before = Moment(silence.from_recv_ns, silence.from_event_ns, silence.from_mono_ns)
        start = self._gaps.when_due(stream, before)
        end = self._end_of(stream, silence)
        since = stream.since
        if stream.gap is not None or stream.is_spliced or stream.may_be_silent:
            return False
        if since is not None and since.mono_ns > start.mono_ns:
            start = since
        if end.mono_ns - start.mono_ns <= silence.limit_ns:
            return False
        if start.event_ns is not None and end.event_ns is not None:
            if end.event_ns - start.event_ns <= silence.limit_ns:
                return False
        elif self._held_ns.get(stream.session, 0) >= start.mono_ns:
            return False
        if self._is_numbered(stream):
            return False
        alone = " alone" if silence.is_alone else ""
        lasted_s = (end.mono_ns - start.mono_ns) / 1e9
        text = f"silent{alone} for {lasted_s:.3f} s, more than {silence.limit_ns / 1e9:.3f} s"
        self._record(stream, start, end, text)
        return True

    def _look_at_promises(self) -> None:
        """Write the gaps between an acknowledgement and a first row that was not prompt.

        The end by the acknowledgement was provisional, so that no floor counts here: together with
        the gap before, the silence may be as long as any.
        """
        for stream, since in tuple(self._promised.items()):
            if stream.gap is not None or stream.since is not since:
                del self._promised[stream]
                continue
            found = self._index.rows(stream)
            if found is None or found.first_recv_ns is None or found.first_mono_ns is None:
                continue
            del self._promised[stream]
            usual_ns = self._usual_ns(stream)
            first = self._gaps.when_due(
                stream, Moment(found.first_recv_ns, found.first_event_ns, found.first_mono_ns)
            )
            late_ns = first.mono_ns - since.mono_ns
            if usual_ns is None or late_ns <= TIMES * usual_ns or self._is_numbered(stream):
                continue
            text = f"no row for {late_ns / 1e9:.3f} s after it was acknowledged"
            self._record(stream, since, first, text)

    def stopped(self, session: int) -> None:
        """Write the silences that last while a session stops: no row will end them."""
        if not self._floor_ns:
            return
        now = self._gaps.ledger.now()
        for stream in self._index.of_session(session):
            usual_ns = self._usual_ns(stream)
            if usual_ns is None or stream.gap is not None or stream.is_spliced:
                continue
            if stream.may_be_silent:
                continue
            since = self._gaps.last_good(stream)
            silent_ns = now.mono_ns - since.mono_ns
            if silent_ns <= max(TIMES * usual_ns, self._floor_ns):
                continue
            if self._held_ns.get(session, 0) < since.mono_ns:
                text = f"silent for {silent_ns / 1e9:.3f} s when it was stopped"
                self._record(stream, since, now, text)

    def _usual_ns(self, stream: StreamState) -> int | None:
        """Give the longest silence of a stream; None where that is not known yet."""
        longest = self._longest.get((stream.part, stream.table))
        if longest is None or stream.code >= longest.now.shape[1] - 1:
            return None
        if (
            longest.n_learned[stream.code] < FEWEST_LEARNED
            or longest.n_rows[stream.code] < FEWEST_ROWS
        ):
            return None
        return int(max(longest.now[0, stream.code], longest.before[0, stream.code]))

    def _record(self, stream: StreamState, start: Moment, end: Moment, text: str) -> None:
        gap = self._gaps.ledger.record(
            stream.table,
            STALE,
            start.recv_ns,
            end.recv_ns,
            Place(self._index.venue, stream.symbol, self._index.conns.get(stream.session)),
            lasted_ns=end.mono_ns - start.mono_ns,
            event_start_ns=start.event_ns,
            event_end_ns=end.event_ns,
            detail=stream.detail(text),
        )
        self.on_gap(stream, gap)
        stream.since, stream.last_gap = end, gap

    def _end_of(self, stream: StreamState, silence: Silence) -> Moment:
        """Give when the row after a silence could have been read, a venue's clock being coarse."""
        row = Moment(silence.to_recv_ns, silence.to_event_ns, silence.to_mono_ns)
        due = self._gaps.when_due(stream, row)
        if row.recv_ns - due.recv_ns <= RESOLUTION_NS:
            return row
        return Moment(due.recv_ns + RESOLUTION_NS, row.event_ns, due.mono_ns + RESOLUTION_NS)

    def _is_numbered(self, stream: StreamState) -> bool:
        """Whether the ids of a symbol's trades prove that none is missing since the last sample."""
        if self._trades is None or stream.table != "trades":
            return False
        sample = self._samples.get(stream.code)
        return bool(sample) and sample == self._trades.offsets(stream.code)

    def _learn(self, now_ns: int, parts: Sequence[tuple[int, str]]) -> None:
        for part, table in parts:
            states = self._index.states(part, table)
            n_all, of_all, alone_of_all = self._index.longest(part, table)
            longest = self._longest.setdefault((part, table), _Longest())
            longest.grow(len(states))
            limits = longest.learn(
                now_ns,
                np.append(states["n_rows"], n_all),
                np.stack(
                    (
                        np.append(states["longest"], of_all),
                        np.append(states["longest_alone"], alone_of_all),
                    )
                ),
                self._floor_ns,
            )
            self._index.learn(part, table, limits)
        if self._trades is not None and self._share == 0:
            for stream in self._index:
                if stream.table == "trades":
                    self._samples[stream.code] = self._trades.offsets(stream.code)
