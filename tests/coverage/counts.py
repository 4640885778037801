"""What is counted of lines, written in time.

Rules of this file
------------------
- gcov's counts are below `GCOV_PREFIX`; without it nothing is measured, and nothing is done here.
- What ends in order writes them itself. What is forked ends by `os._exit`, and pytest-xdist kills a
  worker that has not ended in 10 seconds, as on a busy machine.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import NoReturn

PREFIX = "GCOV_PREFIX"


def write() -> None:
    """Write the counts of all modules that were imported."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith("tickwire.") and file is not None and file.endswith(".so"):
            ctypes.CDLL(file).tickwire_write_counts()


def write_at_exit() -> None:
    """Write them in this process, and in those it forks, whatever way it ends."""
    if PREFIX not in os.environ:
        return
    at_once = os._exit

    def _exit(status: int) -> NoReturn:
        write()
        at_once(status)

    os._exit = _exit


def write_session() -> None:
    """Write what this process of pytest has counted, its lines of Python too.

    Apart from what its programs count: one that is killed while it writes spoils what others have
    added to.
    """
    if PREFIX not in os.environ:
        return
    os.environ[PREFIX] = str(Path(os.environ[PREFIX]).with_name(str(os.getpid())))
    write()
    if "coverage" in sys.modules:
        from coverage import Coverage

        if (measured := Coverage.current()) is not None:
            measured.save()
