"""Unfinished files of a dataset: hidden, a rename away from their place, never thrown away.

Rules of this file
------------------
- An unfinished file lies in a hidden folder, `.tickwire-<feed>`, under the path that it will have
  in the dataset. That is the hidden folder of the dataset, or where a rename from there does not
  reach the target (another disk, a bind mount), of the first folder on the way to the target from
  which it does. The rename is tried before a file is begun, with an empty folder.
- It does not lie in the target's own folder: polars refuses to scan a folder that holds a file of
  another extension. Only below a mount point can that not be helped.
- A feed keeps others of its name out of its hidden folders by locks.
- At the start, leftovers of an earlier run are published if they are whole; others keep their bytes
  under a name that says why. Each is a line in the log. Only files without any row,
  which hold nothing but the first four bytes of the format, are removed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tickwire.errors import SinkError
from tickwire.logs import get_logger
from tickwire.sinks.files import path_segment, range_in, sync_folder, with_range
from tickwire.sinks.identity import OutputLock

UNFINISHED = ".tmp"
# What a leftover is called that cannot be published.
UNREADABLE = ".unreadable"
UNPLACED = ".unplaced"
MAGIC = b"PAR1"
_Taken = TypeVar("_Taken")
_log = get_logger("tickwire.sinks")


class HiddenFolders:
    """The hidden folders of one feed in one dataset.

    Parameters
    ----------
    root
        The dataset's folder.
    feed
        The feed's name.
    sink
        The sink's name, for messages.
    """

    def __init__(self, root: Path, feed: str, sink: str) -> None:
        self._root = root
        self._feed = feed
        self._sink = sink
        self._name = f".tickwire-{path_segment(feed)}"
        # What holds the lock of each hidden folder in use.
        self._locks: dict[Path, int] = {}
        self._lock: OutputLock | None = None  # of the dataset
        # The folder above the hidden one, by the folder of the targets.
        self._above: dict[Path, Path] = {}

    def open(self) -> None:
        """Lock the dataset for this feed, and publish what an earlier run left.

        Raises
        ------
        SinkError
            Another feed of that name is writing to the dataset.
        OSError
            The folder cannot be written.
        """
        self._use(self._root)
        for pattern in ("", "*/", "*/venue=*/", "*/venue=*/date=*/"):
            for hidden in sorted(self._root.glob(pattern + self._name)):
                self._use(hidden.parent)
                for leftover in sorted(hidden.rglob(f"*{UNFINISHED}")):
                    if leftover.is_file():
                        self._settle(leftover, hidden)
                self._tidy(hidden)

    def check(self) -> None:
        """Take the dataset's lock again where its file was deleted.

        Raises
        ------
        SinkError
            Another feed has it meanwhile.
        """
        if self._lock is not None:
            self._locked(self._lock.check)

    def _locked(self, take: Callable[[], _Taken]) -> _Taken:
        try:
            return take()
        except BlockingIOError as error:
            raise self._is_in_use(self._root, str(error)) from error

    def _is_in_use(self, above: Path, holder: str) -> SinkError:
        return SinkError(
            f"sink {self._sink}: a feed named {self._feed!r} is writing to {above} already"
            + (f" (pid {holder})" if holder else "")
        )

    def unfinished(self, target: Path) -> Path:
        """Give the path under which `target` is written until it is whole; its folder is made.

        Raises
        ------
        OSError
            No file can be renamed into the target's folder.
        """
        above = self.try_rename(target.parent)
        path = above / self._name / target.relative_to(above)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(path.name + UNFINISHED)

    def try_rename(self, folder: Path) -> Path:
        """Find where files for `folder` can wait: the folder above their hidden one.

        Raises
        ------
        OSError
            No file can be renamed into `folder`.
        """
        if folder not in self._above:
            folder.mkdir(parents=True, exist_ok=True)
            self._above[folder] = next(
                above for above in self._way_to(folder) if self._reaches(above, folder)
            )
        return self._above[folder]

    def close(self) -> None:
        """Let go of the locks, and remove what is empty."""
        if self._lock is not None:
            self._tidy(self._root / self._name)
        for above, lock in self._locks.items():
            hidden = above / self._name
            self._tidy(hidden)
            with suppress(OSError):  # it is not empty
                hidden.rmdir()
            os.close(lock)
        self._locks.clear()
        self._above.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _way_to(self, folder: Path) -> Iterator[Path]:
        above = self._root
        yield above
        for part in folder.relative_to(self._root).parts:
            above /= part
            yield above

    def _reaches(self, above: Path, folder: Path) -> bool:
        """Whether what is in the hidden folder in `above` can be renamed into `folder`."""
        self._use(above)
        # An empty folder, which no reader minds, should a kill leave it there.
        probe = above / self._name / "probe"
        probe.mkdir(exist_ok=True)
        try:
            probe.rename(moved := folder / f"{self._name}.probe")
        except OSError as error:
            probe.rmdir()
            # The hidden folder in `folder` itself is the last one that is tried.
            if error.errno != errno.EXDEV or above == folder:
                raise
            return False
        moved.rmdir()
        return True

    def _use(self, above: Path) -> None:
        """Make the hidden folder in `above`, and lock it."""
        hidden = above / self._name
        if above == self._root:
            # Only the dataset's own has a file in it, with the pid; the others shall become empty.
            if self._lock is None:
                self._lock = self._locked(lambda: OutputLock(hidden / "lock"))
            return
        if above in self._locks:
            return
        hidden.mkdir(parents=True, exist_ok=True)
        lock = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise self._is_in_use(above, "") from error
        except OSError:  # NFS cannot lock a folder; the lock in the dataset's own remains
            pass
        self._locks[above] = lock

    def _settle(self, leftover: Path, hidden: Path) -> None:
        """Publish a file that an earlier run left, or set it aside."""
        with leftover.open("rb") as file:
            if file.read(len(MAGIC) + 1) in (b"", MAGIC):
                leftover.unlink()
                return
        path = leftover.relative_to(hidden)
        target = hidden.parent / path.with_name(path.name.removesuffix(UNFINISHED))
        try:
            n_rows, found = _looked_through(leftover)
        except (pa.ArrowException, OSError) as error:
            self._set_aside(leftover, UNREADABLE, " ".join(str(error).split()))
            return
        if found is not None:
            target = with_range(target, *found)
        if len(path.parts) == 1 or target.exists():
            why = "its target exists" if len(path.parts) > 1 else "its name has no table"
            self._set_aside(leftover, UNPLACED, why)
            return
        self._publish(leftover, target)
        _log.info("leftover_published", sink=self._sink, file=str(target), rows=n_rows)

    def _set_aside(self, leftover: Path, suffix: str, why: str) -> None:
        kept = leftover.with_name(leftover.name.removesuffix(UNFINISHED) + suffix)
        leftover.rename(kept)
        _log.warning("leftover_set_aside", sink=self._sink, file=str(kept), why=why)

    def _publish(self, leftover: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            leftover.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # The target's folder has moved to another disk since.
            copy = self.unfinished(target)
            shutil.copyfile(leftover, copy)
            with copy.open("rb") as file:
                os.fsync(file.fileno())
            copy.rename(target)
            leftover.unlink()
        sync_folder(target.parent)

    @staticmethod
    def _tidy(hidden: Path) -> None:
        """Remove the empty folders in a hidden one."""
        for folder, _, _ in os.walk(hidden, topdown=False):
            if Path(folder) != hidden:
                with suppress(OSError):  # it is not empty
                    Path(folder).rmdir()


def _looked_through(path: Path) -> tuple[int, tuple[int, int] | None]:
    """Read a Parquet file to its end, for its rows and their range; raises if it is not whole."""
    with pq.ParquetFile(path) as file:
        n_rows = sum(batch.num_rows for batch in file.iter_batches())
        return n_rows, range_in(file.metadata.metadata)
