"""How requests are sent and answers handed on; what is asked for `test_subscriptions.py` tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.session.small_venue import VENUE, subscriptions

from tickwire.session import Pacer
from tickwire.session.asking import Acknowledged, AllAnswered, Event, Warned
from tickwire.session.subscriber import Subscriber, Unanswered
from tickwire.session.subscriptions import Subscriptions
from tickwire.venues.base import Reply

AT_ONCE = replace(VENUE, limits=replace(VENUE.limits, subscriptions_per_request=8))


class Asked:
    """A subscriber and what it does."""

    def __init__(self, keys: Sequence[str], reply_timeout_s: float = 10.0) -> None:
        self.requests: list[tuple[int, list[str]]] = []
        self.events: list[Event] = []
        self.pacer = Pacer(0)
        self.subscriber = Subscriber(
            AT_ONCE,
            Subscriptions(subscriptions(*keys), at_once=8, reply_timeout_s=reply_timeout_s),
            send=self._send,
            pacer=self.pacer,
            on_event=self.events.append,
        )

    async def _send(self, text: str) -> None:
        said = json.loads(text)
        self.requests.append((said["id"], said["subscribe"]))

    async def requests_after(self, n: int) -> list[tuple[int, list[str]]]:
        async with asyncio.timeout(5):
            while len(self.requests) < n:  # noqa: ASYNC110 - the subscriber has no event
                await asyncio.sleep(0.001)
        return self.requests


@asynccontextmanager
async def asking(*keys: str, reply_timeout_s: float = 10.0) -> AsyncIterator[Asked]:
    asked = Asked(keys, reply_timeout_s)
    task = asyncio.ensure_future(asked.subscriber.run())
    yield asked
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_request_is_sent_and_its_answer_handed_on() -> None:
    async with asking("a", "b", "c") as asked:
        assert await asked.requests_after(1) == [(1, ["a", "b", "c"])]
        asked.subscriber.on_reply(Reply(request_id=1))
    assert [type(event) for event in asked.events] == [Acknowledged] * 3 + [AllAnswered]


async def test_an_answer_lets_it_ask_on_at_once() -> None:
    async with asking("a", "b") as asked:
        await asked.requests_after(1)
        asked.subscriber.on_reply(Reply(request_id=1, request_ok=False, text="no"))
        assert (await asked.requests_after(3))[1:] == [(2, ["a"]), (3, ["b"])]


async def test_a_limit_holds_what_is_sent() -> None:
    async with asking("a") as asked:
        await asked.requests_after(1)
        asked.subscriber.on_reply(Reply(text="too many requests", retry=True))
        [warned] = asked.events
        assert isinstance(warned, Warned)
        waiting = asyncio.ensure_future(asked.pacer.turn())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        waiting.cancel()


async def test_a_venue_that_answers_nothing_ends_it() -> None:
    asked = Asked(["a", "b"], reply_timeout_s=0.1)
    with pytest.raises(Unanswered, match="2 times: a"):
        await asyncio.wait_for(asked.subscriber.run(), 5)
    assert asked.requests == [(1, ["a", "b"]), (2, ["a"]), (3, ["b"])]
