"""OKX's instruments: `/api/v5/public/instruments`, a request for each kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from tickwire.venues._instrument import (
    Instrument,
    InstrumentKind,
    Name,
    decimals_of,
    ms_or_none,
    step,
)
from tickwire.venues.base import InstrumentQuery

PATH = "/api/v5/public/instruments?instType="
KINDS: dict[str, InstrumentKind] = {
    "SPOT": "spot",
    "SWAP": "perpetual",
    "FUTURES": "future",
    "OPTION": "option",
}


def kind_of(symbol: str) -> str:
    """Give the kind of instrument that a symbol is."""
    parts = symbol.split("-")
    if parts[-1] == "SWAP":
        return "SWAP"
    return {2: "SPOT", 3: "FUTURES"}.get(len(parts), "OPTION")


def instruments(kind_of: Callable[[str], str], symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for the kinds of these symbols; for all but options where there are none.

    Options are listed by what they are on: `BTC-USD`.
    """
    queries = []
    kinds = {kind_of(symbol) for symbol in symbols} or {"SPOT", "SWAP", "FUTURES"}
    for kind in sorted(kinds):
        families = {"-".join(each.split("-")[:2]) for each in symbols if kind_of(each) == kind}
        ends = [f"&instFamily={each}" for each in sorted(families)] if kind == "OPTION" else [""]
        queries += [InstrumentQuery(f"{PATH}{kind}{end}", _read) for end in ends]
    return queries


def _read(payload: bytes) -> Iterable[Instrument]:
    for each in json.loads(payload)["data"]:
        kind = KINDS[each["instType"]]
        # A derivative has the currencies of what it is on, such as BTC-USDT.
        base, _, quote = (each.get("uly") or f"{each['baseCcy']}-{each['quoteCcy']}").partition("-")
        yield Instrument(
            each["instId"],
            kind,
            base,
            quote,
            settle=each.get("settleCcy", ""),
            inverse=each.get("ctType") == "inverse",
            tick_size=step(each["tickSz"]),
            lot_size=step(each["lotSz"]),
            contract_size=step(each.get("ctVal")),
            decimals=decimals_of(each["tickSz"]),
            expiry_ns=ms_or_none(each.get("expTime")),
            status=each["state"],
        )


def spell(name: Name) -> str:
    """Write a name as OKX does."""
    return f"{name.base}-{name.quote}{'-SWAP' if name.is_perpetual else ''}"
