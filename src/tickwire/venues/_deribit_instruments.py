"""Deribit's instruments: `public/get_instruments`, a request for each kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import (
    Instrument,
    InstrumentKind,
    Name,
    decimals_of,
    ms_or_none,
)
from tickwire.venues.base import InstrumentQuery

PATH = "/api/v2/public/get_instruments?currency=any&expired=false&kind="


def kind_of(symbol: str) -> str:
    """Give the kind of an instrument by its name: `BTC-25DEC26-100000-C` is an option."""
    return {1: "spot", 4: "option"}.get(len(symbol.split("-")), "future")


def instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for the kinds of these symbols; for all but options where there are none."""
    kinds = {kind_of(symbol) for symbol in symbols} or {"spot", "future"}
    return [InstrumentQuery(PATH + kind, _read) for kind in sorted(kinds)]


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["result"]:
        kind: InstrumentKind = each["kind"]
        is_perpetual = each.get("settlement_period") == "perpetual"
        yield Instrument(
            each["instrument_name"],
            "perpetual" if is_perpetual else kind,
            each["base_currency"],
            each["quote_currency"],
            settle=each.get("settlement_currency", ""),
            inverse=each.get("instrument_type") == "reversed",
            tick_size=each["tick_size"],
            lot_size=each["min_trade_amount"],
            contract_size=each.get("contract_size"),
            decimals=decimals_of(str(each["tick_size"])),
            expiry_ns=None if is_perpetual else ms_or_none(each.get("expiration_timestamp")),
            status="open" if each.get("is_active") else "closed",
        )


def spell(name: Name) -> str:
    """Write a name as Deribit does: contracts that are settled in coins have no quote currency."""
    if not name.is_perpetual:
        return f"{name.base}_{name.quote}"
    return (
        f"{name.base}-PERPETUAL" if name.quote == "USD" else f"{name.base}_{name.quote}-PERPETUAL"
    )
