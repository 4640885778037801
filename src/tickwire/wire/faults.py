"""What a peer can do wrong, in the order of `Fault` in ext/tickwire/wire/_parser.pxd."""

from __future__ import annotations

from typing import NamedTuple


class FaultText(NamedTuple):
    """How a fault is reported.

    Parameters
    ----------
    reason
        What the peer did.
    close_code
        The code to close with, RFC 6455 section 7.4.1.
    section
        The section that it broke.
    rfc
        The number of the RFC.
    """

    reason: str
    close_code: int
    section: str
    rfc: int = 6455


PROTOCOL_ERROR = 1002
INVALID_DATA = 1007
TOO_BIG = 1009

FAULTS: tuple[FaultText, ...] = (
    FaultText("no fault", 1000, ""),
    FaultText("reserved bits set that no agreed extension allows there", PROTOCOL_ERROR, "5.2"),
    FaultText("frame with a reserved opcode", PROTOCOL_ERROR, "5.2"),
    FaultText("masked frame from a server", PROTOCOL_ERROR, "5.1"),
    FaultText("unmasked frame from a client", PROTOCOL_ERROR, "5.1"),
    FaultText("fragmented control frame", PROTOCOL_ERROR, "5.5"),
    FaultText("control frame with more than 125 bytes", PROTOCOL_ERROR, "5.5"),
    FaultText("payload length not in its shortest form", PROTOCOL_ERROR, "5.2"),
    FaultText("payload length with its highest bit set", PROTOCOL_ERROR, "5.2"),
    FaultText("continuation frame without a message to continue", PROTOCOL_ERROR, "5.4"),
    FaultText("new data frame inside a fragmented message", PROTOCOL_ERROR, "5.4"),
    FaultText("frame above the configured largest frame", TOO_BIG, "10.4"),
    FaultText("message above the configured largest message", TOO_BIG, "10.4"),
    FaultText("text that is not UTF-8", INVALID_DATA, "8.1"),
    FaultText("close frame with a payload of one byte", PROTOCOL_ERROR, "5.5.1"),
    FaultText("close frame with a code that must not be sent", PROTOCOL_ERROR, "7.4"),
    FaultText("close reason that is not UTF-8", INVALID_DATA, "5.5.1"),
    FaultText("no memory for the message", TOO_BIG, "10.4"),
    FaultText("compressed message that cannot be inflated", INVALID_DATA, "7.2.2", 7692),
)
