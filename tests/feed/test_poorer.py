"""A channel that is not to be had is had as a poorer one, until it is well again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from tests.feed.test_handler import source, until
from tests.feed.test_staleness import reasons_of, rows_of
from tests.net.servers import Peer, serve_raw, text

import tickwire
from tickwire.errors import PlanError
from tickwire.feed import housekeeping
from tickwire.feed.sources import poorer
from tickwire.feed.sources.poorer import FAILING_S, FIRST_CALM_S, PoorerChannels
from tickwire.feed.streams import staleness
from tickwire.observe import Metrics
from tickwire.venues import load


class Market:
    """Hyperliquid's books every 20 ms: the fast ones may be refused, or acknowledged and mute."""

    def __init__(self) -> None:
        self.refuses = self.is_mute = False
        self.asked: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.n_connections = 0

    async def serve(self, peer: Peer) -> None:
        await peer.shake_hands()
        self.n_connections += 1
        wanted: dict[str, dict[str, Any]] = {}
        talking = asyncio.ensure_future(self._talk(peer, wanted))
        try:
            while True:
                opcode, payload = await peer.read_frame()
                if opcode == 8:
                    await peer.send(b"\x88\x02" + payload[:2])
                    return
                request = json.loads(payload)
                if request["method"] == "ping":
                    await peer.send(text('{"channel":"pong"}'))
                    continue
                subscription = request["subscription"]
                name = "fast" if subscription.get("fast") else "plain"
                key = json.dumps(subscription)
                if request["method"] == "unsubscribe":
                    self.ended[name] += 1
                    wanted.pop(key, None)
                else:
                    self.asked[name] += 1
                    if name == "fast" and self.refuses:
                        words = f"Invalid subscription {key}"
                        await peer.send(text(json.dumps({"channel": "error", "data": words})))
                        continue
                    wanted[key] = subscription
                answer = {"channel": "subscriptionResponse", "data": request}
                await peer.send(text(json.dumps(answer)))
        finally:
            talking.cancel()

    async def _talk(self, peer: Peer, wanted: dict[str, dict[str, Any]]) -> None:
        number = 0
        while True:
            for each in list(wanted.values()):
                number += 1
                is_fast = bool(each.get("fast"))
                if is_fast and self.is_mute:
                    continue
                sides = [[{"px": f"{100 + sign * number % 7}", "sz": "1", "n": 1}]
                         for sign in (1, 2)]  # fmt: skip
                data = {"coin": each["coin"], "time": number, "levels": sides}
                data |= {"fast": True} if is_fast else {}
                await peer.send(text(json.dumps({"channel": "l2Book", "data": data})))
            await asyncio.sleep(0.02)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "LOOK_NS", 10_000_000)
    monkeypatch.setattr(staleness, "RECONNECT_S", 0.1)
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.02)
    monkeypatch.setattr(housekeeping, "SELDOM_S", 0.05)
    monkeypatch.setattr(poorer, "FAILING_S", 0.1)
    monkeypatch.setattr(poorer, "FIRST_CALM_S", 0.3)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["refused", "silent", "silent from the start"])
async def test_a_book_that_is_not_to_be_had_is_had_as_a_poorer_one(how: str) -> None:
    hyperliquid = load("hyperliquid")
    # Without a promise of its cadence the floor of the source counts.
    is_mute = how == "silent from the start"
    cadence_s = 0.0 if is_mute else 0.02
    channels = tuple(replace(each, cadence_s=cadence_s) for each in hyperliquid.channels)
    market = Market()
    market.refuses, market.is_mute = how == "refused", is_mute
    with capture_logs() as logs:
        async with serve_raw(market.serve) as port:
            one = tickwire.Source(
                venue=replace(hyperliquid, channels=channels),
                channels=["book:fast"],
                symbols=["BTC"],
                stale_after_s=0.3,
                first_message_s=0.3,
                url=f"ws://127.0.0.1:{port}",
            )
            async with tickwire.FeedHandler([one]) as feed, asyncio.timeout(30):
                books, gaps = feed.batches("book"), feed.batches("gaps")
                if how == "silent":
                    await until(lambda: feed.summary()["rows"]["book"] > 10)
                    assert market.asked["plain"] == 0
                    market.is_mute = True
                await until(lambda: market.asked["plain"] == 1)
                assert reasons_of(feed)[-1] == "book instead of book:fast: BTC"
                n_rows = feed.summary()["rows"]["book"]
                await until(lambda: feed.summary()["rows"]["book"] > n_rows + 20)
                assert feed.summary()["degradations"]["channel"] == {"degraded": 1}
                rows = rows_of(books.get_nowait())
                assert {row["channel"] for row in rows[-10:]} == {"book"}
                # What the fast book would have brought is missing all the same.
                opened = rows_of(gaps.get_nowait())
                assert is_mute or opened[-1]["state"] == "open"
                if how != "refused":
                    market.is_mute = False
                    await until(lambda: market.ended["plain"] == 1)
                    assert feed.summary()["degradations"]["channel"]["restored"] == 1
                    await until(lambda: feed.status().connected == 1)
                    assert not [each for each in reasons_of(feed) if "instead" in each]
    told = [log for log in logs if log.get("step") == "channel"]
    assert told[0]["event"] == "degraded"
    assert told[0]["why"] == f"book:fast is {how.partition(' ')[0]}"


