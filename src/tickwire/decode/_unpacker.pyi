from typing import Literal, Self, final

@final
class Unpacker:
    def __new__(cls, most: int) -> Self: ...
    def unpacked(
        self, text: bytes, form: Literal["deflate", "zlib", "gzip"], most: int
    ) -> bytes: ...
