"""The breakers of endpoints: one for each host and port, its changes logged and counted."""

from __future__ import annotations

import time

from tickwire.clock import Clock
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise import Breakers, BreakerState, CircuitBreaker
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

    def changed(breaker: CircuitBreaker, state: BreakerState) -> None:
        metrics.counter("breaker_changes", breaker=breaker.name, state=state.value).add()
        if state is BreakerState.OPEN:
            _log.warning(
                "breaker opened",
                endpoint=breaker.name,
                failures=breaker.n_failures,
                why=breaker.last_failure.value if breaker.last_failure else "",
                wait_s=round(breaker.wait_s(), 1),
            )
        else:
            _log.info(f"breaker {state.value.replace('_', ' ')}", endpoint=breaker.name)

    breakers = Breakers(changed, clock=clock)
    metrics.watch("breakers_open", lambda: breakers.count(BreakerState.OPEN))
    return breakers
