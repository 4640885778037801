def build_frame(
    opcode: int,
    payload: bytes | bytearray | memoryview = b"",
    *,
    fin: bool = True,
    mask: bool = True,
    rsv: int = 0,
    key: bytes | None = None,
) -> bytes: ...
def build_close(
    code: int | None = 1000,
    reason: str = "",
    *,
    mask: bool = True,
    key: bytes | None = None,
) -> bytes: ...
