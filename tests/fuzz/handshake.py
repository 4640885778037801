"""The answer to the opening handshake: alike for all cuts, and never laxer than websockets."""

from __future__ import annotations

from tests.fuzz.frames import cut
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from tickwire.errors import HandshakeError
from tickwire.wire import HandshakeResponse
from tickwire.wire.handshake import MAX_HEADER_BYTES

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 section 1.3
URI = parse_uri("ws://localhost/")


def handshake(data: bytes) -> None:
    """An answer and what follows it."""
    if not data:
        return
    seed, text = data[0], data[1:]
    outcomes = [outcome(text, seed=0), outcome(text, seed=seed)]
    # With all at hand more of a refusal's body may be shown; the rest must agree.
    assert outcomes[0][:3] == outcomes[1][:3]
    is_open, headers, rest, _ = outcomes[0]
    if not is_open:
        return
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


def outcome(text: bytes, seed: int) -> tuple[bool, object, bytes, str]:
    """Whether it opens the connection; its headers, or the status of the refusal; the rest."""
    response = HandshakeResponse(KEY, subprotocols=["chat"])
    try:
        is_open = False
        for piece in cut(text, seed):
            is_open = response.receive(piece)
        if not is_open:
            assert len(text) < MAX_HEADER_BYTES + 2048, "waits without a bound"
            response.receive_eof()
    except HandshakeError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 1000
        return False, error.status, b"", message
    return True, response.headers, response.rest, ""
