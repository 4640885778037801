"""Gate's instruments: pairs of spot, and the contracts of a currency."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import Instrument, Name, decimals_of, step
from tickwire.venues.base import InstrumentQuery


def instruments(settle: str, symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all pairs, or for all contracts that are settled in a currency."""
    if not settle:
        return [InstrumentQuery("/api/v4/spot/currency_pairs", _pairs)]
    return [InstrumentQuery(f"/api/v4/futures/{settle}/contracts", _contracts)]


def _pairs(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload):
        decimals = int(each["precision"])
        yield Instrument(
            each["id"],
            "spot",
            each["base"],
            each["quote"],
            tick_size=10.0**-decimals,
            lot_size=10.0 ** -int(each["amount_precision"]),
            decimals=decimals,
            status=each.get("trade_status", ""),
        )


def _contracts(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload):
        base, _, quote = each["name"].partition("_")
        is_inverse = each.get("type") == "inverse"
        tick = each["order_price_round"]
        yield Instrument(
            each["name"],
            "perpetual",
            base,
            quote,
            settle=base if is_inverse else quote,
            inverse=is_inverse,
            tick_size=step(tick),
            lot_size=step(each.get("order_size_min")),
            contract_size=step(each.get("quanto_multiplier")) or 1.0,
            decimals=decimals_of(tick),
            status="delisting" if each.get("in_delisting") else "trading",
        )


def spell(name: Name) -> str:
    """Write a name as Gate does."""
    return f"{name.base}_{name.quote}"
