"""A book as a program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickwire.venues import Venue, parse_name


@dataclass(frozen=True, slots=True)
class BookView:
    """A book at the moment of the call.

    Its levels are borrowed: they show the book's own memory, and are right until the event loop's
    next turn, in which the book changes under them. The memory itself stays as long as the view, so
    a late look is wrong and harmless. `copy` gives one that stays as it is.

    Parameters
    ----------
    venue, symbol, channel
        Which book.
    state
        `waiting` for its first snapshot; `live`; `broken`: rows are missing, or may be;
        `unverifiable`: nothing would show that a change was missing.
    reason
        Why it is not live; None where it is.
    ts_event, ts_recv, venue_seq
        Of its last message; None where it had none.
    bids, asks
        shape (n,), fields `price` and `size`, best first, read-only.
    is_crossed
        The best bid is at or above the best ask.
    messages, orphans, crossed, truncated
        Counts since the start: messages, deletes of absent levels, messages that left it crossed,
        levels dropped past the depth.
    """

    venue: str
    symbol: str
    channel: str
    state: str
    reason: str | None
    ts_event: int | None
    ts_recv: int | None
    venue_seq: int | None
    bids: NDArray[Any]
    asks: NDArray[Any]
    is_crossed: bool
    messages: int
    orphans: int
    crossed: int
    truncated: int

    def copy(self) -> BookView:
        """Give the same with levels of its own."""
        return replace(self, bids=np.array(self.bids), asks=np.array(self.asks))

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON: levels as lists of price and size."""
        names = (each for each in type(self).__dataclass_fields__ if each not in ("bids", "asks"))
        return {
            **{name: getattr(self, name) for name in names},
            "bids": [list(level) for level in self.bids.tolist()],
            "asks": [list(level) for level in self.asks.tolist()],
        }


def own_symbol(venue: Venue | None, symbol: str) -> str:
    """Give the venue's own symbol: names such as `BTC-USDT-PERP` are spelled as it does."""
    name = parse_name(symbol)
    if venue is None or venue.spell is None or name is None:
        return symbol
    try:
        return venue.spell(name)
    except ValueError:
        return symbol  # it has no such instrument


def view_of(
    venue: str,
    symbol: str,
    channel: str,
    found: Mapping[str, Any],
    reason: str | None,
    bids: NDArray[Any],
    asks: NDArray[Any],
) -> BookView:
    """Make a view from what `BookReader.describe` gives."""
    counts = {name: found[name] for name in ("messages", "orphans", "crossed", "truncated")}
    has_rows = found["messages"] > 0
    return BookView(
        venue=venue,
        symbol=symbol,
        channel=channel,
        state=found["state"],
        reason=reason,
        ts_event=found["ts_event"],
        ts_recv=found["ts_recv"] if has_rows else None,
        venue_seq=found["venue_seq"],
        bids=bids,
        asks=asks,
        is_crossed=found["is_crossed"],
        **counts,
    )
