"""Kraken's pairs: `/0/public/AssetPairs`, whose names are those of the first API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import Instrument, Name, step
from tickwire.venues.base import InstrumentQuery

PATH = "/0/public/AssetPairs"
RENAMED = {"XBT": "BTC", "XDG": "DOGE"}  # REST to WebSocket


def instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all of them."""
    return [InstrumentQuery(PATH, _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["result"].values():
        base, _, quote = each["wsname"].partition("/")
        base, quote = RENAMED.get(base, base), RENAMED.get(quote, quote)
        decimals = int(each["pair_decimals"])
        yield Instrument(
            f"{base}/{quote}",
            "spot",
            base,
            quote,
            tick_size=step(each.get("tick_size")) or float(f"1e-{decimals}"),
            lot_size=float(f"1e-{each['lot_decimals']}"),
            decimals=decimals,
            status=each.get("status", ""),
        )


def spell(name: Name) -> str:
    """Write a name as Kraken does."""
    return f"{name.base}/{name.quote}"
