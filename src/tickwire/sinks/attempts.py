"""How the output of a sink does: failures in a row, when it is tried again or given up."""

from __future__ import annotations

import threading
from functools import partial
from time import monotonic, sleep

from tickwire.config import Context
from tickwire.errors import SinkError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.sinks.retry import LOG_EVERY_S, RETRY_AT_STOP_S, DiskFullError
from tickwire.supervise import Backoff, BreakerState, CircuitBreaker, Failures, reporter

# How long a write may take, or fail, before rows go to the spill.
SPILL_AFTER_S = 5.0
# The second try comes at once.
FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 60.0
STOP_PAUSE_S = 0.1  # between two tries once the feed stops, at most
_log = get_logger("tickwire.sinks")


class GaveUp(Exception):
    """The feed stops, and the sink still fails."""


class Attempts:
    """The attempts of a sink to have its output take rows; the worker's, others only look.

    Parameters
    ----------
    name
        The sink's.
    metrics
        The sink's.
    stopping
        Set when the feed stops.

    Attributes
    ----------
    failures
        Where failures are reported.
    error
        Why it fails at the moment; empty where it works.
    n_failures
        In a row.
    busy_since_s
        Since when the output is in use, by the monotonic clock; None where it is not.
    breaker_state
        Of its circuit breaker.
    """

    def __init__(self, name: str, metrics: Metrics, stopping: threading.Event) -> None:
        self.failures = Failures(metrics=metrics)
        self.error = ""
        self.n_failures = 0
        self.busy_since_s: float | None = None
        self.breaker_state = BreakerState.CLOSED
        self._name = name
        self._stopping = stopping
        self._backoff = Backoff(
            FIRST_BACKOFF_S, LONGEST_BACKOFF_S, at_once=1, at_once_s=0.0, jitter=0.25
        )
        self._report_change = reporter(metrics, _log, "sink")
        # The worker's alone: to look at one may change it.
        self._breaker = CircuitBreaker(f"sink {name}", self._on_breaker)
        self._logged_s = float("-inf")
        self._gives_up_s: float | None = None
        self._failures = metrics.counter("sink_failures")
        metrics.watch("sink_failing", lambda: bool(self.trouble))
        for state in BreakerState:
            metrics.watch("breakers", partial(self._is_breaker, state), state=state.value)
        metrics.watch("breakers_open", lambda: self.breaker_state is BreakerState.OPEN)

    @property
    def n_total(self) -> int:
        """Failures of the whole run."""
        return self._failures.value

    @property
    def trouble(self) -> str:
        """Why rows do not reach the output at the moment; empty where they do."""
        since_s = self.busy_since_s
        busy_s = 0.0 if since_s is None else monotonic() - since_s
        if not self.error and busy_s >= SPILL_AFTER_S:
            return f"a call to its output has not returned for {busy_s:.0f} s"
        return self.error

    def busy(self) -> None:
        """Note that the output is in use; where it fails, it has been since the first failure."""
        if self.busy_since_s is None:
            self.busy_since_s = monotonic()

    def idle(self) -> None:
        """Note that the output is not in use."""
        if not self.n_failures:
            self.busy_since_s = None

    def failed(self, error: Exception) -> None:
        """Count and report a failure."""
        self.n_failures += 1
        self._failures.add()
        self._breaker.failed()
        text = str(error) if isinstance(error, SinkError) else f"{type(error).__name__}: {error}"
        self.error = " ".join(text.removeprefix(f"sink {self._name}: ").split())
        is_logged = self.n_failures == 1 or monotonic() - self._logged_s >= LOG_EVERY_S
        if is_logged:
            self._logged_s = monotonic()
        self.failures.report(
            error, Context.SINK, "a sink fails: its rows wait, the others go on",
            part=self._name, log=_log, quiet=not is_logged,
            sink=self._name, error=self.error, failures=self.n_failures,
        )  # fmt: skip

    def succeeded(self) -> None:
        """Note that the output works."""
        if self.n_failures:
            _log.info("the sink works again", sink=self._name, failures=self.n_failures)
            self.n_failures = 0
            self.error = ""
            self._breaker.reached()
            self._breaker.healthy()

    def wait(self, error: Exception) -> None:
        """Wait until it is to be tried again.

        Raises
        ------
        GaveUp
            The feed stops, and it has failed for `RETRY_AT_STOP_S` since.
        """
        if not self._stopping.is_set():
            delay_s = self._backoff.delay_s(self.n_failures)
            self._stopping.wait(max(delay_s, self._breaker.wait_s()))
            self._breaker.try_acquire()
            return
        if self._gives_up_s is None:
            self._gives_up_s = monotonic() + RETRY_AT_STOP_S
        elif monotonic() >= self._gives_up_s:
            raise GaveUp
        if isinstance(error, DiskFullError):
            raise GaveUp
        sleep(min(STOP_PAUSE_S, self._backoff.delay_s(self.n_failures)))

    def _on_breaker(self, breaker: CircuitBreaker, state: BreakerState) -> None:
        self.breaker_state = state
        self._report_change(breaker, state)

    def _is_breaker(self, state: BreakerState) -> bool:
        return self.breaker_state is state
