"""Binance spot, USD-M futures and COIN-M futures.

Rules of this file
------------------
- Everything comes through the combined endpoint as `{"stream": ..., "data": ...}`.
- Missed trades. Aggregates are had by id from each market, trades from spot alone: on futures that
  takes a key, so only those among the newest 1000 are had there.
"""

from tickwire.venues.binance.futures import COINM, USDM
from tickwire.venues.binance.spot import SPOT

VENUES = (SPOT, USDM, COINM)
