"""The spill of one sink: rows that it has not got yet, in order, within a bound.

Rules of this file
------------------
- With a folder it lies in segments, one log per table; without one in memory. Rows that could not
  be written to disk wait in memory and nothing passes them.
- It is read in order: `next` gives each table's oldest rows that were not read, `trim` forgets what
  the sink holds, `rewind` begins at the oldest again.
- The caller's lock guards it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.store.damage import Damage, DamagedRows
from tickwire.store.segments import Record, SegmentLog

MEMORY_BYTES = 256 << 20


def folder_name(name: str) -> str:
    """Give a name as that of one folder: "." and ".." are folders of their own, too."""
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


@dataclass(slots=True)
class _Backlog:
    """The rows of one table: first those in segments, then those in memory."""

    log: SegmentLog | None
    memory: deque[pa.RecordBatch] = field(default_factory=deque)
    n_read: int = 0  # entries that were read and not trimmed
    n_recovered: int = 0  # entries that an earlier run has left

    def n_entries(self) -> int:
        return len(self.memory) + (0 if self.log is None else len(self.log.records))

    def entry(self, i: int) -> Record | pa.RecordBatch:
        n_records = 0 if self.log is None else len(self.log.records)
        if self.log is not None and i < n_records:
            return self.log.records[i]
        return self.memory[i - n_records]


class Spill:
    """Rows on their way to one sink.

    Parameters
    ----------
    folder
        Where segments are; None: rows wait in memory.
    tables
        Those of the sink.
    max_bytes
        Most bytes of all tables together; past it nothing is taken. In memory at most 256 MiB.
    sync_s
        How often the caller syncs what `take_unsynced` gives; 0: never.

    Attributes
    ----------
    is_durable
        Whether it outlives the process.
    folder, sync_s
        As given.
    error
        Why its disk takes nothing; empty where it does.

    Raises
    ------
    SegmentError
        The folder cannot be used.
    """

    def __init__(
        self,
        folder: Path | None,
        tables: Iterable[str],
        max_bytes: int = MEMORY_BYTES,
        *,
        sync_s: float = 0.0,
    ) -> None:
        self.is_durable = folder is not None
        self.sync_s = sync_s if self.is_durable else 0.0
        self.folder = folder
        self.error = ""
        self._damage = Damage()
        self._max_bytes = max_bytes if self.is_durable else min(max_bytes, MEMORY_BYTES)
        self._memory_bytes = 0
        self._n_entries = self._n_read = 0  # of all tables
        self._backlogs: dict[str, _Backlog] = {}
        for table in tables:
            log = None
            if folder is not None:
                log = SegmentLog(folder / folder_name(table), is_synced=self.sync_s > 0)
            self._backlogs[table] = _Backlog(
                log, n_recovered=0 if log is None else len(log.records)
            )
            self._n_entries += self._backlogs[table].n_recovered
            if log is not None:
                self._damage.look_at(table, log)

    @property
    def n_bytes(self) -> int:
        """Bytes that it holds."""
        if not self._n_entries:
            return 0
        logs = (backlog.log for backlog in self._backlogs.values())
        return self._memory_bytes + sum(log.n_bytes for log in logs if log is not None)

    @property
    def has_unread(self) -> bool:
        """Whether there is something to read."""
        return self._n_read < self._n_entries

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not self._n_entries

    @property
    def is_full(self) -> bool:
        """Whether it takes nothing more."""
        return self.n_bytes >= self._max_bytes

    @property
    def is_safe(self) -> bool:
        """Whether no row waits in memory for a disk that failed."""
        return not (self.is_durable and self._memory_bytes)

    def recovered_rows(self, table: str) -> int:
        """Rows that an earlier run has left, by their numbers."""
        backlog = self._backlogs[table]
        entries = (backlog.entry(i) for i in range(backlog.n_recovered))
        return sum(_n_rows(entry) for entry in entries)

    def in_memory(self, table: str) -> list[pa.RecordBatch]:
        """Give what waits in memory, oldest first; needs no lock."""
        backlog = self._backlogs.get(table)
        return [] if backlog is None else list(backlog.memory)

    def append(self, table: str, batch: pa.RecordBatch, *, is_read: bool = False) -> bool:
        """Keep rows behind all others of the table.

        Parameters
        ----------
        table
            Whose.
        batch
            At least one row.
        is_read
            The caller has them already: `next` does not give them, unless after `rewind`.

        Returns
        -------
        bool
            Whether they are as safe as they can be; False: they wait in memory for a disk that
            failed.
        """
        backlog = self._backlogs[table]
        if is_read and backlog.n_read < backlog.n_entries():
            raise ValueError("rows before these have not been read")
        self._n_entries += 1
        self._n_read += is_read
        backlog.n_read += is_read
        if backlog.log is not None and not self._memory_bytes:
            try:
                backlog.log.append(batch)
                self.error = ""
                return True
            except TickwireError as error:
                self.error = str(error)
        backlog.memory.append(batch)
        self._memory_bytes += batch.nbytes
        return self.flush()

    def recover(self, table: str, batch: pa.RecordBatch) -> bool:
        """Keep rows of an earlier run, behind all that it has left, before any of this one's.

        Parameters
        ----------
        table, batch
            As for `append`.

        Returns
        -------
        bool
            As of `append`.
        """
        self._backlogs[table].n_recovered += 1
        is_safe = self.append(table, batch)
        self._damage.note_recovered(table, batch)
        return is_safe

    def note_lost(self, table: str, first_seq: int, last_seq: int) -> None:
        """Note rows of an earlier run that `recover` cannot be given: they are damaged."""
        self._damage.note_lost(table, first_seq, last_seq)

    def readers(self, table: str) -> list[Callable[[], pa.RecordBatch | None]]:
        """Give what reads each entry of a table, oldest first; called without the lock.

        Each gives the rows, None where they are damaged, and raises SegmentError where they are
        gone: then the sink has them.
        """
        backlog = self._backlogs.get(table)
        if backlog is None:
            return []
        found: list[Callable[[], pa.RecordBatch | None]] = []
        if backlog.log is not None:  # reading needs nothing that changes
            found += [partial(backlog.log.read, record) for record in backlog.log.records]
        return found + [partial(_itself, batch) for batch in backlog.memory]

    def last_seq(self, table: str) -> int:
        """Give the seq of the newest row of a table; -1 where there is none."""
        backlog = self._backlogs[table]
        n = backlog.n_entries()
        return _last_seq(backlog.entry(n - 1)) if n else -1

    def first_seq(self, table: str) -> int | None:
        """Give the seq of the oldest row of a table; None where there is none."""
        backlog = self._backlogs[table]
        if not backlog.n_entries():
            return None
        entry = backlog.entry(0)
        if isinstance(entry, Record):
            return entry.first_seq
        return int(entry.column("seq")[0].as_py())

    def newest(self, table: str) -> Iterator[pa.RecordBatch]:
        """Give the rows of a table, the newest batch first; they stay, and do not count as read."""
        for read in reversed(self.readers(table)):
            batch = read()
            if batch is not None:  # `next` says what is damaged
                yield batch

    def flush(self) -> bool:
        """Write what waits in memory for the disk; False where it still waits."""
        if not self.is_durable:
            return True
        try:
            for backlog in self._backlogs.values():
                while backlog.log is not None and backlog.memory:
                    backlog.log.append(backlog.memory[0])
                    self._memory_bytes -= backlog.memory.popleft().nbytes
        except TickwireError as error:
            self.error = str(error)
            return False
        self.error = ""
        return True

    def next(self) -> dict[str, pa.RecordBatch]:
        """Give each table's oldest rows that were not read, and count them as read.

        Raises
        ------
        SegmentError
            A segment cannot be read.
        """
        found = {}
        for table, backlog in self._backlogs.items():
            while backlog.n_read < backlog.n_entries():
                entry = backlog.entry(backlog.n_read)
                if not isinstance(entry, Record):
                    found[table] = entry
                    backlog.n_read += 1
                    self._n_read += 1
                    break
                assert backlog.log is not None  # noqa: S101 - a record is in a log
                batch = backlog.log.read(entry)
                backlog.n_read += 1
                self._n_read += 1
                if batch is not None:
                    found[table] = batch
                    self._damage.note_read(table, batch)
                    break
                self._damage.pass_over(table, entry)
        return found

    @property
    def n_damaged(self) -> int:
        """Records that a CRC refused."""
        return self._damage.n_records

    @property
    def has_damage(self) -> bool:
        """Whether there is any that `take_damaged` may give; needs no lock."""
        return self._damage.is_there

    def take_damaged(self) -> list[DamagedRows]:
        """Give what was passed over, each once: as soon as the rows behind it are known."""
        return self._damage.take(is_all_read=not self.has_unread)

    def is_recovered(self, table: str) -> bool:
        """Whether the rows that `next` gave last were left by an earlier run."""
        backlog = self._backlogs[table]
        return 0 < backlog.n_read <= backlog.n_recovered

    def trim(self, positions: Mapping[str, int]) -> None:
        """Forget entries that the sink holds whole: up to a seq, by table."""
        if not self._n_read:
            return
        for table, last_seq in positions.items():
            backlog = self._backlogs[table]
            while backlog.n_read and _last_seq(backlog.entry(0)) <= last_seq:
                if backlog.log is not None and backlog.log.records:
                    backlog.log.drop_first()
                else:
                    self._memory_bytes -= backlog.memory.popleft().nbytes
                backlog.n_read -= 1
                self._n_entries -= 1
                self._n_read -= 1
                backlog.n_recovered = max(0, backlog.n_recovered - 1)

    def take_unsynced(self) -> tuple[list[int], OSError | None]:
        """Give descriptors of what was written and not synced, and why some are lacking.

        They are to be synced, and then closed; those that are lacking are given by a later call.
        """
        found: list[int] = []
        error: OSError | None = None
        for backlog in self._backlogs.values():
            if backlog.log is not None:
                try:
                    found += backlog.log.take_unsynced()
                except OSError as raised:
                    error = raised
        return found, error

    def rewind(self) -> None:
        """Let `next` begin at the oldest rows again."""
        self._n_read = 0
        for backlog in self._backlogs.values():
            backlog.n_read = 0

    def close(self) -> None:
        """Let go of the files; what they hold stays."""
        for backlog in self._backlogs.values():
            if backlog.log is not None:
                backlog.log.close()


def _itself(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _n_rows(entry: Record | pa.RecordBatch) -> int:
    return entry.n_rows if isinstance(entry, Record) else int(entry.num_rows)


def _last_seq(entry: Record | pa.RecordBatch) -> int:
    if isinstance(entry, Record):
        return entry.last_seq
    return int(entry.column("seq")[-1].as_py())
