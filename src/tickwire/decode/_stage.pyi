from collections.abc import Iterable
from typing import Self, final

from tickwire.decode._bytecode import Bytecode
from tickwire.decode._targets import Targets

@final
class Stage:
    def __new__(
        cls, program: Bytecode, targets: Targets, symbols: Iterable[int] | None = None
    ) -> Self: ...
