from typing import Self, final

from tickwire.decode._stage import Stage

@final
class Scripts:
    def __new__(cls, stage: Stage) -> Self: ...
    @property
    def hits(self) -> list[int | None]: ...
