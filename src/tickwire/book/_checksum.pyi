from collections.abc import Iterable
from typing import Self, final

SIDES: dict[str, int]

@final
class BookChecksums:
    """Keep the books of one source, and verify them by the venue's checksums."""

    def __new__(
        cls,
        levels: int,
        *,
        interleaved: bool = False,
        plain: bool = False,
        separator: str = "",
        learns: bool = True,
        depth: int = 0,
    ) -> Self: ...
    @property
    def levels(self) -> int: ...
    @property
    def is_interleaved(self) -> bool: ...
    @property
    def is_plain(self) -> bool: ...
    @property
    def learns(self) -> bool: ...
    @property
    def depth(self) -> int: ...
    @property
    def n_checked(self) -> int: ...
    @property
    def n_mismatched(self) -> int: ...
    @property
    def n_unchecked(self) -> int:
        """Messages with levels and no checksum."""
    def apply(
        self, symbol: int, rows: list[tuple[str, float, float]], *, is_snapshot: bool = False
    ) -> None: ...
    def learn(self, symbol: int, levels: Iterable[tuple[str, str]]) -> None: ...
    def decimals(self, symbol: int) -> tuple[int, int] | None: ...
    def checksum(self, symbol: int) -> int: ...

def decimals_of(text: str) -> int: ...
