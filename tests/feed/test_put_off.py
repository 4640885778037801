"""Under overload housekeeping gives way before rows do, and comes back."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.feed.exchange import exchange
from tests.feed.test_handler import source, trades, until

import tickwire
from tickwire.feed import put_off
from tickwire.feed.put_off import FIRST_CALM_S, PutOff
from tickwire.observe import Metrics
from tickwire.sinks import RawSettings

Run = Callable[[Coroutine[Any, Any, None]], None]


class Scene:
    """The step, a sink, and a clock of its own."""

    recorder = None

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.depth = 0.0
        self.puts_off = False
        self.metrics = Metrics()
        self.step = PutOff(
            self.metrics,
            [self],  # type: ignore[list-item] # a sink's part in it
            lambda: self.depth,
            clock=lambda: self.now_s,
        )

    def wait(self, seconds: float, depth: float, *, is_paused: bool = False) -> None:
        self.depth = depth
        for _ in range(round(seconds)):
            self.now_s += 1
            self.step.look(is_paused=is_paused)


def test_it_is_taken_at_half_full_rings_and_undone_once_they_are_calm() -> None:
    scene = Scene()
    with capture_logs() as logs:
        scene.wait(1, 0.6)
        assert not scene.step.is_taken
        scene.wait(1, 0.6)
        assert scene.step.is_taken
        assert scene.puts_off
        assert scene.metrics.registry.total("degraded") == 1
        scene.wait(60, 0.3)  # not low enough
        assert scene.step.is_taken
        scene.wait(FIRST_CALM_S, 0.1)
        assert not scene.step.is_taken
        assert not scene.puts_off
    assert scene.metrics.registry.by("degradations", "step", "change") == {
        "housekeeping": {"degraded": 1, "restored": 1}
    }
    assert [line["event"] for line in logs] == ["degraded", "restored"]


def test_a_pause_of_reading_counts_as_a_full_ring() -> None:
    scene = Scene()
    scene.wait(2, 0.0, is_paused=True)
    assert scene.step.is_taken


def test_where_it_is_needed_again_soon_it_stays_longer() -> None:
    scene = Scene()
    for calm_s in (FIRST_CALM_S, 2 * FIRST_CALM_S):
        scene.wait(2, 0.9)
        assert scene.step.is_taken
        scene.wait(calm_s - 1, 0.0)
        assert scene.step.is_taken
        scene.wait(1, 0.0)
        assert not scene.step.is_taken


def test_a_feed_whose_consumer_blocks_puts_housekeeping_off_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(put_off, "HIGH_S", 0.0)
    monkeypatch.setattr(put_off, "FIRST_CALM_S", 0.2)

    async def main() -> None:
        with exchange([trades(0, 20_000)]) as server:
            feed = tickwire.FeedHandler([source(server.ws_url)], ring_rows=16_384)
            async with feed:
                consumer = feed.batches("trades")
                steps = {"housekeeping": {"degraded": 1}}
                await until(lambda: feed.summary()["degradations"] == steps)
                probe = feed._probe
                assert probe is not None
                [part] = [each for each in probe.components() if each.name == "housekeeping"]
                assert part.reasons == ("housekeeping is put off, because rings stayed full",)
                assert probe.text_age_s == put_off.REUSE_S
                n_rows = 0
                while n_rows < 20_000:
                    n_rows += (await consumer.get()).num_rows
                steps["housekeeping"]["restored"] = 1
                await until(lambda: feed.summary()["degradations"] == steps)
                assert probe.text_age_s == 0.0

    run(main())


def test_a_recording_is_given_up_before_rows_are() -> None:
    raw = RawSettings(path="nowhere", memory_mb=1).make_sink("feed")
    now_s, depth = 1000.0, 0.0
    metrics = Metrics()
    steps = PutOff(metrics, [raw], lambda: depth, clock=lambda: now_s)
    for seconds, depth in ((10, 0.7), (2, 0.9)):  # noqa: B007 - `steps` reads it
        for _ in range(seconds):
            now_s += 1
            steps.look(is_paused=False)
    assert steps.is_taken
    assert not raw.recorder.buffer.is_suspended
    for _ in range(3):
        now_s += 1
        steps.look(is_paused=True)
    assert raw.recorder.buffer.is_suspended
    depth = 0.1
    for _ in range(round(FIRST_CALM_S) + 1):
        now_s += 1
        steps.look(is_paused=False)
    assert not raw.recorder.buffer.is_suspended
    assert metrics.registry.by("degradations", "step", "change")["recording"] == {
        "degraded": 1,
        "restored": 1,
    }
