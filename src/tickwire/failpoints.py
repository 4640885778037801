"""Points at which a test has the process killed, to see what a kill leaves there.

Rules of this file
------------------
- `TICKWIRE_KILL_AT=POINT:N` kills the process (SIGKILL) when it comes to a point for the Nth time.
  Without the variable a point costs a call, and none is on the way of a message or a row.
- A point is named where it stands: `tests.durability.crash --at POINT` goes through all of them.
- Those in C (ext/tickwire/base/failpoint.h) are on the way of rows: builds of `WITH_C` have them.
"""

from __future__ import annotations

import os
import signal
import threading

VARIABLE = "TICKWIRE_KILL_AT"
POINTS = (
    "commit",  # rows of a transaction are in, and it is not committed
    "committed",  # it is, and nothing else knows that
    "rename",  # a Parquet file is whole, and has not appeared
    "renamed",  # it has, and its rows are still in the spill
    "spilled",  # rows are in a spill on disk, and their ring holds them, too
    "rotation",  # an IPC stream has ended, and the next one has not begun
    "tail",  # a torn stream is cut, and has no end mark
    "block",  # a piece of a recording's block is written, and the next one is not
    "recording",  # a recording's file has ended, and the next one has not begun
    "segment",  # the last record of a segment is forgotten, and the segment is there
    "state",  # the next state is written, and the last one is in its place
    "allocated",  # the files of rings are there, and nothing names them
    "recovery",  # a spill has some of the last run's rows
    "discard",  # sinks' spills have the last run's rows, and its rings are there
)
WITH_C = ("debug", "asan")
IN_C = (
    "publish",  # rows have their seq, and the cursor does not count them
    "value",  # a dictionary has a new value, and does not count it
    "jump",  # the way to a ring's front has begun, and all positions are the old ones
    "jump_gates",  # consumers stand at the front, and the cursor does not
    "jump_cursor",  # all positions are at the front, and the way there has not ended
)


def _wanted() -> tuple[str, int]:
    point, _, number = os.environ.get(VARIABLE, "").partition(":")
    return point, int(number) if number.isdecimal() else 1


_POINT, _NUMBER = _wanted()
_lock = threading.Lock()
_n_reached = 0


def reach(point: str) -> None:
    """Be at a point: the end of the process, where a test wants that."""
    if point == _POINT:
        _count()


def _count() -> None:
    global _n_reached
    with _lock:
        _n_reached += 1
        if _n_reached == _NUMBER:
            os.kill(os.getpid(), signal.SIGKILL)
