"""When messages arrived, and what that makes their latency.

Rules of this file
------------------
- Latency counts from the time at which a message was due, whatever became of it: a stall makes
  every message late that was due meanwhile.
- A note says how many messages have arrived by when. A message has arrived with the first note that
  counts it; one note may bring many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ns = NDArray[np.int64]

PERCENTS = {"p50": 50.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


class Notes:
    """Notes of one stretch, as they are taken: two appends each, converted afterwards."""

    def __init__(self) -> None:
        self.times_ns: list[int] = []
        self.counts: list[int] = []

    def add(self, now_ns: int, count: int) -> None:
        """Note how many messages have arrived since the connection was made.

        Parameters
        ----------
        now_ns
            Monotonic time.
        count
            Messages so far.
        """
        self.times_ns.append(now_ns)
        self.counts.append(count)

    def take(self) -> tuple[Ns, NDArray[np.int64]]:
        """Give times and counts, shape (n,), int64, and forget them."""
        taken = np.array(self.times_ns, np.int64), np.array(self.counts, np.int64)
        self.times_ns.clear()
        self.counts.clear()
        return taken


@dataclass(slots=True)
class Arrivals:
    """What a receiver says of one stretch.

    Parameters
    ----------
    times_ns, counts
        Its notes; shape (n,), int64, monotonic ns, and messages since the connection was made.
    cpu_ns
        User and system time of its process, all threads, from the end of the stretch before.
    columns
        What it made of the messages, for those that decode: `trade_id`, `price` and `size` of
        every one, in order; shape (n_messages,).
    extra
        More figures for the results.
    stalls_ns
        Begin and end of what is reported apart, monotonic ns: a sink's checkpoints.
    """

    times_ns: Ns
    counts: NDArray[np.int64]
    cpu_ns: int
    columns: dict[str, NDArray[Any]] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    stalls_ns: list[tuple[int, int]] = field(default_factory=list)

    def latency_ns(self, due_ns: Ns, n_before: int) -> Ns:
        """Give the latency of every message of the stretch.

        Parameters
        ----------
        due_ns
            shape (n,), int64, monotonic ns at which each was due.
        n_before
            Messages of the connection before them.

        Returns
        -------
        ndarray
            shape (n,), int64, ns.

        Raises
        ------
        ValueError
            Where not all have arrived.
        """
        wanted = n_before + np.arange(1, len(due_ns) + 1)
        if not len(self.counts) or self.counts[-1] < wanted[-1]:
            raise ValueError("not every message has arrived")
        latency: Ns = self.times_ns[np.searchsorted(self.counts, wanted)] - due_ns
        return latency


def is_stalled(
    latency_ns: Ns, due_ns: Ns, stalls_ns: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Tell which messages were under way during a stall; shape (n,).

    Parameters
    ----------
    latency_ns, due_ns
        shape (n,), int64, ns.
    stalls_ns
        Begin and end of each, by the clock of `due_ns`.
    """
    stalled = np.zeros(len(due_ns), np.bool_)
    for began_ns, ended_ns in stalls_ns:
        stalled |= (due_ns < ended_ns) & (due_ns + latency_ns > began_ns)
    return stalled


def percentiles_us(latency_ns: Ns) -> dict[str, float]:
    """Give p50, p99, p99.9 and the largest, in us, and how many there are; all 0 without any."""
    if not len(latency_ns):
        return {**dict.fromkeys(PERCENTS, 0.0), "count": 0}
    values = np.percentile(latency_ns, list(PERCENTS.values()), method="higher") / 1e3
    return {**dict(zip(PERCENTS, values.tolist(), strict=True)), "count": len(latency_ns)}
