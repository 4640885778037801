from typing import Self, final

@final
class Deflater:
    def __new__(
        cls, *, keep_context: bool = True, window_bits: int = 15, level: int = 6
    ) -> Self: ...
    def compress(self, data: bytes | bytearray | memoryview) -> bytes: ...
