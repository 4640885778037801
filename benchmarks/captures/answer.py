"""What a capture of Binance must become, decoded by the standard library.

Rules of this file
------------------
- Nothing here is shared with a pipeline: `json.loads` and `float`.
- A feed shows a book once it has its snapshot: the snapshot's rows, then the deltas from the one
  that the venue's rule joins to it. The other clients write deltas as they come: less work, so
  their answer is another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import nan
from typing import Any

import numpy as np

from tickwire.bench.expected import (
    ENDS,
    ID,
    ID_STEP,
    NULL_CODE,
    NULL_INT,
    About,
    Expected,
    ExpectedTable,
    Numbers,
    Row,
)
from tickwire.capture import Capture
from tickwire.errors import TickwireError

NS_PER_MS = 1_000_000
SPOT = "binance"
SIDES = ["bid", "ask"]


@dataclass(frozen=True, slots=True)
class Levels:
    """A message of a book, or a snapshot.

    Parameters
    ----------
    connection
        Of the capture.
    symbol
        Whose book.
    ts_event
        In ns; `NULL_INT` where there is none.
    first_id, last_id, previous_id
        Update ids; the last one that of the message that must come before.
    is_snapshot
        Whether it came by REST.
    bids, asks
        Price and size, as text.
    """

    connection: int
    symbol: str
    ts_event: int
    first_id: int
    last_id: int
    previous_id: int
    is_snapshot: bool
    bids: list[list[str]]
    asks: list[list[str]]

    @property
    def n_rows(self) -> int:
        """At least one: a book without levels counts too."""
        return max(len(self.bids) + len(self.asks), 1)


class CaptureAnswer:
    """The rows of a capture.

    Parameters
    ----------
    path
        Of the capture.
    n_messages
        From its beginning.
    venues
        Of each of its connections, which have one symbol each.
    """

    def __init__(self, path: str, n_messages: int, venues: Sequence[str]) -> None:
        self._venues = list(venues)
        self._capture = Capture.open(path)
        self._n_off_book = 0
        self._rows: dict[str, list[Row]] = {"trades": [], "quotes": []}
        self._deltas: list[list[Levels]] = [[] for _ in venues]
        for message in islice(self._capture.messages(), n_messages):
            self._add(message.connection, json.loads(message.payload))

    def expected(self, *, spliced: bool) -> Expected:
        """Give them; `spliced` says whether books are joined to their snapshots."""
        n_silent = self._n_off_book
        kept: list[Levels] = []
        snapshots = {}
        if spliced:
            snapshots = {one.connection: json.loads(one.data) for one in self._capture.answers()}
        for connection, deltas in enumerate(self._deltas):
            if connection in snapshots and deltas:
                snapshot = self._snapshot(connection, deltas[0].symbol, snapshots[connection])
                joined = self._joined(connection, snapshot.last_id, deltas)
                n_silent += len(deltas) - len(joined)
                kept += [snapshot, *joined]
            else:
                kept += deltas
        answer = Expected.of_rows(
            self._rows, About(n_connections=len(self._venues), n_silent=n_silent)
        )
        if kept:
            answer.tables["book"] = self._book(kept)
        return answer

    def _add(self, connection: int, stream: dict[str, Any]) -> None:
        venue = self._venues[connection]
        kind, data = stream["stream"].partition("@")[2], stream["data"]
        if kind == "bookTicker":
            self._rows["quotes"].append(_quote(venue, data))
        elif kind == "trade":
            # The insurance fund's trades and the like are no trades of the book.
            if data.get("X", "MARKET") == "MARKET":
                self._rows["trades"].append(_trade(venue, data))
            else:
                self._n_off_book += 1
        else:
            self._deltas[connection].append(
                Levels(
                    connection,
                    data["s"],
                    data["E" if venue == SPOT else "T"] * NS_PER_MS,
                    data["U"],
                    data["u"],
                    data["U"] - 1 if venue == SPOT else data["pu"],
                    False,
                    data["b"],
                    data["a"],
                )
            )

    def _snapshot(self, connection: int, symbol: str, answer: dict[str, Any]) -> Levels:
        ts_event = answer["T"] * NS_PER_MS if "T" in answer else NULL_INT
        last_id = answer["lastUpdateId"]
        sides = answer["bids"], answer["asks"]
        return Levels(connection, symbol, ts_event, last_id, last_id, NULL_INT, True, *sides)

    def _joined(self, connection: int, last_id: int, deltas: list[Levels]) -> list[Levels]:
        """Give the deltas from the one on that follows the snapshot.

        Spot: the first has `U <= lastUpdateId + 1 <= u`; futures: `U <= lastUpdateId <= u`.
        """
        target = last_id + 1 if self._venues[connection] == SPOT else last_id
        for place, delta in enumerate(deltas):
            if delta.last_id >= target and delta.first_id <= target:
                return deltas[place:]
        raise TickwireError(f"{deltas[0].symbol}: no delta of the capture joins its snapshot")

    def _book(self, messages: Sequence[Levels]) -> ExpectedTable:
        """Make the columns; as rows of Python they would take longer than all the runs."""
        n_rows = np.array([one.n_rows for one in messages])
        lasts = np.zeros(n_rows.sum(), np.bool_)
        lasts[np.cumsum(n_rows) - 1] = True
        venues = list(dict.fromkeys(self._venues))
        symbols = list(dict.fromkeys(one.symbol for one in messages))
        prices: list[float] = []
        sizes: list[float] = []
        sides: list[int] = []
        for one in messages:
            levels = one.bids + one.asks
            prices += [float(level[0]) for level in levels] or [nan]
            sizes += [float(level[1]) for level in levels] or [nan]
            sides += [0] * len(one.bids) + [1] * len(one.asks) or [NULL_CODE]

        def spread(values: Iterable[Any], kind: Any = np.int64) -> Numbers:
            return np.repeat(np.array(list(values), kind), n_rows)

        is_snapshot = spread((one.is_snapshot for one in messages), np.bool_)
        columns: dict[str, Numbers] = {
            "venue": spread(venues.index(self._venues[one.connection]) for one in messages),
            "symbol": spread(symbols.index(one.symbol) for one in messages),
            "ts_event": spread(one.ts_event for one in messages),
            "channel": np.zeros(len(lasts), np.int32),
            "side": np.array(sides, np.int32),
            "price": np.array(prices),
            "size": np.array(sizes),
            "order_count": np.full(len(lasts), NULL_INT),
            "is_snapshot": is_snapshot,
            "last": lasts,
            "venue_seq": spread(one.last_id for one in messages),
            "venue_prev_seq": spread(one.previous_id for one in messages),
            ENDS: lasts & ~is_snapshot,
        }
        values = {"venue": venues, "symbol": symbols, "channel": ["book"], "side": SIDES}
        return ExpectedTable(columns, values)


def _trade(venue: str, data: dict[str, Any]) -> Row:
    return {
        "venue": venue,
        "symbol": data["s"],
        "ts_event": data["T"] * NS_PER_MS,
        "channel": "trades",
        "price": float(data["p"]),
        "size": float(data["q"]),
        "side": "sell" if data["m"] else "buy",
        ID: data["t"],
        ID_STEP: 0,
        ENDS: True,
    }


def _quote(venue: str, data: dict[str, Any]) -> Row:
    return {
        "venue": venue,
        "symbol": data["s"],
        "ts_event": data["T"] * NS_PER_MS if "T" in data else None,
        "bid_price": float(data["b"]),
        "bid_size": float(data["B"]),
        "ask_price": float(data["a"]),
        "ask_size": float(data["A"]),
        "venue_seq": data["u"],
        ENDS: True,
    }
