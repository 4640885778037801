"""What a process holds: memory, Python's blocks, file descriptors, threads."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; the fields are what is compared.

    Parameters
    ----------
    rss_bytes
        Resident memory.
    blocks
        Python's memory blocks, after a collection.
    descriptors, threads
        Open files and sockets; threads of any library.
    """

    rss_bytes: float
    blocks: float
    descriptors: float
    threads: float


def look() -> Sample:
    """Look at this process."""
    gc.collect()
    return Sample(_rss_bytes(), sys.getallocatedblocks(), _n_descriptors(), _n_threads())


def _rss_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        command = ["/bin/ps", "-o", "rss=", "-p", str(os.getpid())]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own
        return int(done.stdout) * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _n_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def _n_threads() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


@dataclass(frozen=True, slots=True)
class Growth:
    """One thing at the beginning and at the end, and how much more it may be.

    Parameters
    ----------
    what
        Its name.
    before, after, allowed
        Medians of the first and the last samples, and the largest difference.
    """

    what: str
    before: float
    after: float
    allowed: float

    @property
    def is_too_much(self) -> bool:
        """Whether it has grown."""
        return self.after - self.before > self.allowed

    def __str__(self) -> str:
        verdict = "GREW" if self.is_too_much else "ok"
        return (
            f"{self.what:<12} {self.before:>14,.0f} {self.after:>14,.0f} "
            f"{self.after - self.before:>+14,.0f} (at most {self.allowed:+,.0f}) {verdict}"
        )


def growths(samples: Sequence[Sample], allowed: Sample) -> list[Growth]:
    """Compare the first quarter of the samples with the last.

    Parameters
    ----------
    samples
        In order, at least four.
    allowed
        How much each may grow.
    """
    n = max(1, len(samples) // 4)
    found = []
    for field in fields(Sample):
        values = [getattr(sample, field.name) for sample in samples]
        before, after = statistics.median(values[:n]), statistics.median(values[-n:])
        found.append(Growth(field.name, before, after, getattr(allowed, field.name)))
    return found
