from typing import final

from tickwire.book._nbbo import NbboOutput
from tickwire.ring._ring import Ring

@final
class BookOutputs:
    """Write what books show."""

    def __init__(
        self,
        top: Ring,
        depth_ring: Ring | None,
        *,
        depth: int = 0,
        interval_ns: int = 1,
        nbbo: NbboOutput | None = None,
    ) -> None: ...
    @property
    def top(self) -> Ring: ...
    @property
    def depth_ring(self) -> Ring | None: ...
    @property
    def nbbo(self) -> NbboOutput | None: ...
    @property
    def held_by(self) -> Ring | None: ...
