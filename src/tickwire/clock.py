"""The clocks: wall time for rows, monotonic time for latencies. Both in ns.

Where a test wants a clock of its own, it gives a `Clock` and a `Sleep`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic_ns as mono_ns
from time import time_ns as wall_ns

__all__ = ["Clock", "Sleep", "mono_ns", "wall_ns"]

Clock = Callable[[], float]  # monotonic, seconds
Sleep = Callable[[float], Awaitable[object]]  # for so many seconds
