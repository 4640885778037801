"""WebSocket frames as a server sends them, RFC 6455 section 5.2, built apart from `tickwire.wire`.

The simulator tests the feed handler, so the two share no code that could be wrong in both.
"""

from __future__ import annotations

TEXT = 0x81  # FIN and opcode 1
_SHORT = tuple(bytes((TEXT, n)) for n in range(126))


def text_frame(payload: bytes) -> bytes:
    """Build a text frame without a mask, as section 5.1 asks of a server."""
    n_bytes = len(payload)
    if n_bytes < 126:
        return _SHORT[n_bytes] + payload
    if n_bytes < 65536:
        return b"\x81\x7e" + n_bytes.to_bytes(2, "big") + payload
    return b"\x81\x7f" + n_bytes.to_bytes(8, "big") + payload
