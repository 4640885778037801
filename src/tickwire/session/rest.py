"""REST snapshots: within the venue's limits, and polite when refused; `net.http` fetches them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType

from tickwire import errors
from tickwire.clock import Clock, Sleep
from tickwire.config import ConnectionOptions
from tickwire.logs import get_logger
from tickwire.net.http import Answer, HttpClient
from tickwire.observe import Metrics
from tickwire.redaction import shown, shown_url
from tickwire.session.pacing import LimitWaits, WindowLimiter
from tickwire.session.refusals import stay_away_s
from tickwire.session.rest_hosts import RestHosts
from tickwire.supervise import Breakers

_log = get_logger("tickwire.session")
WAITING = "waiting for the venue's limit of requests"


class RestClient:
    """Fetches documents from one venue.

    Parameters
    ----------
    options
        Authorities, headers and proxy.
    per_min
        Requests per minute.
    limiter
        Instead of `per_min`: shared by all clients of the venue.
    timeout_s
        For one request, everything included.
    max_bytes
        Largest document.
    max_pause_s
        The longest that a venue may make us wait before asking again; past it, requests are
        refused until the time has come.
    breakers
        Of hosts, shared with other clients; None: its own.
    clock, sleep
        Monotonic seconds, and what waits.
    """

    def __init__(
        self,
        options: ConnectionOptions | None = None,
        *,
        per_min: int = 60,
        limiter: WindowLimiter | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = 33_554_432,
        max_pause_s: float = 60.0,
        breakers: Breakers | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._limiter = limiter or WindowLimiter(per_min, clock=clock, sleep=sleep)
        options = options or ConnectionOptions()
        self._http = HttpClient(options, timeout_s=timeout_s, max_bytes=max_bytes)
        self._hosts = RestHosts(breakers or Breakers(clock=clock), options)
        self._max_pause_s = max_pause_s
        self._clock = clock
        self._sleep = sleep
        self._not_before = 0.0
        counter = Metrics(labels={"source": "", "venue": ""}).counter("rest_limit_wait_seconds")
        self._waits = LimitWaits(counter, lambda: _log, WAITING, clock)

    async def __aenter__(self) -> RestClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def of(self, source: str, metrics: Metrics, limiter: WindowLimiter | None = None) -> SourceRest:
        """Give what one source fetches by, of whose share of the limit.

        Parameters
        ----------
        source
            Its number.
        metrics
            Counts what it waits.
        limiter
            The limit, where it is not the client's.
        """
        counter = metrics.counter("rest_limit_wait_seconds")
        limiter = limiter or self._limiter
        limiter.join(source)
        waits = LimitWaits(counter, lambda: _log, WAITING, self._clock)
        return SourceRest(self, source, waits, limiter)

    async def get(
        self,
        url: str,
        body: str | None = None,
        *,
        source: str = "",
        waits: LimitWaits | None = None,
        limiter: WindowLimiter | None = None,
    ) -> tuple[bytes, int]:
        """Fetch a document.

        Parameters
        ----------
        url
            `http://` or `https://`.
        body
            JSON to ask with, by POST; None: asked by GET.
        source
            Whose share of the limit it is.
        waits
            Counts and logs what it waits.
        limiter
            The limit, where it is not the client's.

        Returns
        -------
        (bytes, int)
            The document, and the wall clock when its last byte had come, ns since the epoch.

        Raises
        ------
        RequestRefused
            If the answer is not 200, or too large. After 418 and 429 nothing is asked until the
            time that the venue named has passed.
        ConnectionFailed
            If name, address, TLS or time fail.
        HostDown
            If the host has failed so often that it is not asked now.
        """
        name = shown_url(url)
        await self._hosts.look(url)
        await self._turn(name, source, waits or self._waits, limiter or self._limiter)
        await self._wait_if_told_to(name)
        answer = await self._hosts.ask(url, lambda: self._http.get(url, body))
        if answer.status != 200:
            self._note_refusal(answer)
            text = " ".join(answer.body.decode("utf-8", "replace").split())
            raise errors.RequestRefused(f"{name}: {answer.status} {shown(text)}".rstrip())
        return answer.body, answer.ts_recv_ns

    async def _turn(
        self, name: str, source: str, waits: LimitWaits, limiter: WindowLimiter
    ) -> None:
        turn = limiter.reserve(source)
        wait_s = turn.at_s - self._clock()
        if wait_s <= 0:
            return
        waits.add(wait_s, url=name)
        try:
            await self._sleep(wait_s)
        except asyncio.CancelledError:
            limiter.give_back(turn)
            raise

    async def _wait_if_told_to(self, name: str) -> None:
        wait_s = self._not_before - self._clock()
        if wait_s > self._max_pause_s:
            raise errors.RequestRefused(f"{name}: the venue wants no request for {wait_s:.0f} s")
        if wait_s > 0:
            await self._sleep(wait_s)

    def _note_refusal(self, answer: Answer) -> None:
        pause_s = stay_away_s(answer.status, answer.headers.get("Retry-After", ""))
        self._not_before = max(self._not_before, self._clock() + pause_s)


@dataclass(frozen=True, slots=True)
class SourceRest:
    """Fetches documents for one source; made by `RestClient.of`.

    Parameters
    ----------
    client
        That of the venue.
    source
        Whose share of the limit it is.
    waits
        Counts and logs what it waits.
    limiter
        The limit.
    """

    client: RestClient
    source: str
    waits: LimitWaits
    limiter: WindowLimiter

    async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
        """Fetch a document; see `RestClient.get`."""
        return await self.client.get(
            url, body, source=self.source, waits=self.waits, limiter=self.limiter
        )
