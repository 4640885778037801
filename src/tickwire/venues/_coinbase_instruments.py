"""Coinbase's products: `/api/v3/brokerage/market/products`, all in one answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from tickwire.venues._instrument import Instrument, InstrumentKind, Name, decimals_of, step
from tickwire.venues.base import InstrumentQuery

PATH = "/api/v3/brokerage/market/products"


def instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all of them."""
    return [InstrumentQuery(PATH, _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["products"]:
        future = each.get("future_product_details") or {}
        kind: InstrumentKind = "spot"
        if each["product_type"] == "FUTURE":
            is_dated = future.get("contract_expiry_type") == "EXPIRING"
            kind = "future" if is_dated else "perpetual"
        expiry = future.get("contract_expiry") if kind == "future" else None
        yield Instrument(
            each["product_id"],
            kind,
            each.get("base_currency_id") or future.get("contract_root_unit", ""),
            each["quote_currency_id"],
            settle=each["quote_currency_id"] if future else "",
            tick_size=step(each["price_increment"]),
            lot_size=step(each["base_increment"]),
            contract_size=step(future.get("contract_size")),
            decimals=decimals_of(each["price_increment"]),
            expiry_ns=int(datetime.fromisoformat(expiry).timestamp()) * 10**9 if expiry else None,
            status=each["status"],
        )


def spell(name: Name) -> str:
    """Write a name as Coinbase does."""
    return f"{name.base}-PERP-INTX" if name.is_perpetual else f"{name.base}-{name.quote}"
