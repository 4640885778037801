"""Times at which maintenance keeps a sink from taking rows."""

from __future__ import annotations

from tickwire.observe import Metrics


class Stalls:
    """Times at which a sink could not take rows: how many, how long together, the longest.

    Parameters
    ----------
    metrics
        The sink's.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._count = metrics.counter("sink_stalls")
        self._total_ns = metrics.counter("sink_stall_seconds")
        self._longest_ns = metrics.gauge("sink_longest_stall_seconds")

    def add(self, seconds: float) -> None:
        """Count one stall."""
        self._count.add()
        self._total_ns.add(int(seconds * 1e9))
        self._longest_ns.raise_to(int(seconds * 1e9))

    @property
    def count(self) -> int:
        """How many."""
        return self._count.value

    @property
    def total_s(self) -> float:
        """How long together."""
        return self._total_ns.value / 1e9

    @property
    def max_s(self) -> float:
        """How long the longest took."""
        return self._longest_ns.value / 1e9
