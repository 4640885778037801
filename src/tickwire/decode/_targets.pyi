from collections.abc import Callable, Iterable
from typing import Self, final

from tickwire.ring import Ring

@final
class Targets:
    def __new__(cls, rings: Iterable[Ring | None]) -> Self: ...
    def wait_for_room(self, callback: Callable[[], object]) -> bool: ...
    def forget_room(self, callback: Callable[[], object]) -> None: ...
