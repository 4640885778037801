from typing import Self, final

@final
class Carry:
    def __new__(cls, n_kinds: int) -> Self: ...
