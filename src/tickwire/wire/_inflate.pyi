from typing import Literal, Self, final

@final
class Inflater:
    def __new__(
        cls,
        limit: int,
        *,
        form: Literal["message", "deflate", "zlib", "gzip"] = "message",
        keep_context: bool = True,
        window_bits: int = 15,
    ) -> Self: ...
    @property
    def allocated_bytes(self) -> int: ...
    def decompress(self, data: bytes | bytearray | memoryview) -> bytes: ...
