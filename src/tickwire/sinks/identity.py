"""Whose rows an output has: the id of the feed that wrote them, and up to which numbers.

Rules of this file
------------------
- A feed's id lies in its state and in the metadata of what its sinks write: of tables in DuckDB as
  part of their comment, of Parquet and IPC files in their schema.
- Rows of another feed are no place to go on in: their numbers and its own would be one sequence. A
  feed whose state is new goes on behind those of its own name, so that a lost state_dir repeats no
  number. What was written before feeds had ids is adopted.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tickwire.errors import SinkError
from tickwire.logs import get_logger

ID_KEY, FEED_KEY = "tickwire.feed_id", "tickwire.feed"
GAP_ID, CONN = "gaps.gap_id", "conn"  # numbers that a feed counts beside each table's seq
LOCK_TRIES = 100
_log = get_logger("tickwire.sinks")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a feed is.

    Parameters
    ----------
    feed_id
        Its id.
    known
        Ids whose rows it may go on behind, its own among them.
    is_new
        Its state was made at this start.
    adopts
        It may go on behind rows of whatever feed.
    """

    feed_id: str
    known: frozenset[str] = frozenset()
    is_new: bool = False
    adopts: bool = False


@dataclass(slots=True)
class Held:
    """What an output held when it was opened.

    Parameters
    ----------
    feed_id, feed
        Of the feed that has written to it last; empty where that is not known.
    next_numbers
        The number behind the greatest one, by table, and of gaps and connections.
    is_complete
        Whether these are the numbers of all that is there.
    """

    feed_id: str = ""
    feed: str = ""
    next_numbers: dict[str, int] = field(default_factory=dict)
    is_complete: bool = False

    def note(self, name: str, greatest: int | None) -> None:
        """Note a greatest number; None: there is none."""
        if greatest is not None:
            self.next_numbers[name] = max(self.next_numbers.get(name, 0), greatest + 1)


def counted_in(table: str) -> dict[str, str]:
    """Give the columns of a table that have numbers of the feed, and what these are called."""
    more = {"gap_id": GAP_ID} if table == "gaps" else {}
    return {"seq": table, "conn": CONN, **more}


def identity_of(metadata: Mapping[bytes, bytes] | None) -> Held:
    """Give what the metadata of a file's schema say of who has written it."""
    found = metadata or {}
    return Held(
        found.get(ID_KEY.encode(), b"").decode(errors="replace"),
        found.get(FEED_KEY.encode(), b"").decode(errors="replace"),
    )


def claim(held: Held, identity: Identity, *, feed: str, sink: str, target: object) -> str:
    """Make sure that a feed may go on behind what an output holds.

    Parameters
    ----------
    held
        What is there.
    identity, feed
        Of the feed, and its name.
    sink, target
        For messages.

    Returns
    -------
    str
        An id that was adopted; empty where none was.

    Raises
    ------
    SinkError
        It may not: one line that says why, and the ways out.
    """
    if not held.feed_id:
        if held.next_numbers:
            _log.info("rows without the id of a feed are adopted", sink=sink, target=str(target))
        return ""
    if held.feed_id == identity.feed_id or held.feed_id in identity.known:
        return ""
    is_own_name = identity.is_new and held.feed == feed
    if not (is_own_name or identity.adopts):
        raise SinkError(
            f"sink {sink}: {target} has rows of another feed ({held.feed!r}, id {held.feed_id}; "
            f"this one is {feed!r}, id {identity.feed_id}): give the sink another path, or go on "
            "behind them with --adopt"
        )
    why = "the feed's state is new" if is_own_name else "as asked"
    _log.warning(
        "the feed goes on behind rows of another id", sink=sink, target=str(target), why=why,
        id=held.feed_id,
    )  # fmt: skip
    return held.feed_id


class OutputLock:
    """A lock of one feed on an output folder, in a file that may be deleted meanwhile.

    Parameters
    ----------
    path
        The file; its folder is made.

    Raises
    ------
    BlockingIOError
        Another process, or sink, holds it; the message is its pid.
    OSError
        It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._file = self._taken()

    def check(self) -> None:
        """Take the lock again where its file was deleted or replaced.

        Raises
        ------
        BlockingIOError, OSError
            As for the constructor.
        """
        if not self._is_named(self._file):
            taken = self._taken()
            os.close(self._file)
            self._file = taken

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _taken(self) -> int:
        for _ in range(LOCK_TRIES):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_named(file):  # else it was deleted before it was locked
                    os.ftruncate(file, 0)
                    os.pwrite(file, str(os.getpid()).encode(), 0)
                    return file
            except BlockingIOError:
                holder = os.pread(file, 32, 0).decode(errors="replace").strip()
                os.close(file)
                raise BlockingIOError(holder) from None
            except BaseException:
                os.close(file)
                raise
            os.close(file)
        raise OSError(f"{self._path}: is deleted again and again")

    def _is_named(self, file: int) -> bool:
        held = os.fstat(file)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return (held.st_ino, held.st_dev) == (named.st_ino, named.st_dev)
