"""A receiver in a process of its own, and what it says after each stretch."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

import structlog

from tickwire.errors import TickwireError
from tickwire.sim.child import Child


class Receive(Protocol):
    """What runs in a receiver's process until the last stretch is over."""

    def __call__(self, plan: Any, report: Callable[[Any], None]) -> None:
        """Receive; `report` is called after each stretch."""


class ReceiverProcess(Child):
    """A receiver in its process; a context manager.

    Parameters
    ----------
    receive
        A function of a module, so that another process finds it.
    plan
        What it will get; what `receive` takes.
    """

    name = "the receiver"
    lateness = "did not get every message"

    def __init__(self, receive: Receive, plan: Any) -> None:
        super().__init__()
        self._function = receive
        self._plan = plan

    def __enter__(self) -> ReceiverProcess:
        self._start(_run, self._function, self._plan)
        return self

    def arrivals(self, timeout_s: float = 60.0) -> Any:
        """Wait until the stretch is over; the `Arrivals` of it, or of its kind.

        Raises
        ------
        TickwireError
            Where it failed, or lacks messages after that time.
        """
        arrivals = self._receive(timeout_s)
        if isinstance(arrivals, str):
            raise TickwireError(arrivals)
        return arrivals


def _run(receive: Receive, plan: Any, pipe: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        receive(plan, _Reporter(pipe))
    except Exception as error:  # the process's edge: nobody above it could see the error
        pipe.send(f"{type(error).__name__}: {error}")
    pipe.poll(None)  # it is ended by whoever started it


class _Reporter:
    """Hands arrivals over, with the CPU time since the last ones."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._cpu_ns = cpu_ns()
        self._is_warm = False

    def __call__(self, arrivals: Any) -> None:
        arrivals.cpu_ns = cpu_ns() - self._cpu_ns
        self._pipe.send(arrivals)
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
