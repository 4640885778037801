"""Files that are whole or absent, and names from the network that are safe in a path."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import gmtime, strftime
from typing import TYPE_CHECKING
from urllib.parse import quote

from tickwire.errors import SinkError
from tickwire.sinks.retry import Retry

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FIRST_SEQ, LAST_SEQ = "tickwire.first_seq", "tickwire.last_seq"
_RANGE = re.compile(r"-\d+_(\d+)_(\d+)$")
# What stands for null in a hive path; DuckDB, pyarrow and polars read it as null.
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def path_segment(text: str) -> str:
    """`text` as one segment of a path: anything but A-Z a-z 0-9 . _ - is percent-encoded.

    Hive readers decode it again. They pass over what begins with a dot or an underscore, and dots
    alone would name a folder above: so these are encoded at the front. The empty text becomes one
    encoded character that no name contains.
    """
    # `quote` leaves "~" as it is, which a shell would expand.
    quoted = quote(text, safe="").replace("~", "%7E")
    if not quoted:
        return "%00"
    if not quoted.strip("."):
        return quoted.replace(".", "%2E")
    if quoted[0] in "._":
        return f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return quoted


def start_mark(start_ns: int) -> str:
    """Write a start time in ns for file names: UTC, sorted by text as by time."""
    seconds, fraction_ns = divmod(start_ns, 1_000_000_000)
    return f"{strftime('%Y%m%dT%H%M%S', gmtime(seconds))}.{fraction_ns:09}"


def with_range(path: Path, first_seq: int, last_seq: int) -> Path:
    """Give a file's name with the range of `seq` of its rows."""
    return path.with_name(f"{path.stem}_{first_seq}_{last_seq}{path.suffix}")


def range_in_name(path: Path) -> tuple[int, int] | None:
    """Give the range of `seq` that a file's name has; None: it has none."""
    found = _RANGE.search(path.stem)
    return None if found is None else (int(found[1]), int(found[2]))


def range_metadata(first_seq: int, last_seq: int) -> dict[str, str]:
    """Give the range of `seq` as metadata of a file."""
    return {FIRST_SEQ: str(first_seq), LAST_SEQ: str(last_seq)}


def range_in(metadata: Mapping[bytes, bytes] | None) -> tuple[int, int] | None:
    """Give the range of `seq` that a file's metadata have; None: they have none."""
    found = metadata or {}
    try:
        return int(found[FIRST_SEQ.encode()]), int(found[LAST_SEQ.encode()])
    except (KeyError, ValueError):
        return None


def make_folder(path: Path, sink: str) -> None:
    """Make `path` and its parents; raises SinkError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"sink {sink}: cannot make the folder {path}: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(
    path: Path,
    content: bytes,
    *,
    is_synced: bool = True,
    on_written: Callable[[], object] = lambda: None,
) -> None:
    """Have a file with this content in the place of another, whole whatever happens meanwhile.

    Parameters
    ----------
    path
        The file; it is written beside it first.
    content
        All of it.
    is_synced
        A loss of the machine's power leaves the one or the other, too.
    on_written
        Called when the new one is written, and the last one in its place.

    Raises
    ------
    OSError
        It cannot be written, or not take the other's place.
    """
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        if is_synced:
            file.flush()
            os.fsync(file.fileno())
    on_written()
    fresh.replace(path)
    if is_synced:
        sync_folder(path.parent)


def with_rows(last_seqs: Mapping[str, int]) -> str:
    """Say which rows were in an output that is gone, behind what has happened to it.

    Parameters
    ----------
    last_seqs
        The last one that it had, by table.
    """
    tables = ", ".join(f"{table} up to seq {seq}" for table, seq in last_seqs.items())
    return f", with the rows of {tables}" if tables else ""


class DurableFile(io.RawIOBase):
    """A new file that waits where the disk is full instead of losing what it was given.

    A write is finished byte by byte from where it stopped, so the writer above it (of Parquet, of
    Arrow IPC) never sees the fault and keeps its state.

    Parameters
    ----------
    path
        Must not exist yet.
    retry
        Decides how long a full disk is waited for.

    Attributes
    ----------
    path
        As given.
    """

    def __init__(self, path: Path, retry: Retry) -> None:
        super().__init__()
        self.path = path
        self._name = os.fspath(path)
        self._retry = retry
        self._n_bytes = 0
        self._is_abandoned = False
        self._descriptor = -1  # until it is open: the finalizer closes what failed to open, too
        self._descriptor = retry.attempt(
            lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        )

    def writable(self) -> bool:
        """Say that it is."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self._n_bytes

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of `data`; returns its length in bytes."""
        if self.closed:
            raise ValueError("write to a closed file")
        view = memoryview(data).cast("B")
        n_bytes = len(view)
        if self._is_abandoned:
            return n_bytes
        while view:
            n_written = self._retry.attempt(partial(os.write, self._descriptor, view))
            self._n_bytes += n_written
            view = view[n_written:]
        return n_bytes

    def check(self) -> None:
        """See that what was written can be found by its name.

        Raises
        ------
        SinkError
            The file was deleted, moved or replaced.
        """
        held = os.fstat(self._descriptor)
        try:
            named = os.stat(self._name)  # noqa: PTH116 - thrice as fast, on each flush
        except FileNotFoundError:
            raise SinkError(f"{self.path} was deleted") from None
        if (held.st_ino, held.st_dev) != (named.st_ino, named.st_dev):
            raise SinkError(f"{self.path} was replaced")

    def sync(self) -> None:
        """Make what was written durable."""
        self._retry.attempt(lambda: os.fsync(self._descriptor))

    def abandon(self) -> None:
        """Write nothing more, so that a writer above, which must end somehow, can do so."""
        self._is_abandoned = True

    def close(self) -> None:
        """Close the file; what was written stays."""
        if not self.closed:
            super().close()
            if self._descriptor >= 0:
                os.close(self._descriptor)
