from typing import Self

from typing_extensions import disjoint_base

from tickwire.decode._stage import Stage
from tickwire.ring import Dictionaries

@disjoint_base
class General:
    def __new__(cls, stage: Stage, dictionaries: Dictionaries) -> Self: ...
