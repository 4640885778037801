from typing import Any

from numpy.typing import NDArray
from typing_extensions import disjoint_base

from tickwire.ring._attachment import Attachment

STATES: tuple[str, ...]

@disjoint_base
class BookViews(Attachment):
    """Look at kept books."""

    @property
    def n_orphans(self) -> int:
        """Deletes of levels that the books did not have."""
    @property
    def n_crossed(self) -> int:
        """Messages that left the best bid at or above the best ask."""
    @property
    def n_truncated(self) -> int:
        """Levels dropped past the subscribed depth."""
    def __len__(self) -> int: ...
    def find_book(self, venue: int, channel: int, symbol: int) -> int:
        """Give the number of a book by its codes, -1 where there is none."""
    def describe(self, number: int) -> dict[str, Any]:
        """Give everything but the levels."""
    def state(self, number: int) -> str:
        """Give the state of a book."""
    def channel(self, number: int) -> int:
        """Give the code of a book's channel."""
    def count(self, state: str) -> int:
        """Count the books of a state."""
    def levels(self, number: int, n: int | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Look at the levels of a book, without a copy."""
