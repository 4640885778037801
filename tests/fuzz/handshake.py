"""The answer to the opening handshake: alike for all cuts, and never laxer than websockets.

What it says of extensions is judged as websockets judges it, for every input that gets so far, with
an offer of permessage-deflate that the first byte chooses. Known differences, on purpose:

- A field of extensions that names none is no extension (RFC 9110 section 5.6.1.2); websockets
  refuses it.
- A client's window of 8 bits is taken: tickwire then sends uncompressed. websockets refuses it, as
  zlib cannot deflate with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from tests.fuzz.frames import cut
from tests.wire.test_compression import as_deflate, theirs
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeaderFormat, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import parse_extension
from websockets.uri import parse_uri

from tickwire.errors import HandshakeError
from tickwire.wire import Deflate, DeflateOffer, HandshakeResponse
from tickwire.wire import handshake as handshake_module
from tickwire.wire.handshake import MAX_BODY_BYTES, MAX_HEADER_BYTES

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 section 1.3
URI = parse_uri("ws://localhost/")
MOST_CUT_BYTES = 64
LIMITS = (MAX_HEADER_BYTES, 300)
# What the request offers, chosen by bits 3 to 6 of the first byte.
OFFERS = (
    None,
    DeflateOffer(),
    DeflateOffer(server_no_context_takeover=True),
    DeflateOffer(client_no_context_takeover=True),
    DeflateOffer(server_no_context_takeover=True, client_no_context_takeover=True),
    DeflateOffer(server_max_window_bits=8),
    DeflateOffer(server_max_window_bits=10),
    DeflateOffer(server_max_window_bits=15),
    DeflateOffer(client_max_window_bits=False),
    DeflateOffer(client_max_window_bits=9),
    DeflateOffer(client_max_window_bits=12),
    DeflateOffer(client_max_window_bits=15),
    DeflateOffer(server_max_window_bits=9, client_max_window_bits=9),
    DeflateOffer(server_max_window_bits=15, client_max_window_bits=False),
    DeflateOffer(server_no_context_takeover=True, client_max_window_bits=False),
    DeflateOffer(
        server_no_context_takeover=True,
        client_no_context_takeover=True,
        server_max_window_bits=12,
        client_max_window_bits=12,
    ),
)
REFUSED_EXTENSIONS = (
    "the server uses extensions that were not offered",
    "the server answered the offer of compression wrongly",
)


class Outcome(NamedTuple):
    """Whether it opens the connection; its headers, or the status of a refusal; and the rest."""

    is_open: bool
    headers: list[tuple[str, str]]
    status: int | None
    agreed: Deflate | None
    rest: bytes
    message: str


class Client(ClientProtocol):
    """Takes any extensions: they have been compared already, and it refuses some that are right."""

    def process_extensions(self, headers: Headers) -> list[Extension]:
        """Agree on none."""
        return []


def cut_anyhow(data: bytes) -> Outcome | None:
    """An answer and what follows it, in one piece and in others."""
    if not data:
        return None
    seed, text = data[0], data[1:]
    return alike(text, cut(text, seed), seed)


def cut_somewhere(data: bytes) -> None:
    """The same, but of a long answer only some bytes in a row are cut as the seed says."""
    if not data:
        return
    seed, text = data[0], data[1:]
    start = zlib.crc32(data) % max(len(text) - MOST_CUT_BYTES, 1)
    end = start + MOST_CUT_BYTES
    pieces = [text[:start], *cut(text[start:end], seed), text[end:]]
    alike(text, pieces, seed)


def alike(text: bytes, pieces: list[bytes], seed: int) -> Outcome:
    """An answer in one piece, after a look whether it means the same in these."""
    offer = OFFERS[seed >> 3 & 15]
    try:
        handshake_module.MAX_HEADER_BYTES = LIMITS[seed >> 7]
        outcomes = [outcome(each, len(text), offer) for each in ([text], pieces)]
    finally:
        handshake_module.MAX_HEADER_BYTES = MAX_HEADER_BYTES
    # With all at hand more of a refusal's body may be shown; the rest must agree.
    assert outcomes[0][:-1] == outcomes[1][:-1]
    check_extensions(text, offer, outcomes[0])
    return outcomes[0]


def handshake(data: bytes) -> None:
    """The same, and what websockets makes of an answer that is taken."""
    found = cut_anyhow(data)
    if found is None or not found.is_open:
        return
    text = data[1:]
    if ("connection", "") in found.headers:
        return  # a list without elements, which websockets refuses (RFC 9110 section 5.6.1.2)
    # It does not know interim answers: the last header is what follows the last empty line.
    header = text[: len(text) - len(found.rest)]
    _, _, last = header.removesuffix(b"\r\n\r\n").rpartition(b"\r\n\r\n")
    protocol = Client(URI, subprotocols=["chat"])
    protocol.key = KEY
    protocol.receive_data(last + b"\r\n\r\n")
    (response,) = protocol.events_received()
    assert protocol.handshake_exc is None, protocol.handshake_exc
    assert [(name.lower(), value) for name, value in response.headers.raw_items()] == found.headers


def outcome(pieces: list[bytes], n_bytes: int, offer: DeflateOffer | None) -> Outcome:
    """What is made of an answer in pieces, the last of which is followed by the end."""
    response = HandshakeResponse(KEY, subprotocols=["chat"], compression=offer)
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
        return Outcome(False, [], error.status, None, b"", message)
    return Outcome(True, response.headers, 101, response.compression, response.rest, "")


def check_extensions(text: bytes, offer: DeflateOffer | None, found: Outcome) -> None:
    """Compare what was made of the fields of extensions, where the answer was right until there."""
    if not found.is_open and not found.message.startswith(REFUSED_EXTENSIONS):
        return
    # Interim answers come before it.
    block = next(each for each in text.split(b"\r\n\r\n") if each.startswith(b"HTTP/1.1 101"))
    fields = [line.partition(b":") for line in block.split(b"\r\n")[1:]]
    values = [
        value.strip(b" \t").decode("latin-1")
        for name, _, value in fields
        if name.lower() == b"sec-websocket-extensions"
    ]
    is_agreed, agreed = negotiated(offer, values)
    assert found.is_open == is_agreed, (values, found.message)
    assert found.agreed == agreed, values


def negotiated(offer: DeflateOffer | None, values: Sequence[str]) -> tuple[bool, Deflate | None]:
    """Whether websockets takes these fields, but for the differences above, and as what."""
    agreed: list[Deflate] = []
    try:
        named = [each for value in values if value.strip(" \t,") for each in parse_extension(value)]
        for name, parameters in named:
            if offer is None or name != ClientPerMessageDeflateFactory.name or agreed:
                return False, None
            agreed.append(accepted(offer, parameters))
    except (InvalidHeaderFormat, NegotiationError):
        return False, None
    return True, agreed[0] if agreed else None


factory = cache(theirs)


def accepted(offer: DeflateOffer, parameters: Sequence[tuple[str, str | None]]) -> Deflate:
    """What websockets takes an answer of permessage-deflate for; a client's window may be of 8."""
    changed = [
        (name, "9" if (name, value) == ("client_max_window_bits", "8") else value)
        for name, value in parameters
    ]
    agreed = as_deflate(factory(offer).process_response_params(changed, []))
    if changed == list(parameters):
        return agreed
    return replace(agreed, client_max_window_bits=8)


def check_lines(text: bytes) -> None:
    """Nothing more is waited for where a line has ended wrongly; a last CR may get its LF."""
    rest = text.replace(b"\r\n", b"")
    assert b"\n" not in rest
    assert b"\r" not in rest[:-1]
