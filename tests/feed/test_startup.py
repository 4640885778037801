"""How long a source takes to start, by the limits of venues."""

from typing import Any

import pytest

import tickwire
from tickwire.config import Config, Feed
from tickwire.feed.planning import plan_feed
from tickwire.feed.startup import Start, start_of


def start(venue: str, channels: list[str], n_symbols: int, **more: Any) -> Start:
    symbols = [f"S{number}" for number in range(n_symbols)]
    source = tickwire.Source(venue=venue, channels=channels, symbols=symbols, **more)
    return start_of(plan_feed(Config(Feed(), (source,), ())).sources[0])


@pytest.mark.parametrize(
    ("venue", "channels", "n_symbols", "text"),
    [
        # 28 a second of all connections together, one subscription in each.
        ("hyperliquid", ["trades"], 280, "1 connection, 280 requests, about 10 s"),
        # 100 streams in a request; 20 snapshots a minute, the first 20 of them at once.
        ("binance", ["book"], 41, "1 connection, 1 request, at once; 41 snapshots, about 2 min"),
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
