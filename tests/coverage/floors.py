"""The floors of `make coverage`, and the files below them, each with a reason and its own floor."""

from __future__ import annotations

from typing import NamedTuple

# Percent of the lines of all files of a kind, and of each file that is not named below.
FLOORS = {"Python": 95, "Cython": 90, "C headers": 90}


class Below(NamedTuple):
    """A file below the floor of its kind."""

    percent: int
    reason: str


_BY_THE_CLOCK = "whole benchmarks are tested alone, by the clock, and not counted"

_WITHOUT_MEMORY = "the rest runs where an allocation of a few bytes fails"

BELOW: dict[str, Below] = {
    "src/tickwire/bench/latency.py": Below(80, _BY_THE_CLOCK),
    "src/tickwire/bench/throughput.py": Below(55, _BY_THE_CLOCK),
    "src/tickwire/cli/bench.py": Below(20, _BY_THE_CLOCK),
    "src/tickwire/decode/contract.py": Below(0, "a protocol, which only stubs import"),
    "src/tickwire/feed/streams/changes.py": Below(
        88, "what is given up and what has gone is tested by whole feeds under faults, not counted"
    ),
    "src/tickwire/hooks/hyperliquid_worker.py": Below(
        29, "its tests run it as a process that its feed kills, which leaves no counts"
    ),
    "ext/tickwire/decode/_last_values.pyx": Below(83, _WITHOUT_MEMORY),
    "ext/tickwire/net/_direct.pyx": Below(85, "a base, whose answer every carrier replaces"),
    "ext/tickwire/base/utf8_scalar.h": Below(
        85, "the faster kernels refuse bad text on most machines; it does alone in other tests"
    ),
}
