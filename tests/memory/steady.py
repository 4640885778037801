"""Counts allocations from the read to the ring: `python -m tests.memory.steady`.

The counter must be preloaded; see `test_steady_state.py`. Prints a JSON object by case: how many
reads there were, how many messages each brought, and how many allocations all of them made, first
with few messages a read, then with many.
"""

from __future__ import annotations

import ctypes
import gc
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.corridor import Corridor, Frames, read_frames
from benchmarks.decode.payloads import CASES

from tickwire.session import Receiver
from tickwire.wire import MessageQueue

N_READS = 6  # of some 64 KiB: small messages fill the rings and write them over
WARM_ROWS = 10_000  # the memory of a symbol's trades grows until it has 8,192 ids
RING_ROWS = 2048

n_allocations = ctypes.CDLL(None).tickwire_allocations
n_allocations.restype = ctypes.c_ulong


def allocations(read: Callable[[], None]) -> int:
    """Give how often this thread allocates meanwhile; objects of Python come from malloc here."""
    gc.collect()
    before = n_allocations()
    read()
    return int(n_allocations() - before)


def count(case: str, folder: Path) -> dict[str, int]:
    """Read a case as a connection brings it: to warm up, then few and many messages a read."""
    corridor = Corridor(case, ring_rows=RING_ROWS)
    with Frames.write(folder / "one", case, 1) as frames:
        most = frames.per_read
    n_warm = N_READS
    if corridor.case.table == "trades":
        n_warm = max(N_READS, WARM_ROWS // (most * corridor.case.n_rows))
    found = {"reads": N_READS}
    n_messages = 0
    for name, n_reads, per_read in (
        ("warm", n_warm, most),
        ("few", N_READS, most // 2),
        ("many", N_READS, most),
    ):
        path = folder / name
        with Frames.write(path, case, n_reads, per_read=per_read, first=n_messages) as frames:
            n = allocations(lambda: corridor.read(frames.descriptor, frames.read_bytes))
        n_messages += frames.n_messages
        corridor.check(n_messages)
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
    """Count all."""
    gc.disable()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, dict[str, int]] = {case: count(case, folder) for case in CASES}
        found["kept"] = count_kept(folder)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
