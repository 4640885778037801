"""Counting what a pipeline has delivered, and the CPU and time of its main phase.

Rules of this file
------------------
- The main phase begins when the warm-up's messages have been delivered and ends with the last one.
  What a pipeline has delivered is what it has put into record batches.
- The CPU is that of the whole process, all threads, user and system: a pipeline that moves work to
  another thread gains nothing here. The sender is another process.
- Each batch is checked when it comes and then dropped, as a program that has used it would. The
  check's own CPU and time are left out.
"""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from tickwire.bench.answer import Answer
from tickwire.bench.cases import Amount
from tickwire.errors import TickwireError


@dataclass(frozen=True, slots=True)
class Usage:
    """Readings of the process's clocks, or the time between two, in ns."""

    wall_ns: int = 0
    user_ns: int = 0
    system_ns: int = 0

    @classmethod
    def now(cls) -> Usage:
        """Read them."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.monotonic_ns(), round(used.ru_utime * 1e9), round(used.ru_stime * 1e9))

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.wall_ns + other.wall_ns,
            self.user_ns + other.user_ns,
            self.system_ns + other.system_ns,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.wall_ns - other.wall_ns,
            self.user_ns - other.user_ns,
            self.system_ns - other.system_ns,
        )


class Meter:
    """Where the main phase begins and ends.

    Parameters
    ----------
    amount
        How many messages there are.
    """

    def __init__(self, amount: Amount) -> None:
        self.amount = amount
        self.n_measured = 0
        self._start: Usage | None = None
        self._aside = Usage()
        self._used: Usage | None = None
        self.ended_ns = 0  # wall clock

    def start(self, n_so_far: int) -> None:
        """Begin the main phase, with so many messages delivered."""
        self.n_measured = self.amount.n_messages - n_so_far
        # What lives now lives to the end: until `stop` no collection need look at it.
        gc.collect()
        gc.freeze()
        self._start = Usage.now()

    def stop(self) -> None:
        """End it."""
        if self._start is None:
            raise TickwireError("the main phase has not begun")
        self._used = Usage.now() - self._start - self._aside
        self.ended_ns = time.time_ns()
        gc.unfreeze()

    def leave_out(self, usage: Usage) -> None:
        """Do not count this."""
        if self.is_started:
            self._aside += usage

    @property
    def is_started(self) -> bool:
        """Whether the main phase has begun."""
        return self._start is not None

    def figures(self) -> dict[str, float]:
        """Give messages per second and CPU per message."""
        if self._used is None:
            raise TickwireError("the main phase has not ended")
        used, n_messages = self._used, self.n_measured
        if not n_messages:
            raise TickwireError("the warm-up's batch brought everything: measure more messages")
        return {
            "messages": n_messages,
            "seconds": used.wall_ns / 1e9,
            "messages_per_second": n_messages * 1e9 / used.wall_ns,
            "cpu_ns_per_message": (used.user_ns + used.system_ns) / n_messages,
            "user_ns_per_message": used.user_ns / n_messages,
            "system_ns_per_message": used.system_ns / n_messages,
        }


class Collector:
    """Takes the batches of a pipeline.

    Parameters
    ----------
    amount
        How many messages there are.
    last_table
        The one whose batches come last where several come at once: the main phase begins with one
        of its batches, so that little of what was decoded before is left.
    answer
        Looks at every batch.
    on_done
        Called once, with the batch that brings the last message.
    """

    def __init__(
        self, amount: Amount, last_table: str, answer: Answer, on_done: Callable[[], object]
    ) -> None:
        self.meter = Meter(amount)
        self._last_table = last_table
        self.n_batches = 0
        self.n_rows = 0
        self._answer = answer
        self._n_messages = answer.n_silent
        self._on_done = on_done

    def add(self, table: str, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        began = Usage.now()
        self.n_rows += batch.num_rows
        self.n_batches += 1
        self._n_messages += self._answer.check(table, batch)
        meter = self.meter
        is_done = self.n_rows >= self._answer.n_rows
        if not meter.is_started and self._is_warm(table):
            meter.start(self._n_messages)
        else:
            meter.leave_out(Usage.now() - began)
        if is_done:
            meter.stop()
            self._on_done()

    def _is_warm(self, table: str) -> bool:
        """Tell whether this batch can begin the main phase; any can where the right one is late."""
        n_more = self._n_messages - self.meter.amount.n_warm
        is_late = n_more >= self.meter.amount.n_main // 10
        return n_more >= 0 and (table == self._last_table or is_late)
