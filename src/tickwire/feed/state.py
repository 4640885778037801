"""What a feed remembers over restarts: sequence numbers per table, and the connection counter.

Rules of this file
------------------
- A number is reserved on disk before it is used, in blocks: after a kill the next run starts past
  the reservation, so nothing repeats and something may be skipped. A clean stop returns the rest.
- The file is replaced whole (write, fsync, rename), so a reader sees the old one or the new one.
- One process per (state_dir, feed name), held by a lock on a file beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from tickwire.errors import TickwireError

SEQ_BLOCK = 1 << 24  # rows: seconds of the fastest feed, and 2**39 kills until int64 ends
CONN_BLOCK = 64
_VERSION = 1
_LAST = 2**62


class State:
    """The numbers of one feed.

    Parameters
    ----------
    folder
        Where they live; None keeps them in memory only.
    name
        The feed's name.

    Raises
    ------
    TickwireError
        Where the folder cannot be used, its file cannot be read, or another process holds it.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._next: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        self._conn = 0
        self._conn_reserved = 0
        self._path: Path | None = None
        self._lock = -1
        if folder is not None:
            file_name = quote(name, safe="")
            self._path = folder / f"{file_name}.json"
            self._lock = _locked(folder, folder / f"{file_name}.lock", name)
            try:
                self._read(self._path)
            except BaseException:
                os.close(self._lock)
                raise

    def __enter__(self) -> State:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open_tables(self, tables: list[str]) -> dict[str, int]:
        """Give the first sequence number of each table and reserve a block for each."""
        first = {table: self._next.setdefault(table, 0) for table in tables}
        self.use(first)
        return first

    def use(self, next_numbers: Mapping[str, int]) -> None:
        """Note the next number of each table; reserve ahead where half a block is used up.

        Raises
        ------
        TickwireError
            Where the state cannot be written and a reservation is used up; before that it is
            tried again at the next call.
        """
        self._next.update(next_numbers)
        ahead = {
            table: number + SEQ_BLOCK
            for table, number in next_numbers.items()
            if self._reserved.get(table, 0) - number < SEQ_BLOCK // 2
        }
        if not ahead:
            return
        before = dict(self._reserved)
        self._reserved.update(ahead)
        try:
            self._write()
        except TickwireError:
            self._reserved = before
            if any(before.get(table, 0) <= number for table, number in next_numbers.items()):
                raise

    def next_conn(self) -> int:
        """Give a connection its number."""
        conn = self._conn
        self._conn += 1
        if self._conn > self._conn_reserved:
            self._conn_reserved = self._conn + CONN_BLOCK
            self._write()
        return conn

    def close(self) -> None:
        """Give back what was reserved and not used, and let go of the lock."""
        if self._lock < 0:
            return
        try:
            self._reserved = dict(self._next)
            self._conn_reserved = self._conn
            self._write()
        finally:
            os.close(self._lock)
            self._lock = -1

    def abandon(self) -> None:
        """Let go of the lock without giving anything back: rows may still be on their way."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _read(self, path: Path) -> None:
        try:
            stored = json.loads(path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            raise TickwireError(f"{path}: the feed's state cannot be read: {error}") from None
        try:
            if stored["version"] != _VERSION:
                raise TickwireError(f"{path}: is state of version {stored['version']!r}, not 1")
            self._next = {str(table): int(number) for table, number in stored["seq"].items()}
            self._conn = int(stored["conn"])
            if not all(0 <= number <= _LAST for number in (self._conn, *self._next.values())):
                raise ValueError("a number that no feed has written")
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            raise TickwireError(f"{path}: is not the state of a feed") from None
        self._reserved = dict(self._next)
        self._conn_reserved = self._conn

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps(
            {"version": _VERSION, "seq": self._reserved, "conn": self._conn_reserved}, indent=1
        )
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise TickwireError(
                f"{self._path}: the feed's state cannot be written: {error.strerror}"
            ) from None


def _locked(folder: Path, path: Path, name: str) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise TickwireError(f"{folder}: cannot be the state_dir: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise TickwireError(
            f"{path}: another running feed is named {name!r} here; give this one another name "
            "or state_dir"
        ) from None
    return lock
