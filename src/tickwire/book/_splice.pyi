from typing import Literal, Self, final

from tickwire.book._held import HeldDeltas
from tickwire.book._news import BookNews

PHASES: tuple[str, ...]
VERDICTS: tuple[str, ...]

@final
class BookSplice(BookNews):
    """Decide which book deltas may be published, and hold those that cannot be yet."""

    def __new__(cls, rule: str, hold_bytes: int = 67_108_864) -> Self: ...
    @property
    def rule(self) -> str: ...
    @property
    def held(self) -> HeldDeltas: ...
    is_shared: bool
    @property
    def n_releasing(self) -> int:
        """Symbols that have their snapshot and whose held deltas are not published yet."""
    def doubt(self, symbol: int) -> bool:
        """Break the chain of a symbol whose book was found to be wrong by other means."""
    def offer(
        self,
        symbol: int,
        first: int,
        last: int,
        prev: int,
        *,
        payload: bytes = b"",
        ts_recv: int = 0,
        conn: int = 0,
    ) -> Literal["admit", "hold", "refuse"]: ...
    def release(self) -> list[int]: ...
    def wants(self, symbol: int, *, early: bool = False) -> bool: ...
    def fits(self, symbol: int, last_id: int) -> bool: ...
    def snapshot(self, symbol: int, last_id: int) -> None: ...
    def reset(self, symbol: int | None = None) -> None: ...
    def end(self, symbol: int) -> None:
        """Forget a symbol whose connection has ended, behind what is being released."""
    def drop_unreleased(self) -> list[tuple[int, int, int, int]]:
        """Forget what waits for room: symbol code, connection, first and last ts_recv."""
    def give_up_holes(self, wait_ns: int) -> None:
        """Break the chains whose hole no connection has filled in some time; 0: break all."""
    def take_broken(self) -> list[tuple[int, int | None]]:
        """Symbols whose chain broke, and how many ids are missing."""
    def phase(self, symbol: int) -> Literal["unseen", "waiting", "snapped", "live"]: ...
    def last_id(self, symbol: int) -> int | None: ...
