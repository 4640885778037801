"""What a running feed cannot survive: looked for once a second, in the loop's thread.

Rules of this file
------------------
- A full disk can be mended while rings and the senders' buffers hold what comes, so it is an
  emergency only after `no_disk_emergency_s` in which neither a sink nor its spill took rows.
- A ring whose header does not agree with its writer any more is one at once: no row in it can be
  trusted, and what writes there may be writing elsewhere, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tickwire.clock import Clock
from tickwire.config import Context
from tickwire.errors import NothingTakesRows, RingCorrupted, TickwireError
from tickwire.ring import Ring
from tickwire.sinks import Sink


class Critical:
    """Watches rings and sinks, and reports what the table of severities calls critical.

    Parameters
    ----------
    rings, sinks
        What to watch.
    no_disk_s
        How long a sink and its spill may take no rows; 0: for ever.
    report
        Called with the failure and its context, once for each sink and ring.
    clock
        Monotonic, s.
    """

    def __init__(
        self,
        rings: Mapping[str, Ring],
        sinks: Sequence[Sink],
        no_disk_s: float,
        report: Callable[[TickwireError, Context], object],
        clock: Clock,
    ) -> None:
        self._rings = rings
        self._sinks = sinks
        self._no_disk_s = no_disk_s
        self._report = report
        self._clock = clock
        self._stuck_since_s: dict[str, float] = {}
        self._reported: set[str] = set()

    def look(self) -> None:
        """Look at all of them; once a second will do."""
        now_s = self._clock()
        for name, ring in self._rings.items():
            if ring.fault:
                text = f"the ring of {name} is corrupted: {ring.fault}"
                self._once(f"ring {name}", RingCorrupted(text), Context.RING)
        for sink in self._sinks:
            why = sink.stuck
            if not why:
                self._stuck_since_s.pop(sink.name, None)
                continue
            stuck_s = now_s - self._stuck_since_s.setdefault(sink.name, now_s)
            if self._no_disk_s and stuck_s >= self._no_disk_s:
                text = f"no disk takes rows of sink {sink.name} for {stuck_s:.0f} s: {why}"
                self._once(f"sink {sink.name}", NothingTakesRows(text), Context.SINK)

    def _once(self, what: str, failure: TickwireError, context: Context) -> None:
        if what not in self._reported:
            self._reported.add(what)
            self._report(failure, context)
