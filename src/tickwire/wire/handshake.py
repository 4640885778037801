"""The opening handshake of a client: RFC 6455 section 4.1, with HTTP as RFC 9110 and 9112 have it.

Strict where a lenient reader could be led astray: lines end in CR LF, no folded lines, no control
characters, the fields that decide stand once. Interim answers (1xx) before the 101 are skipped, as
RFC 9110 section 15.2 demands; their bytes count. Redirects are refused. All reading is bounded.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from hmac import compare_digest

from tickwire.errors import HandshakeError
from tickwire.redaction import hidden, shown_url
from tickwire.wire.compression import (
    Deflate,
    DeflateOffer,
    NegotiationError,
    without_empty_ends,
)
from tickwire.wire.url import WebSocketUrl

MAX_HEADER_BYTES = 16_384
MAX_HEADERS = 100
# Of the body of an error answer: waited for and looked at, and shown.
MAX_BODY_BYTES = 1024
MAX_SHOWN_CHARACTERS = 200

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUS_LINE = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
# A CR at the very end may still get its LF.
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_MARK_UP = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<[^>]*>", re.S | re.I)
_VERSION = b"HTTP/1.1 "
# The handshake's own; what an application adds must not contradict it.
_OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)


def make_key() -> str:
    """Make a new Sec-WebSocket-Key: 16 random bytes in base 64."""
    return base64.b64encode(os.urandom(16)).decode("ascii")


def accept_of(key: str) -> str:
    """Compute the Sec-WebSocket-Accept that answers `key`."""
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def build_request(
    url: WebSocketUrl,
    key: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    compression: DeflateOffer | None = None,
) -> bytes:
    """Build the request that opens a connection.

    Parameters
    ----------
    url
        From `parse_url`.
    key
        From `make_key`.
    headers
        More fields, such as User-Agent, Origin or Authorization.
    subprotocols
        Those that the client speaks, the preferred one first.
    compression
        What to offer of permessage-deflate; None: nothing.

    Returns
    -------
    bytes
        Request line and header.

    Raises
    ------
    ValueError
        If a header or subprotocol has characters that it must not have, is the handshake's own,
        or a subprotocol stands twice.
    """
    lines = [
        f"GET {url.resource} HTTP/1.1",
        f"Host: {url.authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    for subprotocol in subprotocols:
        if not _TOKEN.fullmatch(subprotocol):
            raise ValueError(f"subprotocol {subprotocol!r} is not a token (RFC 9110 section 5.6.2)")
    if len(set(subprotocols)) != len(subprotocols):
        raise ValueError("a subprotocol is offered twice")
    if subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}")
    if compression is not None:
        lines.append(f"Sec-WebSocket-Extensions: {compression.header()}")
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"header name {name!r} is not a token (RFC 9110 section 5.6.2)")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"header {name!r} belongs to the handshake")
        if not _VALUE.fullmatch(value):
            # Not shown: it may be a secret.
            raise ValueError(f"the value of header {name!r} has characters that are not allowed")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class HandshakeResponse:
    """The server's answer, read as its bytes come.

    Parameters
    ----------
    key
        The key of the request.
    subprotocols
        Those that the request offered.
    compression
        What it offered of permessage-deflate.

    Attributes
    ----------
    headers : list of (str, str)
        The fields of the 101, in their order, names in lower case.
    subprotocol : str or None
        What the server chose.
    compression : Deflate or None
        What was agreed on; None: messages are not compressed.
    rest : bytes
        What came after the header: the first frames.
    """

    def __init__(
        self,
        key: str,
        *,
        subprotocols: Sequence[str] = (),
        compression: DeflateOffer | None = None,
    ) -> None:
        self.headers: list[tuple[str, str]] = []
        self.subprotocol: str | None = None
        self.compression: Deflate | None = None
        self.rest = b""
        self._accept = accept_of(key)
        self._offered = tuple(subprotocols)
        self._offer = compression
        self._buffer = bytearray()
        self._block_start = 0
        self._looked_at = 0
        self._refusal: _Refusal | None = None
        self._done = False

    def receive(self, data: bytes) -> bool:
        """Take bytes as they come from the server.

        Parameters
        ----------
        data
            Any number of bytes.

        Returns
        -------
        bool
            Whether the connection is open; what `data` held past the header is then in `rest`.

        Raises
        ------
        HandshakeError
            If the server refused, or its answer is not a right one.
        """
        if self._done:
            self.rest += data
            return True
        self._buffer += data
        while self._refusal is None:
            end = self._find_header_end()
            if end < 0:
                return False
            status, reason, headers = _parse_header(bytes(self._buffer[self._block_start : end]))
            self._block_start = self._looked_at = end
            if status == 101:
                self._accept_101(headers)
                self.rest = bytes(self._buffer[end:])
                self._buffer.clear()
                self._done = True
                return True
            if status >= 200:
                self._refusal = _Refusal(status, reason, headers)
        body = bytes(self._buffer[self._block_start :])
        if self._refusal.is_whole(body):
            raise self._refusal.as_error(body)
        return False

    def receive_eof(self) -> None:
        """Take the end of the stream.

        Raises
        ------
        HandshakeError
            Unless the connection is open; with what is known of a refusal.
        """
        if self._refusal is not None:
            raise self._refusal.as_error(bytes(self._buffer[self._block_start :]))
        if not self._done:
            raise HandshakeError("the server closed the connection during the opening handshake")

    def _find_header_end(self) -> int:
        """Where the header that starts at `_block_start` ends, or -1; the limits are kept here."""
        # Not HTTP at all: say so now, its header may never end.
        start = bytes(self._buffer[self._block_start : self._block_start + len(_VERSION)])
        if not _VERSION.startswith(start):
            shown = _one_line(start.decode("latin-1"))
            raise HandshakeError(f"the server did not answer in HTTP/1.1: {shown!r}")
        # The last three bytes may be the start of the empty line.
        position = self._buffer.find(b"\r\n\r\n", max(self._block_start, self._looked_at - 3))
        end = len(self._buffer) if position < 0 else position + 4
        if _BARE_LINE_END.search(self._buffer, max(self._block_start, self._looked_at - 1), end):
            raise HandshakeError("the server's answer has a line that does not end in CR LF")
        if end > MAX_HEADER_BYTES:
            raise HandshakeError(f"the server's answer has a header above {MAX_HEADER_BYTES} bytes")
        self._looked_at = end
        return -1 if position < 0 else end

    def _accept_101(self, headers: list[tuple[str, str]]) -> None:
        """Section 4.1, "the client MUST validate the server's response", point by point."""
        fields = _Fields(headers, 101)
        upgrade = fields.once("upgrade")
        if upgrade is None or upgrade.lower() != "websocket":
            shown = upgrade and _one_line(upgrade)
            raise HandshakeError(f"the server's 101 has Upgrade {shown!r}, not 'websocket'", 101)
        options = fields.tokens("connection")
        # RFC 9110 section 7.6.1: each is a token; of a list, some may be empty.
        if not all(_TOKEN.fullmatch(option) for option in options - {""}):
            raise HandshakeError("the server's 101 has a malformed Connection", 101)
        if "upgrade" not in options:
            raise HandshakeError("the server's 101 has no 'Upgrade' in Connection", 101)
        accept = fields.once("sec-websocket-accept")
        if accept is None or not compare_digest(accept.encode("latin-1"), self._accept.encode()):
            raise HandshakeError("the server's 101 has no right Sec-WebSocket-Accept", 101)
        self.compression = accept_extensions(self._offer, fields.all("sec-websocket-extensions"))
        self.subprotocol = fields.once("sec-websocket-protocol")
        if self.subprotocol is not None and self.subprotocol not in self._offered:
            raise HandshakeError(
                f"the server chose a subprotocol that was not offered: "
                f"{_one_line(self.subprotocol)!r}",
                101,
            )
        # RFC 9110 sections 8.6 and 6.1: a 101 has neither; a proxy on the way might believe them.
        if fields.all("transfer-encoding") or set(fields.all("content-length")) - {"0"}:
            raise HandshakeError("the server's 101 announces a body", 101)
        self.headers = headers


def accept_extensions(offer: DeflateOffer | None, values: Sequence[str]) -> Deflate | None:
    """Check the extensions that a 101 names: RFC 6455 section 4.1, RFC 7692 section 7.1.

    Parameters
    ----------
    offer
        What was offered of permessage-deflate; None: no extension was.
    values
        Of its fields Sec-WebSocket-Extensions.

    Returns
    -------
    Deflate or None
        What was agreed on.

    Raises
    ------
    HandshakeError
        If the server chose what was not offered.
    """
    named = [value for value in values if without_empty_ends(value)]
    if offer is None and named:
        raise HandshakeError(
            f"the server uses extensions that were not offered: {_one_line(named[0])}", 101
        )
    if offer is None:
        return None
    try:
        return offer.accept(named)
    except NegotiationError as error:
        raise HandshakeError(
            f"the server answered the offer of compression wrongly: {_one_line(str(error))}", 101
        ) from None


class _Fields:
    """Header fields by name."""

    def __init__(self, headers: list[tuple[str, str]], status: int) -> None:
        self._headers = headers
        self._status = status

    def all(self, name: str) -> list[str]:
        return [value for field, value in self._headers if field == name]

    def once(self, name: str) -> str | None:
        values = self.all(name)
        if len(values) > 1:
            raise HandshakeError(f"the server's answer has {name} more than once", self._status)
        return values[0] if values else None

    def tokens(self, name: str) -> set[str]:
        return {
            token.strip(" \t").lower() for value in self.all(name) for token in value.split(",")
        }


class _Refusal:
    """An answer that is not a 101, while its body comes."""

    def __init__(self, status: int, reason: str, headers: list[tuple[str, str]]) -> None:
        self._status = status
        self._reason = reason
        self._fields = _Fields(headers, status)
        lengths = self._fields.all("content-length")
        self._chunked = "chunked" in self._fields.tokens("transfer-encoding")
        self._length = 0
        if lengths and lengths[0].isascii() and lengths[0].isdecimal() and not self._chunked:
            # The digits are bounded by the header's limit; so is the number's use.
            self._length = min(int(lengths[0][:10]), MAX_BODY_BYTES)

    def is_whole(self, body: bytes) -> bool:
        """Whether enough is there; a body of unknown length is not waited for."""
        return len(body) >= self._length

    def as_error(self, body: bytes) -> HandshakeError:
        """Tell the refusal to a person, on one line."""
        text = f"the server answered {self._status} {_one_line(self._reason)}".rstrip()
        if 300 <= self._status < 400:
            locations = self._fields.all("location")
            where = f" (to {_one_line(shown_url(locations[0]))})" if locations else ""
            return HandshakeError(f"{text}: redirects are not followed{where}", self._status)
        if self._chunked:
            # The first chunk, between its size and its end, is enough to show.
            body = body.partition(b"\r\n")[2].partition(b"\r\n")[0]
        shown = _one_line(body.decode("utf-8", "replace"))
        told = self._fields.all("retry-after")
        return HandshakeError(
            f"{text}: {shown}" if shown else text, self._status, told[0] if told else ""
        )


def _one_line(text: str) -> str:
    """Give the text without mark-up, line ends and control characters, and not too long."""
    # Half of a secret is not recognised, so they go before the cut. What is left must be short:
    # looking for mark-up takes the square of its length where `<` follows `<`.
    text = hidden(text)[:MAX_BODY_BYTES]
    text = _MARK_UP.sub(" ", text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    if len(text) > MAX_SHOWN_CHARACTERS:
        return text[: MAX_SHOWN_CHARACTERS - 3] + "..."
    return text


def _parse_header(block: bytes) -> tuple[int, str, list[tuple[str, str]]]:
    """RFC 9112 sections 4 and 5: status, reason, fields with names in lower case."""
    status_line, *lines = block.decode("latin-1").split("\r\n")[:-2]
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise HandshakeError(f"the server did not answer in HTTP/1.1: {_one_line(status_line)!r}")
    status = int(match[1])
    if len(lines) > MAX_HEADERS:
        raise HandshakeError(f"the server's answer has more than {MAX_HEADERS} headers", status)
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        # Also refuses a folded line, which starts with white space (section 5.2).
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise HandshakeError(
                f"the server's answer has a malformed header: {_one_line(line)!r}", status
            )
        headers.append((name.lower(), value.strip(" \t")))
    return status, match[2] or "", headers
