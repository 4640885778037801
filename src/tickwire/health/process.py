"""What the process itself uses: memory, CPU, descriptors, and how late its loop is."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path

from tickwire.observe import Metrics

_STATM = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")
_PAGE_BYTES = resource.getpagesize()


class ProcessFigures:
    """Figures of this process, in a feed's registry.

    Parameters
    ----------
    metrics
        Where they are kept.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._began_ns = time.monotonic_ns()
        self._lag = metrics.histogram("loop_lag_seconds")
        metrics.watch("uptime_seconds", lambda: time.monotonic_ns() - self._began_ns)
        metrics.watch("cpu_seconds", time.process_time_ns)
        metrics.watch("resident_memory_bytes", resident_bytes)
        metrics.watch("open_descriptors", open_descriptors)

    def on_wake(self, late_s: float) -> None:
        """Note how much later than asked for the loop has woken its housekeeping."""
        self._lag.add(max(0, int(late_s * 1e9)))


def resident_bytes() -> int:
    """Give the resident memory of this process; 0 where it cannot be known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    return 0


def open_descriptors() -> int:
    """Give the number of open descriptors; 0 where it cannot be known."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in _DESCRIPTORS.iterdir())
    return 0
