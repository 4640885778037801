"""Snapshots of a book that moves, as the simulator sends them: the same for the same seed.

In a snapshot of a live market most levels are those of the snapshot before, byte for byte. Between
two snapshots so much happens here that the share of repeated levels, the number of levels and the
length of a message are those of recorded snapshots of Hyperliquid's BTC book; a test with the
captures compares them.
"""

from __future__ import annotations

import json

from tickwire.sim.hyperliquid import Hyperliquid
from tickwire.sim.market import Market

SEED = 1
N_BOOKS = 4000
EVENTS_PER_BOOK = 4
BOOK_INTERVAL_MS = 640
START_MS = 1_700_000_000_000
_REQUEST = json.dumps({"type": "l2Book", "coin": "BTC"})


class Books:
    """Snapshots by number, made in order and kept."""

    def __init__(self) -> None:
        self._made: list[bytes] = []
        self._market = Market("hyperliquid", ["BTC"], SEED, clock_ms=self._now_ms)
        self._exchange = Hyperliquid("hyperliquid", self._market)

    def _now_ms(self) -> int:
        return START_MS + BOOK_INTERVAL_MS * len(self._made)

    def get(self, number: int) -> bytes:
        """Give a snapshot; making it makes those before it."""
        while len(self._made) <= number:
            for _ in range(EVENTS_PER_BOOK):
                self._market.step()
            answer = self._exchange.rest("POST", "/info", {}, _REQUEST)
            assert answer is not None
            self._made.append(b'{"channel":"l2Book","data":%b}' % answer.body.encode())
        return self._made[number]


_BOOKS = Books()


def book(number: int) -> bytes:
    """Give a snapshot of 20 bids and 20 asks; they follow each other, then begin anew."""
    return _BOOKS.get(number % N_BOOKS)