class Scene:
    """A source whose fast book is refused or not; a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.notes: list[str] = []
        self.n_runs = 0
        self.may_run = True
        given = source("ws://localhost", channels=["book:fast"], symbols=["A", "B"])
        plan = tickwire.FeedHandler([given]).plan.sources[0]
        [self.connection] = plan.connections
        self.session = Mock()
        group = Mock()
        group.staleness.has_given_up = lambda key: False
        self.refused: list[tuple[Any, str]] = []
        group.legs = [Mock()]
        group.legs[0].session.refusals = self.refused
        self.steps = PoorerChannels(
            plan,
            [group],
            Metrics(labels={"source": "0", "venue": "hyperliquid"}),
            lambda event, detail: self.notes.append(f"{event}: {detail}"),
            lambda _: self.session,
            clock=lambda: self.now_s,
        )

    def refuse(self, *symbols: str) -> None:
        asked = self.connection.subscriptions
        self.refused[:] = [(each, "no") for each in asked if each.symbol in symbols]

    def wait(self, seconds: float) -> Scene:
        for _ in range(round(seconds)):
            self.now_s += 1
            self.steps.look(self.run)
        return self

    def run(self, session: Any) -> bool:
        self.n_runs += self.may_run
        return self.may_run


def test_each_symbol_has_its_own_turn_and_its_own_way_back() -> None:
    scene = Scene()
    scene.wait(100)
    assert scene.n_runs == 0
    scene.refuse("A")
    scene.wait(FAILING_S)
    assert not scene.notes
    scene.wait(1)
    assert scene.notes == ["degraded: channel: book A (book:fast is refused)"]
    scene.refuse("A", "B")
    scene.wait(FAILING_S + 1)
    assert scene.steps.reasons == ["book instead of book:fast: A, B"]
    assert scene.n_runs == 1
    scene.refuse("B")
    scene.wait(FIRST_CALM_S)
    assert scene.steps.reasons == ["book instead of book:fast: A, B"]
    scene.wait(1)
    assert scene.steps.reasons == ["book instead of book:fast: B"]
    assert not scene.session.stop.called
    scene.refuse()
    scene.wait(FIRST_CALM_S + 1)
    assert scene.steps.reasons == []
    assert scene.session.stop.called


def test_one_that_comes_and_goes_has_to_be_well_for_longer() -> None:
    scene = Scene()
    for times in (1, 2, 4):
        scene.refuse("A")
        scene.wait(FAILING_S + 1)
        scene.refuse()
        scene.wait(times * FIRST_CALM_S)
        assert scene.steps.reasons == ["book instead of book:fast: A"]
        scene.wait(1)
        assert scene.steps.reasons == []


def test_a_session_that_still_stops_is_waited_for() -> None:
    scene = Scene()
    scene.may_run = False
    scene.refuse("A")
    scene.wait(FAILING_S + 5)
    assert scene.steps.reasons == []
    scene.may_run = True
    scene.wait(1)
    assert scene.steps.reasons == ["book instead of book:fast: A"]


def test_a_channel_that_is_asked_for_itself_is_no_poorer_one() -> None:
    both = source("ws://localhost", channels=["book:fast", "book"])
    assert tickwire.FeedHandler([both]).plan.sources[0].poorer == ()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("nothing", "no other channel 'nothing'"), ("trades", "'trades' should feed book")],
)
def test_a_poorer_channel_is_one_of_the_same_table(name: str, wrong: str) -> None:
    hyperliquid = load("hyperliquid")
    channels = tuple(
        replace(each, poorer=name) if each.name == "book" else each for each in hyperliquid.channels
    )
    with pytest.raises(PlanError, match=wrong):
        replace(hyperliquid, channels=channels)
