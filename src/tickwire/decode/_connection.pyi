from collections.abc import Mapping

from typing_extensions import disjoint_base

from tickwire.wire import Handler

@disjoint_base
class Connection(Handler):
    """One connection: its number, its labels, when data came, messages for the session."""

    @property
    def conn(self) -> int: ...
    has_ended: bool
    @property
    def first_message_ns(self) -> int:
        """ts_recv of the first data message, 0 before it."""
    @property
    def last_message_ns(self) -> int:
        """ts_recv of the last data message, 0 before the first."""
    def __init__(self, conn: int, labels: Mapping[int, int] | None = None) -> None: ...
    def take_events(self) -> list[tuple[str, bytes]]:
        """Messages for the session since the last call: (kind, payload)."""
