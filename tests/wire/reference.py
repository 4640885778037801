"""A slow RFC 6455 reader for whole byte strings, written from the RFC, to compare with."""

from __future__ import annotations

import codecs
import itertools
import struct

Event = tuple[int, bytes]

RESERVED_BITS = (1002, "5.2")
RESERVED_OPCODE = (1002, "5.2")
BAD_MASK = (1002, "5.1")
BAD_CONTROL = (1002, "5.5")
BAD_LENGTH = (1002, "5.2")
BAD_FRAGMENTS = (1002, "5.4")
TOO_BIG = (1009, "10.4")
NOT_TEXT = (1007, "8.1")
CLOSE_TOO_SHORT = (1002, "5.5.1")
BAD_CLOSE_CODE = (1002, "7.4")
REASON_NOT_TEXT = (1007, "5.5.1")


class FaultError(Exception):
    """The fault as (close code, section)."""


def unmask(payload: bytes, key: bytes) -> bytes:
    return bytes(byte ^ k for byte, k in zip(payload, itertools.cycle(key), strict=False))


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read(
    data: bytes, *, server: bool, limit: int, in_place_limit: int
) -> tuple[list[Event], tuple[int, str] | None]:
    """All events of `data`, and the fault that ends it, if one does."""
    events: list[Event] = []
    try:
        _read(data, events, server=server, limit=limit, in_place_limit=in_place_limit)
    except FaultError as fault:
        code, section = fault.args
        return events, (code, section)
    return events, None


def _read(
    data: bytes, events: list[Event], *, server: bool, limit: int, in_place_limit: int
) -> None:
    position = 0
    message_opcode = 0
    parts = b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while len(data) - position >= 2:
        first, second = data[position : position + 2]
        fin, rsv, opcode = first >> 7, (first >> 4) & 7, first & 15
        masked, length = second >> 7, second & 127
        if rsv:
            raise FaultError(*RESERVED_BITS)
        if opcode not in (0, 1, 2, 8, 9, 10):
            raise FaultError(*RESERVED_OPCODE)
        if opcode >= 8 and (not fin or length > 125):
            raise FaultError(*BAD_CONTROL)
        if (opcode == 0 and not message_opcode) or (opcode in (1, 2) and message_opcode):
            raise FaultError(*BAD_FRAGMENTS)
        if masked != server:
            raise FaultError(*BAD_MASK)
        position += 2
        if length >= 126:
            width, least = (2, 126) if length == 126 else (8, 65536)
            if len(data) - position < width:
                return
            (length,) = struct.unpack_from("!H" if width == 2 else "!Q", data, position)
            position += width
            if length < least or length >= 1 << 63:
                raise FaultError(*BAD_LENGTH)
        if length > limit or (opcode < 8 and length + len(parts) > limit):
            raise FaultError(*TOO_BIG)
        key = b"\0\0\0\0"
        if masked:
            key = data[position : position + 4]
            if len(key) < 4:
                return
            position += 4
        payload = unmask(data[position : position + length], key)
        whole = len(payload) == length
        position += length
        if opcode >= 8:
            if whole:
                if opcode == 8:
                    _check_close(payload)
                events.append((opcode, payload))
            if not whole or opcode == 8:
                return
            continue
        if fin and opcode and length <= in_place_limit:
            if not whole:
                return
            if opcode == 1 and not is_utf8(payload):
                raise FaultError(*NOT_TEXT)
            events.append((opcode, payload))
            continue
        if opcode:
            message_opcode, parts = opcode, b""
            decoder.reset()
        parts += payload
        if message_opcode == 1:
            try:
                decoder.decode(payload, final=bool(fin and whole))
            except UnicodeDecodeError:
                raise FaultError(*NOT_TEXT) from None
        if not whole:
            return
        if fin:
            events.append((message_opcode, parts))
            message_opcode, parts = 0, b""


def _check_close(payload: bytes) -> None:
    if len(payload) == 1:
        raise FaultError(*CLOSE_TOO_SHORT)
    if payload:
        (code,) = struct.unpack("!H", payload[:2])
        named = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
        if code not in named and not 3000 <= code <= 4999:
            raise FaultError(*BAD_CLOSE_CODE)
        if not is_utf8(payload[2:]):
            raise FaultError(*REASON_NOT_TEXT)
