"""A changed cadence: one beat that becomes another; what markets and failures do is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest
from benchmarks.captures.cases import find_capture
from structlog.testing import capture_logs
from typer.testing import CliRunner

from tickwire.capture import Capture
from tickwire.cli.app import app
from tickwire.feed.streams.cadence import Cadences, Change
from tickwire.feed.streams.drift import Drift, drifts_in
from tickwire.observe import Registry
from tickwire.venues import load

RNG_SEEDS = range(10)


def beat(every_s: float, from_s: float, to_s: float, seed: int = 1) -> Iterator[float]:
    """Times of messages that come about every so many seconds."""
    rng = Random(seed)
    while from_s < to_s:
        yield from_s
        from_s += every_s * rng.uniform(0.9, 1.1)


def chance(per_s: float, from_s: float, to_s: float, seed: int) -> Iterator[float]:
    """Times of messages of which none knows of the others."""
    rng = Random(seed)
    while from_s < to_s:
        yield from_s
        from_s += rng.expovariate(per_s)


def changes(times: Iterable[float]) -> list[tuple[float, Change]]:
    cadences, look_s = Cadences(), 1.0
    found: list[tuple[float, Change]] = []
    for n, time_s in enumerate(sorted(times)):
        while time_s >= look_s:
            found += [(look_s, change) for change in cadences.look({"book": n}, look_s)]
            look_s += 1.0
    return found


@pytest.mark.parametrize(
    ("before_s", "after_s", "most_s"), [(0.5, 2.0, 250), (0.5, 5.0, 700), (5.0, 0.5, 600)]
)
def test_a_beat_that_becomes_another_is_seen_once(
    before_s: float, after_s: float, most_s: float
) -> None:
    times = [*beat(before_s, 0, 800), *beat(after_s, 800, 1600)]
    ((seen_s, change),) = changes(times)
    assert 800 < seen_s <= 800 + most_s
    assert change.before_per_s == pytest.approx(1 / before_s, rel=0.1)
    assert change.after_per_s == pytest.approx(1 / after_s, rel=0.1)


@pytest.mark.parametrize("per_s", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_a_market_has_no_beat(per_s: float, seed: int) -> None:
    """Nor one that triples and falls again."""
    times: list[float] = []
    for part in range(4):
        times += chance(per_s * (1 + 2 * (part % 2)), part * 60, part * 60 + 60, seed + part)
    assert changes(times) == []


def test_silences_bursts_and_slight_changes_are_none() -> None:
    lost = [*beat(0.5, 0, 100), *beat(0.5, 130, 300)]
    behind = [t if not 100 < t < 115 else 115.0 for t in beat(0.1, 0, 300)]
    slightly = [*beat(0.5, 0, 100), *beat(0.6, 100, 300)]
    quiet = [*beat(0.1, 0, 100), *chance(3.0, 100, 300, 1)]  # at most every 0.1 s, if anything is
    for times in (lost, behind, slightly, quiet):
        assert changes(times) == []


def test_other_subscriptions_are_no_drift() -> None:
    registry = Registry()
    drift = Drift(load("bybit"), registry.labelled(source="0", venue="bybit"))

    def looks(per_s: int, first_s: int, asked: object) -> None:
        for second in range(first_s, first_s + 60):
            drift.look_at_cadence({"kline": 1000 * first_s + per_s * second}, second, asked)

    looks(10, 0, "all")
    looks(5, 60, "half")
    assert registry.by("drifted_messages", "message", "drift") == {}
    with capture_logs() as logs:
        looks(20, 120, "half")
    assert registry.by("drifted_messages", "message", "drift") == {"kline": {"cadence": 1}}
    assert [(log["message"], log["verified"]) for log in logs] == [("kline", "2026-08-09")]
    assert logs[0]["after_per_s"] == pytest.approx(20, rel=0.01)


def test_a_connection_that_is_lost_changes_no_cadence_and_hides_no_change() -> None:
    cadences = Cadences()
    n, now_s = 0, 0.0

    def looks(per_s: int, asked: object) -> list[Change]:
        nonlocal n, now_s
        found = []
        for _ in range(100):
            n, now_s = n + per_s, now_s + 1
            found += cadences.look({"book": n}, now_s, asked)
        return found

    for _ in range(2):
        assert looks(20, (50, 50)) == []
        assert looks(10, (50,)) == []
    (change,) = looks(5, (50, 50))
    assert (change.before_per_s, change.after_per_s) == (20, 5)
    for asked in range(100):  # of ever other subscriptions the oldest is forgotten
        assert looks(5, asked) == []
    assert looks(20, (50, 50)) == []


def test_a_test_of_a_venue_shows_it(tmp_path: Path) -> None:
    frame = json.dumps({"channel": "heartbeat"})
    times = [*beat(0.1, 1, 60), *beat(0.5, 60, 240)]
    path = tmp_path / "sent.jsonl"
    path.write_text(f"{frame}\n" * len(times))
    stamps = "".join(f"{int(time_s * 1e9)}\n" for time_s in times)
    (tmp_path / "sent.meta.tsv").write_text(f"# recv_ns\n{stamps}")
    result = CliRunner().invoke(app, ["venue", "test", "kraken", str(path), "--passes", "0"])
    assert "drift since 2026-08-16: heartbeat: cadence 10 to 2" in result.output


@pytest.mark.captures
@pytest.mark.parametrize(
    ("venue", "name"),
    [
        ("binance", "binance/cf-binance-20210405-b38f7c.jsonl.zst"),
        ("binance", "binance/hbt-spot-btcusdt_20240808.jsonl.zst"),
        ("binance-usdm", "binance/hbt-usdm-btcusdt_20240808.jsonl.zst"),
        ("binance-coinm", "binance/hbt-coinm-btcusd_perp_20240808.jsonl.zst"),
        ("bybit", "bybit/cfv3-bybit-20260809-linear.jsonl"),
        ("bybit-spot", "bybit/cf-bybit-20250613-ws1.jsonl"),
        ("coinbase", "coinbase/cfv3-coinbase-20260809-advanced.jsonl.zst"),
        ("deribit", "deribit/cf-deribit-20210405-5dd9ce.jsonl"),
        ("bitfinex", "bitfinex/cf-bitfinex-20210405-58bafb.jsonl"),
    ],
)
def test_captures_have_none(venue: str, name: str) -> None:
    drifts = drifts_in(load(venue), Capture.open(find_capture(name)))
    assert not [text for found in drifts.values() for text in found if text.startswith("cadence")]
