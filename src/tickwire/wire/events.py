"""What `FrameParser.receive` and `MessageQueue` give."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """A whole data message, its fragments put together.

    Parameters
    ----------
    opcode
        1 for text, 2 for binary.
    payload
        Its bytes, unmasked; those of text are valid UTF-8.
    """

    opcode: int
    payload: bytes


class Control(NamedTuple):
    """A control frame.

    Parameters
    ----------
    opcode
        8 for close, 9 for ping, 10 for pong.
    payload
        At most 125 bytes, unmasked; a close has its code in the first two.
    """

    opcode: int
    payload: bytes
