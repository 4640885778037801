"""Venues that speak the dialect of another one: what is slow is tested with one of each dialect."""

from collections.abc import Iterable
from typing import Any

import pytest

ALIKE = frozenset(
    ("binance-us", "aster", "bitget-usdc", "bitget-inverse", "bitget", "gate-btc", "gate-futures")
)


def one_of_each(venues: Iterable[str], others: Iterable[str] = ALIKE) -> list[Any]:
    """Mark the others as thorough."""
    marked = frozenset(others)
    return [
        pytest.param(venue, marks=pytest.mark.thorough) if venue in marked else venue
        for venue in venues
    ]
