from typing import Literal

from typing_extensions import disjoint_base

from tickwire.book._news import BookNews

CAUSES: tuple[str, ...]
PHASES: tuple[str, ...]

@disjoint_base
class FollowedBooks(BookNews):
    """Keep where each symbol stands, and what has happened since the last look."""

    @property
    def n_begun(self) -> int: ...
    @property
    def takes_turns(self) -> bool:
        """Whether connections that bring the same take turns: their numbers are their own."""
    def take_news(self) -> list[tuple[int, str, int, int | None, int]]:
        """What has happened to symbols: code, what, ts_recv, how many are missing, connection."""
    def take_broken_connections(self) -> list[tuple[int, int, int, int]]:
        """Connection, messages missing, ts_recv of the last before and of the first after."""
    def phase(self, symbol: int) -> Literal["unseen", "waiting", "live"]: ...
