"""Draft of the decoder's face; the compiled part follows."""

from collections.abc import Mapping, Sequence

from tickwire.decode.plan import Message
from tickwire.observe import Histogram
from tickwire.ring import Admission, Dictionaries, Ring
from tickwire.schema import Table
from tickwire.wire import Handler

class Program:
    """Messages of a venue, compiled for one source."""

    def __init__(
        self,
        venue: str,
        messages: Sequence[Message],
        tables: Mapping[str, Table],
        *,
        wanted: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None: ...

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
        quarantine: Ring | None = None,
        admission: Admission | None = None,
        read_to_ring: Histogram | None = None,
        max_messages: int = 0,
        hold_bytes: int = 67_108_864,
    ) -> None: ...
    @property
    def messages(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def unknown_messages(self) -> int: ...
    @property
    def unrequested_messages(self) -> int: ...
    @property
    def errors(self) -> dict[str, int]: ...
    def connection(
        self, conn: int, *, labels: Mapping[str, str] | None = None
    ) -> ConnectionDecoder: ...
    def decode_as(
        self, message: str, payload: bytes, *, symbol: str, ts_recv: int, conn: int
    ) -> bool:
        """Decode a REST answer by the `snapshot` message of that name; publishes its rows."""
    def replay_held(self, symbol: str) -> int:
        """Offer the messages held for a symbol again, in order; gives how many gave rows."""
    def drop_held(self, symbol: str) -> int: ...

class ConnectionDecoder(Handler):
    """The handler of one connection."""

    conn: int
    first_message_ns: int  # ts_recv of the first data message, 0 before it
    last_message_ns: int  # ts_recv of the last data message, 0 before the first
    def decode(
        self, payload: bytes | memoryview, ts_recv: int, mono: int | None = None
    ) -> bool:
        """Decode and publish one message outside a carrier; False where the ring had no room."""
    def begin(self, ts_recv: int, mono: int) -> None: ...
    def offer(self, payload: bytes | memoryview) -> int: ...
    def end(self) -> None: ...
    def take_events(self) -> list[tuple[str, bytes]]:
        """Messages for the session since the last call: (kind, payload)."""
