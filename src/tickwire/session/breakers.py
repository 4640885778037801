"""The breakers of endpoints: one for each host and port, its changes logged and counted."""

from __future__ import annotations

import time
from functools import partial

from tickwire.clock import Clock
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise import Breakers, BreakerState, reporter
from tickwire.wire import parse_url

_log = get_logger("tickwire.session")


def endpoint_of(url: str) -> str:
    """Give what the endpoints of one server have in common; no secret is in it."""
    parts = parse_url(url)
    return f"{'wss' if parts.secure else 'ws'}://{parts.authority}"


def endpoint_breakers(metrics: Metrics, clock: Clock = time.monotonic) -> Breakers:
    """Make the breakers that all sessions of a feed share.

    Parameters
    ----------
    metrics
        Counts their changes.
    clock
        Monotonic, seconds.
    """
    breakers = Breakers(reporter(metrics, _log, "endpoint"), clock=clock)
    for state in BreakerState:
        metrics.watch("breakers", partial(breakers.count, state), state=state.value)
    metrics.watch("breakers_open", lambda: breakers.count(BreakerState.OPEN))
    return breakers
