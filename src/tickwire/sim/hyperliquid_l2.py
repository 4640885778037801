"""Hyperliquid's channel `l2` of one symbol: a whole book, then what has changed since."""

from __future__ import annotations

import base64
import zlib

from tickwire.sim.exchange import Message, dumps
from tickwire.sim.market import Symbol

LEVELS = 20

_Side = list[tuple[int, int, int]]  # ticks, lots and orders of each level, the best first


class BlockTimes:
    """The times of a symbol's books: two of one time are equal, as those of one block are.

    They outlive the channel's clients: one that asks again may come in the ms of another book.

    Parameters
    ----------
    symbol
        Its market.
    """

    def __init__(self, symbol: Symbol) -> None:
        self._symbol = symbol
        self._n_events, self._last_ms = -1, 0

    def block_ms(self, time_ms: int) -> int:
        """Give the time of the book as it stands."""
        if self._symbol.n_events != self._n_events:
            self._n_events = self._symbol.n_events
            self._last_ms = max(time_ms, self._last_ms + 1)
        return self._last_ms


class L2Book:
    """What the channel's clients have of a symbol's book.

    Parameters
    ----------
    symbol
        Its market.
    times
        Of its books.
    time_ms
        Now.
    """

    def __init__(self, symbol: Symbol, times: BlockTimes, time_ms: int) -> None:
        self._symbol = symbol
        self._times = times
        self._time_ms = times.block_ms(time_ms)
        self._sides = self._now()

    def _now(self) -> tuple[_Side, _Side]:
        return self._symbol.bids.top(LEVELS), self._symbol.asks.top(LEVELS)

    def _texts(self, ticks: int, lots: int) -> tuple[str, str]:
        instrument = self._symbol.instrument
        return instrument.price_text(ticks), instrument.size_text(lots)

    def whole(self, key: str) -> Message:
        """Give what is sent first: the book that the next change is one of."""
        levels = []
        for side in self._sides:
            texts = [(self._texts(ticks, lots), n) for ticks, lots, n in side]
            levels.append([{"px": price, "sz": size, "n": n} for (price, size), n in texts])
        data = {"s": {"coin": self._symbol.name, "time": self._time_ms, "levels": levels}}
        payload = dumps({"channel": "l2", "data": data}).encode()
        return Message(key, "book", payload, sum(map(len, levels)))

    def change(self, key: str, time_ms: int) -> Message | None:
        """Give what has changed since the last message; None where nothing has."""
        removed: list[list[int]] = []
        placed: list[list[dict[str, str]]] = []
        now = self._now()
        for before, after in zip(self._sides, now, strict=True):
            prices = {ticks for ticks, _, _ in after}
            known = {(ticks, lots) for ticks, lots, _ in before}
            # In no order that means anything, as the venue has them.
            gone = [at for at, (ticks, _, _) in enumerate(before) if ticks not in prices]
            removed.append(gone[1:] + gone[:1])
            fresh = [self._texts(*level[:2]) for level in after if level[:2] not in known]
            placed.append([{"p": price, "s": size} for price, size in fresh])
        self._sides, self._time_ms = now, self._times.block_ms(time_ms)
        n_rows = sum(map(len, removed)) + sum(map(len, placed))
        if not n_rows:
            return None
        text = dumps({"c": self._symbol.name, "t": self._time_ms, "l": placed, "r": removed})
        squeeze = zlib.compressobj(wbits=-15)
        packed = squeeze.compress(text.encode()) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        blob = base64.b64encode(packed).rstrip(b"=").decode()
        payload = dumps({"channel": "l2", "data": {"c": blob}}).encode()
        return Message(key, "book", payload, n_rows)
