"""A book that is slow and plain: a dict for each side, sorted when it is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Side = Literal["bid", "ask"]
Levels = list[tuple[float, float]]


class SlowBook:
    """What `OrderBook` must be equal to after every message."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.sides: dict[Side, dict[float, float]] = {"bid": {}, "ask": {}}
        self.n_orphans = self.n_truncated = self.n_crossed = 0

    def apply(
        self, levels: Iterable[tuple[Side, float, float]], *, is_snapshot: bool = False
    ) -> None:
        """Apply one message."""
        if is_snapshot:
            self.sides = {"bid": {}, "ask": {}}
        for side, price, size in levels:
            if size:
                self.sides[side][price] = size
            elif not is_snapshot and self.sides[side].pop(price, None) is None:
                self.n_orphans += 1
        for side, kept in self.sides.items():
            is_deep = self.depth and len(kept) > self.depth
            for price, _ in self.sorted(side)[self.depth :] if is_deep else ():
                del kept[price]
                self.n_truncated += 1
        self.n_crossed += self.is_crossed

    def sorted(self, side: Side) -> Levels:
        """Give a side, best first."""
        return sorted(self.sides[side].items(), reverse=side == "bid")

    def best(self, side: Side) -> tuple[float, float] | tuple[None, None]:
        """Give the best level of a side, where it has one."""
        levels = self.sides[side]
        if not levels:
            return None, None
        price = max(levels) if side == "bid" else min(levels)
        return price, levels[price]

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bids, asks = self.sides["bid"], self.sides["ask"]
        return bool(bids and asks and max(bids) >= min(asks))
