"""The wake spared: `busy_poll_us` beside a bare read that spins, latency alone.

Rules of this file
------------------
- What spins uses up a processor, also while another pipeline is measured. So each run is a session
  of its own, with no other receiver beside it, and the two take turns.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from time import monotonic_ns
from urllib.parse import urlsplit

import uvloop

from tickwire.bench.arrivals import Arrivals, Notes
from tickwire.bench.outcomes import StagePipeline, StageResult
from tickwire.bench.receivers import (
    BUFFER_BYTES,
    SUBSCRIBE,
    Plan,
    note_publishes,
    run_feed,
    subscribe_by_hand,
)
from tickwire.bench.stages import Pace, measure_stages
from tickwire.errors import TickwireError

BUSY_POLL_US = 200
N_WARM = 30_000


def receive_spinning(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Call `recv_into` again and again while a stretch lasts; sleep before it."""
    parts = urlsplit(plan.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as reader:
        subscribe_by_hand(reader, [SUBSCRIBE])
        reader.setblocking(False)
        buffer, notes = bytearray(BUFFER_BYTES), Notes()
        add, recv_into = notes.add, reader.recv_into
        n_read = stop = 0
        for n_messages in plan.n_messages:
            stop += n_messages * plan.message_bytes
            select.select([reader], [], [])
            while n_read < stop:
                try:
                    n_more = recv_into(buffer)
                except BlockingIOError:
                    continue
                if not n_more:
                    raise TickwireError("the sender left")
                n_read += n_more
                add(monotonic_ns(), n_read)
            times_ns, n_bytes = notes.take()
            report(Arrivals(times_ns, n_bytes // plan.message_bytes, 0))


def receive_busy(plan: Plan, report: Callable[[Arrivals], None]) -> None:
    """Note the publishes of a feed with `busy_poll_us`."""
    uvloop.run(run_feed(plan, report, note_publishes, busy_poll_us=BUSY_POLL_US))


SPINNING = StagePipeline("recv that spins", "read", receive_spinning, decodes=False)
BUSY = StagePipeline(f"tickwire, busy_poll_us = {BUSY_POLL_US}", "ring", receive_busy)


def measure_busy(pace: Pace, *, n_warm: int = N_WARM) -> list[StageResult]:
    """Measure both in turn.

    Parameters
    ----------
    pace
        At which rate, how long and how often.
    n_warm
        Messages that warm each run up.

    Raises
    ------
    TickwireError
        Where a process fails or messages are missing.
    """
    results = [StageResult(pipeline, pace.rate) for pipeline in (SPINNING, BUSY)]
    for _ in range(pace.n_runs):
        for result in results:
            once = Pace(pace.rate, pace.seconds, 1)
            result.join(measure_stages([result.pipeline], [once], n_warm=n_warm)[0])
    return results
