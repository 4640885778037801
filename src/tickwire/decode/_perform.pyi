from typing import Self, final

from tickwire.decode._walk import Walker

@final
class Performer:
    def __new__(cls, walker: Walker) -> Self: ...
