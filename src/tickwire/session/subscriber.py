"""Asks a venue for what `subscriptions.py` says, for one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from tickwire import errors
from tickwire.session.asking import Ask, Event, Hopeless, Leave, Warned
from tickwire.session.pacing import Pacer
from tickwire.session.subscriptions import Subscriptions
from tickwire.venues.base import Reply, Venue


class Unanswered(errors.TickwireError):
    """The venue answers no subscribe request."""


class Subscriber:
    """Sends the subscribe requests of one connection, and takes their answers.

    Parameters
    ----------
    venue
        Words the requests.
    subscriptions
        Decides; the session's.
    send
        Sends a text.
    pacer
        Spaces what the connection sends.
    on_event
        Called with what happens, in order.
    has_data
        Whether data has come on the connection.
    grace_s
        Gives how long no answer counts as late, because the event loop stood still.
    """

    def __init__(
        self,
        venue: Venue,
        subscriptions: Subscriptions,
        *,
        send: Callable[[str], Awaitable[None]],
        pacer: Pacer,
        on_event: Callable[[Event], None],
        has_data: Callable[[], bool] = lambda: False,
        grace_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._venue = venue
        self._subscriptions = subscriptions
        self._send = send
        self._pacer = pacer
        self._on_event = on_event
        self._has_data = has_data
        self._grace_s = grace_s
        self._wake = asyncio.Event()
        subscriptions.connected()

    async def run(self) -> None:
        """Say hello, ask, wait, ask again; for as long as the connection lives.

        Raises
        ------
        Unanswered
            If the venue answers nothing, and no data flows.
        """
        for text in self._venue.hello:
            await self._pacer.turn()
            await self._send(text)
        while True:
            self._wake.clear()
            if self._subscriptions.may_ask():
                await self._pacer.turn()
            step, events = self._subscriptions.next_step(
                has_data=self._has_data(), grace_s=self._grace_s()
            )
            self._report(events)
            if isinstance(step, Hopeless):
                raise Unanswered(step.text)
            if isinstance(step, Leave):
                if self._venue.unsubscribe is not None:
                    await self._send(self._venue.unsubscribe(step.subscriptions, step.request_id))
                continue
            if isinstance(step, Ask):
                if step.end_id is not None and self._venue.unsubscribe is not None:
                    await self._send(self._venue.unsubscribe(step.subscriptions, step.end_id))
                    await self._pacer.turn()
                await self._send(self._venue.subscribe(step.subscriptions, step.request_id))
                continue
            try:
                async with asyncio.timeout(step.seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def ask_again(self, keys: Iterable[str]) -> None:
        """Ask again for what was acknowledged and brings nothing."""
        self._subscriptions.ask_again(keys)
        self._wake.set()

    def wake(self) -> None:
        """Look again at what there is to ask for."""
        self._wake.set()

    def on_reply(self, reply: Reply) -> None:
        """Take an answer of the venue."""
        self._report(self._subscriptions.on_reply(reply))
        self._wake.set()

    def _report(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Warned) and event.hold_s:
                self._pacer.hold(event.hold_s)
            self._on_event(event)
