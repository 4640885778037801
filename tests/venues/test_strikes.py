"""Books of the real declarations, over a socket: messages are dropped, repeated and swapped."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.alike import ALIKE, one_of_each
from tests.venues.capture_strikes import CAPTURES, strike_capture
from tests.venues.strike_scene import scene
from tests.venues.strikes import CASES

from tickwire.venues import names

# Chains that others have as well.
SLOW = (
    *ALIKE, "deribit", "bitget-futures", "kraken-futures", "bybit-spot", "bybit-inverse",
    "binance-coinm", "hyperliquid-testnet", "bitfinex",
)  # fmt: skip


def played(name: str, n_strikes: int, rate: float) -> None:
    outcome = asyncio.run(scene(CASES[name], n_strikes, rate))
    assert (outcome.silent, outcome.false) == ([], [])
    assert outcome.n_strikes == n_strikes


def test_every_venue_is_struck() -> None:
    assert set(CASES) == set(names())


@pytest.mark.parametrize("name", one_of_each(CASES, SLOW))
def test_what_happens_to_messages_is_in_gaps(name: str) -> None:
    played(name, 20, 1000)


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_what_is_untouched_has_no_gap(name: str) -> None:
    played(name, 0, 2000)


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_a_thousand_are_in_gaps(name: str) -> None:
    played(name, 1000, 3000)


@pytest.mark.captures
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CAPTURES)
def test_what_happens_to_captured_messages_is_found_or_harmless(name: str) -> None:
    outcome = strike_capture(name, 100)
    assert (outcome.silent, outcome.false) == ([], [])
    assert outcome.n_strikes == 100
    assert outcome.n_found or CASES[name].each_is_whole
