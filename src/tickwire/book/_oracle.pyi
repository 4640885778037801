from collections.abc import Callable
from typing import Literal, Self, final

from tickwire.ring._attachment import Attachment
from tickwire.ring._ring import Ring

PRICES: tuple[str, ...]
_Top = tuple[float, float, float, float]

@final
class BookOracle(Attachment):
    """Watch books by the quotes of their markets."""

    def __new__(
        cls,
        ring: Ring,
        *,
        on_lag: Literal["block", "drop"] | None = None,
        commits: bool = False,
        max_lag: int = 0,
    ) -> Self: ...
    def bind(
        self,
        rule_of: Callable[[int, int], tuple[int, int] | tuple[int, int, bool] | None],
        levels_of: Callable[[int, int], int] | None = None,
    ) -> None:
        """Say which books are watched, and how."""
    def read(self) -> None:
        """Compare the quotes that were published since the last call."""
    def take_found(self) -> list[tuple[int, int, int, _Top, _Top]]:
        """Give the books that were found wrong since the last call."""
    def counts(self, number: int) -> tuple[int, int] | None:
        """Give how often a book was checked, and found wrong; None where it is not watched."""
    @property
    def n_checked(self) -> int:
        """Comparisons of books with their oracles."""
    @property
    def n_mismatched(self) -> int:
        """Books that were found wrong."""
