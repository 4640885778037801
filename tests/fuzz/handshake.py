"""The answer to the opening handshake: alike for all cuts, and never laxer than websockets."""

from __future__ import annotations

import zlib

from tests.fuzz.frames import cut
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from tickwire.errors import HandshakeError
from tickwire.wire import HandshakeResponse
from tickwire.wire import handshake as handshake_module
from tickwire.wire.handshake import MAX_BODY_BYTES, MAX_HEADER_BYTES

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 section 1.3
URI = parse_uri("ws://localhost/")
MOST_CUT_BYTES = 64
LIMITS = (MAX_HEADER_BYTES, 300)

Outcome = tuple[bool, object, bytes, str]


def cut_anyhow(data: bytes) -> Outcome | None:
    """An answer and what follows it, in one piece and in others."""
    if not data:
        return None
    seed, text = data[0], data[1:]
    return alike(text, cut(text, seed), LIMITS[seed >> 7])


def cut_somewhere(data: bytes) -> None:
    """The same, but of a long answer only some bytes in a row are cut as the seed says."""
    if not data:
        return
    seed, text = data[0], data[1:]
    start = zlib.crc32(data) % max(len(text) - MOST_CUT_BYTES, 1)
    end = start + MOST_CUT_BYTES
    pieces = [text[:start], *cut(text[start:end], seed), text[end:]]
    alike(text, pieces, LIMITS[seed >> 7])


def alike(text: bytes, pieces: list[bytes], limit: int) -> Outcome:
    """An answer in one piece, after a look whether it means the same in these."""
    try:
        handshake_module.MAX_HEADER_BYTES = limit
        outcomes = [outcome(each, len(text)) for each in ([text], pieces)]
    finally:
        handshake_module.MAX_HEADER_BYTES = MAX_HEADER_BYTES
    # With all at hand more of a refusal's body may be shown; the rest must agree.
    assert outcomes[0][:3] == outcomes[1][:3]
    return outcomes[0]


def handshake(data: bytes) -> None:
    """The same, and what websockets makes of an answer that is taken."""
    found = cut_anyhow(data)
    if found is None or not found[0]:
        return
    _, headers, rest, _ = found
    text = data[1:]
    assert isinstance(headers, list)
    if ("connection", "") in headers:
        return  # a list without elements, which websockets refuses (RFC 9110 section 5.6.1.2)
    # It does not know interim answers: the last header is what follows the last empty line.
    header = text[: len(text) - len(rest)]
    _, _, last = header.removesuffix(b"\r\n\r\n").rpartition(b"\r\n\r\n")
    protocol = ClientProtocol(URI, subprotocols=["chat"])
    protocol.key = KEY
    protocol.receive_data(last + b"\r\n\r\n")
    (response,) = protocol.events_received()
    assert protocol.handshake_exc is None, protocol.handshake_exc
    assert [(name.lower(), value) for name, value in response.headers.raw_items()] == headers


def outcome(pieces: list[bytes], n_bytes: int) -> Outcome:
    """Whether it opens the connection; its headers, or the status of the refusal; the rest."""
    response = HandshakeResponse(KEY, subprotocols=["chat"])
    limit = handshake_module.MAX_HEADER_BYTES
    try:
        is_open = False
        for piece in pieces:
            is_open = response.receive(piece)
        if not is_open:
            assert n_bytes < limit + MAX_BODY_BYTES, "waits without a bound"
            response.receive_eof()
    except HandshakeError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 600
        if message.startswith("the server closed the connection"):
            assert n_bytes <= limit, "waits for the end of a header that is too long"
            check_lines(b"".join(pieces))
        return False, error.status, b"", message
    return True, response.headers, response.rest, ""


def check_lines(text: bytes) -> None:
    """Nothing more is waited for where a line has ended wrongly; a last CR may get its LF."""
    rest = text.replace(b"\r\n", b"")
    assert b"\n" not in rest
    assert b"\r" not in rest[:-1]
