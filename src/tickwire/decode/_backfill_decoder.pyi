"""REST answers of trades that were missed: decoded into a source's rings."""

from typing import final

from typing_extensions import Buffer

from tickwire.decode._walk import Walker
from tickwire.decode.program import Program
from tickwire.ring import Dictionary

@final
class BackfillDecoder:
    """The part of a source's decoder that takes trades which were missed."""

    def __init__(
        self, walker: Walker, program: Program, symbols: Dictionary, venue: str, venue_code: int
    ) -> None: ...
    def memory_of(self, message: str) -> int:
        """Give the number of the memory of `Decoder.seen` for an answer's trades."""
    def take(
        self,
        message: str,
        payload: Buffer,
        *,
        symbol: str,
        ts_recv: int,
        conn: int,
        remember: bool = False,
    ) -> tuple[int, int | None, int | None] | None:
        """Decode an answer, and publish its rows; None where a ring is full."""
