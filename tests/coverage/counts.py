"""What gcov counts, written by processes that end by `os._exit` too, as forked ones do.

Rules of this file
------------------
- Counts are below `GCOV_PREFIX`; without it nothing is measured, and nothing is done here.
- Other processes end in order, and each module writes its own.
"""

from __future__ import annotations

import ctypes
import os
import sys
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
