"""Bitget's instruments: `/api/v3/market/instruments`, a request for each category."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import Instrument, InstrumentKind, Name, ms_or_none, step
from tickwire.venues.base import InstrumentQuery

PATH = "/api/v3/market/instruments?category="


def instruments(category: str, symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all of a category."""
    return [InstrumentQuery(PATH + category.upper(), _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["data"]:
        is_spot = each["category"] in ("SPOT", "MARGIN")
        is_inverse = each["category"] == "COIN-FUTURES"
        contract: InstrumentKind = "perpetual" if each.get("type") != "delivery" else "future"
        decimals = each.get("pricePrecision")
        yield Instrument(
            each["symbol"],
            "spot" if is_spot else contract,
            each["baseCoin"],
            each["quoteCoin"],
            settle="" if is_spot else each["baseCoin" if is_inverse else "quoteCoin"],
            inverse=is_inverse,
            tick_size=step(each.get("priceMultiplier")) or (decimals and 10.0 ** -int(decimals)),
            lot_size=step(each.get("quantityMultiplier")),
            contract_size=None if is_spot else 1.0,
            decimals=None if decimals is None else int(decimals),
            expiry_ns=ms_or_none(each.get("deliveryTime")),
            status=each.get("status", ""),
        )


def spell(name: Name) -> str:
    """Write a name as Bitget does: contracts in USDC are called by their base."""
    if name.is_perpetual and name.quote == "USDC":
        return f"{name.base}PERP"
    return name.base + name.quote
