from typing import Self, final

@final
class StreamedMessage:
    def __new__(cls, limit: int) -> Self: ...

def _force_simd_level(level: str | None) -> bool: ...
