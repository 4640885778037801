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
  One before it has shown anything, and a shorter one of a lively stream, waits for a verdict until
  it has: learned, it would hide others for minutes. A second one as long as that, meanwhile, shows
  that both are usual. Of a lively stream it is too long at eight times the second longest.
- What a silence was by the venue's clock counts too, where rows have one: a program that stood
  still has missed nothing. Where they have none, a silence while nothing could be read is no gap.
- Of rows without a venue's time a silence is no gap where those that had to come meanwhile come at
  its end all at once: they were late, as TCP makes all that is behind a lost packet.
- An acknowledgement ends a gap provisionally. Where the first row after it takes longer than any
  silence of late, the time between is a gap too, however short: what had silenced the stream may
  have lasted.
- A silence that still lasts when a session is stopped is too long by the same measure.
- A stream whose venue numbers its rows needs no such gap: the numbers have told.
- What was declared teaches nothing, however often it comes: a venue that stalls again and again
  is declared each time. Only where a stream is silent so for more than half of a window, that is
  what it is like, and the longest is learned. A stream that slows down teaches by its silences
  within the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tickwire.ledger.gaps import Gap, Moment, Place
from tickwire.ledger.index import StreamIndex, StreamState
from tickwire.ledger.open_gaps import OpenGaps, Trades
from tickwire.ledger.reasons import STALE
from tickwire.ledger.set_clocks import SetClocks
from tickwire.ledger.silence_limits import FEWEST_LEARNED, FEWEST_ROWS, TIMES, Longest
from tickwire.ring import STEP_BACK_NS, Silence

LOOK_NS = 200_000_000  # below the pause of a feed's housekeeping
LEARN_NS = 1_000_000_000
# Of many connections a share is learned at each look, so that no look takes long.
PARTS_A_SHARE = 64
MOST_SHARES = 4
RESOLUTION_NS = 1_000_000  # of a venue's clock


def _end_of(silence: Silence) -> Moment:
    """Give when the row after a silence could have been read, a venue's clock being coarse."""
    late_ns = max(0, silence.to_mono_ns - silence.to_due_ns - RESOLUTION_NS)
    return Moment(silence.to_recv_ns - late_ns, silence.to_event_ns, silence.to_mono_ns - late_ns)


