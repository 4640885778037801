"""How requests are sent and answers handed on; what is asked for `test_subscriptions.py` tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, frame, serve_raw, text
from tests.session.small_venue import (
    VENUE,
    accept_all,
    quick,
    read_request,
    running,
    say,
    subscriptions,
)
from websockets.frames import Opcode

from tickwire.session import Pacer
from tickwire.session import subscriptions as subscriptions_module
from tickwire.session.asking import Acknowledged, AllAnswered, Event, Warned
from tickwire.session.subscriber import Subscriber, Unanswered
from tickwire.session.subscriptions import Subscriptions
from tickwire.venues.base import Reply, Subscription

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


# In a session, on real sockets.


async def test_refused_for_good_is_given_up_and_the_others_go_on(plain: Security) -> None:
    asked: list[object] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        first = not asked
        for _ in range(2 if first else 1):
            request = await read_request(peer)
            keys = request["subscribe"]
            assert isinstance(keys, list)
            asked.append(keys)
            good = [key for key in keys if key != "bad"]
            await peer.send(say(ok=good))
            if "bad" in keys:
                await peer.send(say(refused=["bad"], text="no such symbol"))
        if not first:
            await peer.answer_close()

    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a", "bad", "b"]) as run,
    ):
        await run.observer.until_told("subscribed", 8)
    assert ("refused", "bad", "no such symbol", False) in run.observer.told
    # Not asked for again after the reconnect.
    assert asked == [["a", "bad"], ["b"], ["a", "b"]]


async def test_a_session_to_which_all_is_refused_says_so_and_stays(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await read_request(peer)
        await peer.send(say(refused=["a"], text="no"))
        await peer.answer_close()

    async with serve_raw(script) as port, running(plain.url(port), ["a"]) as run:
        await run.observer.until_told("subscribed", 7)
        assert run.session.is_refused
        assert run.session.refusals == [(subscriptions("a")[0], "no")]
        assert run.count("refused_subscriptions") == 1
    assert run.count("refused_subscriptions") == 1
    assert run.observer.told[-1] == ("disconnected", 7, "stopped")


async def test_what_the_venue_takes_back_is_told_and_asked_for_again(
    plain: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions_module, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(subscriptions_module, "FIRST_REFUSED_S", 0.02)
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.send(text("data of another symbol"))
        await peer.send(say(refused=["a"], text="Invalid subscription"))
        await peer.send(say(ended=["b"]))
        while len(asked) < 2:
            request = await read_request(peer)
            keys = request["subscribe"]
            assert isinstance(keys, list)
            asked.extend(keys)
            await peer.send(say(id=request["id"]))
        await peer.answer_close()

    async with serve_raw(script) as port, running(plain.url(port), ["a", "b"]) as run:
        await run.observer.until(lambda: len(run.observer.acknowledgements) == 4)
        assert run.session.refusals == []
        assert run.count("refusals") == 2
    assert sorted(asked) == ["a", "b"]
    assert ("refused", "a", "Invalid subscription", False) in run.observer.told
    assert ("refused", "b", "the venue ended the subscription", True) in run.observer.told


async def test_the_subscription_at_which_the_venue_drops_the_connection_is_found(
    plain: Security,
) -> None:
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await peer.shake_hands()
        while True:
            opcode, payload = await peer.read_frame()
            if opcode == Opcode.CLOSE:
                await peer.send(frame(Opcode.CLOSE, payload))
                return
            request = json.loads(payload)
            if "killer" in request["subscribe"]:
                peer.writer.transport.abort()
                return
            await peer.send(say(id=request["id"]))

    one_by_one = replace(VENUE, limits=replace(VENUE.limits, subscriptions_per_request=1))
    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a", "killer", "b"], venue=one_by_one) as run,
    ):
        await run.observer.until_told("subscribed", 9)
        [(culprit, why)] = run.session.refusals
        assert culprit.key == "killer"
        await asyncio.sleep(0.1)
        assert n_connections == 3
    assert ("refused", "killer", why, False) in run.observer.told


async def test_an_unanswered_request_is_sent_twice_then_the_connection_is_left(
    plain: Security,
) -> None:
    asked: list[object] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        first = not asked
        for _ in range(2 if first else 1):
            request = await read_request(peer)
            asked.append(request["subscribe"])
        if not first:
            await peer.send(say(ok=["a"]))
        await peer.answer_close()

    settings = quick(subscribe_timeout_s=0.3)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], settings=settings) as run:
        await run.observer.until_told("subscribed", 8)
    assert ("disconnected", 7, "unanswered") in run.observer.told
    assert asked == [["a"]] * 3


async def test_a_venue_that_takes_no_requests_is_reported(plain: Security) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        peer.writer.transport.pause_reading()
        await gone.wait()

    async with (
        serve_raw(script) as port,
        running(plain.url(port), ["a"], settings=quick(subscribe_timeout_s=0.1)) as run,
    ):
        await run.observer.until_told("subscribed", 7)
        await asyncio.wait_for(run.session._current.send("x" * 50_000_000), 5)
        [warned] = [str(what[1]) for what in run.observer.told if what[0] == "warned"]
        assert warned.startswith("the venue takes no requests: ")
        gone.set()


async def test_what_brings_nothing_is_ended_first_where_the_venue_can(plain: Security) -> None:
    asked: list[object] = []

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        asked.extend([await read_request(peer), await read_request(peer)])
        await peer.send(say(ended=["a"]))
        await peer.send(say(id=3))
        await peer.answer_close()

    def unsubscribe(ended: Sequence[Subscription], request_id: int) -> str:
        return json.dumps({"id": request_id, "unsubscribe": [each.key for each in ended]})

    venue = replace(VENUE, unsubscribe=unsubscribe)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], venue=venue) as run:
        await run.observer.until_told("subscribed", 7)
        run.session.ask_again(subscriptions("a"))
        await run.observer.until(lambda: len(run.observer.acknowledgements) == 2)
        assert run.count("resubscribes") == 1
        assert run.session.refusals == []
    assert asked == [{"id": 2, "unsubscribe": ["a"]}, {"id": 3, "subscribe": ["a"]}]


async def test_hello_comes_before_the_first_request() -> None:
    sent: list[str] = []

    async def send(words: str) -> None:
        sent.append(words)

    subscriber = Subscriber(
        replace(AT_ONCE, hello=("good day", "may I?")),
        Subscriptions(subscriptions("a")),
        send=send,
        pacer=Pacer(0),
        on_event=lambda _: None,
    )
    task = asyncio.ensure_future(subscriber.run())
    async with asyncio.timeout(5):
        while len(sent) < 3:  # noqa: ASYNC110 - the subscriber has no event
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sent[:2] == ["good day", "may I?"]
    assert json.loads(sent[2])["subscribe"] == ["a"]
