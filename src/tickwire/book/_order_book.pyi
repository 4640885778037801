from collections.abc import Iterable
from typing import Any, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

LEVEL: np.dtype[np.void]

@final
class LevelMemory: ...

@final
class OrderBook:
    """A book of its own, for programs and tests; those of a feed are kept by its reader."""

    def __new__(cls, depth: int = 0) -> Self: ...
    def apply(
        self,
        levels: Iterable[tuple[Literal["bid", "ask"], float, float]],
        *,
        is_snapshot: bool = False,
    ) -> None:
        """Apply one message."""
    def apply_arrays(
        self,
        sides: NDArray[np.int8],
        prices: NDArray[np.float64],
        sizes: NDArray[np.float64],
        last: NDArray[np.uint8],
    ) -> None:
        """Apply changes, many messages at once."""
    def clear(self) -> None:
        """Forget all levels."""
    def best(self) -> tuple[float, float, float, float]:
        """Give the best levels."""
    def top(self, n: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Copy the best levels, read one by one."""
    def bids(self, n: int | None = None) -> NDArray[Any]:
        """Look at the bids, best first, without a copy."""
    def asks(self, n: int | None = None) -> NDArray[Any]:
        """Look at the asks; as `bids`."""
    @property
    def n_levels(self) -> int: ...
    @property
    def n_bytes(self) -> int: ...
    @property
    def n_changes(self) -> int: ...
    @property
    def n_orphans(self) -> int: ...
    @property
    def n_truncated(self) -> int: ...
    @property
    def n_crossed(self) -> int: ...
    @property
    def is_crossed(self) -> bool: ...
