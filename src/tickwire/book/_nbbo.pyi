from collections.abc import Mapping
from typing import final

from tickwire.ring._ring import Ring

SIDES: tuple[str, ...]
UNNAMED: str

PERPETUAL: str

@final
class NbboOutput:
    """Write the best prices of instruments."""

    def __init__(self, ring: Ring, instruments: Mapping[tuple[str, str], str]) -> None: ...
    @property
    def ring(self) -> Ring: ...
