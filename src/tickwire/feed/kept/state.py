"""What a feed remembers over restarts: its id, numbers per table, and the connection counter.

Rules of this file
------------------
- A number is reserved on disk before it is used, in blocks: after a kill the next run starts past
  the reservation, so nothing repeats and something may be skipped. A clean stop returns the rest,
  and rings in files say where a run that was killed had come to.
- Opened in a thread (`open_state`). While a feed runs, a write has a thread of its own: a file
  system that hangs does not stop the loop. One that fails is logged, counted and tried again, at
  once, then after 2, 4, 8 ... s; half a block is left meanwhile.
- The file is `state_file`'s.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType

from tickwire.config import Context, state_file
from tickwire.errors import TickwireError
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state_file import Stored, lock_state, read_stored, write_stored
from tickwire.logs import get_logger
from tickwire.sinks import CONN, Identity
from tickwire.supervise import Backoff, Failures, in_thread

SEQ_BLOCK = 1 << 28  # rows: half of it is 22 minutes at 100,000 rows/s; 2**35 kills to int64's end
CONN_BLOCK = 1024
FIRST_RETRY_S, LONGEST_RETRY_S = 2.0, 60.0
OPEN_S = 5.0
CLOSE_S = 5.0  # how long the last write may take
_log = get_logger("tickwire.feed")


class State:
    """The numbers of one feed.

    Parameters
    ----------
    folder
        Where they live; None keeps them in memory only.
    name
        The feed's name.

    Attributes
    ----------
    in_background
        Whether `use` and `close` leave writing to a thread.
    n_failures
        Writes that failed.
    rings
        The name of the last run's ring files; empty where it had none.
    ring_folder
        Where this run's are, for `attach`; empty where it has none.

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
        self._id, self._is_new = "", False
        self._adopted: list[str] = []
        self.rings = ""
        self.ring_folder = ""
        self.n_failures = 0
        self.in_background = False
        self.failures = Failures()
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S, at_once=1, at_once_s=0, jitter=0)
        self._due_s = float("-inf")
        self._error: TickwireError | None = None
        self._writer: threading.Thread | None = None
        if folder is not None:
            self._path = state_file(folder, name, ".json")
            self._lock = lock_state(folder, name)
            try:
                stored = read_stored(self._path)
                self._is_new = stored is None
                if stored is not None:
                    self._take_over(stored)
                self._id = self._id or secrets.token_hex(8)
            except BaseException:
                os.close(self._lock)
                raise

    def identity(self, *, adopts: bool = False) -> Identity | None:
        """Give who the feed is; None where its state is not kept.

        Parameters
        ----------
        adopts
            As in `Identity`.
        """
        if self._path is None:
            return None
        return Identity(self._id, frozenset((self._id, *self._adopted)), self._is_new, adopts)

    def adopt(self, ids: Iterable[str]) -> None:
        """Note ids behind whose rows the feed goes on from now on.

        Raises
        ------
        TickwireError
            The state cannot be written.
        """
        fresh = [each for each in dict.fromkeys(ids) if each and each not in self._adopted]
        if fresh:
            self._adopted += fresh
            self._write(self._reserved, self._conn_reserved)

    def __enter__(self) -> State:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open_tables(
        self,
        tables: list[str],
        known: Mapping[str, int] | None = None,
        rings: str = "",
        least: Mapping[str, int] | None = None,
        prepare: Callable[[Mapping[str, int]], object] | None = None,
    ) -> dict[str, int]:
        """Give the first sequence number of each table and reserve a block for each.

        Parameters
        ----------
        tables
            All that need one.
        known
            Where the last run had come to, as far as that is known.
        rings
            The name of this run's ring files.
        least
            Numbers below were used, by whatever run.
        prepare
            Called with the numbers before anything is written: makes this run's ring files, so that
            a kill until then leaves the last run's as they are named here.
        """
        self._next.update(known or {})
        for table, number in (least or {}).items():
            if table != CONN:
                self._next[table] = max(number, self._next.get(table, 0))
        self._conn = max(self._conn, (least or {}).get(CONN, 0))
        first = {table: self._next.setdefault(table, 0) for table in tables}
        if prepare is not None:
            prepare(first)
        if rings != self.rings:
            self.rings = rings
            for table in first:  # so that the file is written before anything else is
                self._reserved.pop(table, None)
        self.use(first)
        return first

    def use(self, next_numbers: Mapping[str, int]) -> None:
        """Note the next number of each table; reserve ahead where half a block is used up.

        Raises
        ------
        TickwireError
            Where the state cannot be written and a reservation is used up; before that it is
            tried again at a later call.
        """
        self._next.update(next_numbers)
        is_short = self._conn_reserved - self._conn < CONN_BLOCK // 2 and self._conn > 0
        ahead = {
            table: number + SEQ_BLOCK
            for table, number in next_numbers.items()
            if self._reserved.get(table, 0) - number < SEQ_BLOCK // 2
        }
        if not ahead and not is_short:
            return
        conn = self._conn + CONN_BLOCK if is_short else self._conn_reserved
        reserved = self._reserved | ahead
        is_writing = self._writer is not None and self._writer.is_alive()
        if not is_writing and (monotonic() >= self._due_s or self._is_used_up(next_numbers)):
            if self.in_background:
                self._writer = threading.Thread(
                    target=self._try_to_reserve, args=(reserved, conn), name="state", daemon=True
                )
                self._writer.start()
            else:
                self._try_to_reserve(reserved, conn)
        if self._is_used_up(next_numbers):
            raise self._error or TickwireError(f"{self._path}: the feed's state is not written")

    def _is_used_up(self, numbers: Mapping[str, int]) -> bool:
        return any(self._reserved.get(table, 0) <= number for table, number in numbers.items())

    @property
    def conn(self) -> int:
        """The number of the next connection."""
        return self._conn

    def next_conn(self) -> int:
        """Give a connection its number.

        Raises
        ------
        TickwireError
            Where the state cannot be written and the reservation is used up.
        """
        conn = self._conn
        self._conn += 1
        if self._conn > self._conn_reserved:
            reserved = self._conn + CONN_BLOCK
            self._write(self._reserved, reserved)
            self._conn_reserved = reserved
        return conn

    def close(self) -> None:
        """Give back what was reserved and not used, and let go of the lock.

        Where that cannot be written the next run skips numbers; it is logged.
        """
        if self._lock < 0:
            return
        writer = threading.Thread(target=self._give_back, name="state", daemon=True)
        if self.in_background:
            if self._writer is not None:
                self._writer.join(CLOSE_S)
            writer.start()
            writer.join(CLOSE_S)
            if writer.is_alive():
                _log.error("the feed's state is not written: its disk hangs", file=str(self._path))
                return  # the lock goes with the process
        else:
            self._give_back()
        os.close(self._lock)
        self._lock = -1

    def _give_back(self) -> None:
        try:
            self._write(dict(self._next), self._conn)
        except TickwireError as error:
            self._note_failure(error)

    def _try_to_reserve(self, reserved: dict[str, int], conn: int) -> None:
        try:
            self._write(reserved, conn)
        except TickwireError as error:
            self._note_failure(error)
            return
        if self._backoff.attempts:
            _log.info("the feed's state is written again", failures=self._backoff.attempts)
            self._backoff.reset()
        self._reserved, self._conn_reserved = reserved, max(conn, self._conn_reserved)
        self._due_s, self._error = float("-inf"), None

    def _note_failure(self, error: TickwireError) -> None:
        self.n_failures += 1
        self._due_s = monotonic() + self._backoff.next_delay_s()
        self.failures.report(
            error, Context.STATE, "the feed's state is not written: it is tried again",
            log=_log, quiet=self._backoff.attempts > 1,
        )  # fmt: skip
        self._error = error

    def abandon(self) -> None:
        """Let go of the lock without giving anything back: rows may still be on their way."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_over(self, stored: Stored) -> None:
        self._id, self._adopted = stored.feed_id, list(stored.adopted)
        self._next, self._reserved = dict(stored.next_numbers), dict(stored.next_numbers)
        self._conn = self._conn_reserved = stored.conn
        self.rings = stored.rings

    def _write(self, reserved: Mapping[str, int], conn: int) -> None:
        if self._path is not None:
            stored = Stored(
                self._id, tuple(self._adopted), reserved, conn, self.rings, self.ring_folder
            )
            write_stored(self._path, stored)


async def open_state(
    folder: Path | None,
    name: str,
    tables: list[str],
    rings: RingStore | None = None,
    least: Mapping[str, int] | None = None,
) -> tuple[State, dict[str, int]]:
    """Open the state in a thread, as its disk may hang, and give each table's first number.

    Parameters
    ----------
    folder, name
        As for `State`.
    tables
        All that need a number.
    rings
        Where rings lie in files: read and made in the same thread, once the lock is held.
    least
        Numbers below are in what sinks hold.

    Raises
    ------
    TickwireError
        As for `State`, rings cannot be made, or a disk does not answer in time.
    """
    lock = threading.Lock()
    is_abandoned = False
    made: State | None = None

    def opened() -> tuple[State, dict[str, int]]:
        nonlocal made
        state = State(folder, name)
        try:
            if rings is None:
                first = state.open_tables(tables, least=least)
            else:
                rings.read(state.rings)
                state.ring_folder = str(rings.files.folder.absolute())
                lowest = dict(least or {})
                for table, number in rings.least_seqs.items():
                    lowest[table] = max(number, lowest.get(table, 0))
                first = state.open_tables(
                    tables, rings.next_seqs, rings.files.name, lowest, rings.make
                )
        except BaseException:
            state.close()
            raise
        with lock:
            made = state
            is_unwanted = is_abandoned
        if is_unwanted:
            state.close()
        return state, first

    try:
        async with asyncio.timeout(OPEN_S):
            return await in_thread(opened)
    except BaseException as error:
        with lock:
            is_abandoned = True
            unwanted = made
        if unwanted is not None:  # opened just before the start was cancelled
            unwanted.close()
        if isinstance(error, TimeoutError):
            raise TickwireError(f"{folder}: does not answer in {OPEN_S:g} s") from None
        raise
