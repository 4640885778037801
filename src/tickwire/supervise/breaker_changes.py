"""What is said of a circuit breaker that changes: a line in the log, and a count."""

from __future__ import annotations

from tickwire.logs import Logger
from tickwire.observe import Metrics
from tickwire.supervise.breaker import BreakerState, CircuitBreaker, OnChange


def reporter(metrics: Metrics, log: Logger, key: str) -> OnChange:
    """Give what to call with a breaker and its new state.

    Parameters
    ----------
    metrics
        Counts the changes.
    log
        Where they are said.
    key
        What a breaker's name is in the log, such as `endpoint`.
    """

    def changed(breaker: CircuitBreaker, state: BreakerState) -> None:
        metrics.counter("breaker_changes", breaker=breaker.name, state=state.value).add()
        if state is BreakerState.OPEN:
            log.warning(
                "breaker opened",
                **{key: breaker.name},
                failures=breaker.n_failures,
                why=breaker.last_failure.value if breaker.last_failure else "",
                wait_s=round(breaker.wait_s(), 1),
            )
        else:
            log.info(f"breaker {state.value.replace('_', ' ')}", **{key: breaker.name})

    return changed
