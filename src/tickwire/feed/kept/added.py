"""Sinks that were added to a feed: what they get of the rows from before their time.

Rules of this file
------------------
- A sink has been added where its output has no row of a table that another one has rows of; that
  numbers were reserved says nothing, after a kill. It begins at the oldest row that is left: in the
  segments of other sinks' spills, and behind them in the last run's rings, which
  `RingStore.recover` gives it as it gives them to any sink.
- A start that is cut short goes on where it was: behind what the sink's spill has.
- From which row on an added sink has a table is said: in the log, and in the table `sessions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.ledger import Ledger, Place
from tickwire.logs import get_logger
from tickwire.sinks import Sink
from tickwire.sinks.intake import rows_after
from tickwire.store import Spill

_log = get_logger("tickwire.feed")


def fill_added(sinks: Sequence[Sink], spills: Mapping[str, Spill]) -> dict[tuple[str, str], int]:
    """Give the spills of added sinks what others have on disk; before rings are read.

    Parameters
    ----------
    sinks, spills
        Open, and no sink takes rows yet; and by sink.

    Returns
    -------
    dict
        How many rows each got, by sink and table.
    """
    n_rows: dict[tuple[str, str], int] = {}
    for sink in sinks:
        for table in sink.tables:
            others = [
                spills[each.name] for each in sinks if each is not sink and table in each.tables
            ]
            if all(spill.first_seq(table) is None for spill in others):
                continue
            if sink.has_rows(table) is not False:
                continue
            spill = spills[sink.name]
            for batch in _rows_of(others, table, spill.last_seq(table)):
                spill.recover(table, batch)
                n_rows[sink.name, table] = n_rows.get((sink.name, table), 0) + batch.num_rows
        got = {table: n for (name, table), n in n_rows.items() if name == sink.name}
        if got:
            _log.info(
                "a sink was added: it gets the rows in segments of others", sink=sink.name, **got
            )
    return n_rows


def _rows_of(spills: Sequence[Spill], table: str, last: int) -> Iterator[pa.RecordBatch]:
    """Give the rows of a table behind a seq, in order, each once."""
    has_some = [spill for spill in spills if spill.first_seq(table) is not None]
    for spill in sorted(has_some, key=lambda each: each.first_seq(table) or 0):
        for read in spill.readers(table):
            try:
                batch = read()
            except TickwireError as error:
                _log.warning("rows of another sink cannot be read", table=table, error=str(error))
                break
            if batch is None:  # its own sink says that it is damaged
                continue
            rest = rows_after(batch, last)
            if rest.num_rows:
                yield rest
                last = rest.column("seq")[-1].as_py()


def report_added(
    sinks: Sequence[Sink], spills: Mapping[str, Spill], first: Mapping[str, int], ledger: Ledger
) -> None:
    """Say from which row on added sinks have their tables; before they take rows.

    Parameters
    ----------
    sinks, spills
        Open; and by sink.
    first
        The number of the next row, by table.
    ledger
        Where it is said.
    """
    for sink in sinks:
        begins = {}
        for table in sink.tables:
            oldest = spills[sink.name].first_seq(table)
            seq = first.get(table, 0) if oldest is None else oldest
            others = [each for each in sinks if each is not sink and table in each.tables]
            is_elsewhere = any(
                spills[each.name].first_seq(table) is not None or each.has_rows(table)
                for each in others
            )
            if seq and is_elsewhere and sink.has_rows(table) is False:
                begins[table] = seq
                ledger.event("sink_added", f"{sink.name}: {table} from seq {seq}", Place())
        if begins:
            _log.info(
                "a sink has no row of before: it begins at the oldest that is left",
                sink=sink.name,
                **begins,
            )
