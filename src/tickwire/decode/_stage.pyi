from collections.abc import Iterable
from typing import Self, final

from tickwire.decode._lowered import Lowered
from tickwire.decode._targets import Targets

@final
class Stage:
    def __new__(
        cls, program: Lowered, targets: Targets, symbols: Iterable[int] | None = None
    ) -> Self: ...
