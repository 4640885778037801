from typing import Self, final

from tickwire.decode._read import Reader

@final
class Steps:
    def __new__(cls, reader: Reader) -> Self: ...
