from typing import Self, final

from tickwire.decode._general import General
from tickwire.decode._stage import Stage
from tickwire.ring import Dictionaries

@final
class Walker(General):
    def __new__(cls, stage: Stage, dictionaries: Dictionaries) -> Self: ...
    @property
    def cached_levels(self) -> int: ...

def _force_simd_level(level: str | None) -> bool: ...
