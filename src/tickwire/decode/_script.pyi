from typing import Self, final

from tickwire.decode._bytecode import Bytecode

@final
class Scripts:
    def __new__(cls, program: Bytecode) -> Self: ...
    @property
    def hits(self) -> list[int | None]: ...
    @property
    def cached_levels(self) -> int: ...
