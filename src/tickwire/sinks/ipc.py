"""Record batches to Arrow IPC streams: `<path>/<table>/<feed>-<begin>.arrows`.

Rules of this file
------------------
- A stream grows by whole messages, one record batch per flush, so it can be read while it is
  written; its end-of-stream mark comes at stop.
- Past `rotate_mb` a stream ends and a new one begins: what a start has to read of streams, to make
  the last one whole and to know what is in it, has a bound.
- A dictionary that has grown is written again in full (a replacement). Deltas would be smaller, but
  polars, among others, cannot read them; and dictionaries settle soon after the start.
- A commit hands the bytes to the operating system; the disk is waited for at stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tickwire.clock import wall_ns
from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, SinkName
from tickwire.errors import SinkError
from tickwire.failpoints import reach
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.schema import Table
from tickwire.sinks.base import Sink
from tickwire.sinks.files import (
    DurableFile,
    make_folder,
    path_segment,
    start_mark,
    sync_folder,
    with_rows,
)
from tickwire.sinks.identity import Held, OutputLock, counted_in, identity_of
from tickwire.sinks.ipc_tail import cut_tail, damaged
from tickwire.sinks.replays import FolderFiles, Replayed

_log = get_logger("tickwire.sinks")


class IpcSettings(FileSinkSettings):
    """`[[sink]] type = "ipc"`: Arrow streams, per table a new file at each start.

    Parameters
    ----------
    name
        Unique among the feed's sinks; by default its type.
    path
        The folder.
    tables
        Those to write; all where left out.
    flush_ms
        A flush starts at least this often.
    rotate_mb
        A file ends past this size, and another one begins.
    """

    type: Literal["ipc"] = "ipc"
    name: SinkName = "ipc"
    flush_ms: Count = 50
    rotate_mb: Count = 256

    def make_sink(
        self,
        feed: str,
        metrics: Metrics | None = None,
    ) -> IpcSink:
        """Make the sink, not yet open."""
        return IpcSink(self, feed, metrics)


class IpcSink(Sink):
    """Rows to one Arrow IPC stream per table, a new file per start and `rotate_mb`."""

    def __init__(
        self,
        settings: IpcSettings,
        feed: str,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(settings, feed, metrics)
        self.interval_s = settings.flush_ms / 1000
        self._root = Path(settings.path)
        self._owned = FolderFiles(self._root, feed, 1)
        self._most_bytes = settings.rotate_mb << 20
        self._named_ns = 0
        self._files: dict[str, DurableFile] = {}
        self._streams: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        self._last_seqs: dict[str, int | None] = {}
        self._lock: OutputLock | None = None
        self._torn = self.metrics.counter("sink_torn_files")

    def _open(self) -> None:
        try:
            if self._lock is None:
                hidden = self._root / f".tickwire-{path_segment(self.feed)}"
                make_folder(hidden, self.name)
                self._lock = OutputLock(hidden / "lock")
            if not self._is_claimed:
                self._cut_tails()
            self._claim()
            file_name = self._file_name()
            for table in () if self.has_replay else self.tables.values():
                self._open_stream(table, file_name)
        except BlockingIOError as error:
            self._close()
            raise self._is_in_use(error) from error
        except OSError as error:
            self._close()
            raise SinkError(
                f"sink {self.name}: cannot write to {self._root}: {error.strerror}"
            ) from error
        except SinkError:
            self._close()
            raise

    def _cut_tails(self) -> None:
        """Make the streams whole that earlier runs have left."""
        for table in self.tables:
            for path in self._owned.all(self._earlier_files(table)):
                n_bytes = cut_tail(path)
                if n_bytes:
                    self._torn.add()
                    kept = damaged(path)
                    _log.warning(
                        "a torn tail is cut off", sink=self.name, file=str(path), bytes=n_bytes,
                        kept=str(kept) if kept.exists() else None,
                    )  # fmt: skip

    def _is_in_use(self, error: BlockingIOError) -> SinkError:
        holder = f" (pid {error})" if str(error) else ""
        return SinkError(
            f"sink {self.name}: a feed named {self.feed!r} is writing to {self._root} "
            f"already{holder}"
        )

    def _read_held(self) -> Held:
        held = Held()
        newest = ""
        # Streams are read from their beginning: only where the state cannot say the numbers.
        is_unknown = self.identity is None or self.identity.is_new
        for table in self.tables:
            paths = self._earlier_files(table)
            needs_numbers = is_unknown or self._owned.has_replays(paths)
            for path in self._owned.all(paths):
                with suppress(pa.ArrowException, OSError), pa.memory_map(str(path)) as file:
                    stream = pa.ipc.open_stream(file)
                    if path.name > newest:
                        found = identity_of(stream.schema.metadata)
                        newest, held.feed_id, held.feed = path.name, found.feed_id, found.feed
                n_rows = 0
                if needs_numbers:
                    import pyarrow.compute as pc  # by few starts, and large

                    with suppress(pa.ArrowException, OSError), pa.memory_map(str(path)) as file:
                        for batch in pa.ipc.open_stream(file):  # up to where it is torn
                            n_rows += batch.num_rows
                            for column, name in counted_in(table).items():
                                held.note(name, pc.max(batch.column(column)).as_py())
                if n_rows or not needs_numbers:
                    break
        return held

    def _housekeeping(self, n_rows: int) -> None:
        try:
            if self._lock is not None:
                self._lock.check()
        except BlockingIOError as error:
            raise self._is_in_use(error) from error

    def _file_name(self) -> str:
        # The newest stream is the last one by name, also where the clock was set back.
        self._named_ns = max(self._named_ns + 1, wall_ns())
        return f"{self._owned.owner}-{start_mark(self._named_ns)}.arrows"

    def _open_stream(self, table: Table, file_name: str) -> None:
        folder = self._root / path_segment(table.name)
        make_folder(folder, self.name)
        file = self._files[table.name] = DurableFile(folder / file_name, self.retry)
        schema = self.schema_of(table)
        stream = self._streams[table.name] = pa.ipc.new_stream(file, schema)
        # The writer begins with the first batch; a reader may come before it.
        stream.write_batch(pa.RecordBatch.from_pylist([], schema=schema))
        sync_folder(folder)

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        for table, batch in batches.items():
            self._streams[table].write_batch(batch)
            self._check_file(table)
            self._note_committed(table, batch)
        self._note_commit()
        self._record_latency(batches)
        for table in batches:
            if self._files[table].tell() >= self._most_bytes:
                self._rotate(table)

    def _check_file(self, table: str) -> None:
        try:
            self._files[table].check()
        except SinkError as error:
            last = {name: seq for name, seq in self.last_committed.items() if name == table}
            raise SinkError(f"{error}{with_rows(last)}") from None

    def _rotate(self, table: str) -> None:
        """End a stream and begin the next one."""
        self._streams[table].close()
        self._files[table].sync()
        self._files[table].close()
        self._last_seqs.pop(table, None)
        reach("rotation")
        try:
            self._open_stream(self.tables[table], self._file_name())
        except OSError as error:
            raise SinkError(f"cannot write to {self._root}: {error.strerror}") from error

    def _held(self, table: str, batch: pa.RecordBatch) -> int | None:
        if table not in self._last_seqs:
            self._last_seqs[table] = self._last_seq_of_earlier(table)
        last = self._last_seqs[table]
        seqs = batch.column("seq").to_numpy()
        return last if last is not None and seqs[0] <= last else None

    def newest_rows(
        self, table: str, columns: Sequence[str], n_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read back the newest files of this feed."""
        for path in self._owned.own(self._earlier_files(table)):
            newest: deque[pa.RecordBatch] = deque()
            n_held = 0
            with suppress(pa.ArrowException, OSError), pa.memory_map(str(path)) as file:
                for batch in pa.ipc.open_stream(file):  # up to where it is torn
                    newest.append(batch)
                    n_held += batch.num_rows
                    while n_held - newest[0].num_rows >= n_rows:
                        n_held -= newest.popleft().num_rows
            n_rows -= n_held
            for batch in reversed(newest):
                if batch.num_rows:
                    yield batch.select(list(columns))
            if n_rows <= 0:
                return

    def _earlier_files(self, table: str) -> list[Path]:
        """Give the files of a table, of whatever feed, but for the one that is written."""
        file = self._files.get(table)
        paths = (self._root / path_segment(table)).glob("*.arrows")
        return [path for path in paths if file is None or path != file.path]

    def has_rows(self, table: str) -> bool | None:
        """Whether earlier files have rows: their numbers are not always read."""
        if not self._is_claimed or super().has_rows(table):
            return super().has_rows(table)
        for path in self._owned.own(self._earlier_files(table)):
            with suppress(pa.ArrowException, OSError), pa.memory_map(str(path)) as file:
                if any(batch.num_rows for batch in pa.ipc.open_stream(file)):
                    return True
        return False

    def _begin_replay(self, replayed: Replayed) -> bool:
        paths = [path for table in self.tables for path in self._earlier_files(table)]
        return self._owned.begin(replayed, paths, self.tables)

    def _end_replay(self, replayed: Replayed) -> None:
        self._owned.end(replayed, self.tables)

    def _last_seq_of_earlier(self, table: str) -> int | None:
        """Give the last seq that this feed has written to a file before the present one."""
        for path in self._owned.own(self._earlier_files(table)):
            last = last_seq_of(path)
            if last is not None:
                return last
        return None

    def _finish(self) -> None:
        for table, stream in self._streams.items():
            stream.close()
            self._files[table].sync()

    def _close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # what had to be on disk was synced
                file.close()
        self._files.clear()
        self._streams.clear()
        self._last_seqs.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def last_seq_of(path: Path) -> int | None:
    """Give the last seq in a stream of a feed, read to its end or to where it is torn."""
    last = None
    with suppress(pa.ArrowException, OSError), pa.memory_map(str(path)) as file:
        for batch in pa.ipc.open_stream(file):
            if batch.num_rows:
                last = int(batch.column("seq")[-1].as_py())
    return last
