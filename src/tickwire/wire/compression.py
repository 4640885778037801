"""The offer of permessage-deflate and the check of its answer: RFC 7692 section 7.1.

As strict as the RFC: an answer that says what it must not, or leaves out what it must say, fails
the handshake, because the two ends would not understand each other's messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NAME = "permessage-deflate"
LARGEST_WINDOW_BITS = 15
SMALLEST_WINDOW_BITS = 8

# RFC 9110 section 5.6.2: a token.
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
_PARAMETER = re.compile(rf"({_WORD})(?:[ \t]*=[ \t]*({_WORD}|{_QUOTED}))?")
# Section 5.6.1.2: empty elements of a list are passed over.
_NEXT = re.compile(r"[ \t]*(?:(;)[ \t]*|,[ \t,]*)")
_WINDOW_BITS = re.compile(r"[89]|1[0-5]")  # section 7.1.2: no leading zeros

Parameters = list[tuple[str, str | None]]


class NegotiationError(ValueError):
    """The server's answer does not fit the offer; the text says why."""


@dataclass(frozen=True, slots=True)
class DeflateOffer:
    """What a client asks for; the defaults are those of the browsers.

    Parameters
    ----------
    server_no_context_takeover
        Ask the server to compress each message by itself.
    client_no_context_takeover
        Say that the client will.
    server_max_window_bits
        The largest window that the server may use, 8 to 15; None: any.
    client_max_window_bits
        Let the server limit the client's window; with a number, 8 to 15, the client's own limit.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | bool = True

    def __post_init__(self) -> None:
        for name in ("server_max_window_bits", "client_max_window_bits"):
            bits = getattr(self, name)
            if bits is None or isinstance(bits, bool):
                continue
            if not SMALLEST_WINDOW_BITS <= bits <= LARGEST_WINDOW_BITS:
                raise ValueError(f"{name} must be 8 to 15, not {bits}")

    def header(self) -> str:
        """Give the value of Sec-WebSocket-Extensions."""
        words = [NAME]
        if self.server_no_context_takeover:
            words.append("server_no_context_takeover")
        if self.client_no_context_takeover:
            words.append("client_no_context_takeover")
        if self.server_max_window_bits is not None:
            words.append(f"server_max_window_bits={self.server_max_window_bits}")
        if self.client_max_window_bits is True:
            words.append("client_max_window_bits")
        elif self.client_max_window_bits:
            words.append(f"client_max_window_bits={self.client_max_window_bits}")
        return "; ".join(words)

    def accept(self, values: Iterable[str]) -> Deflate | None:
        """Check what the server chose.

        Parameters
        ----------
        values
            Of the fields Sec-WebSocket-Extensions in its answer.

        Returns
        -------
        Deflate or None
            What was agreed on; None if the server uses no extension.

        Raises
        ------
        NegotiationError
            If the answer does not fit the offer.
        """
        extensions = parse_extensions(values)
        if not extensions:
            return None
        name, parameters = extensions[0]
        if name != NAME:
            raise NegotiationError(f"the server uses the extension {name!r}, not offered")
        if len(extensions) > 1:
            raise NegotiationError(f"the server uses more than one extension: {extensions[1][0]!r}")
        found = _values(parameters)
        if self.server_no_context_takeover and "server_no_context_takeover" not in found:
            raise NegotiationError("server_no_context_takeover was asked for and not granted")
        server_bits = found.get("server_max_window_bits")
        if self.server_max_window_bits is not None and (
            server_bits is None or server_bits > self.server_max_window_bits
        ):
            raise NegotiationError(
                f"server_max_window_bits={self.server_max_window_bits} was asked for and not "
                "granted"
            )
        client_bits = found.get("client_max_window_bits")
        own_bits = LARGEST_WINDOW_BITS
        if isinstance(self.client_max_window_bits, bool):
            if client_bits is not None and not self.client_max_window_bits:
                raise NegotiationError("client_max_window_bits was not offered")
        else:
            own_bits = self.client_max_window_bits
            if client_bits is not None and client_bits > own_bits:
                raise NegotiationError(f"client_max_window_bits={client_bits} is above the offer")
        return Deflate(
            server_no_context_takeover="server_no_context_takeover" in found,
            client_no_context_takeover=self.client_no_context_takeover
            or "client_no_context_takeover" in found,
            server_max_window_bits=server_bits or LARGEST_WINDOW_BITS,
            client_max_window_bits=client_bits or own_bits,
        )


@dataclass(frozen=True, slots=True)
class Deflate:
    """What both ends agreed on.

    Parameters
    ----------
    server_no_context_takeover, client_no_context_takeover
        Whether that end compresses each message by itself.
    server_max_window_bits, client_max_window_bits
        The largest window of that end.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = LARGEST_WINDOW_BITS
    client_max_window_bits: int = LARGEST_WINDOW_BITS


def without_empty_ends(value: str) -> str:
    """Take empty elements from both ends of a list; nothing is left where there are no others."""
    return value.strip(" \t,")


def parse_extensions(values: Iterable[str]) -> list[tuple[str, Parameters]]:
    """Take the values of Sec-WebSocket-Extensions apart: RFC 6455 section 9.1.

    Parameters
    ----------
    values
        Of all the fields of that name, in their order.

    Returns
    -------
    list of (str, list of (str, str or None))
        The extensions, each with its parameters and their values, unquoted.

    Raises
    ------
    NegotiationError
        If a value is malformed.
    """
    found: list[tuple[str, Parameters]] = []
    for value in values:
        if text := without_empty_ends(value):
            found.extend(_parse_field(text))
    return found


def _parse_field(text: str) -> list[tuple[str, Parameters]]:
    found: list[tuple[str, Parameters]] = []
    position = 0
    separator = ","
    while True:
        match = _PARAMETER.match(text, position)
        if match is None:
            raise NegotiationError("the server's Sec-WebSocket-Extensions is malformed")
        name, value = match.groups()
        if separator == ";":
            found[-1][1].append((name, _unquoted(value)))
        elif value is None:
            found.append((name, []))
        else:
            raise NegotiationError("the server's Sec-WebSocket-Extensions is malformed")
        position = match.end()
        if position == len(text):
            return found
        following = _NEXT.match(text, position)
        if following is None:
            raise NegotiationError("the server's Sec-WebSocket-Extensions is malformed")
        separator = following[1] or ","
        position = following.end()


def _unquoted(value: str | None) -> str | None:
    if value is None or not value.startswith('"'):
        return value
    text = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not re.fullmatch(_WORD, text):  # RFC 6455 section 9.1: it must be one when unquoted
        raise NegotiationError("the server's Sec-WebSocket-Extensions is malformed")
    return text


def _values(parameters: Parameters) -> dict[str, int]:
    """Check each parameter by itself: sections 7.1.1 and 7.1.2."""
    found: dict[str, int] = {}
    for name, value in parameters:
        if name in found:
            raise NegotiationError(f"{NAME}: {name} stands twice")
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                raise NegotiationError(f"{NAME}: {name} has a value")
            found[name] = 1
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            if value is None or not _WINDOW_BITS.fullmatch(value):
                raise NegotiationError(f"{NAME}: {name} is not a number from 8 to 15")
            found[name] = int(value)
        else:
            raise NegotiationError(f"{NAME}: unknown parameter {name!r}")
    return found
