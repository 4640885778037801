"""A source does with less, and gets back: another endpoint, fewer symbols."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange, hyperliquid_answer
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.errors import ConfigError
from tickwire.feed.sources import degrading
from tickwire.feed.sources.degrading import FIRST_CALM_S, SourceDegradation
from tickwire.feed.streams.legs import Leg
from tickwire.observe import Metrics

Run = Callable[[Coroutine[Any, Any, None]], None]

SYMBOLS = ("A", "B", "C", "D", "E")


class Link:
    """A session's part in it."""

    def __init__(self) -> None:
        self.is_away = False
        self.connection = object()
        self.url = "ws://localhost/first"
        self.left: set[str] = set()

    def take_in(self, keys: Any) -> None:
        self.left -= {*keys}

    def leave_out(self, keys: Any, why: str) -> None:
        self.left |= {*keys}


class Scene:
    """The steps of a source of five symbols; a clock of its own."""

    def __init__(self, *priority: str) -> None:
        self.now_s = 1000.0
        self.notes: list[tuple[str, str]] = []
        self.link = Link()
        self.leg = Leg(0, self.link, Link())  # type: ignore[arg-type] # stands in for a session
        self.metrics = Metrics(labels={"source": "0", "venue": "hyperliquid"})
        keys = {"symbols": SYMBOLS, **({"priority": priority} if priority else {})}
        self.plan = tickwire.FeedHandler([source("ws://localhost", **keys)]).plan.sources[0]
        self.steps = SourceDegradation(
            self.plan,
            self.metrics,
            lambda *note: self.notes.append(note),
            lambda *_: None,
            clock=lambda: self.now_s,
        )

    def wait(self, seconds: float, depth: float) -> None:
        for _ in range(round(seconds)):
            self.now_s += 1
            self.steps.look(lambda: depth, [self.leg], None, is_paused=False)


def test_symbols_are_left_out_by_priority_and_come_back() -> None:
    scene = Scene("C", "E")
    keys = {each.symbol: each.key for plan in scene.plan.connections for each in plan.subscriptions}

    def kept() -> list[str]:
        return [symbol for symbol in SYMBOLS if keys[symbol] not in scene.link.left]

    scene.wait(5, 0.9)
    assert kept() == list(SYMBOLS)
    scene.wait(1, 0.9)
    assert kept() == ["C", "E"]
    scene.wait(9, 0.9)
    assert kept() == ["C", "E"]
    scene.wait(1, 0.9)
    assert kept() == ["C"]
    scene.wait(60, 0.9)
    assert kept() == ["C"]  # one at least
    assert scene.steps.reasons == ["1 of 5 symbols, because rings stayed full"]
    assert scene.metrics.registry.total("degraded") == 2
    scene.wait(30, 0.6)  # not low enough
    assert kept() == ["C"]
    scene.wait(FIRST_CALM_S, 0.1)
    assert kept() == ["C", "E"]
    scene.wait(FIRST_CALM_S, 0.1)
    assert kept() == list(SYMBOLS)
    assert scene.steps.reasons == []
    assert [event for event, _ in scene.notes] == ["degraded", "degraded", "restored", "restored"]
    assert scene.notes[0][1] == "symbols: 2 of 5 symbols (overload: the rings stay full)"
    assert scene.metrics.registry.by("degradations", "change") == {"degraded": 2, "restored": 2}


def test_without_a_priority_no_symbol_is_left_out() -> None:
    scene = Scene()
    scene.wait(100, 1.0)
    assert not scene.link.left
    assert not scene.notes


def test_a_priority_names_symbols_of_the_source() -> None:
    with pytest.raises(ConfigError, match="priority: names 'X', which symbols does not"):
        Scene("A", "X")


def test_a_consumer_that_blocks_costs_symbols_and_their_gaps_say_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(degrading, "HIGH_S", 0.2)
    monkeypatch.setattr(degrading, "FIRST_CALM_S", 0.5)
    monkeypatch.setattr(degrading, "SETTLE_S", 0.5)
    asked: list[tuple[str, str]] = []
    go_on = threading.Event()

    def answer(request: dict[str, Any]) -> str | None:
        if request.get("method") != "ping":
            asked.append((request["method"], request["subscription"]["coin"]))
        return hyperliquid_answer(request)

    def flood() -> Any:
        yield from trades(0, 20_000)
        go_on.wait(10)
        yield from trades(20_000, 20_010)

    async def main() -> None:
        with exchange([flood()], answer) as server:
            settings = source(server.ws_url, symbols=["BTC", "ETH"], priority=["BTC"])
            feed = tickwire.FeedHandler([settings], ring_rows=16_384)
            async with feed:
                consumer = feed.batches("trades")
                await until(lambda: "symbols" in feed.summary()["degradations"])
                assert feed._feed is not None
                [live] = feed._feed.sources
                assert live.degradation.reasons == ["1 of 2 symbols, because rings stayed full"]
                n_rows = 0
                while n_rows < 20_000:
                    n_rows += (await consumer.get()).num_rows
                go_on.set()
                await until(lambda: ("unsubscribe", "ETH") in asked)
                await until(lambda: asked.count(("subscribe", "ETH")) == 2)
            rows = feed.summary()
            assert rows["degradations"]["symbols"] == {"degraded": 1, "restored": 1}
            # It comes first, and is long undone or not, as rings empty.
            assert rows["degradations"]["housekeeping"]["degraded"] == 1

    run(main())


def test_a_source_goes_back_to_its_first_endpoint_when_that_works_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(degrading, "FIRST_CALM_S", 0.3)
    monkeypatch.setattr(degrading, "PROBE_EVERY_S", 0.1)

    async def main() -> None:
        with exchange([trades(0, 5)]) as gone:
            port = int(gone.ws_url.rsplit(":", 1)[1].split("/")[0])
        with ExitStack() as later, exchange([trades(0, 5)]) as second:
            urls = [f"ws://127.0.0.1:{port}", second.ws_url]
            settings = tickwire.Source(
                venue="hyperliquid", channels=["trades"], symbols=["BTC"], urls=urls
            )
            feed = tickwire.FeedHandler([settings])
            with capture_logs() as logs:
                async with feed:
                    await until(lambda: feed.summary()["degradations"] != {})
                    assert feed._feed is not None
                    [live] = feed._feed.sources
                    assert live.degradation.reasons[0].endswith("not the first endpoint")
                    await asyncio.sleep(0.5)  # it is probed, and is not there
                    assert second.n_connections == 1
                    first = later.enter_context(exchange([trades(5, 10)], port=port))
                    await until(lambda: feed.summary()["rows"]["trades"] == 10)
                    both = {"endpoint": {"degraded": 1, "restored": 1}}
                    await until(lambda: feed.summary()["degradations"] == both)
                    assert not live.degradation.reasons
                    assert (first.n_connections, second.n_connections) == (1, 1)
                    assert feed.summary()["planned_changes"] == 1
        changes = [line["event"] for line in logs if line["event"] in ("degraded", "restored")]
        assert changes == ["degraded", "restored"]

    run(main())
