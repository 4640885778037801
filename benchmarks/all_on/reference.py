"""The best bid and ask over venues, made slowly from rows of `top`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

SIDES = ("bid", "ask")
TIMES = ("ts_event", "ts_recv", "bid_ts", "ask_ts")
Key = tuple[str, str]  # venue and symbol


def rows_of(batch: pa.RecordBatch | None) -> list[dict[str, Any]]:
    """Give the rows of `top` or `nbbo`, times as numbers."""
    if batch is None:
        return []
    columns = {
        name: batch[name].cast("int64") if name in TIMES else batch[name]
        for name in batch.schema.names
        if name != "seq"
    }
    return list(pa.table(columns).to_pylist())


class SlowNbbo:
    """Takes rows of `top`, gives those of `nbbo`.

    Parameters
    ----------
    instruments
        Names by venue and symbol.
    order
        Venue and symbol of each book, as configured.
    """

    def __init__(self, instruments: Mapping[Key, str], order: Sequence[Key]) -> None:
        self.instruments = instruments
        self.order = list(order)
        self.levels: dict[tuple[Key, str], tuple[float, float, int]] = {}
        self.is_in: dict[Key, bool] = {}
        self.last: dict[str, tuple[Any, ...]] = {}

    def take(self, row: Mapping[str, Any], *, is_verified: bool = True) -> list[dict[str, Any]]:
        """Apply a row of `top`."""
        key = row["venue"], row["symbol"]
        if key not in self.order:
            return []
        for side in SIDES:
            price, size = row[f"{side}_price"], row[f"{side}_size"]
            if price is None:
                self.levels.pop((key, side), None)
            elif self.levels.get((key, side), ())[:2] != (price, size):
                self.levels[key, side] = price, size, row["ts_recv"]
        has_any = any((key, side) in self.levels for side in SIDES)
        self.is_in[key] = has_any and is_verified
        return self._shown(self.instruments[key], row["ts_event"], row["ts_recv"])

    def leave_out(self, venue: str, symbol: str, ts_event: int, ts_recv: int) -> list[Any]:
        """Note that a book cannot be trusted any more."""
        self.is_in[venue, symbol] = False
        return self._shown(self.instruments[venue, symbol], ts_event, ts_recv)

    def _shown(self, name: str, ts_event: int | None, ts_recv: int) -> list[dict[str, Any]]:
        books = [key for key in self.order if self.instruments[key] == name]
        out = [key[0] for key in books if not self.is_in.get(key, False)]
        row: dict[str, Any] = {
            "venue": None, "symbol": None, "conn": None, "ts_event": ts_event, "ts_recv": ts_recv,
            "instrument": name,
        }  # fmt: skip
        times = []
        for side, sign in (("bid", -1), ("ask", 1)):
            offers = [
                (
                    sign * self.levels[key, side][0],
                    0.0 if name.endswith("-PERP") else -self.levels[key, side][1],
                    place,
                    key,
                )
                for place, key in enumerate(books)
                if self.is_in.get(key, False) and (key, side) in self.levels
            ]
            price = size = venue = ts = None
            if offers:
                key = min(offers)[-1]
                (price, size, ts), venue = self.levels[key, side], key[0]
                times.append(ts)
            row |= {
                f"{side}_price": price, f"{side}_size": size, f"{side}_venue": venue,
                f"{side}_ts": ts,
            }  # fmt: skip
        has_both = len(times) == 2
        shown = (*(row[f"{s}_{w}"] for s in SIDES for w in ("price", "size", "venue")), *out)
        row |= {
            "spread": row["ask_price"] - row["bid_price"] if has_both else None,
            "crossed": has_both and row["bid_price"] >= row["ask_price"],
            "age_ns": ts_recv - min(times) if times else None,
            "left_out": ", ".join(out) or None,
        }
        if self.last.get(name) == shown:
            return []
        self.last[name] = shown
        return [row]
