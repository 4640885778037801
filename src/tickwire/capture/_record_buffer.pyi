"""The memory between the event loop, which records, and the thread that writes recordings."""

from typing import final

from typing_extensions import Buffer

@final
class RecordBuffer:
    """A bounded queue of rows of a recording."""

    is_suspended: bool
    def __init__(self, n_bytes: int = 67_108_864) -> None: ...
    @property
    def n_messages(self) -> int: ...
    @property
    def n_message_bytes(self) -> int: ...
    @property
    def n_dropped_messages(self) -> int: ...
    @property
    def n_dropped_bytes(self) -> int: ...
    @property
    def waiting(self) -> int:
        """Rows that the writer may take."""
    @property
    def waiting_bytes(self) -> int:
        """Bytes of their payloads, and of what was left out between them; for the writer."""
    def add(
        self,
        kind: int,
        payload: Buffer,
        *,
        opcode: int = 0,
        conn: int = -1,
        origin: int = -1,
        read: int = 0,
        recv_ns: int = 0,
        mono_ns: int = 0,
    ) -> bool:
        """Add a row that is no message of the hot path, and publish; in the loop's thread."""
    def end(self) -> None:
        """Add the row that says what was dropped, where something was; at the end of a feed."""
    def take(
        self, max_bytes: int
    ) -> (
        tuple[
            int,
            int,
            memoryview,
            memoryview,
            memoryview,
            memoryview,
            memoryview,
            memoryview,
            memoryview,
            bytes,
            memoryview,
        ]
        | None
    ):
        """Give the oldest rows, without a copy: they stay until `release`."""
    def release(self, n: int) -> None:
        """Let the loop have the memory of the n oldest rows."""
