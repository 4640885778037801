"""A source's decoder, and the handler that each of its connections has."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

from typing_extensions import Buffer, disjoint_base

from tickwire.decode._connection import Connection
from tickwire.decode.contract import QuarantineTable
from tickwire.decode.program import Program
from tickwire.observe import Histogram, Metrics
from tickwire.ring import Admission, Dictionaries, Ring

@final
class MessageLimit:
    """How many data messages are taken, counted over all decoders that share it."""

    def __init__(self, most: int = 0) -> None: ...
    @property
    def most(self) -> int: ...
    @property
    def taken(self) -> int: ...
    @property
    def spent(self) -> bool: ...

@final
class Decoder:
    """Decodes the messages of one source into the rings of its feed."""

    def __init__(
        self,
        program: Program,
        rings: Mapping[str, Ring],
        dictionaries: Dictionaries,
        *,
        venue: str,
        symbols: Sequence[str] = ("*",),
        quarantine: QuarantineTable | None = None,
        admission: Admission | None = None,
        read_to_ring: Histogram | None = None,
        limit: MessageLimit | None = None,
        hold_bytes: int = 67_108_864,
        metrics: Metrics | None = None,
    ) -> None: ...
    @property
    def program(self) -> Program: ...
    @property
    def messages(self) -> int: ...
    @property
    def unknown_messages(self) -> int: ...
    @property
    def unrequested_messages(self) -> int: ...
    @property
    def held_bytes(self) -> int: ...
    @property
    def held_dropped(self) -> int: ...
    @property
    def n_draining(self) -> int:
        """Symbols whose held messages wait for `release_held`."""
    @property
    def errors(self) -> dict[str, int]: ...
    @property
    def scripted(self) -> dict[str, int]: ...
    @property
    def cached_levels(self) -> int:
        """Levels whose text was known from a message before."""
    @property
    def unconfigured_rows(self) -> dict[str, int]:
        """Rows of symbols that the source does not name, by table; none of them was written."""
    def connection(
        self, conn: int, *, labels: Mapping[str, str] | None = None
    ) -> ConnectionDecoder: ...
    def decode_as(
        self, message: str, payload: Buffer, *, symbol: str, ts_recv: int, conn: int
    ) -> bool:
        """Decode a REST answer by the `snapshot` message of that name; publishes its rows."""
    def replay_held(self, symbol: str) -> int:
        """Offer the messages held for a symbol again, in order; gives how many gave rows."""
    def release_held(self) -> bool:
        """Let in what `replay_held` found no room for; False where it still finds none."""
    def after_release(self, symbol: str, then: Callable[[], object]) -> None:
        """Call `then` once nothing of a symbol waits for room, before the next message."""
    def drop_unreleased(self) -> list[tuple[str, int, int, int]]:
        """Forget what waits for room: symbol, connection, first and last ts_recv of each."""
    def drop_held(self, symbol: str) -> int: ...

@disjoint_base
class ConnectionDecoder(Connection):
    """The handler of one connection."""

    @property
    def decoder(self) -> Decoder: ...
    def __init__(
        self, decoder: Decoder, conn: int, labels: Mapping[str, str] | None = None
    ) -> None: ...
    def decode(self, payload: Buffer, ts_recv: int, mono: int | None = None) -> bool:
        """Decode and publish one message outside a carrier; False where a ring has no room."""
