"""Outputs that lack rows which had been committed to them: found at the start, and declared.

Rules of this file
------------------
- Up to where each sink had committed is noted beside the positions of streams, twice a second. An
  output that ends before that was cut: its log was torn, or an older copy was put in its place.
- Rows that rings or a spill still have go in again. What is in neither is a gap (`sink`) of each
  stream of the table, from the last row that is left, in one line of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.ledger import Ledger, Place, Position
from tickwire.ledger.index import StreamName
from tickwire.ledger.reasons import SINK
from tickwire.logs import get_logger
from tickwire.sinks import Sink
from tickwire.store import DamagedRows, Spill

_log = get_logger("tickwire.feed")

Noted = Mapping[str, tuple[str, Mapping[str, int]]]  # by sink: its target, and last seq by table


class Cut(NamedTuple):
    """Rows of a table that an output had, and that are nowhere now.

    Parameters
    ----------
    sink, table
        Which.
    first_seq, last_seq
        Their numbers, of which some may never have been used.
    since_ns
        ts_recv of the last row before them; None where the output has none.
    """

    sink: str
    table: str
    first_seq: int
    last_seq: int
    since_ns: int | None


def noted_of(sinks: Iterable[Sink]) -> dict[str, tuple[str, dict[str, int]]]:
    """Give up to where sinks have committed, for the next start."""
    return {
        sink.name: (sink.settings.target, sink.last_committed)
        for sink in sinks
        if sink.last_committed
    }


def find_cuts(noted: Noted, sinks: Iterable[Sink], spills: Mapping[str, Spill]) -> list[Cut]:
    """Find what outputs have lost since it was noted; they are open, and not started.

    Parameters
    ----------
    noted
        By the last run.
    sinks
        The feed's.
    spills
        Theirs, by sink.
    """
    found: list[Cut] = []
    for sink in sinks:
        target, last_seqs = noted.get(sink.name, ("", {}))
        if target != sink.settings.target or not sink.held.is_complete:
            continue
        for table, last in last_seqs.items():
            if table not in sink.tables:
                continue
            first = sink.held.next_numbers.get(table, 0)
            spilled = spills[sink.name].first_seq(table)
            end = last if spilled is None else min(last, spilled - 1)
            if first > end:
                continue
            found.append(Cut(sink.name, table, first, end, _last_recv_ns(sink, table)))
    for name in dict.fromkeys(cut.sink for cut in found):
        rows = {cut.table: f"{cut.first_seq}..{cut.last_seq}" for cut in found if cut.sink == name}
        _log.error("an output lacks rows that had been committed: its file was cut", sink=name,
                   seqs=rows)  # fmt: skip
    return found


def declare_cuts(
    cuts: Iterable[Cut], ledger: Ledger, positions: Mapping[StreamName, Position]
) -> None:
    """Write the gaps of what outputs have lost.

    Parameters
    ----------
    cuts
        What was found.
    ledger
        Writes them.
    positions
        The last row of each stream, up to which its gap reaches.
    """
    for cut in cuts:
        for (venue, table, symbol), last in positions.items():
            if table != cut.table or cut.since_ns is None or last.recv_ns < cut.since_ns:
                continue
            ledger.record(
                table, SINK, cut.since_ns, last.recv_ns, Place(venue, symbol),
                event_end_ns=last.event_ns, consumer=cut.sink,
                detail=f"the file was cut: it lacks seq {cut.first_seq} to {cut.last_seq}",
            )  # fmt: skip


def declare_damaged(
    sink: str,
    damaged: DamagedRows,
    since_ns: int | None,
    ledger: Ledger,
    positions: Mapping[StreamName, Position],
    next_seq: int = 0,
) -> None:
    """Write the gaps of rows that a sink's spill had and that cannot be read.

    Parameters
    ----------
    sink
        Its name.
    damaged
        The rows.
    since_ns
        Where the gaps begin if the spill has no row before them: the last one of the output. None:
        it has none either, and a gap is its end alone.
    ledger
        Writes them.
    positions
        The last row of each stream that there may be.
    next_seq
        The number behind the last row of the output when it was opened.
    """
    for (venue, table, symbol), last in positions.items():
        end_ns = damaged.until_ns or last.recv_ns
        start_ns = damaged.since_ns or since_ns or end_ns
        if table != damaged.table or end_ns < start_ns:
            continue
        if end_ns == since_ns == start_ns and damaged.last_seq < next_seq:
            continue  # the output has the stream's last row, and those before it
        ledger.record(
            table, SINK, start_ns, end_ns, Place(venue, symbol), consumer=sink,
            detail=f"its spill was damaged: it lacks seq {damaged.first_seq} to {damaged.last_seq}",
        )  # fmt: skip


def last_rows(sinks: Iterable[Sink], spills: Mapping[str, Spill]) -> dict[tuple[str, str], int]:
    """Give ts_recv of the last row of each output for which a spill has rows of earlier runs."""
    found = {}
    for sink in sinks:
        for table in sink.tables if sink.opened.done() else ():
            spill = spills[sink.name]
            if spill.recovered_rows(table) or spill.has_damage:
                last_ns = _last_recv_ns(sink, table)
                if last_ns is not None:
                    found[sink.name, table] = last_ns
    return found


def _last_recv_ns(sink: Sink, table: str) -> int | None:
    try:
        batch = next(iter(sink.newest_rows(table, ("ts_recv",), 1)), None)
    except (TickwireError, pa.ArrowException, OSError):
        return None
    if batch is None or not batch.num_rows:
        return None
    return int(batch.column("ts_recv").view(pa.int64())[-1].as_py())
