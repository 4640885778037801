from typing import Self, final

from tickwire.decode._steps import Steps

@final
class Learner:
    def __new__(cls, steps: Steps) -> Self: ...
