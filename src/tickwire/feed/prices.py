"""The last price of each symbol, from what the rings hold: nothing is kept for it while rows flow.

Rules of this file
------------------
- In the loop's thread alone, which writes the rings: no row changes while it reads.
- The newest of a quote's mid, a mid and a trade counts; a trade that was had by REST is old.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from tickwire.clock import wall_ns
from tickwire.feed.pipeline import Pipeline

_Columns = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Price:
    """A price.

    Parameters
    ----------
    value
        In the symbol's quote currency.
    ts_recv
        When its row was received, ns since the epoch.
    age_s
        How long ago that was.
    table
        Where it is from.
    """

    value: float
    ts_recv: int
    age_s: float
    table: str


def _mid(columns: _Columns, at: int) -> float:
    return float(columns["bid_price"][at] + columns["ask_price"][at]) / 2


def _price(columns: _Columns, at: int) -> float:
    return float(columns["price"][at])


_TABLES: dict[str, Callable[[_Columns, int], float]] = {
    "quotes": _mid,
    "mids": _price,
    "trades": _price,
}


def last_prices(pipeline: Pipeline, venues: Collection[str]) -> dict[str, Price]:
    """Give the newest price of each symbol of some venues.

    Parameters
    ----------
    pipeline
        Of the feed.
    venues
        Their names.
    """
    found: dict[str, Price] = {}
    now_ns = wall_ns()
    dictionaries = pipeline.dictionaries
    for table, price_of in _TABLES.items():
        ring = pipeline.rings.get(table)
        if ring is None or not ring.published:
            continue
        columns = ring.columns
        is_written = (columns["ts_recv"] > 0) & (columns["seq"] < ring.next_seq)
        rows = np.flatnonzero(is_written & ~np.isin(columns["conn"], [*pipeline.backfilled]))
        rows = rows[np.argsort(columns["seq"][rows])][::-1]
        _, firsts = np.unique(_stream_codes(columns, rows), return_index=True)
        for at in rows[firsts]:
            if dictionaries.venue.value(int(columns["venue"][at])) not in venues:
                continue
            value, ts_recv = price_of(columns, int(at)), int(columns["ts_recv"][at])
            symbol = dictionaries.symbol.value(int(columns["symbol"][at]))
            known = found.get(symbol)
            if np.isfinite(value) and (known is None or known.ts_recv <= ts_recv):
                found[symbol] = Price(value, ts_recv, max(0, now_ns - ts_recv) / 1e9, table)
    return found


def _stream_codes(columns: _Columns, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    venues = columns["venue"][rows].astype(np.int64)
    return np.asarray((venues << 32) + columns["symbol"][rows])
