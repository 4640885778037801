"""Bybit's instruments: `/v5/market/instruments-info`, a request for each market."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import (
    Instrument,
    InstrumentKind,
    Name,
    decimals_of,
    ms_or_none,
    step,
)
from tickwire.venues.base import InstrumentQuery

PATH = "/v5/market/instruments-info?limit=1000&category="


def instruments(category: str, symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for the first thousand of a market; none has more, and one that had is not read."""
    return [InstrumentQuery(PATH + category, _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    result = json.loads(payload)["result"]
    if result.get("nextPageCursor"):  # what is on no page would be called unknown
        raise ValueError("the list has more than one page")
    for each in result["list"]:
        contract = each.get("contractType", "")
        kind: InstrumentKind = "spot"
        if contract:
            kind = "perpetual" if contract.endswith("Perpetual") else "future"
        lots = each["lotSizeFilter"]
        yield Instrument(
            each["symbol"],
            kind,
            each["baseCoin"],
            each["quoteCoin"],
            settle=each.get("settleCoin", ""),
            inverse=contract.startswith("Inverse"),
            tick_size=step(each["priceFilter"]["tickSize"]),
            lot_size=step(lots.get("qtyStep") or lots.get("basePrecision")),
            contract_size=1.0 if contract else None,
            decimals=decimals_of(each["priceFilter"]["tickSize"]),
            expiry_ns=ms_or_none(each.get("deliveryTime")),
            status=each["status"],
        )


def spell(name: Name) -> str:
    """Write a name as Bybit does: contracts in USDC are called by their base."""
    if name.is_perpetual and name.quote == "USDC":
        return f"{name.base}PERP"
    return name.base + name.quote
