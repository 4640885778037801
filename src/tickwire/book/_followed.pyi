from collections.abc import Callable
from typing import Literal

from typing_extensions import disjoint_base

CAUSES: tuple[str, ...]
PHASES: tuple[str, ...]

@disjoint_base
class FollowedBooks:
    """Keep where each symbol stands, and what has happened since the last look."""

    @property
    def n_waiting(self) -> int: ...
    @property
    def n_breaks(self) -> int: ...
    @property
    def n_begun(self) -> int: ...
    @property
    def n_ahead(self) -> int:
        """Symbols with a hole that another connection may fill."""
    @property
    def takes_turns(self) -> bool:
        """Whether connections that bring the same take turns: their numbers are their own."""
    def listen(self, on_news: Callable[[], object] | None) -> None:
        """Have `on_news` called when something happens from now on; once."""
    def waiting(self) -> list[int]: ...
    def take_news(self) -> list[tuple[int, str, int, int | None, int]]:
        """What has happened to symbols: code, what, ts_recv, how many are missing, connection."""
    def take_broken_connections(self) -> list[tuple[int, int, int, int]]:
        """Connection, messages missing, ts_recv of the last before and of the first after."""
    def phase(self, symbol: int) -> Literal["unseen", "waiting", "live"]: ...
