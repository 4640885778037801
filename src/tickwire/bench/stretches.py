"""What every receiver of stretches does: CPU time per stretch, no garbage collection."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickwire.bench.processes import Receive


@dataclass(frozen=True, slots=True)
class StretchesJob:
    """A receiver that reports after each stretch, and what it will get.

    Parameters
    ----------
    receive
        A function of a module; its reports have a field `cpu_ns`, which is filled in here where
        the receiver has not.
    plan
        What it takes.
    """

    receive: Receive
    plan: Any


def receive_stretches(job: StretchesJob, report: Callable[[Any], None]) -> None:
    """Run a receiver of stretches, in its process."""
    job.receive(job.plan, _StretchReporter(report))


class _StretchReporter:
    """Hands arrivals over, with the CPU time since the last ones."""

    def __init__(self, report: Callable[[Any], None]) -> None:
        self._report = report
        self._cpu_ns = cpu_ns()
        self._is_warm = False

    def __call__(self, arrivals: Any) -> None:
        if not arrivals.cpu_ns:  # a receiver that knows its first message and its last says so
            arrivals.cpu_ns = cpu_ns() - self._cpu_ns
        self._report(arrivals)
        if not self._is_warm:
            # What lives now lives to the end: no collection need look at it again. Nothing thaws
            # it: the process is the receiver's own, and is ended from outside.
            gc.collect()
            gc.freeze()
            self._is_warm = True
        self._cpu_ns = cpu_ns()


def cpu_ns() -> int:
    """Give the user and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round((used.ru_utime + used.ru_stime) * 1e9)
