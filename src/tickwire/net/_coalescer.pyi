"""Rests between reads, so that one read brings what would have been several."""

import asyncio
from typing import final

from tickwire.observe import Histogram

@final
class RestTimer:
    """Ends the rests of connections of one loop; get it by `timer_of`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rest_ns: int) -> None: ...
    @property
    def rest_ns(self) -> int: ...
    def due(self) -> None: ...

@final
class Coalescer:
    """Decides after each read of a connection whether its socket rests."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        rest_us: int | None = None,
        reader: object = None,
        rests: Histogram | None = None,
    ) -> None: ...
    def end(self) -> None: ...
    @property
    def rest_us(self) -> int: ...
