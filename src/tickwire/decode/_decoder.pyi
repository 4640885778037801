"""A source's decoder, and the handler that each of its connections has."""

from collections.abc import Callable, Mapping
from typing import final

from typing_extensions import Buffer, disjoint_base

from tickwire.decode._connection import Connection
from tickwire.decode._decoder_state import DecoderState
from tickwire.decode._legs import Leg, Legs

@final
class Decoder(DecoderState):
    """Decodes the messages of one source into the rings of its feed."""

    def connection(
        self,
        conn: int,
        *,
        labels: Mapping[str, str] | None = None,
        symbol: str | None = None,
    ) -> ConnectionDecoder: ...
    def request_looks(self, on_look: Callable[[str | None, bytes], None]) -> None:
        """Have a message of each kind shown that has to be read as if it was the first one."""

@disjoint_base
class ConnectionDecoder(Connection):
    """The handler of one connection."""

    @property
    def decoder(self) -> Decoder: ...
    @property
    def leg(self) -> Leg | None: ...
    def __init__(
        self, decoder: Decoder, conn: int, labels: Mapping[str, str] | None = None
    ) -> None: ...
    def decode(self, payload: Buffer, ts_recv: int, mono: int | None = None) -> bool:
        """Decode and publish one message outside a carrier; False where a ring is full."""
    def join(self, legs: Legs, number: int, *, is_complete: bool = True) -> None:
        """Be a leg from now on: what another leg has brought is left out."""
    def leave(self) -> None:
        """Be no leg any more."""
