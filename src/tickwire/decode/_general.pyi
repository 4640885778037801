from typing import Self

from tickwire.decode._stage import Stage
from tickwire.ring import Dictionaries

class General:
    def __new__(cls, stage: Stage, dictionaries: Dictionaries) -> Self: ...
