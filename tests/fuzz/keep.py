"""Takes into the kept corpus what adds coverage of compiled code: `python -m tests.fuzz.keep`.

From build/fuzz/corpus, smallest first, for each target up to `MOST_BYTES`. `make fuzz-corpus`
builds and loads what this needs.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

N_COUNTERS = 1 << 15  # as in coverage.c
MOST_BYTES = 30_000
KEPT = Path(__file__).parent / "corpus"
FOUND = Path("build/fuzz/corpus")


def coverage(name: str, data: bytes) -> np.ndarray:
    """Which counters an input moves, and whether once, a few times or often."""
    counters = np.empty(N_COUNTERS, np.uint8)
    take = ctypes.CDLL(None).tw_coverage_take
    take(counters.ctypes.data_as(ctypes.c_void_p))
    TARGETS[name](data)
    take(counters.ctypes.data_as(ctypes.c_void_p))
    steps = np.digitize(counters, (1, 2, 8, 64))
    return np.flatnonzero(steps) * 8 + steps[steps > 0]


def main() -> None:
    """Go through all targets."""
    for name in TARGETS:
        inputs = [*SEEDS[name](), *(path.read_bytes() for path in (KEPT / name).iterdir())]
        seen: set[int] = set()
        for data in inputs * 2:  # what is run for the first time only is no input's own
            seen.update(coverage(name, data).tolist())
        n_bytes = sum(path.stat().st_size for path in (KEPT / name).iterdir())
        for path in sorted((FOUND / name).glob("*"), key=lambda path: path.stat().st_size):
            data = path.read_bytes()
            new = set(coverage(name, data).tolist()) - seen
            if new and n_bytes + len(data) <= MOST_BYTES:
                seen |= new
                n_bytes += len(data)
                (KEPT / name / path.name[:16]).write_bytes(data)
        print(f"{name}: {n_bytes} bytes")


if __name__ == "__main__":
    main()
