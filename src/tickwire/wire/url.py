"""WebSocket URLs: RFC 6455 section 3 and RFC 3986.

User names and passwords in a URL are refused (RFC 3986 section 3.2.1 deprecates them, and URLs end
up in logs); give an Authorization header instead. Fragments are refused, as RFC 6455 demands.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from tickwire.redaction import shown, shown_url

_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")
_HOST_NAME = re.compile(r"[a-z0-9._-]{1,253}")
_DEFAULT_PORTS = {"ws": 80, "wss": 443}
# What may stand in a path and query as it is, "%" included: escapes are the caller's.
_RESOURCE_CHARACTERS = "/?:@!$&'()*+,;=-._~%[]|^`{}\"<>"


class WebSocketUrl(NamedTuple):
    """Where to connect and what to ask for.

    Parameters
    ----------
    secure
        Whether it is `wss`.
    host
        A name in lower case, or an address without brackets.
    port
        The port, the scheme's own if the URL has none.
    resource
        Path and query, for the request line.
    authority
        Host and, if it is not the scheme's own, port: the value of the Host header.
    """

    secure: bool
    host: str
    port: int
    resource: str
    authority: str


def parse_url(url: str) -> WebSocketUrl:
    """Take a WebSocket URL apart.

    Parameters
    ----------
    url
        Such as "wss://example.com:8443/ws?streams=a".

    Returns
    -------
    WebSocketUrl
        Its parts.

    Raises
    ------
    ValueError
        If it is not a WebSocket URL; the text says why.
    """
    if _NOT_IN_URLS.search(url):
        raise ValueError(f"{shown_url(url)!r}: white space, backslash or control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown_url(url)!r}: {shown(str(error))}") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{shown_url(url)!r}: the scheme must be ws or wss")
    if "#" in url:
        raise ValueError(
            f"{shown_url(url)!r}: a WebSocket URL has no fragment (RFC 6455 section 3)"
        )
    if "@" in parts.netloc:
        # Not shown: it may hold a password.
        raise ValueError(
            "a user name or password in a WebSocket URL is refused; send an Authorization header"
        )
    if not parts.hostname:
        raise ValueError(f"{shown_url(url)!r}: there is no host")
    if port == 0:
        raise ValueError(f"{shown_url(url)!r}: port 0 cannot be connected to")
    host, bracketed = _parse_host(url, parts.hostname, is_literal="[" in parts.netloc)
    default_port = _DEFAULT_PORTS[parts.scheme]
    resource = quote(parts.path or "/", safe=_RESOURCE_CHARACTERS)
    if parts.query:
        resource += "?" + quote(parts.query, safe=_RESOURCE_CHARACTERS)
    return WebSocketUrl(
        secure=parts.scheme == "wss",
        host=host,
        port=default_port if port is None else port,
        resource=resource,
        authority=bracketed if port in (None, default_port) else f"{bracketed}:{port}",
    )


def _parse_host(url: str, host: str, *, is_literal: bool) -> tuple[str, str]:
    """Give the host, and how it stands in an authority."""
    if is_literal:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{shown_url(url)!r}: {host!r} is not an IPv6 address") from None
        if address.scope_id is not None:
            raise ValueError(f"{shown_url(url)!r}: an address with a zone cannot stand in a URL")
        return host, f"[{host}]"
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError(f"{shown_url(url)!r}: {host!r} is not a host name") from None
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{shown_url(url)!r}: {host!r} is not a host name")
    return name, name
