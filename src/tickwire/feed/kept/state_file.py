"""The file of a feed's state: what stands in it, its sum, and the lock beside it.

Rules of this file
------------------
- The file has a sum of its bytes. One that is damaged is set aside under another name, in one line,
  and the feed starts as after a lost state: behind the numbers that its sinks and rings hold.
- The file is replaced whole (write, fsync, rename), so a reader sees the old one or the new one.
- One process per (state_dir, feed name), held by a lock on a file beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from tickwire.config import state_file
from tickwire.errors import TickwireError
from tickwire.failpoints import reach
from tickwire.logs import get_logger
from tickwire.sinks import CONN
from tickwire.sinks.files import replace_file

_VERSION = 1
_SUM, _SUM_END = b',\n "crc32": "', b'%08x"\n}\n'  # the last key: of all bytes before it
_LAST = 2**62
_log = get_logger("tickwire.feed")


class _Damaged(Exception):
    """A file cannot be what a feed has written."""


class Stored(NamedTuple):
    """What a feed has written.

    Parameters
    ----------
    feed_id
        Who it is.
    adopted
        Ids of others behind whose rows it goes on.
    next_numbers
        The first number of each table that is not reserved.
    conn
        The first number of a connection that is not reserved.
    rings
        The name of its ring files; empty where it has none.
    ring_folder
        Where they are, for `attach`; not read here.
    """

    feed_id: str
    adopted: Sequence[str]
    next_numbers: Mapping[str, int]
    conn: int
    rings: str
    ring_folder: str = ""


def lock_state(folder: Path, name: str) -> int:
    """Lock the state of a feed; gives what is to be closed.

    Raises
    ------
    TickwireError
        The folder cannot be used, or another process holds it.
    """
    path = state_file(folder, name, ".lock")
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


def read_stored(path: Path) -> Stored | None:
    """Give what a file says; None where there is none, or a damaged one, which is set aside.

    Raises
    ------
    TickwireError
        It cannot be read or set aside, or is of another version.
    """
    try:
        return _parsed(path, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TickwireError(f"{path}: the feed's state cannot be read: {error}") from None
    except _Damaged as error:
        _set_aside(path, str(error))
        return None


def write_stored(path: Path, stored: Stored) -> None:
    """Replace a file.

    Raises
    ------
    TickwireError
        It cannot be written.
    """
    keys = {
        "version": _VERSION,
        "id": stored.feed_id,
        "adopted": list(stored.adopted),
        "seq": dict(stored.next_numbers),
        "conn": stored.conn,
        "rings": stored.rings,
        "ring_folder": stored.ring_folder,
    }
    text = json.dumps(keys, indent=1).removesuffix("\n}").encode()
    text += _SUM + _SUM_END % crc32(text)
    try:
        replace_file(path, text, on_written=lambda: reach("state"))
    except OSError as error:
        raise TickwireError(
            f"{path}: the feed's state cannot be written: {error.strerror}"
        ) from None


def read_numbers(folder: Path, name: str) -> tuple[str, dict[str, int]]:
    """Give a feed's id and numbers that it has not used, without opening its state.

    Empty where there is no state, or a damaged one.

    Raises
    ------
    TickwireError
        It is of another version.
    """
    path = state_file(folder, name, ".json")
    try:
        stored = _parsed(path, path.read_bytes())
    except (OSError, _Damaged):
        return "", {}
    return stored.feed_id, {**stored.next_numbers, CONN: stored.conn}


def _parsed(path: Path, data: bytes) -> Stored:
    text, separator, found = data.rpartition(_SUM)
    if separator and found != _SUM_END % crc32(text):
        raise _Damaged("its bytes have changed")
    try:
        keys = json.loads(data)
        version = keys["version"]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise _Damaged(f"is not the state of a feed: {error!r}") from None
    if version != _VERSION:
        raise TickwireError(f"{path}: is state of version {version!r}, not 1")
    try:
        stored = Stored(
            str(keys.get("id", "")),
            [str(each) for each in keys.get("adopted", ())],
            {str(table): int(number) for table, number in keys["seq"].items()},
            int(keys["conn"]),
            str(keys.get("rings", "")),
        )
        if not all(0 <= number <= _LAST for number in (stored.conn, *stored.next_numbers.values())):
            raise ValueError("a number that no feed has written")
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _Damaged(f"is not the state of a feed: {error!r}") from None
    return stored


def _set_aside(path: Path, why: str) -> None:
    kept = path.with_name(f"{path.name}.damaged")
    try:
        path.rename(kept)
    except OSError as error:
        raise TickwireError(f"{path}: {why}, and cannot be set aside: {error.strerror}") from None
    _log.error(
        "the feed's state is damaged: it is set aside, and the feed goes on behind the numbers "
        "that its sinks and rings hold; where these are elsewhere, put a copy of it back",
        file=str(path), kept=str(kept), why=why,
    )  # fmt: skip
