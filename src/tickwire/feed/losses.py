"""Rows that a stop leaves behind in the rings, by stream: what a sink has not got.

Rules of this file
------------------
- A ring keeps what a sink has not committed, and mostly some rows before it: so each stream's last
  good row is found there, exactly.
- Rows that have left the ring (a spill in memory) are counted, without their streams.
- Everything here runs in the loop's thread, after the ring's last row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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


def lost_rows(ring: Ring, n_safe: int) -> list[LostRows]:
    """Give the rows of a ring behind its first `n_safe`, by stream."""
    if ring.published <= n_safe:
        return []
    consumer = Consumer(ring)
    batch = consumer.take()
    consumer.close()
    if batch is None:
        return []
    venues, symbols = batch["venue"], batch["symbol"]
    times = _times(batch["ts_recv"]), _times(batch["ts_event"])
    n_gone = max(0, ring.published - n_safe - batch.num_rows)
    cut = batch.num_rows - (ring.published - n_safe - n_gone)
    of = venues.indices.to_numpy(zero_copy_only=False).astype(np.int64) << 32
    of |= symbols.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    keys, first, counts = np.unique(of[cut:], return_index=True, return_counts=True)
    last = dict(zip(*_last_of(of[cut:]), strict=True))
    before = dict(zip(*_last_of(of[:cut]), strict=True))
    found = []
    if n_gone:
        oldest = _position(times, 0)
        found.append(LostRows(None, None, n_gone, None, oldest, oldest))
    for key, at, n_rows in zip(keys.tolist(), first.tolist(), counts.tolist(), strict=True):
        found.append(
            LostRows(
                venues.dictionary[key >> 32].as_py(),
                symbols.dictionary[key & 0xFFFFFFFF].as_py(),
                n_rows,
                _position(times, before[key]) if key in before else None,
                _position(times, cut + at),
                _position(times, cut + last[key]),
            )
        )
    return found


def declare_losses(ledger: Ledger, ring: Ring, n_safe: int, sink: str) -> list[Gap]:
    """Write the gaps of a sink that has got no row of a ring behind its first `n_safe`."""
    gaps = []
    for lost in lost_rows(ring, n_safe):
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


def _last_of(keys: npt.NDArray[np.int64]) -> tuple[list[int], list[int]]:
    found, at = np.unique(keys[::-1], return_index=True)
    return found.tolist(), (len(keys) - 1 - at).tolist()


def _times(column: Any) -> npt.NDArray[np.int64]:
    times: npt.NDArray[np.int64] = column.cast("int64").fill_null(_NONE).to_numpy()
    return times


def _position(times: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], at: int) -> Position:
    event_ns = int(times[1][at])
    return Position(int(times[0][at]), None if event_ns == _NONE else event_ns)