@dataclass(frozen=True, slots=True)
class _Early:
    """A silence of the first seconds, and what it is of each stream."""

    silence: Silence
    spans: list[tuple[StreamState, Moment, Moment]]


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
        self._longest: dict[tuple[int, str], Longest] = {}  # by part and table
        self._early: dict[tuple[int, str], list[_Early]] = {}  # by part and table
        self._judged: dict[StreamState, int] = {}  # early silences up to here were declared
        self._held_ns: dict[int, int] = {}  # by session: until then nothing could be read
        # Streams whose gap an acknowledgement has ended, and when, until a row follows.
        self._promised: dict[StreamState, Moment] = {}
        self._clocks = SetClocks(index)
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
            for noted in sorted(silences, key=lambda each: each.code is not None):
                silence = self._clocks.corrected(part, table, noted)
                if silence is not None and not self._clocks.hold(
                    part, table, silence, now_ns, is_last=at_once
                ):
                    self._note(part, table, silence)
        for part, table, silence in self._clocks.take(now_ns, is_last=at_once):
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
        spans = []
        for stream in streams:
            span = self._span(stream, silence)
            if span is not None:
                spans.append((stream, *span))
        if not spans:
            return
        longest = self._longest[part, table]
        if longest.was_late(silence):
            return
        if self._is_usual(part, table, silence):
            longest.learn_one(silence)
            return
        if longest.must_wait(silence):
            self._early.setdefault((part, table), []).append(_Early(silence, spans))
            return
        for stream, start, end in spans:
            self._declare(stream, start, end, silence, silence.limit_ns)
        longest.found(silence)

    def _is_usual(self, part: int, table: str, silence: Silence) -> bool:
        """Whether one like it waits for its verdict, which is then that both are usual."""
        waiting = self._early.get((part, table), [])
        for early in waiting:
            of_same = early.silence.code == silence.code
            if of_same and silence.silent_ns <= TIMES * early.silence.silent_ns:
                waiting.remove(early)
                self._longest[part, table].learn_one(early.silence)
                return True
        return False

    def _judge_early(self, part: int, table: str) -> None:
        """Say of the silences of the first seconds which were too long, now that more is known."""
        longest = self._longest[part, table]
        waiting = []
        # The longer one first: it says what the others are a part of.
        given = sorted(self._early.pop((part, table)), key=lambda each: -each.silence.silent_ns)
        for early in given:
            other_ns = max(
                (
                    each.silence.silent_ns
                    for each in given
                    if each is not early and each.silence.code == early.silence.code
                ),
                default=0,
            )
            limit_ns = longest.early_limit_ns(early.silence, other_ns, self._floor_ns)
            if limit_ns is None:
                waiting.append(early)
            elif longest.was_late(early.silence):
                continue
            elif early.silence.silent_ns <= limit_ns:
                longest.learn_one(early.silence)
            else:
                for stream, start, end in early.spans:
                    if start.mono_ns >= self._judged.get(stream, 0):
                        self._judged[stream] = end.mono_ns
                        self._declare(stream, start, end, early.silence, limit_ns)
        if waiting:
            self._early[part, table] = waiting

    def _span(self, stream: StreamState, silence: Silence) -> tuple[Moment, Moment] | None:
        """Give the gap that a silence is; None where nothing is missing, or another says so."""
        late_ns = silence.from_mono_ns - silence.from_due_ns
        start = Moment(silence.from_recv_ns - late_ns, silence.from_event_ns, silence.from_due_ns)
        end = _end_of(silence)
        since = stream.since
        if stream.gap is not None or stream.is_spliced or stream.may_be_silent:
            return None
        if since is not None and since.mono_ns > start.mono_ns:
            start = since
        if end.mono_ns - start.mono_ns <= silence.limit_ns:
            return None
        lasted_ns = None  # by the venue's clock, where that was not set meanwhile
        if start.event_ns is not None and end.event_ns is not None:
            lasted_ns = end.event_ns - start.event_ns
        if lasted_ns is not None and lasted_ns >= -STEP_BACK_NS:
            if lasted_ns <= silence.limit_ns:
                return None
        elif self._held_ns.get(stream.session, 0) >= start.mono_ns:
            return None
        return None if self._is_numbered(stream) else (start, end)

    def _declare(
        self, stream: StreamState, start: Moment, end: Moment, silence: Silence, limit_ns: int
    ) -> None:
        alone = " alone" if silence.is_alone else ""
        lasted_s = (end.mono_ns - start.mono_ns) / 1e9
        text = f"silent{alone} for {lasted_s:.3f} s, more than {limit_ns / 1e9:.3f} s"
        self._record(stream, start, end, text)

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
            if usual_ns is None or late_ns <= usual_ns or self._is_numbered(stream):
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
        if stream.since is None or stream.since.mono_ns < end.mono_ns:
            stream.since, stream.last_gap = end, gap

    def _is_numbered(self, stream: StreamState) -> bool:
        """Whether the ids of a symbol's trades prove that none is missing since the last sample."""
        if self._trades is None or stream.table != "trades":
            return False
        sample = self._samples.get(stream.code)
        return bool(sample) and sample == self._trades.offsets(stream.code)

    def _learn(self, now_ns: int, parts: Sequence[tuple[int, str]]) -> None:
        for part, table in parts:
            n_all, of_all, alone_of_all = self._index.longest(part, table)
            longest = self._longest.setdefault((part, table), Longest())
            if longest.is_current(now_ns, n_all):
                continue
            states = self._index.states(part, table)
            longest.n_all = n_all
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
            if (part, table) in self._early:
                self._judge_early(part, table)
        if self._trades is not None and self._share == 0:
            for stream in self._index:
                if stream.table == "trades":
                    self._samples[stream.code] = self._trades.offsets(stream.code)
