"""What a symbol's trades have been, as a list: what the memory of trade ids must know."""

from __future__ import annotations

KNOWN = 4096  # the last ids, at least, that must be known


class Delivered:
    """All ids of a symbol in the order in which they came."""

    def __init__(self) -> None:
        self.ids: list[object] = []
        self._last_at: dict[object, int] = {}

    def check(self, trade: object, *, is_new: bool) -> None:
        """Judge what was said of an id, and remember it; older ones may be known or forgotten."""
        at = self._last_at.get(trade)
        if at is None:
            assert is_new, trade
        elif len(self.ids) - at <= KNOWN:
            assert not is_new, (trade, len(self.ids) - at)
        if is_new:
            self._last_at[trade] = len(self.ids)
            self.ids.append(trade)
