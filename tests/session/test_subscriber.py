"""The book-keeping of subscriptions, without sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.session.small_venue import VENUE, subscriptions

from tickwire.session import Backoff, Pacer
from tickwire.session.subscriber import Subscriber, Unanswered
from tickwire.venues.base import Reply

AT_ONCE = replace(VENUE, limits=replace(VENUE.limits, subscriptions_per_request=8))


class Asked:
    """A subscriber and what it does."""

    def __init__(self, keys: Sequence[str], **settings: object) -> None:
        self.requests: list[tuple[int, list[str]]] = []
        self.refused: list[tuple[str, str, bool]] = []
        self.warned: list[str] = []
        self.n_subscribed = 0
        self.subscriber = Subscriber(
            AT_ONCE,
            subscriptions(*keys),
            send=self._send,
            pacer=Pacer(0),
            on_refused=lambda each, text, retry: self.refused.append((each.key, text, retry)),
            on_warned=self.warned.append,
            on_subscribed=self._count,
            **settings,  # type: ignore[arg-type] # the tests' own
        )

    async def _send(self, text: str) -> None:
        said = json.loads(text)
        self.requests.append((said["id"], said["subscribe"]))

    def _count(self) -> None:
        self.n_subscribed += 1

    async def requests_after(self, n: int) -> list[tuple[int, list[str]]]:
        async with asyncio.timeout(5):
            while len(self.requests) < n:  # noqa: ASYNC110 - the subscriber has no event
                await asyncio.sleep(0.001)
        return self.requests


@asynccontextmanager
async def asking(*keys: str, **settings: object) -> AsyncIterator[Asked]:
    asked = Asked(keys, **settings)
    task = asyncio.ensure_future(asked.subscriber.run())
    yield asked
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_keys_are_acknowledged_one_by_one() -> None:
    async with asking("a", "b", "c") as asked:
        assert await asked.requests_after(1) == [(1, ["a", "b", "c"])]
        asked.subscriber.on_reply(Reply(acknowledged=("b",)))
        asked.subscriber.on_reply(Reply(acknowledged=("a", "unknown")))
        assert asked.n_subscribed == 0
        asked.subscriber.on_reply(Reply(acknowledged=("c",)))
        asked.subscriber.on_reply(Reply(acknowledged=("c",)))
        assert asked.n_subscribed == 1


async def test_a_request_id_answers_for_all_its_keys() -> None:
    async with asking(*"abcdefghij") as asked:
        assert [keys for _, keys in await asked.requests_after(2)] == [list("abcdefgh"), ["i", "j"]]
        asked.subscriber.on_reply(Reply(request_id=2))
        asked.subscriber.on_reply(Reply(request_id=99))
        assert asked.n_subscribed == 0
        asked.subscriber.on_reply(Reply(request_id=1))
        assert asked.n_subscribed == 1


async def test_the_guilty_one_of_a_refused_request_is_found() -> None:
    async with asking(*"abcdefgh") as asked:
        done = 0
        while asked.n_subscribed == 0:
            await asked.requests_after(done + 1)
            for request_id, keys in asked.requests[done:]:
                done += 1
                fine = "f" not in keys
                asked.subscriber.on_reply(
                    Reply(request_id=request_id, request_ok=fine, text="" if fine else "bad symbol")
                )
        assert asked.refused == [("f", "bad symbol", False)]
        assert asked.subscriber.acknowledged == set("abcdegh")
        assert len(asked.requests) == 7


async def test_refused_for_now_counts_as_answered_and_is_asked_again() -> None:
    async with asking("a", "b", backoff=Backoff(0.02)) as asked:
        await asked.requests_after(1)
        asked.subscriber.on_reply(Reply(acknowledged=("a",)))
        asked.subscriber.on_reply(Reply(refused=("b",), text="too fast", retry=True))
        assert asked.n_subscribed == 1
        assert asked.refused == [("b", "too fast", True)]
        assert (await asked.requests_after(2))[1] == (2, ["b"])
        asked.subscriber.on_reply(Reply(request_id=2))
        assert asked.subscriber.acknowledged == {"a", "b"}


async def test_words_without_a_key_are_told() -> None:
    async with asking("a") as asked:
        await asked.requests_after(1)
        asked.subscriber.on_reply(Reply(text="maintenance at noon"))
        assert asked.warned == ["maintenance at noon"]
        assert asked.n_subscribed == 0


async def test_only_what_is_unanswered_is_asked_again_and_once() -> None:
    asked = Asked(["a", "b"], reply_timeout_s=0.2)
    running = asyncio.ensure_future(asked.subscriber.run())
    await asked.requests_after(1)
    asked.subscriber.on_reply(Reply(acknowledged=("a",)))
    with pytest.raises(Unanswered, match="2 times: b"):
        await asyncio.wait_for(running, 5)
    assert asked.requests == [(1, ["a", "b"]), (2, ["b"])]


async def test_where_data_flows_an_answer_that_never_comes_is_no_reason_to_leave() -> None:
    async with asking("a", "b", reply_timeout_s=0.1, has_data=lambda: True) as asked:
        await asked.requests_after(2)
        async with asyncio.timeout(5):
            while not asked.n_subscribed:  # noqa: ASYNC110 - the subscriber has no event
                await asyncio.sleep(0.001)
        assert asked.n_subscribed == 1
        assert len(asked.requests) == 2
        [warned] = asked.warned
        assert "2 times: a, b; data flows" in warned


async def test_without_subscriptions_it_is_subscribed_at_once() -> None:
    async with asking() as asked:
        await asyncio.sleep(0)
        assert asked.n_subscribed == 1
        assert asked.requests == []


async def test_what_was_not_asked_for_is_not_kept() -> None:
    async with asking("a", "b") as asked:
        await asked.requests_after(1)
        for start in range(0, 100_000, 10_000):
            strangers = tuple(f"x{number}" for number in range(start, start + 10_000))
            asked.subscriber.on_reply(Reply(acknowledged=strangers))
            asked.subscriber.on_reply(Reply(refused=strangers + ("a",) * 1000, text="no"))
        assert asked.subscriber.acknowledged == set()
        assert asked.refused == [("a", "no", False)]
        asked.subscriber.on_reply(Reply(acknowledged=("b",)))
        assert asked.n_subscribed == 1
        assert asked.subscriber.acknowledged == {"b"}
