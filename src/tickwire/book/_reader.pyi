from collections.abc import Callable
from typing import Literal, Self, final

from tickwire.book._book_views import BookViews
from tickwire.book._oracle import BookOracle
from tickwire.book._outputs import BookOutputs
from tickwire.ring._ring import Ring

STATES: tuple[str, ...]

@final
class BookReader(BookViews):
    """Keep the books of a feed."""

    @property
    def outputs(self) -> BookOutputs: ...
    @property
    def changes(self) -> list[tuple[int, str, str, int | None]]: ...
    @property
    def n_failures(self) -> int: ...
    def __new__(
        cls,
        ring: Ring,
        *,
        on_lag: Literal["block", "drop"] | None = None,
        commits: bool = False,
        max_lag: int = 0,
    ) -> Self: ...
    @property
    def oracle(self) -> BookOracle | None: ...
    def bind(
        self,
        outputs: BookOutputs,
        settings: Callable[[int, int], tuple[bool, bool, int]],
        *,
        oracle: BookOracle | None = None,
    ) -> None:
        """Say where the outputs go; once."""
    def read(self) -> bool:
        """Apply what was published since the last call."""
    def add(self, venue: int, channel: int, symbol: int) -> None:
        """Add a book that waits for its first row; nothing happens where it is there."""
    def break_book(
        self, number: int, ts_recv: int, *, is_suspended: bool = False, is_now: bool = False
    ) -> bool:
        """Note that rows of a book are missing, or may be."""
    def resume(self, number: int, ts_recv: int, *, has_snapshot: bool = False) -> bool:
        """Note that nothing of a suspended book was missing, or that it has its snapshot."""
    def take_changes(self) -> list[tuple[int, str, str, int | None]]:
        """Give the changes of state since the last call, and forget them."""
