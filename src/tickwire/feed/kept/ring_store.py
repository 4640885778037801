"""Rings in files: those of this run, and what those of earlier ones have left.

Rules of this file
------------------
- Rows that were published go into each sink's spill, behind what is there, before anything new; the
  sink asks its output which of them it has. Only then are the files of an earlier run removed: a
  start that is cut short does it again.
- A stream's gap begins at its last row only where nothing was set aside, and sinks take its table.
- What cannot be used is set aside under another name, in one line of the log, and the feed starts:
  its gaps begin at what sinks had committed for certain.
- Of what was set aside the last `KEPT_STARTS` starts' are kept: a disk that damages files at each
  start would be full by and by.
- An orderly stop at which no sink has left rows in a ring removes the files.
"""

from __future__ import annotations

import shutil
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.failpoints import reach
from tickwire.ledger import Position
from tickwire.ledger.index import StreamName
from tickwire.logs import get_logger
from tickwire.ring import (
    Damaged,
    OldRing,
    RangeSums,
    RingFiles,
    RingMemory,
    aside_of,
    earlier_starts,
    read_manifest,
    read_rings,
    ring_file,
    set_aside,
)
from tickwire.schema import Table
from tickwire.store import Spill, folder_name

KEPT_STARTS = 8  # of which something was set aside
_log = get_logger("tickwire.feed")


