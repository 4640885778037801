from typing import Self, final

from tickwire.decode._stage import Stage
from tickwire.ring import Dictionaries

@final
class Walker:
    def __new__(cls, stage: Stage, dictionaries: Dictionaries) -> Self: ...
