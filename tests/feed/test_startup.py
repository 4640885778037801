"""How long a source takes to start, by the limits of venues."""

from typing import Any

import pytest

import tickwire
from tickwire.config import Config, Feed
from tickwire.errors import ConfigError
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.plans import FeedPlan
from tickwire.feed.plan.startup import Start, pace_of, start_of, start_together


def start(venue: str, channels: list[str], n_symbols: int, **more: Any) -> Start:
    symbols = [f"S{number}" for number in range(n_symbols)]
    source = tickwire.Source(venue=venue, channels=channels, symbols=symbols, **more)
    return start_of(plan_feed(Config(Feed(), (source,), ())).sources[0])


@pytest.mark.parametrize(
    ("venue", "channels", "n_symbols", "text"),
    [
        # 28 a second of all connections together, one subscription in each.
        ("hyperliquid", ["trades"], 280, "1 connection, 280 requests, about 10 s"),
        # 100 streams in a request; 20 snapshots of 5000 levels a minute, 100 of 1000 levels.
        ("binance", ["book"], 20, "1 connection, 1 request, at once; 20 snapshots, at once"),
        ("binance", ["book"], 41, "1 connection, 1 request, at once; 41 snapshots, at once"),
        (
            "binance-usdm",
            ["book"],
            501,
            "3 connections, 6 requests, at once; 501 snapshots, about 60 s",
        ),
        ("bybit", ["trades", "book"], 60, "1 connection, 12 requests, about 2 s"),
        # One channel in a request, and the words of the beginning.
        ("coinbase", ["trades", "book"], 3, "1 connection, 3 requests, at once"),
        # Two tables of one key are asked for once.
        ("kraken", ["quotes", "tickers"], 30, "1 connection, 30 requests, about 2 s"),
    ],
)
def test_starts(venue: str, channels: list[str], n_symbols: int, text: str) -> None:
    assert str(start(venue, channels, n_symbols)) == text


def test_legs_count() -> None:
    found = start("bybit", ["trades"], 10, redundancy=3)
    assert (found.connections, found.requests) == (3, 3)


def test_more_connections_than_a_minute_allows_take_another_one() -> None:
    channels = [f"book:{depth}" for depth in (10,)]
    found = start("kraken", [*channels, "trades"], 16 * 200)
    assert found.connections == 32
    assert found.seconds >= 120


@pytest.mark.parametrize(
    ("venue", "n_symbols", "levels"),
    [
        ("binance", 20, 5000), ("binance", 21, 1000), ("binance", 101, 500), ("binance", 999, 100),
        ("binance", 5000, 100), ("binance-usdm", 50, 1000), ("binance-coinm", 51, 500),
    ],
)  # fmt: skip
def test_snapshots_are_smaller_where_large_ones_would_starve_others(
    venue: str, n_symbols: int, levels: int
) -> None:
    """All sources of a venue share its limit."""
    half = n_symbols // 2
    sources = [
        tickwire.Source(venue=venue, channels=["book"], symbols=[f"S{n}" for n in numbers])
        for numbers in (range(half), range(half, n_symbols))
    ]
    plan = plan_feed(Config(Feed(), tuple(sources), ()))
    for source in plan.sources:
        assert source.venue.book is not None
        assert source.venue.book.begin.path.endswith(f"limit={levels}")
        assert (source.venue.limits.rest_per_min >= n_symbols) == (n_symbols < 1000)


def planned(n_symbols: int, n_sources: int = 1, **more: Any) -> FeedPlan:
    symbols = [f"S{number}" for number in range(n_symbols)]
    source = tickwire.Source(venue="hyperliquid", channels=["trades"], symbols=symbols, **more)
    return plan_feed(Config(Feed(), (source,) * n_sources, ()))


def test_what_a_venue_does_not_allow_is_refused_with_what_would_be_possible() -> None:
    planned(1000)
    planned(500, redundancy=2)
    planned(2000, url="ws://127.0.0.1:1")  # another server
    with pytest.raises(ConfigError) as refused:
        planned(1250)
    assert refused.value.problems == [
        "source[0].symbols: need 1,250 subscriptions at hyperliquid, all sources together, and it "
        "allows 1,000 from one address; possible: 1,000 of the 1,250 symbols"
    ]
    with pytest.raises(ConfigError, match=r"possible: 500 of the 800 symbols or redundancy = 1"):
        planned(800, redundancy=2)
    with pytest.raises(ConfigError, match=r"need 1,200 subscriptions .* 1,000 of the 1,200"):
        planned(600, n_sources=2)


def test_sources_of_a_venue_start_together() -> None:
    plan = planned(280, n_sources=2)
    found = start_together(plan.sources)
    assert str(found["hyperliquid"]) == "2 connections, 560 requests, about 20 s"
    assert not start_together(plan.sources[:1])
    assert pace_of(plan.sources[0]) == ("28 requests/s of a connection, 28 of all, 30 connects/min")
