"""What Binance gives by REST: missed trades, snapshots of books, what it lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from tickwire.venues._book_rule import Begin, rest
from tickwire.venues._instrument import (
    Instrument,
    InstrumentKind,
    Name,
    decimals_of,
    ms_or_none,
    step,
)
from tickwire.venues.base import Backfill, InstrumentQuery

# Missed trades: spot has them by id without a key, futures only the newest ones.
BY_ID = "historicalTrades?symbol={symbol}&fromId={first_id}&limit={limit}"
NEWEST = "trades?symbol={symbol}&limit={limit}"


def smaller_too(path: str, levels: int, per_min: Mapping[int, int]) -> Begin:
    """Begin by snapshots of so many levels, or by smaller ones, of which a minute allows more."""
    return rest(f"{path}{levels}", smaller=tuple((f"{path}{n}", m) for n, m in per_min.items()))


def backfills(root: str, trades: str = "") -> tuple[Backfill, ...]:
    """Declare how missed trades are had.

    Parameters
    ----------
    root
        Begins the paths of the market.
    trades
        The rest of the path, and the query, for plain trades, where there are any; aggregates have
        the same everywhere.
    """
    aggregates = "aggTrades?symbol={symbol}&fromId={first_id}&limit={limit}"
    by_id = Backfill("trades:agg", root + aggregates, "missed aggTrades", "a", counts_by_one=True)
    if not trades:
        return (by_id,)
    # Futures number what is no trade of the market too, as of the insurance fund: see BY_ID.
    is_by_one = "fromId" in trades
    plain = Backfill("trades", root + trades, "missed trades", "id", counts_by_one=is_by_one)
    return (plain, by_id)


def instruments(path: str, symbols: Sequence[str]) -> list[InstrumentQuery]:
    """Ask for all symbols."""
    return [InstrumentQuery(path, _symbols)]


def _symbols(payload: bytes) -> Iterator[Instrument]:
    for each in json.loads(payload)["symbols"]:
        contract = each.get("contractType")
        filters = {given["filterType"]: given for given in each.get("filters", ())}
        tick = filters.get("PRICE_FILTER", {}).get("tickSize", "")
        is_perpetual = contract is not None and contract.endswith("PERPETUAL")
        kind: InstrumentKind = "spot" if contract is None else "future"
        yield Instrument(
            each["symbol"],
            "perpetual" if is_perpetual else kind,
            each.get("baseAsset", ""),
            each.get("quoteAsset", ""),
            settle=each.get("marginAsset", ""),
            inverse="contractSize" in each,
            tick_size=step(tick),
            lot_size=step(filters.get("LOT_SIZE", {}).get("stepSize")),
            contract_size=step(each.get("contractSize", "1" if contract else "")),
            decimals=decimals_of(tick),
            expiry_ns=None if is_perpetual else ms_or_none(each.get("deliveryDate")),
            status=each.get("status", each.get("contractStatus", "")),
        )


def spell(end: str, name: Name) -> str:
    """Write a name as Binance does; `end` is what the market's perpetual contracts end in."""
    return f"{name.base}{name.quote}{end if name.is_perpetual else ''}"
