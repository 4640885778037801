from typing import Self, final

from tickwire.decode._steps import Steps

@final
class Draft:
    def __new__(cls, steps: Steps) -> Self: ...
