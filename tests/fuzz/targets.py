"""The targets by name: each takes any bytes, and raises where tickwire is wrong about them.

A target is an ordinary function of bytes, so that a fuzzer, Hypothesis and a plain test can all
call it. It keeps nothing from one call to the next, so that a finding is one file.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.captures import captures
from tests.fuzz.frames import frames, receiver
from tests.fuzz.handshake import handshake
from tests.fuzz.inflate import compressed, inflate
from tests.fuzz.plans import plans, venues
from tests.fuzz.values import numbers, strings

TARGETS: dict[str, Callable[[bytes], None]] = {
    "captures": captures,
    "compressed": compressed,
    "frames": frames,
    "handshake": handshake,
    "inflate": inflate,
    "numbers": numbers,
    "plans": plans,
    "receiver": receiver,
    "strings": strings,
    "venues": venues,
}
