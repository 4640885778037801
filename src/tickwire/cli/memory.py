"""What a run does so that its memory stays as small as what it holds.

Rules of this file
------------------
- A feed allocates for years in several threads: what allocators keep for later is kept for ever.
  So malloc has one arena and gives back what is free, and so does Arrow's allocator.
- To be called before Arrow is imported: its allocator reads its options once.
- What the environment says counts.
- Nothing of it concerns the path of a message, which allocates nothing.
- What a feed has made when it began to run lives as long as it. The garbage collector need not look
  at it again and again: with 10,000 streams each of its full looks holds the loop up for 80 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator

# Options of mallopt(3), as glibc's malloc.h numbers them, and what the environment calls them.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
SETTINGS = (
    (M_ARENA_MAX, 1, "MALLOC_ARENA_MAX"),
    (M_TRIM_THRESHOLD, 131_072, "MALLOC_TRIM_THRESHOLD_"),
    (M_TOP_PAD, 0, "MALLOC_TOP_PAD_"),
    (M_MMAP_THRESHOLD, 131_072, "MALLOC_MMAP_THRESHOLD_"),
)
BEGUN_S = 10.0  # after that a feed has made what lives as long as it
PURGE_AT_ONCE = ("MIMALLOC_PURGE_DELAY", "0")


def give_memory_back() -> list[str]:
    """Let allocators give free memory back at once; gives what was set, by its name."""
    name, value = PURGE_AT_ONCE
    done = [] if name in os.environ else [name]
    os.environ.setdefault(name, value)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # not glibc
        return done
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    for option, setting, name in SETTINGS:
        tunable = f"glibc.malloc.{name.removeprefix('MALLOC_').rstrip('_').lower()}="
        is_given = name in os.environ or tunable in tunables
        if not is_given and mallopt(option, setting):
            done.append(name)
    return done


@contextlib.contextmanager
def long_lived(after_s: float = BEGUN_S) -> Iterator[None]:
    """Let the garbage collector pass over what is there some time from now, on a running loop.

    Until the end of the block: libraries complain of objects that are left at the exit.
    """
    freezing = asyncio.get_running_loop().call_later(after_s, gc.freeze)
    try:
        yield
    finally:
        freezing.cancel()
        gc.unfreeze()
