"""Rows that a stop leaves behind in the rings, by stream: what a sink has not got.

Rules of this file
------------------
- A ring keeps what a sink has not committed, and mostly some rows before it: so each stream's last
  good row is found there, exactly.
- Rows that have left the ring wait in the sink's spill in memory, and are found there. What is in
  neither is counted, without its streams.
- Everything here runs in the loop's thread, after the ring's last row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tickwire.columns import integers
from tickwire.ledger import Gap, Ledger, Place, Position
from tickwire.ledger.reasons import SINK
from tickwire.ring import Consumer, Ring

_NONE = np.iinfo(np.int64).min


class LostRows(NamedTuple):
    """The rows of one stream that a sink has not got.

    Parameters
    ----------
    venue, symbol
        Which stream of the table; None: not known.
    n_rows
        How many.
    before
        The last row that it has; None where the ring does not know it any more.
    first, last
        Of those that it has not got.
    """

    venue: str | None
    symbol: str | None
    n_rows: int
    before: Position | None
    first: Position
    last: Position


def lost_rows(ring: Ring, n_safe: int, spilled: Iterable[pa.RecordBatch] = ()) -> list[LostRows]:
    """Give the rows of a ring behind its first `n_safe`, by stream.

    Parameters
    ----------
    ring
        The ring.
    n_safe
        How many rows are not lost.
    spilled
        Rows that may have left the ring and are lost too, in order.
    """
    n_lost = ring.published - n_safe
    if n_lost <= 0:
        return []
    consumer = Consumer(ring)
    batch = consumer.take()
    consumer.close()
    n_held = 0 if batch is None else batch.num_rows
    parts = [_Rows.of(each, ring.seq_base) for each in (*spilled, batch) if each is not None]
    rows = _Rows.joined(parts, ring.published - n_held)
    is_lost = rows.numbers >= n_safe
    lost, kept = rows.only(is_lost), rows.only(~is_lost)
    keys, first, counts = np.unique(lost.keys, return_index=True, return_counts=True)
    last, before = lost.last_of_each(), kept.last_of_each()
    found = []
    n_gone = n_lost - len(lost.keys)
    if n_gone > 0 and len(rows.keys):
        found.append(LostRows(None, None, n_gone, None, rows.position(0), rows.position(0)))
    for key, at, n_rows in zip(keys.tolist(), first.tolist(), counts.tolist(), strict=True):
        found.append(
            LostRows(
                ring.dictionaries.venue.value(key >> 32),
                ring.dictionaries.symbol.value(key & 0xFFFFFFFF),
                n_rows,
                kept.position(before[key]) if key in before else None,
                lost.position(at),
                lost.position(last[key]),
            )
        )
    return found


def declare_losses(
    ledger: Ledger, ring: Ring, n_safe: int, sink: str, spilled: Iterable[pa.RecordBatch] = ()
) -> list[Gap]:
    """Write the gaps of a sink that has got no row of a ring behind its first `n_safe`."""
    gaps = []
    for lost in lost_rows(ring, n_safe, spilled):
        start, end = lost.before or lost.first, lost.last
        gaps.append(
            ledger.record(
                ring.table.name,
                SINK,
                start.recv_ns,
                end.recv_ns,
                Place(lost.venue, lost.symbol),
                event_start_ns=start.event_ns,
                event_end_ns=end.event_ns,
                lost=lost.n_rows,
                consumer=sink,
                detail="not committed before the feed's end",
            )
        )
    return gaps


class _Rows(NamedTuple):
    """Rows in order: their numbers since the feed's start, streams, and times in ns."""

    numbers: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    recv: npt.NDArray[np.int64]
    event: npt.NDArray[np.int64]

    @classmethod
    def of(cls, batch: pa.RecordBatch, first_seq: int) -> _Rows:
        numbers = batch["seq"].to_numpy() - first_seq
        venues, symbols = (
            batch[name].indices.to_numpy(zero_copy_only=False).astype(np.int64)
            for name in ("venue", "symbol")
        )
        return cls(
            numbers,
            venues << 32 | symbols,
            integers(batch["ts_recv"], _NONE),
            integers(batch["ts_event"], _NONE),
        )

    @classmethod
    def joined(cls, parts: Sequence[_Rows], n_before_ring: int) -> _Rows:
        """Join rows of a spill with the ring's, the last part: each row once."""
        cut = [part.only(part.numbers < n_before_ring) for part in parts[:-1]] + list(parts[-1:])
        if not cut:
            return cls(*(np.empty(0, np.int64) for _ in range(4)))
        return cls(*(np.concatenate(columns) for columns in zip(*cut, strict=True)))

    def only(self, mask: npt.NDArray[np.bool_]) -> _Rows:
        return _Rows(*(column[mask] for column in self))

    def last_of_each(self) -> dict[int, int]:
        """Give where the last row of each stream is."""
        found, at = np.unique(self.keys[::-1], return_index=True)
        return dict(zip(found.tolist(), (len(self.keys) - 1 - at).tolist(), strict=True))

    def position(self, at: int) -> Position:
        event_ns = int(self.event[at])
        return Position(int(self.recv[at]), None if event_ns == _NONE else event_ns)
