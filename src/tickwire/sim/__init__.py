"""The exchange simulator.

Knows nothing of: the feed. Words: simulator, market, market driver, seed, speed. Its C part:
nowhere.
"""

from tickwire.sim.connection import Stats
from tickwire.sim.faults import Fault, Faults
from tickwire.sim.instruments import DEFAULT_PORTS, DEFAULT_SYMBOLS, VENUES
from tickwire.sim.serve import SimOptions, serve
from tickwire.sim.server import Simulator

__all__ = [
    "DEFAULT_PORTS",
    "DEFAULT_SYMBOLS",
    "VENUES",
    "Fault",
    "Faults",
    "SimOptions",
    "Simulator",
    "Stats",
    "serve",
]
