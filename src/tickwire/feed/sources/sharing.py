"""What the sources of one venue share: its limits, its endpoints' breakers, its REST clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property

from tickwire.capture import Recorder
from tickwire.feed.pipeline import Pipeline, SourcePipeline
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.sources.sources import LiveSource
from tickwire.session import RestClient, SourceRest, WindowLimiter, endpoint_breakers
from tickwire.supervise import Breakers
from tickwire.venues import Venue

CONNECT_RESERVE = 5  # of so many connects one is kept for first reconnects


class SharedByVenue:
    """The limits and clients of a feed, each made when a source first needs it.

    Parameters
    ----------
    pipeline
        The feed's.
    recorder
        Records what its sources receive; None: nothing does.
    """

    def __init__(self, pipeline: Pipeline, recorder: Recorder | None = None) -> None:
        self._pipeline = pipeline
        self._recorder = recorder
        self._connects: dict[str, WindowLimiter] = {}  # by venue, as the other limits
        self._requests: dict[str, WindowLimiter] = {}
        self._rest_limits: dict[str, WindowLimiter] = {}
        self._backfill_limits: dict[str, WindowLimiter] = {}
        self._rests: dict[tuple[object, ...], RestClient] = {}

    @cached_property
    def _breakers(self) -> Breakers:
        return endpoint_breakers(self._pipeline.metrics)

    def live_source(self, source: SourcePipeline, next_conn: Callable[[], int]) -> LiveSource:
        """Make a source of the feed, which `next_conn` gives the numbers of its connections."""
        venue = source.plan.venue
        if venue.name not in self._connects:
            per_min = venue.limits.connects_per_min
            self._connects[venue.name] = WindowLimiter(
                per_min, n_reserved=per_min // CONNECT_RESERVE
            )
            self._requests[venue.name] = WindowLimiter(
                venue.limits.total_requests_per_s, 1.0, keeps_shares=False
            )
        return LiveSource(
            source,
            self._pipeline.ledger,
            next_conn,
            self._connects[venue.name],
            self._requests[venue.name],
            self._breakers,
            self.rest_of(source.plan),
            self._backfill_rest_of(source.plan),
            self._recorder,
        )

    def _backfill_rest_of(self, source: SourcePlan) -> SourceRest | None:
        """Give what fetches missed trades, within a limit of their own."""
        if not source.backfills:
            return None
        name, per_min = source.venue.name, source.venue.limits.backfills_per_min
        limiter = self._backfill_limits.setdefault(name, WindowLimiter(per_min))
        return self.rest_of(source, limiter)

    def rest_of(self, source: SourcePlan, limiter: WindowLimiter | None = None) -> SourceRest:
        """Give a source its REST client; those with the same headers and proxy have one."""
        settings, venue = source.settings, source.venue
        headers = sorted(settings.headers.items())
        key = (venue.name, settings.ca_file, settings.proxy, *headers)
        if key not in self._rests:
            self._rests[key] = RestClient(
                settings, limiter=self._rest_limit_of(venue), breakers=self._breakers
            )
        [metrics] = [each.metrics for each in self._pipeline.sources if each.plan is source]
        return self._rests[key].of(metrics.labels["source"], metrics, limiter)

    @property
    def closers(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What closes the REST clients, by a name of each."""
        return {f"REST {number}": rest.close for number, rest in enumerate(self._rests.values())}

    def _rest_limit_of(self, venue: Venue) -> WindowLimiter:
        """Give the venue's limit of requests, whatever headers and proxies they go by."""
        if venue.name not in self._rest_limits:
            self._rest_limits[venue.name] = WindowLimiter(venue.limits.rest_per_min)
        return self._rest_limits[venue.name]
