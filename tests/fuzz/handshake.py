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


Outcome = tuple[bool, object, bytes, str]


def cut_anyhow(data: bytes) -> Outcome | None:
    """An answer and what follows it, in one piece and in others."""
    if not data:
        return None
    seed, text = data[0], data[1:]
    outcomes = [outcome(text, seed=0), outcome(text, seed=seed)]
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


def outcome(text: bytes, seed: int) -> Outcome:
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
