"""Record batches to a Parquet dataset in hive layout.

`<path>/<table>/venue=<venue>/date=<UTC date of ts_recv>/`
`<feed>-<start>-<number>_<first seq>_<last seq>.parquet`

Rules of this file
------------------
- A file appears whole: it is written in a hidden folder, synced, and renamed into its place; see
  `tickwire.sinks.hidden` for where, and for what a killed run leaves.
- Rows wait in memory only until they fill a row group; row groups go to the file as they fill, and
  all that waits together has a bound.
- Until their file has appeared, the spill has the rows too, where it is on disk: what a failure or
  the end of the process takes is written again. Within a partition rows appear in the order of
  `seq`, so the last of its files says where to go on: the range is in a file's name, and in its
  metadata (`tickwire.first_seq`, `tickwire.last_seq`).
- `venue` is in the path, not in the file. A venue's name is data from a configuration: it is
  percent-encoded, and readers decode it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Literal
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tickwire.clock import wall_ns
from tickwire.columns import integers
from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, Seconds, SinkName
from tickwire.errors import SinkError
from tickwire.failpoints import reach
from tickwire.observe import Metrics
from tickwire.sinks.base import Sink
from tickwire.sinks.files import (
    HIVE_NULL,
    DurableFile,
    make_folder,
    path_segment,
    range_in_name,
    start_mark,
    sync_folder,
    with_range,
)
from tickwire.sinks.hidden import HiddenFolders
from tickwire.sinks.identity import Held, counted_in, identity_of
from tickwire.sinks.intake import last_seq, rows_after
from tickwire.sinks.parquet_file import UnfinishedFile, greatest_in, greatest_seq
from tickwire.sinks.replays import FolderFiles, Replayed

# DuckDB reads a row group per thread and likes this size; a batch of text fills it by bytes first.
ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 32 << 20
# All files together; past it the largest row group is written early. A feed's memory swings by it.
WAITING_BYTES = 8 << 20
MOST_FILES = 256  # that are read back at a start
DAY_NS = 86_400_000_000_000

Part = tuple[str, str]  # the path segments of venue and date


class ParquetSettings(FileSinkSettings):
    """`[[sink]] type = "parquet"`: a dataset of Parquet files.

    Parameters
    ----------
    name
        Unique among the feed's sinks; by default its type.
    path
        The dataset's folder.
    tables
        Those to write; all where left out.
    rotate_s
        A file is closed and appears after this time, if not sooner by `rotate_rows` or `rotate_mb`.
    rotate_rows
        A file is closed and appears when it has this many rows.
    rotate_mb
        A file is closed and appears when its rows, which the spill has until then, take this much.
    """

    type: Literal["parquet"] = "parquet"
    name: SinkName = "parquet"
    rotate_s: Seconds = 60.0
    rotate_rows: Count = 1_000_000
    rotate_mb: Count = 512

    def make_sink(
        self,
        feed: str,
        metrics: Metrics | None = None,
    ) -> ParquetSink:
        """Make the sink, not yet open."""
        return ParquetSink(self, feed, metrics)


class ParquetSink(Sink):
    """Rows to a Parquet dataset; a row is committed when its file has appeared.

    It records no latencies: how long a row waits for its file is the configuration's choice.
    """

    holds_rows = True

    def __init__(
        self,
        settings: ParquetSettings,
        feed: str,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(settings, feed, metrics)
        self.interval_s = min(self.interval_s, settings.rotate_s)
        self._rotate_s = settings.rotate_s
        self._rotate_rows = settings.rotate_rows
        self._rotate_bytes = settings.rotate_mb << 20
        self._root = Path(settings.path)
        self._owned = FolderFiles(self._root, feed, 2)
        self._hidden = HiddenFolders(self._root, feed, settings.name)
        # Files of failed writes, whose rows come again: one that is whole would be published.
        self._unwanted: list[Path] = []
        self._schemas: dict[str, pa.Schema] = {}
        self._files: dict[tuple[str, Part], UnfinishedFile] = {}
        self._start = ""
        self._n_files = 0
        self._handed: dict[str, int] = {}  # the last seq of each table that came here
        self._dictionaries: dict[str, pa.Array] = {}  # by column: copies of the last ones
        # The last seq that has appeared: of this run, and in files of earlier ones.
        self._appeared: dict[tuple[str, Part], int] = {}
        self._appeared_before: dict[tuple[str, Part], int] = {}

    def _open(self) -> None:
        make_folder(self._root, self.name)
        try:
            self._remove_unwanted()
            self._hidden.open()
            self._claim()
            for table in self.tables.values():
                self._hidden.try_rename(self._root / path_segment(table.name))
        except OSError as error:
            self._close()
            raise SinkError(
                f"sink {self.name}: cannot write to {error.filename or self._root}: "
                f"{error.strerror}"
            ) from error
        except SinkError:
            self._close()
            raise
        self._start = start_mark(wall_ns())
        for table in self.tables.values():
            schema = self.schema_of(table)
            self._schemas[table.name] = schema.remove(schema.get_field_index("venue"))

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        for table, batch in batches.items():
            for part, rows in self._split(batch):
                rest = self._not_appeared(table, part, rows)
                if rest.num_rows:
                    self._append(table, part, rest)
            self._handed[table] = max(self._handed.get(table, -1), last_seq(batch))
        while sum(file.n_waiting_bytes for file in self._files.values()) > WAITING_BYTES:
            max(self._files.values(), key=lambda file: file.n_waiting_bytes).write_group()

    def _missing(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch  # each partition goes on at a row of its own

    def _not_appeared(self, table: str, part: Part, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Give the rows that no file has: the others came out of the spill once more."""
        rest = rows_after(rows, self._appeared.get((table, part), -1))
        if not rest.num_rows or not self._intake.spill.is_recovered(table):
            return rest
        if (table, part) not in self._appeared_before:
            self._appeared_before[table, part] = self._last_seq_in(table, part)
        before = self._appeared_before[table, part]
        new = rows_after(rest, before)
        if new.num_rows < rest.num_rows:
            self._note_held(table, rest.num_rows - new.num_rows)
            held = rest.column("seq")[rest.num_rows - new.num_rows - 1].as_py()
            self._appeared[table, part] = held
        return new

    def _last_seq_in(self, table: str, part: Part) -> int:
        """Give the last seq in this feed's files of a partition; -1 where there is none."""
        folder = self._root.joinpath(path_segment(table), *part)
        last = -1
        for path in self._owned.own(folder.glob("*.parquet")):
            named = range_in_name(path)
            if named is not None:
                last = max(last, named[1])
                continue
            with suppress(pa.ArrowException, OSError):  # of a version without ranges
                last = max(last, greatest_seq(path))
        return last

    def _files_of(self, table: str) -> Iterator[Path]:
        return self._root.joinpath(path_segment(table)).glob("*/*/*.parquet")

    def _read_held(self) -> Held:
        held = Held()
        newest = ""
        for table in self.tables:
            for path in self._owned.all(self._files_of(table))[:MOST_FILES]:
                with suppress(pa.ArrowException, OSError), pq.ParquetFile(path) as file:
                    if path.name > newest:
                        found = identity_of(file.schema_arrow.metadata)
                        newest, held.feed_id, held.feed = path.name, found.feed_id, found.feed
                    for column, name in counted_in(table).items():
                        held.note(name, greatest_in(file, column))
        return held

    def _begin_replay(self, replayed: Replayed) -> bool:
        paths = [path for table in self.tables for path in self._files_of(table)]
        return self._owned.begin(replayed, paths, self.tables)

    def _end_replay(self, replayed: Replayed) -> None:
        self._owned.end(replayed, self.tables)

    def newest_rows(
        self, table: str, columns: Sequence[str], n_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read back the newest files of this feed, `MOST_FILES` at most."""
        names = [name for name in columns if name != "venue"]
        for path in self._owned.own(self._files_of(table))[:MOST_FILES]:
            venue = unquote(path.parent.parent.name.removeprefix("venue="))
            with pq.ParquetFile(path) as file:
                for group in reversed(range(file.metadata.num_row_groups)):
                    rows = file.read_row_group(group, columns=names).combine_chunks()
                    for batch in reversed(rows.to_batches()):
                        venues = pa.array([venue] * batch.num_rows, pa.utf8())
                        with_venue = batch.append_column("venue", venues)
                        n_rows -= batch.num_rows
                        yield with_venue.select(list(columns))
                        if n_rows <= 0:
                            return

    def _safe_positions(self) -> dict[str, int]:
        positions = dict(self._handed)
        if self._intake.spill.is_durable:
            for file in self._files.values():
                positions[file.table] = min(positions[file.table], file.first_seq - 1)
        return positions

    def _begin_again(self) -> bool:
        self._handed.clear()
        return super()._begin_again()

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[Part, pa.RecordBatch]]:
        """Give the rows of each venue and day, in order, without the column `venue`."""
        venues = batch.column("venue")
        rows = batch.remove_column(batch.schema.get_field_index("venue"))
        codes = integers(venues.indices, -1)
        days = batch.column("ts_recv").view(pa.int64()).to_numpy() // DAY_NS
        first = (int(codes[0]), int(days[0]))
        if (codes == first[0]).all() and (days == first[1]).all():
            yield self._part(venues, *first), rows
            return
        rows = self._detached(rows)
        for code, day in sorted(set(zip(codes.tolist(), days.tolist(), strict=True))):
            yield self._part(venues, code, day), rows.filter((codes == code) & (days == day))

    def _detached(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Give the rows with copies of their dictionaries.

        What a filter gives has memory of its own, except for the dictionaries: those are the
        batch's, and keep all of its memory for as long as the few rows of one venue wait.
        """
        columns = []
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            if pa.types.is_dictionary(column.type):
                own = self._dictionaries.get(name)
                if own is None or not own.equals(column.dictionary):
                    every = np.arange(len(column.dictionary))
                    own = self._dictionaries[name] = column.dictionary.take(pa.array(every))
                column = pa.DictionaryArray.from_arrays(column.indices, own)
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=rows.schema)

    @staticmethod
    def _part(venues: pa.DictionaryArray, code: int, day: int) -> Part:
        venue = None if code < 0 else venues.dictionary[code].as_py()
        segment = path_segment(venue) if venue else HIVE_NULL
        return f"venue={segment}", f"date={np.datetime64(day, 'D')}"

    def _append(self, table: str, part: Part, rows: pa.RecordBatch) -> None:
        while rows.num_rows:
            file = self._files.get((table, part))
            if file is None:
                file = self._new_file(table, part, rows.column("seq")[0].as_py())
            n_rows = min(
                rows.num_rows,
                self._rotate_rows - file.n_rows,
                ROW_GROUP_ROWS - file.n_waiting_rows,
            )
            file.append(rows.slice(0, n_rows))
            rows = rows.slice(n_rows)
            if file.n_rows >= self._rotate_rows or file.n_bytes >= self._rotate_bytes:
                self._publish((table, part))
            elif file.n_waiting_rows >= ROW_GROUP_ROWS or file.n_waiting_bytes >= ROW_GROUP_BYTES:
                file.write_group()

    def _new_file(self, table: str, part: Part, first_seq: int) -> UnfinishedFile:
        self._n_files += 1
        name = f"{self._owned.owner}-{self._start}-{self._n_files:06}"
        target = self._root.joinpath(path_segment(table), *part, f"{name}.parquet")
        temporary = self.retry.attempt(lambda: self._hidden.unfinished(target))
        output = DurableFile(temporary, self.retry)
        schema = self._schemas[table]
        file = UnfinishedFile(table, temporary, target, output, schema, first_seq)
        self._files[table, part] = file
        return file

    def _publish(self, key: tuple[str, Part]) -> None:
        """Finish a file and let it appear."""
        file = self._files[key]
        file.finish()
        folder = file.target.parent
        self.retry.attempt(lambda: folder.mkdir(parents=True, exist_ok=True))
        file.target = with_range(file.target, file.first_seq, file.last_seq)
        reach("rename")
        self.retry.attempt(lambda: file.temporary.rename(file.target))
        reach("renamed")
        for path in (folder, folder.parent, folder.parent.parent):
            sync_folder(path)
        del self._files[key]
        self._appeared[key] = file.last_seq
        self._count_committed(file.table, file.n_rows)
        self._note_commit()

    def _housekeeping(self, n_rows: int) -> None:
        self._hidden.check()
        due_s = monotonic() - self._rotate_s
        for key in [key for key, file in self._files.items() if file.opened_s <= due_s]:
            self._publish(key)

    def _finish(self) -> None:
        for key in list(self._files):
            self._publish(key)

    def _close(self) -> None:
        # After a failure: unfinished files stay hidden, and the next opening sets them aside,
        # unless the spill has their rows.
        for file in self._files.values():
            file.abandon()
            if self._intake.spill.is_durable:
                # It may have its place already, though what came after that has failed.
                self._unwanted += file.temporary, file.target
        self._files.clear()
        with suppress(OSError):  # a disk that fails: the next opening removes them
            self._remove_unwanted()
        self._hidden.close()

    def _remove_unwanted(self) -> None:
        while self._unwanted:
            self._unwanted[-1].unlink(missing_ok=True)
            self._unwanted.pop()
