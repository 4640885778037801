from typing import Literal, Self, final

from tickwire.book._followed import FollowedBooks

NUMBERED: tuple[str, ...]
VERDICTS: tuple[str, ...]
BEGINNINGS: tuple[str, ...]
PHASES: tuple[str, ...]

@final
class BookFollower(FollowedBooks):
    """Decide which messages of books may be published."""

    is_shared: bool
    def __new__(
        cls, chain: str, begin: str = "in_band", *, step: int = 1, restart: int | None = None
    ) -> Self: ...
    @property
    def chain(self) -> str: ...
    @property
    def begin(self) -> str: ...
    @property
    def n_followed(self) -> int:
        """Messages that were compared with one before, and fit."""
    @property
    def n_withheld(self) -> int:
        """Messages that were not published."""
    @property
    def counts_all(self) -> bool:
        """Whether the chain is a connection's."""
    def doubt(self, symbol: int, good_ns: int) -> bool:
        """Break the chain of a symbol whose book was found to be wrong by other means."""
    def offer(
        self,
        symbol: int,
        *,
        first: int = ...,
        last: int = ...,
        prev: int = ...,
        is_snapshot: bool = False,
        conn: int = 0,
        ts_recv: int = 0,
        text_hash: int = 0,
    ) -> Literal["admit", "refuse"]: ...
    def copy(self, symbol: int, conn: int, mono_ns: int) -> bool:
        """Offer a copy of a change; False where it was taken before the book's snapshot."""
    def break_counted(self, conn: int, n_missing: int, good_ns: int, found_ns: int) -> None:
        """Note a hole of a connection."""
    def leave(self, symbol: int, conn: int) -> None:
        """Note that a connection has ended, and others bring the symbol."""
    def give_up_holes(self, wait_ns: int) -> None:
        """Break the chains whose hole no connection has filled in some time; 0: break all."""
    def hand_over(self, symbol: int, conn: int) -> None: ...
    def reset(self, symbol: int) -> None: ...
