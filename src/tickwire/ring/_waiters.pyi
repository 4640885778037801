"""Who waits for rows of a ring, and who for room in it."""

from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class RowsWaiter:
    """The base of what a ring calls for rows; this one does nothing."""

@disjoint_base
class Waiters:
    """The part of a ring that calls who waits for it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Waiters: ...
    def arm(self, callback: Callable[[], object], *, rows: int = 0) -> None: ...
    def disarm(self, callback: Callable[[], object]) -> None: ...
    def wait_for_room(self, callback: Callable[[], object]) -> bool: ...
    def forget_room(self, callback: Callable[[], object]) -> None: ...
