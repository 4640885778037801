"""The clocks: wall time for rows, monotonic time for latencies. Both in ns."""

from __future__ import annotations

from time import monotonic_ns as mono_ns
from time import time_ns as wall_ns

__all__ = ["mono_ns", "wall_ns"]
