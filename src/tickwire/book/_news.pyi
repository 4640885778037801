from collections.abc import Callable

from typing_extensions import disjoint_base

@disjoint_base
class BookNews:
    """Call who listens, and give the symbols that wait."""

    @property
    def n_waiting(self) -> int: ...
    @property
    def n_breaks(self) -> int: ...
    @property
    def n_ahead(self) -> int:
        """Symbols with a hole that another connection may fill."""
    def listen(self, on_news: Callable[[], object] | None) -> None:
        """Have `on_news` called when something happens from now on; once."""
    def waiting(self) -> list[int]: ...
