"""Kraken Futures' contracts: `/derivatives/api/v3/instruments`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tickwire.venues._instrument import Instrument, InstrumentKind, Name, decimals_of
from tickwire.venues._kraken_instruments import RENAMED
from tickwire.venues.base import InstrumentQuery

PATH = "/derivatives/api/v3/instruments"
KINDS: dict[str, InstrumentKind] = {
    "PI": "perpetual", "PF": "perpetual", "FI": "future", "FF": "future"
}  # fmt: skip


def instruments(symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all of them."""
    return [InstrumentQuery(PATH, _read)]


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["instruments"]:
        symbol = each["symbol"].upper()
        family, _, rest = symbol.partition("_")
        if family not in KINDS:  # an index
            continue
        # PF_XBTUSD; FI_ETHUSD_210730
        pair = rest.partition("_")[0]
        base, quote = each.get("base", pair[:-3]), each.get("quote", pair[-3:])
        is_inverse = each.get("type") == "futures_inverse"
        tick = each.get("tickSize")
        yield Instrument(
            symbol,
            KINDS[family],
            RENAMED.get(base, base),
            quote,
            settle=RENAMED.get(base, base) if is_inverse else quote,
            inverse=is_inverse,
            tick_size=tick,
            lot_size=10.0 ** -each.get("contractValueTradePrecision", 0),
            contract_size=each.get("contractSize"),
            decimals=None if tick is None else decimals_of(str(tick)),
            status="tradeable" if each.get("tradeable") else "halted",
        )


def spell(name: Name) -> str:
    """Write a name as Kraken Futures does: contracts of many collaterals, bitcoin as XBT."""
    base = {new: old for old, new in RENAMED.items() if old == "XBT"}.get(name.base, name.base)
    return f"PF_{base}{name.quote}"
