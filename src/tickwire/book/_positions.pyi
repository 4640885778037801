from typing import Self, final

SIDES: dict[str, int]

@final
class BookPositions:
    """Keep the books of one source, to name levels that are removed by their position."""

    def __new__(cls, most: int) -> Self: ...
    @property
    def most(self) -> int: ...
    def apply(
        self,
        symbol: int,
        rows: list[tuple[str, float, float]],
        *,
        is_snapshot: bool = False,
        time: int = 0,
    ) -> list[tuple[str, float, float]] | None:
        """Give the rows of a message their prices, as the decoder does."""
