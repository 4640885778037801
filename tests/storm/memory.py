"""The memory of a process while it runs, sampled from outside."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path

FEWEST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process held at a moment.

    Parameters
    ----------
    at_s
        Since sampling began.
    rss_mb
        Resident.
    """

    at_s: float
    rss_mb: float


def resident_mb(pid: int) -> float:
    """Give MiB that are resident; those of `smaps_rollup` are counted, not estimated."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("Rss:"))
    return int(kib) / 1024


class Sampler:
    """Looks at a process again and again, in a thread.

    Parameters
    ----------
    pid
        The process.
    every_s
        From one look to the next.
    """

    def __init__(self, pid: int, every_s: float = 0.25) -> None:
        self.samples: list[Sample] = []
        self._pid, self._every_s = pid, every_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _work(self) -> None:
        began_s = time.monotonic()
        while not self._is_over.wait(self._every_s):
            try:
                rss_mb = resident_mb(self._pid)
            except (OSError, ValueError):
                return  # it has ended
            self.samples.append(Sample(time.monotonic() - began_s, rss_mb))


@dataclass(frozen=True, slots=True)
class Range:
    """What memory did after the first while.

    Parameters
    ----------
    least, most
        MB.
    low, high
        At 5 and 95 % of the samples.
    """

    least: float
    most: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From the least to the most."""
        return self.most - self.least

    def __str__(self) -> str:
        return (
            f"{self.least:.0f} to {self.most:.0f} MB, {self.width:.0f} wide, "
            f"5 to 95 %: {self.high - self.low:.0f}"
        )


def range_of(samples: list[Sample], after_s: float) -> Range | None:
    """Give the range after so many seconds; None where too few samples are left."""
    values = [sample.rss_mb for sample in samples if sample.at_s >= after_s]
    if len(values) < FEWEST_SAMPLES:
        return None
    parts = statistics.quantiles(values, n=20)
    return Range(min(values), max(values), parts[0], parts[-1])
