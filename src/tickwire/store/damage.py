"""What of a spill no one can read any more, until it has been reported.

Rules of this file
------------------
- Damage is found in two places: a record that a CRC refuses, when it is read, and records behind
  the last whole one of an earlier run, when the log is opened.
- It is reported once, with the times of the rows before and behind it: so the first kind waits
  for the rows behind it. The log of the second kind keeps it, over restarts, until then.
- The spill's lock guards it.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from tickwire.logs import get_logger
from tickwire.store.segments import Record, SegmentLog

_log = get_logger("tickwire.store")


class DamagedRows(NamedTuple):
    """Rows that no one can read any more.

    Parameters
    ----------
    table, first_seq, last_seq
        Which, as far as is known.
    since_ns, until_ns
        ts_recv of the rows before and behind them; None where there are none.
    """

    table: str
    first_seq: int
    last_seq: int
    since_ns: int | None
    until_ns: int | None


class Damage:
    """The damaged rows of all tables of a spill.

    Attributes
    ----------
    n_records
        Records that a CRC refused.
    """

    def __init__(self) -> None:
        self.n_records = 0
        self._damaged: list[DamagedRows] = []
        self._lost: list[DamagedRows] = []  # behind the last whole record of an earlier run
        self._passed: set[Record] = set()
        self._last_recv_ns: dict[str, int] = {}  # of the rows that were read last, by table
        self._logs: dict[str, SegmentLog] = {}

    def look_at(self, table: str, log: SegmentLog) -> None:
        """Find what a log that was just opened has lost."""
        self._logs[table] = log
        if log.lost:
            self.n_records += len(log.lost)
            for lost in log.lost:
                self._lost += _lost_rows(table, lost, log)
            self._forget_lost()

    def note_lost(self, table: str, first_seq: int, last_seq: int) -> None:
        """Note rows of an earlier run that are nowhere."""
        self._lost.append(DamagedRows(table, first_seq, last_seq, None, None))

    def note_recovered(self, table: str, batch: pa.RecordBatch) -> None:
        """Take rows that were found elsewhere out of what is lost."""
        if self._lost:
            self._lost = [each for lost in self._lost for each in _without(lost, table, batch)]
            self._forget_lost()

    def note_read(self, table: str, batch: pa.RecordBatch) -> None:
        """Note the times of rows that were read: they end what is damaged before them."""
        times = batch.column("ts_recv").view(pa.int64())
        for i, damaged in enumerate(self._damaged):
            if damaged.table == table and damaged.until_ns is None:
                self._damaged[i] = damaged._replace(until_ns=times[0].as_py())
        self._last_recv_ns[table] = times[-1].as_py()

    def pass_over(self, table: str, record: Record) -> None:
        """Note a record that a CRC has refused, and set it aside."""
        if record in self._passed:  # before a rewind
            return
        self._passed.add(record)
        self.n_records += 1
        self._logs[table].set_aside(record)
        _log.error(
            "a damaged record is passed over", segment=str(record.path), table=table,
            seqs=f"{record.first_seq}..{record.last_seq}",
        )  # fmt: skip
        since_ns = self._last_recv_ns.get(table)
        rows = DamagedRows(table, record.first_seq, record.last_seq, since_ns, None)
        self._damaged.append(rows)

    @property
    def is_there(self) -> bool:
        """Whether there is any that `take` may give; needs no lock."""
        return bool(self._damaged or self._lost)

    def take(self, *, is_all_read: bool) -> list[DamagedRows]:
        """Give it, each once.

        Parameters
        ----------
        is_all_read
            There are no rows behind it that would still be read: what has no end is given too.
        """
        found = [each for each in self._damaged if each.until_ns or is_all_read]
        self._damaged = [each for each in self._damaged if each not in found]
        lost, self._lost = self._lost, []
        if lost:
            self._forget_lost()
        return lost + found

    def _forget_lost(self) -> None:
        """Let logs forget what has been taken, or was found again."""
        tables = {each.table for each in self._lost}
        for table, log in self._logs.items():
            if table not in tables:
                log.forget_lost()


def _lost_rows(table: str, lost: Record, log: SegmentLog) -> list[DamagedRows]:
    """Give what a damaged record has cost: the rows beside it say when it was."""
    before = [each for each in log.records if each.last_seq < lost.first_seq][-1:]
    behind = [each for each in log.records if each.last_seq >= lost.first_seq][:1]
    since_ns = _recv_ns(log.read(before[0]), -1) if before else None
    rows = DamagedRows(table, lost.first_seq, lost.last_seq, since_ns, None)
    batch = log.read(behind[0]) if behind else None
    return [rows] if batch is None else _without(rows, table, batch)


def _without(lost: DamagedRows, table: str, batch: pa.RecordBatch) -> list[DamagedRows]:
    """Give what of lost rows is missing still, now that these are found."""
    if lost.table != table or lost.until_ns is not None:
        return [lost]
    first_seq = batch.column("seq")[0].as_py()
    if first_seq <= lost.first_seq:
        return []
    last_seq = min(lost.last_seq, first_seq - 1)
    return [lost._replace(last_seq=last_seq, until_ns=_recv_ns(batch, 0))]


def _recv_ns(batch: pa.RecordBatch | None, i: int) -> int | None:
    return None if batch is None else int(batch.column("ts_recv").view(pa.int64())[i].as_py())
