from collections.abc import Iterable
from typing import Self, final

from tickwire.ring import Ring

@final
class Targets:
    def __new__(cls, rings: Iterable[Ring | None]) -> Self: ...
