"""Venues that speak the dialect of another one: what is slow is tested with one of each dialect."""

from collections.abc import Iterable
from typing import Any

import pytest

ALIKE = frozenset(
    ("binance-us", "aster", "bitget-usdc", "bitget-inverse", "bitget", "gate-btc", "gate-futures")
)


def one_of_each(names: Iterable[str], others: Iterable[str] = ALIKE) -> list[Any]:
    """Mark the others as thorough."""
    marked = frozenset(others)
    return [
        pytest.param(name, marks=pytest.mark.thorough) if name in marked else name for name in names
    ]
