"""Up to where the streams of a source are known: where a run ends, and where the next one begins.

Rules of this file
------------------
- A position is a stream's last row, or where its last gap has ended; an open gap's is its start.
- What a run finds behind the positions that sinks had committed is missing since then.
- Of thousands of streams no look takes long: they are read some at a time. A position that was read
  a moment ago is good: it makes a gap longer, never shorter. But a gap that opens or ends meanwhile
  has its stream read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tickwire.ledger.gaps import Moment, Position
from tickwire.ledger.holes import Holes
from tickwire.ledger.index import StreamIndex, StreamName, StreamState
from tickwire.ledger.ledger import Ledger
from tickwire.ledger.open_gaps import OpenGaps
from tickwire.ledger.reasons import DOWN
from tickwire.ring import TIMELY

STREAMS_AT_A_TIME = 250
NO_TIME = int(np.iinfo(np.int64).min)  # of a row: the venue sends none
NEVER = int(np.iinfo(np.int64).max)  # a least delay that no row has shown
FEW_CHANGED = 50  # that are read again at once
MOST_ROUNDS = 4  # of reading again what changes all the time

Known = list[tuple[StreamName, Position]]


class HasPositions(Protocol):
    """The gaps of one source."""

    def positions(self) -> Iterator[Known]:
        """Give up to where each stream is known, some streams at a time."""

    def position(self, name: StreamName) -> Position | None:
        """Give up to where one stream is known."""


class KnownUntil:
    """Reads and gives the positions of one source's streams.

    Parameters
    ----------
    ledger
        Whose clock counts.
    index
        The streams.
    gaps
        Those that are open, and where the last ones ended.
    holes
        What can be had of trades that were missed, where any can.
    """

    def __init__(
        self, ledger: Ledger, index: StreamIndex, gaps: OpenGaps, holes: Holes | None
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._gaps = gaps
        self._holes = holes

    def begin(self, positions: Mapping[StreamName, Position], *, knows_ids: bool) -> None:
        """Open the gaps of what the last run has had up to some moment; see `StreamGaps.start`."""
        self._gaps.origin = now = self._ledger.now()
        taken: set[int] = set()  # a gap that was open goes on once
        for stream in self._index:
            position = positions.get((self._index.venue, stream.table, stream.symbol))
            if position is None:
                continue
            recv_ns = min(position.recv_ns, now.recv_ns)
            before = Moment(recv_ns, position.event_ns, now.mono_ns - (now.recv_ns - recv_ns))
            gap_id = None if position.gap_id in taken else position.gap_id
            self._gaps.open(stream, position.reason or DOWN, start=before, gap_id=gap_id)
            if gap_id is not None:
                taken.add(gap_id)
            if not knows_ids:
                self._gaps.expect_no_repeats(stream)
            if self._holes is None or not self._holes.has(stream):
                continue
            if not knows_ids or not self._holes.newest(stream):
                self._holes.opened(stream, dict(position.ids))

    def positions(self) -> Iterator[Known]:
        """Give up to where each stream is known, some streams at a time.

        A stream of several channels is given for each of them.
        """
        for part, table in self._index.parts():
            streams = self._index.of_part(part, table)
            states = self._index.states(part, table)
            for start in range(0, len(streams), STREAMS_AT_A_TIME):
                some = streams[start : start + STREAMS_AT_A_TIME]
                found = map(self._known, some, _last_rows(some, states))
                yield [each for each in found if each is not None]

    def position(self, name: StreamName) -> Position | None:
        """Give up to where one stream is known; None where it is not."""
        venue, table, symbol = name
        found: dict[StreamName, Position] = {}
        if venue == self._index.venue:
            for stream in self._index.of_name(table, symbol):
                states = self._index.states(stream.part, table)
                if (known := self._known(stream, *_last_rows([stream], states))) is not None:
                    _join(found, [known])
        return found.get(name)

    def _known(
        self, stream: StreamState, last: Moment | None
    ) -> tuple[StreamName, Position] | None:
        gap, since = stream.gap, stream.since
        if gap is not None:
            known = Position(gap.start_ns, gap.event_start_ns, gap.gap_id, gap.reason)
        elif last is not None and (since is None or last.mono_ns >= since.mono_ns):
            known = Position(last.recv_ns, last.event_ns)
        elif since is not None:
            known = Position(since.recv_ns, since.event_ns)
        else:
            return None
        if self._holes is not None and self._holes.has(stream):
            known = known._replace(ids=tuple(self._holes.newest(stream).items()))
        return (self._index.venue, stream.table, stream.symbol), known


def _last_rows(streams: Sequence[StreamState], states: npt.NDArray[Any]) -> list[Moment | None]:
    """Give when the last row of each stream could have been read, by the quickest of its rows.

    As `OpenGaps.last_row`, for many at a time.
    """
    codes = np.array([stream.code for stream in streams], np.int64)
    found = states[np.minimum(codes, len(states) - 1)] if len(states) else None
    if found is None:
        return [None] * len(streams)
    has_rows = (codes < len(states)) & (found["n_rows"] > 0)
    events = found["last_event"]
    late = np.zeros(len(streams), np.int64)
    if streams[0].table in TIMELY:
        is_known = (events != NO_TIME) & (found["least_delay"] != NEVER)
        late[is_known] = (found["last_mono"] - events - found["least_delay"])[is_known].clip(0)
    columns = (has_rows, found["last_recv"] - late, events, found["last_mono"] - late)
    return [
        Moment(recv_ns, None if event_ns == NO_TIME else event_ns, mono_ns) if has_row else None
        for has_row, recv_ns, event_ns, mono_ns in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


class PositionsPass:
    """Reads where all streams of a feed are known, some at a time.

    Parameters
    ----------
    gaps
        Of each source.

    Attributes
    ----------
    changed
        Streams whose gaps have opened or ended since it began; to be added to.
    """

    def __init__(self, gaps: Sequence[HasPositions]) -> None:
        self.changed: set[StreamName] = set()
        self._gaps = gaps
        self._found: dict[StreamName, Position] = {}

    def steps(self) -> Iterator[None]:
        """Read some streams at each step."""
        for each in self._gaps:
            own: dict[StreamName, Position] = {}
            for known in each.positions():
                _join(own, known)
                yield
            # Of a stream that two sources have, the later one; ids are not known then.
            for name in own.keys() & self._found.keys():
                later = max(self._found[name], own[name], key=lambda one: one.recv_ns)
                own[name] = later._replace(ids=())
            self._found |= own
        for _ in range(MOST_ROUNDS):
            if len(self.changed) <= FEW_CHANGED:
                return
            names, self.changed = [*self.changed], set()
            for number, name in enumerate(names, 1):
                self._read(name)
                if number % FEW_CHANGED == 0:
                    yield

    def end(self) -> dict[StreamName, Position]:
        """Give all of them, once there are no more steps."""
        for name in self.changed:
            self._read(name)
        return self._found

    def _read(self, name: StreamName) -> None:
        found = [each for gaps in self._gaps if (each := gaps.position(name)) is not None]
        if len(found) == 1:
            self._found[name] = found[0]
        elif found:
            self._found[name] = max(found, key=lambda one: one.recv_ns)._replace(ids=())


def merged(gaps: Iterable[HasPositions]) -> dict[StreamName, Position]:
    """Give the positions of several sources, all at once."""
    reading = PositionsPass([*gaps])
    for _ in reading.steps():
        pass
    return reading.end()


def _join(found: dict[StreamName, Position], known: Known) -> None:
    """Add positions of a source; of a stream that has one by another channel, the earlier."""
    for name, last in known:
        other = found.get(name)
        if other is None:
            found[name] = last
        else:
            earlier = min(last, other, key=lambda one: one.recv_ns)
            found[name] = earlier._replace(ids=(*other.ids, *last.ids))
