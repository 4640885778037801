"""Allocations from the bytes in the receive buffer to published rows, counted per case.

A thread's calls of malloc are counted; Python's own allocator is off, so that an object of Python
is one of them even if it is freed at once. Equal reads with twice the messages must make exactly as
many calls. What a read may make: a memoryview and its slice, the list of buffers, its number of
bytes; all of it is Python's around the read, and the same whatever the read brings.

`python -m benchmarks.allocations` is the process that is counted, with the counter preloaded.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.decode.payloads import CASES
from benchmarks.in_process import Frames, InProcessPipeline, read_frames

from tickwire.net import Receiver
from tickwire.observe._build import PROFILE
from tickwire.wire import MessageQueue

N_READS = 6  # of some 64 KiB: small messages fill the rings and write them over
WARM_ROWS = 10_000  # the memory of a symbol's trades grows until it has 8,192 ids
RING_ROWS = 2048

HERE = Path(__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc")
MOST_PER_READ = 5
KEPT = "kept"  # beside the cases: messages of which Python keeps an object each

Counts = dict[str, dict[str, int]]


def why_not() -> str:
    """Say why nothing can be counted here; empty: it can."""
    if platform.libc_ver()[0] != "glibc":
        return "counts in front of glibc's malloc"
    if COMPILER is None:
        return "there is no C compiler"
    if PROFILE in ("asan", "fuzz", "trace", "coverage"):
        return "sanitizers have their own malloc, and what traces lines allocates for each"
    return ""


def counts(folder: Path) -> Counts:
    """Count in a process of its own.

    Parameters
    ----------
    folder
        For the counter, which is compiled.

    Returns
    -------
    Counts
        By case: `reads`, how many reads there were; `few_per_read` and `many_per_read`, how many
        messages each brought; `few` and `many`, the allocations that all of them made.
    """
    counter = folder / "allocations.so"
    subprocess.run(  # noqa: S603 - our own source
        [str(COMPILER), "-O2", "-shared", "-fPIC", "-o", counter, HERE / "allocations.c"],
        check=True,
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    preload = {"LD_PRELOAD": str(counter), "PYTHONMALLOC": "malloc", "PYTHONPATH": paths}
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", __name__],
        cwd=HERE.parent,
        env=os.environ | preload,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Counts = json.loads(done.stdout)
    return found


def allocations(read: Callable[[], None]) -> int:
    """Give how often this thread allocates meanwhile; objects of Python come from malloc here."""
    n_allocations = ctypes.CDLL(None).tickwire_allocations
    n_allocations.restype = ctypes.c_ulong
    gc.collect()
    before = n_allocations()
    read()
    return int(n_allocations() - before)


def count(case: str, folder: Path) -> dict[str, int]:
    """Read a case as a connection brings it: to warm up, then few and many messages a read."""
    pipeline = InProcessPipeline(case, ring_rows=RING_ROWS)
    with Frames.write(folder / "one", case, 1) as frames:
        most = frames.per_read
    n_warm = 8 * N_READS  # each form of a message that comes is learned, once
    if pipeline.case.table == "trades":
        n_warm = max(n_warm, WARM_ROWS // (most * pipeline.case.n_rows))
    found = {"reads": N_READS}
    n_messages = 0
    for name, n_reads, per_read in (
        ("warm", n_warm, most),
        ("few", N_READS, most // 2),
        ("many", N_READS, most),
    ):
        path = folder / name
        with Frames.write(path, case, n_reads, per_read=per_read, first=n_messages) as frames:
            n = allocations(lambda: pipeline.read(frames.descriptor, frames.read_bytes))
        n_messages += frames.n_messages
        pipeline.check(n_messages)
        found |= {name: n, f"{name}_per_read": frames.per_read}
    return found


def count_kept(folder: Path) -> dict[str, int]:
    """Read messages of which a Python object is made each: a counter that finds none is broken."""
    receiver = Receiver(MessageQueue(max_bytes=1 << 30))
    receiver.start()
    with Frames.write(folder / "kept", "bbo", N_READS) as frames:
        n = allocations(lambda: read_frames(receiver, frames.descriptor, frames.read_bytes))
    return {"messages": frames.n_messages, "allocations": n}


def main() -> None:
    """Count all, and print it."""
    gc.disable()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, dict[str, int]] = {case: count(case, folder) for case in CASES}
        found[KEPT] = count_kept(folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