class RingStore:
    """The files of a feed's rings.

    Parameters
    ----------
    ring_dir
        The configured folder.
    feed
        The feed's name.
    tables
        Each table and the rows of its ring.

    Attributes
    ----------
    files
        This run's; there once `read` has returned.
    memory, sums
        What this run's rings are made of, and where their rows are summed, by table; there once
        `make` has returned.
    next_seqs
        Where the last run had come to, by table; empty where that is not known.
    least_seqs
        Numbers below were used, by table.
    n_recovered
        Rows so far, of all sinks.
    recovered
        Rows that went into a sink's spill, by sink and table.
    unclaimed
        Rows that were removed because no sink takes their table, by table.
    set_aside
        Files or folders that could not be used, and why.
    """

    files: RingFiles
    memory: RingMemory
    sums: dict[str, RangeSums]

    def __init__(self, ring_dir: Path, feed: str, tables: Mapping[str, tuple[Table, int]]) -> None:
        self._root = ring_dir / folder_name(feed)
        self._tables = dict(tables)
        self._starts: list[tuple[Path, dict[str, OldRing]]] = []
        self.next_seqs: dict[str, int] = {}
        self.least_seqs: dict[str, int] = {}
        self.n_recovered = 0
        self.recovered: dict[tuple[str, str], int] = defaultdict(int)
        self.unclaimed: dict[str, int] = {}
        self.set_aside: list[tuple[Path, str]] = []
        self._last_rows: dict[StreamName, Position] = {}
        self._claimed: set[str] = set()
        self._is_damaged = False
        self._is_needed = False  # what was recovered is not on another disk yet

    def read(self, last: str) -> None:
        """Read what earlier runs have left, and begin the files of this one.

        Parameters
        ----------
        last
            The name of the last run's files, by the feed's state.

        Raises
        ------
        TickwireError
            The folder cannot be used.
        """
        try:
            folders = list(earlier_starts(self._root))
        except OSError as error:
            raise TickwireError(f"{self._root}: cannot hold rings: {error.strerror}") from None
        for folder in folders:
            rings, damaged = read_rings(folder)
            for name, why in damaged.items():
                self._set_aside(folder, name, why)
            if folder.name in damaged:
                continue
            self._starts.append((folder, rings))
            for table, ring in list(rings.items()):
                self._note_last_rows(folder, rings, table)
                self.least_seqs[table] = max(ring.next_seq, self.least_seqs.get(table, 0))
            if last and _name_of(folder) == last:
                self.next_seqs = {table: ring.next_seq for table, ring in rings.items()}
        self.files = RingFiles(self._root)

    def make(self, first: Mapping[str, int]) -> None:
        """Make the files of this run.

        Parameters
        ----------
        first
            The seq of each table's first row.

        Raises
        ------
        TickwireError
            The disk is too full for them, or fails.
        """
        self.memory = self.files.make(
            {name: (table, rows, first[name]) for name, (table, rows) in self._tables.items()}
        )
        try:
            self.sums = {name: RangeSums(self.files, name) for name in self._tables}
        except OSError as error:
            self.files.remove()
            raise TickwireError(
                f"{self.files.folder}: cannot hold rings: {error.strerror}"
            ) from None

    def recover(self, sink: str, tables: Sequence[str], spill: Spill) -> None:
        """Give a sink's spill the rows that the last runs' rings kept for it."""
        self._claimed.update(tables)
        for folder, rings in self._starts:
            for table in tables:
                ring = rings.get(table)
                if ring is None:
                    continue
                try:
                    after = spill.last_seq(table)
                    lost = deque(
                        (max(low, after + 1), high) for low, high in ring.damaged if high > after
                    )
                    for batch in ring.batches(self._tables[table][0], after):
                        while lost and lost[0][1] < batch.column("seq")[0].as_py():
                            spill.note_lost(table, *lost.popleft())
                        if not spill.recover(table, batch):
                            self._is_needed = True
                        reach("recovery")
                        self.recovered[sink, table] += batch.num_rows
                        self.n_recovered += batch.num_rows
                    for first, last in lost:
                        spill.note_lost(table, first, last)
                except Damaged as error:
                    self._refuse(folder, rings, table, error)
        n_rows = {table: n for (name, table), n in self.recovered.items() if name == sink}
        if n_rows:
            _log.info(
                "of the rows in the last run's rings those go in first that the sink lacks",
                sink=sink,
                **n_rows,
            )

    def newest_rows(self, table: str, n_rows: int) -> Iterator[pa.RecordBatch]:
        """Give the rows that the last runs' rings held, the newest batch first.

        Parameters
        ----------
        table
            Whose; nothing where the feed has it not.
        n_rows
            So many at most, and what a batch has beyond them.
        """
        if table not in self._tables:
            return
        for folder, rings in reversed(self._starts):
            ring = rings.get(table)
            if ring is None:
                continue
            try:
                batches = list(ring.batches(self._tables[table][0], ring.next_seq - 1 - n_rows))
            except Damaged as error:
                self._refuse(folder, rings, table, error)
                continue
            for batch in reversed(batches):
                yield batch
                n_rows -= batch.num_rows
            if n_rows <= 0:
                return

    def discard(self) -> None:
        """Remove the files of earlier runs, once all spills have got what sinks waited for."""
        if self._is_needed:
            return
        for _, rings in self._starts:
            for table, ring in rings.items():
                if ring.n_rows and table not in self._claimed:
                    self.unclaimed[table] = self.unclaimed.get(table, 0) + ring.n_rows
        if self.unclaimed:
            _log.warning(
                "rows in the last run's rings are removed: no sink takes them", **self.unclaimed
            )
        for folder, rings in self._starts:
            reach("discard")
            for table, ring in rings.items():
                if ring.damaged:
                    self._keep(folder, ring_file(table))
            shutil.rmtree(folder, ignore_errors=True)
        self._starts = []
        self._bound_kept()

    def _bound_kept(self) -> None:
        """Remove what was set aside longest ago."""
        for folder in set_aside(self._root)[:-KEPT_STARTS]:
            shutil.rmtree(folder, ignore_errors=True)
            _log.warning(
                "rings that were set aside are removed: newer ones are kept",
                folder=str(folder), kept=KEPT_STARTS,
            )  # fmt: skip

    @property
    def newest(self) -> dict[StreamName, Position]:
        """The last row of each stream whose rows in the last runs' rings have all gone to sinks."""
        if self._is_damaged:
            return {}
        return {name: last for name, last in self._last_rows.items() if name[1] in self._claimed}

    def _note_last_rows(self, folder: Path, rings: dict[str, OldRing], table: str) -> None:
        ring = rings[table]
        if ring.damaged:
            self._is_damaged = True
            shown = ", ".join(f"{first}..{last}" for first, last in ring.damaged)
            path = folder / ring_file(table)
            self.set_aside.append((path, f"rows have changed: seq {shown}"))
            _log.error(
                "rows in a ring have changed since: they are missing where no sink has them",
                file=str(path), seqs=shown, kept=str(aside_of(folder) / path.name),
            )  # fmt: skip
            return
        try:
            newest = ring.newest()
        except Damaged as error:
            self._refuse(folder, rings, table, error)
            return
        if not ring.has_dropped:
            for (venue, symbol), (recv_ns, event_ns) in newest.items():
                self._last_rows[venue, table, symbol] = Position(recv_ns, event_ns)

    def _refuse(self, folder: Path, rings: dict[str, OldRing], table: str, error: Damaged) -> None:
        """Set a ring aside for all sinks."""
        del rings[table]
        self._set_aside(folder, ring_file(table), str(error))

    @staticmethod
    def _keep(folder: Path, name: str) -> None:
        """Keep a file of a start that is removed."""
        if error := _moved(folder / name, aside_of(folder) / name):
            _log.error("a ring cannot be set aside", file=str(folder / name), error=error)

    def _set_aside(self, folder: Path, name: str, why: str) -> None:
        """Keep a file, or a whole folder, under another name, and say so."""
        self._is_damaged = True
        self.set_aside.append((path := folder if name == folder.name else folder / name, why))
        aside = aside_of(folder)
        target = aside if name == folder.name else aside / name
        if error := _moved(path, target):
            why = f"{why}; it cannot be set aside: {error}"
        _log.error(
            "a ring of the last run cannot be used: its rows are missing where no sink has them",
            file=str(path), why=why, kept=str(target),
        )  # fmt: skip


def _name_of(folder: Path) -> str:
    manifest = read_manifest(folder)
    return "" if manifest is None else str(manifest["name"])


def _moved(path: Path, target: Path) -> str:
    """Move what is kept of a start; gives why it cannot be, or an empty text."""
    try:
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    except OSError as error:
        return str(error.strerror)
    return ""
