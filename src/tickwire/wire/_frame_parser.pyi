from typing import Self, final

from tickwire.wire._handler import Handler
from tickwire.wire._parser import Parser
from tickwire.wire.events import Control, Message

@final
class FrameParser(Parser):
    def __new__(
        cls,
        role: str = "client",
        *,
        max_frame: int = 16_777_216,
        max_message: int = 16_777_216,
        in_place_limit: int = 131_072,
    ) -> Self: ...
    def feed_buffer(self, buffer: bytearray | memoryview, handler: Handler) -> int: ...
    def receive(self, data: bytes | bytearray | memoryview) -> list[Message | Control]: ...
    def take_events(self) -> list[Message | Control]: ...
    def raise_error(self) -> None: ...
