"""Nothing is left behind, whatever comes: memory, Python objects, descriptors, threads.

What is counted is what has been allocated and not freed. The size of the process would say less: a
ring's memory is reserved when the ring is made and becomes resident as rows and texts reach it.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from tests.memory.traffic import Traffic

from tickwire.observe._build import PROFILE

WARM_UP_MESSAGES = 2000
TURN_MESSAGES = 1000
TURNS = 4
# A message of each kind that left 1 byte behind would leave four times this.
MOST_BYTES = 20_000
MOST_OBJECTS = 200


class MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),  # bytes that malloc has mapped one by one
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),  # bytes in use in its heaps
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


C = ctypes.CDLL(None)
HAS_MALLINFO = hasattr(C, "mallinfo2")


def allocated_bytes() -> int:
    """What malloc has given and not got back."""
    C.mallinfo2.restype = MallInfo
    info = C.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def n_descriptors() -> int:
    """How many files and sockets are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.volume
@pytest.mark.skipif(sys.platform != "linux" or not HAS_MALLINFO, reason="asks glibc")
@pytest.mark.skipif(PROFILE in ("asan", "fuzz"), reason="the address sanitizer has its own malloc")
def test_nothing_is_left_behind() -> None:
    traffic = Traffic()
    traffic.turn(WARM_UP_MESSAGES)
    traffic.turn(TURN_MESSAGES)
    gc.collect()
    n_files, n_threads = n_descriptors(), threading.active_count()
    n_bytes, n_objects = allocated_bytes(), sys.getallocatedblocks()
    n_arrow = pa.total_allocated_bytes()
    for _ in range(TURNS):
        traffic.turn(TURN_MESSAGES)
    gc.collect()
    assert pa.total_allocated_bytes() == n_arrow
    assert sys.getallocatedblocks() - n_objects < MOST_OBJECTS
    assert allocated_bytes() - n_bytes < MOST_BYTES
    assert n_descriptors() == n_files
    assert threading.active_count() == n_threads
