"""Asking a venue for subscriptions, and keeping book of its answers, for one connection.

Rules of this file
------------------
- Every subscription is asked for, in requests of as many as the venue allows, evenly paced.
- A request that gets no answer in time is sent once more; if that gets none either, the connection
  is no good.
- Refused for now: asked again with backoff. Refused for good: given up, the others go on. Where a
  refusal hits a whole request of several, they are asked for in halves, to find the guilty one.
- The connection counts as subscribed when each has been acknowledged or refused once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from tickwire import errors
from tickwire.clock import Clock
from tickwire.session.backoff import Backoff
from tickwire.session.pacing import Pacer
from tickwire.venues.base import Reply, Subscription, Venue

MAX_TRIES = 2


class Unanswered(errors.TickwireError):
    """The venue did not answer a subscribe request, twice."""


@dataclass(slots=True)
class _Batch:
    subscriptions: list[Subscription]
    tries: int = 0


@dataclass(slots=True)
class _Request:
    """One that waits for its answer; `waiting` are its subscriptions by key."""

    waiting: dict[str, Subscription]
    deadline: float
    tries: int


class Subscriber:
    """The subscriptions of one connection.

    Parameters
    ----------
    venue
        Words the requests.
    subscriptions
        What to ask for.
    send
        Sends a text.
    pacer
        Spaces what the connection sends.
    on_refused
        Called with each refused subscription, the venue's words and whether it is asked again.
    on_warned
        Called with words of the venue that name no subscription.
    on_subscribed
        Called once, when all have been answered.
    has_data
        Whether data has come on the connection: then a venue that answers nothing is believed to
        have heard, because to leave would lose what flows.
    reply_timeout_s
        How long to wait for an answer.
    backoff
        Gives the delays before asking again.
    clock
        Monotonic, seconds.
    grace_s
        Gives how long no answer counts as late, because the event loop stood still.
    """

    def __init__(
        self,
        venue: Venue,
        subscriptions: Sequence[Subscription],
        *,
        send: Callable[[str], Awaitable[None]],
        pacer: Pacer,
        on_refused: Callable[[Subscription, str, bool], None],
        on_warned: Callable[[str], None],
        on_subscribed: Callable[[], None],
        has_data: Callable[[], bool] = lambda: False,
        reply_timeout_s: float = 10.0,
        backoff: Backoff | None = None,
        clock: Clock = time.monotonic,
        grace_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._venue = venue
        self._send = send
        self._pacer = pacer
        self._on_refused = on_refused
        self._on_warned = on_warned
        self._on_subscribed = on_subscribed
        self._has_data = has_data
        self._reply_timeout_s = reply_timeout_s
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._grace_s = grace_s
        # Keys come from the network: others than these are not kept.
        self._keys = frozenset(subscription.key for subscription in subscriptions)
        self._unanswered = {subscription.key for subscription in subscriptions}
        self._batches: deque[_Batch] = deque()
        self._requests: dict[int, _Request] = {}
        self._later: list[tuple[float, Subscription]] = []
        self._next_id = 1
        self._told = False
        self._wake = asyncio.Event()
        self.acknowledged: set[str] = set()
        self._queue(subscriptions)

    async def run(self) -> None:
        """Ask, wait, ask again; for as long as the connection lives.

        Raises
        ------
        Unanswered
            If the venue leaves a request unanswered twice, and no data flows.
        """
        self._tell_if_subscribed()
        while True:
            self._wake.clear()
            now = self._clock()
            self._queue(self._take_due(now))
            self._requeue_expired(now)
            if self._batches:
                await self._pacer.turn()
                if self._batches:  # an answer may have settled them meanwhile
                    await self._ask(self._batches.popleft())
                continue
            try:
                async with asyncio.timeout(self._until_next(now)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def on_reply(self, reply: Reply) -> None:
        """Take an answer of the venue."""
        accepted = list(reply.acknowledged)
        refused = [(key, False) for key in reply.refused]
        if reply.request_id is not None:
            request = self._requests.get(reply.request_id)
            if request is not None and reply.request_ok:
                accepted.extend(request.waiting)
            elif request is not None:
                refused.extend((key, len(request.waiting) > 1) for key in request.waiting)
        # A venue may repeat itself, and name what was not asked for.
        accepted = [key for key in dict.fromkeys(accepted) if key in self._keys]
        refused = [each for each in dict.fromkeys(refused) if each[0] in self._keys]
        for key in accepted:
            self._settle(key)
            self.acknowledged.add(key)
        halves = []
        for key, in_company in refused:
            subscription = self._settle(key, answered=reply.retry or not in_company)
            if subscription is None:
                continue
            if in_company and not reply.retry:
                halves.append(subscription)
                continue
            self._on_refused(subscription, reply.text, reply.retry)
            if reply.retry:
                self._later.append((self._clock() + self._delay_s(), subscription))
        if halves:
            middle = (len(halves) + 1) // 2
            self._batches.append(_Batch(halves[:middle]))
            self._batches.append(_Batch(halves[middle:]))
        if reply.text and not (accepted or refused or reply.acknowledged):
            self._on_warned(reply.text)
            if reply.retry:  # a limit: whatever was asked, asking on now would not help
                self._pacer.hold(self._delay_s())
        self._wake.set()
        self._tell_if_subscribed()

    def _delay_s(self) -> float:
        return self._backoff.next_delay_s()

    def _queue(self, subscriptions: Iterable[Subscription]) -> None:
        at_once = max(1, self._venue.limits.subscriptions_per_request)
        given = list(subscriptions)
        self._batches.extend(
            _Batch(given[start : start + at_once]) for start in range(0, len(given), at_once)
        )

    def _take_due(self, now: float) -> list[Subscription]:
        due = [subscription for at, subscription in self._later if at <= now]
        self._later = [(at, subscription) for at, subscription in self._later if at > now]
        return due

    def _requeue_expired(self, now: float) -> None:
        if self._grace_s() > 0:
            return
        for request_id, request in list(self._requests.items()):
            if request.deadline > now:
                continue
            if request.tries >= MAX_TRIES:
                keys = ", ".join(list(request.waiting)[:3])
                text = (
                    f"no answer to a subscribe request in {self._reply_timeout_s:g} s, "
                    f"{MAX_TRIES} times: {keys}"
                )
                if not self._has_data():
                    raise Unanswered(text)
                self._on_warned(f"{text}; data flows, so the connection stays")
                for key in list(request.waiting):
                    self._settle(key)
                self._tell_if_subscribed()
                continue
            del self._requests[request_id]
            self._batches.append(_Batch(list(request.waiting.values()), request.tries))

    def _until_next(self, now: float) -> float | None:
        times = [request.deadline for request in self._requests.values()]
        times += [at for at, _ in self._later]
        return max(0.0, self._grace_s(), min(times) - now) if times else None

    async def _ask(self, batch: _Batch) -> None:
        request_id = self._next_id
        self._next_id += 1
        # Known before it is sent: the answer may come while the send still waits.
        self._requests[request_id] = _Request(
            {subscription.key: subscription for subscription in batch.subscriptions},
            self._clock() + self._reply_timeout_s,
            batch.tries + 1,
        )
        await self._send(self._venue.subscribe(batch.subscriptions, request_id))

    def _settle(self, key: str, *, answered: bool = True) -> Subscription | None:
        """Take a subscription out of the requests that wait for it."""
        found = None
        for request_id, request in list(self._requests.items()):
            subscription = request.waiting.pop(key, None)
            if subscription is not None:
                found = subscription
                if not request.waiting:
                    del self._requests[request_id]
        if answered:
            self._unanswered.discard(key)
        return found

    def _tell_if_subscribed(self) -> None:
        if not self._unanswered and not self._told:
            self._told = True
            self._on_subscribed()
