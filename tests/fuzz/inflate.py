"""Compressed messages: the inflater against Python's zlib, and frames against websockets."""

from __future__ import annotations

import gzip
import zlib

from tests.fuzz.frames import (
    CLOSE,
    MAX_STREAM_BYTES,
    fed,
    of_websockets,
    received,
)
from websockets.extensions.permessage_deflate import PerMessageDeflate

from tickwire.errors import DecodeError
from tickwire.wire import FrameParser, Inflater

TAIL = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.2
BETWEEN = b"\xff\x00\xff"
FORMS = ("message", "deflate", "gzip")
LIMITS = (1 << 20, 100)


def inflate(data: bytes) -> None:
    """Messages of any form, one after the other through the same inflater."""
    if not data:
        return
    way = data[0]
    form = FORMS[way % len(FORMS)]
    limit = LIMITS[way >> 2 & 1]
    keep_context = bool(way & 8)
    inflater = Inflater(limit, form=form, keep_context=keep_context)
    reference = zlib.decompressobj(-15)
    for message in data[1:].split(BETWEEN):
        found, reason = inflated(inflater, message)
        assert inflater.allocated_bytes <= limit + 1
        if found is not None:
            assert len(found) <= limit
        if form == "gzip":
            check_gzip(message, found, reason, limit)
            continue
        if not message and form == "message":
            assert reason == "inflate"  # RFC 7692 section 7.2.3.6 wants a byte
            return
        if not keep_context or form == "deflate":
            reference = zlib.decompressobj(-15)
        # The end of a raw stream may be missing.
        tail = b"" if form == "deflate" else TAIL
        try:
            expected = reference.decompress(message + tail)
        except zlib.error:
            expected = None
        if found is not None:
            # A final block ends what zlib reads; RFC 7692 section 7.2.3.4 lets more follow.
            assert expected is not None
            assert found.startswith(expected) if reference.eof else found == expected
        elif expected is not None:
            # Only the limit, or an end in the middle of a block, may be the reason.
            assert reason == "inflate" or reference.eof or len(expected) > limit
        if found is None or reference.eof:
            return


def inflated(inflater: Inflater, message: bytes) -> tuple[bytes | None, str]:
    """A message, or why there is none."""
    try:
        return inflater.decompress(message), ""
    except DecodeError as error:
        return None, error.reason


def check_gzip(message: bytes, found: bytes | None, reason: str, limit: int) -> None:
    """Compare with the standard library, which lets zeros follow."""
    try:
        expected = gzip.decompress(message)
    except (OSError, EOFError, zlib.error):
        expected = None
    if found is not None:
        assert found == expected
    elif expected is not None and message and not message.endswith(b"\x00"):
        assert reason == "too_big"
        assert len(expected) > limit


def compressed(data: bytes) -> None:
    """A stream of frames of which some are compressed, any cuts."""
    if len(data) < 2:
        return
    way, seed, stream = data[0], data[1], data[2 : 2 + MAX_STREAM_BYTES]
    server, keep_context = bool(way & 1), bool(way & 2)
    limit = LIMITS[way >> 2 & 1]

    def parser() -> FrameParser:
        made = FrameParser(
            "server" if server else "client",
            max_message=limit,
            in_place_limit=125 if way & 8 else 131_072,
        )
        made.use_deflate(keep_context=keep_context, window_bits=15)
        return made

    events, fault = received(parser(), stream, 0)
    assert received(parser(), stream, seed) == (events, fault)
    messages = [event for event in events if event[0] < CLOSE]
    assert fed(parser(), stream, seed) == (messages, fault)
    assert all(len(payload) <= limit for _, payload in messages)
    if not keep_context or limit == min(LIMITS):
        return
    extension = PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=15,
        local_max_window_bits=15,
    )
    others, is_fault = of_websockets(stream, server=server, limit=limit, extensions=[extension])
    if extension.decoder.eof:
        return  # nor does it take what follows a final block
    n_same = min(len(others), len(events))
    assert others[:n_same] == events[:n_same]
    if fault is None:
        assert not is_fault
