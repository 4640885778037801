"""The exchange simulator.

Knows nothing of: the feed. Words: simulator, market, market driver, seed, speed, fault, storm,
truth log. Its C part: nowhere.
"""

from tickwire.sim.faults import Fault, parse
from tickwire.sim.instruments import DEFAULT_PORTS, DEFAULT_SYMBOLS, VENUES
from tickwire.sim.serve import SimOptions, serve
from tickwire.sim.server import Simulator
from tickwire.sim.stats import Stats

__all__ = [
    "DEFAULT_PORTS",
    "DEFAULT_SYMBOLS",
    "VENUES",
    "Fault",
    "SimOptions",
    "Simulator",
    "Stats",
    "parse",
    "serve",
]
