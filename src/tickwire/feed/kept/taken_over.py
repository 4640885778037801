"""What a start has taken over from earlier runs: counted, and put down in the table sessions.

Rules of this file
------------------
- `taken_over` names a sink and the rows that go into it before anything new: those of its spill,
  and those of the rings. `set_aside` names a file that could not be used, and `unclaimed` a table
  whose rows no sink takes any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tickwire.feed.kept.ring_store import RingStore
from tickwire.ledger import Ledger, Place
from tickwire.observe import Metrics
from tickwire.sinks import Sink
from tickwire.store import Spill
from tickwire.wording import counted

SPILL, RING = "spill", "ring"


def report_taken_over(
    sinks: Sequence[Sink],
    spills: Mapping[str, Spill],
    rings: RingStore | None,
    ledger: Ledger,
    metrics: Metrics,
) -> None:
    """Count and put down what a start has taken over; before the sinks take rows.

    Parameters
    ----------
    sinks, spills
        The feed's, open; and by sink.
    rings
        Where they lie in files.
    ledger, metrics
        Where it is said.
    """
    for sink in sinks:
        of_rings: Mapping[tuple[str, str], int] = {} if rings is None else rings.recovered
        for table in sink.tables:
            n_all = spills[sink.name].recovered_rows(table)
            n_ring = of_rings.get((sink.name, table), 0)
            if not n_all:
                continue
            n_rows = {SPILL: n_all - n_ring, RING: n_ring}
            for origin, n in n_rows.items():
                if n:
                    metrics.counter(
                        "taken_over_rows", sink=sink.name, table=table, origin=origin
                    ).add(n)
            first = spills[sink.name].first_seq(table)
            shown = ", ".join(f"{n} of its {origin}" for origin, n in n_rows.items() if n)
            ledger.event("taken_over", f"{sink.name}: {table} from seq {first}: {shown}", Place())
    if rings is None:
        return
    for table, n in rings.unclaimed.items():
        metrics.counter("unclaimed_rows", table=table).add(n)
        ledger.event("unclaimed", f"{table}: {counted(n, 'row')} removed", Place())
    why_of: dict[Path, list[str]] = defaultdict(list)
    for path, why in rings.set_aside:
        why_of[path].append(why)
    for path, whys in why_of.items():
        metrics.counter("rings_set_aside").add(1)
        ledger.event("set_aside", f"{path.parent.name}/{path.name}: {whys[0]}", Place())
