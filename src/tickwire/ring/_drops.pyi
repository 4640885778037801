from typing import final

from tickwire.ring.drop import Drop

@final
class DropLog:
    @property
    def n_rows(self) -> int: ...
    def take(self) -> list[Drop]: ...
