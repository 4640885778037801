"""Opening a connection: one time limit over name, TCP, TLS and handshake; one kind of error."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.logs import get_logger
from tickwire.net._receiver import Receiver
from tickwire.net.awake import awake_timeout
from tickwire.net.carriers.base import Opened
from tickwire.net.carriers.protocol import open_protocol
from tickwire.net.carriers.stream import open_stream
from tickwire.net.carriers.target import Target, shared_context, weaknesses
from tickwire.net.connection import Connection
from tickwire.net.outgoing import COMPRESS_FROM_BYTES
from tickwire.net.proxies import proxy_for
from tickwire.net.reasons import reason_of
from tickwire.redaction import hide_headers, hide_url, shown_url
from tickwire.wire import DeflateOffer, Handler, parse_url, zlib_version

CarrierName = Literal["protocol", "stream", "picows"]
Frames = Literal["plain", "gzip", "deflate"]
_log = get_logger("tickwire.net")

DEFAULTS = ConnectionOptions()

CARRIERS: tuple[CarrierName, ...] = ("protocol", "stream", "picows")


async def open_connection(
    url: str,
    handler: Handler,
    options: ConnectionOptions = DEFAULTS,
    *,
    subprotocols: Sequence[str] = (),
    ssl_context: ssl.SSLContext | None = None,
    compression: DeflateOffer | None = None,
    compress_from_bytes: int = COMPRESS_FROM_BYTES,
    frames: Frames = "plain",
    on_events: Callable[[], None] | None = None,
) -> Connection:
    """Open a WebSocket connection whose messages go to a handler.

    Parameters
    ----------
    url
        `ws://` or `wss://`.
    handler
        What takes the messages.
    options
        Carrier, authorities, headers, proxy, times and bounds.
    subprotocols
        For the handshake.
    ssl_context
        A whole TLS context instead of `ca_file`. One that verifies less than it could is used, and
        that is logged.
    compression
        What to offer of permessage-deflate, RFC 7692; None: nothing.
    compress_from_bytes
        Shorter messages are sent as they are, where compression was agreed on.
    frames
        How the venue packs its binary messages: `gzip` and `deflate` are inflated.
    on_events
        Called after a read that left events with the handler.

    Returns
    -------
    Connection
        Open, and not reading yet: call `begin`.

    Raises
    ------
    ConnectionFailed
        If name, address, TLS or time fail; `Unreachable` if nothing took the connection.
    HandshakeError
        If the server refuses the handshake or answers it wrongly.
    ValueError
        If the URL is not one, or the carrier is unknown.
    TickwireError
        If something is to be inflated and there is no zlib.
    """
    if options.carrier not in CARRIERS:
        raise ValueError(f"carrier {options.carrier!r}: one of {', '.join(CARRIERS)}")
    hide_headers(options.headers.items())
    hide_url(url)
    parts = parse_url(url)
    proxy_used = proxy_for(url, options.proxy)
    name = shown_url(url) if proxy_used is None else f"{shown_url(url)} by {proxy_used}"
    target = Target(
        url,
        parts,
        _tls(name, ssl_context, options.ca_file) if parts.secure else None,
        tuple(options.headers.items()),
        tuple(subprotocols),
        proxy_used,
        options.max_message_bytes,
        compression,
    )
    if compression is not None:
        zlib_version()
    receiver = Receiver(handler, max_message_bytes=options.max_message_bytes)
    if frames != "plain":
        receiver.parser.unpack_binary(frames)
    opened = await _open_in_time(name, options.carrier, target, receiver, options.connect_timeout_s)
    agreed = opened.compression
    if agreed is not None:  # nothing has been parsed yet
        receiver.parser.use_deflate(
            keep_context=not agreed.server_no_context_takeover,
            window_bits=agreed.server_max_window_bits,
        )
    return Connection(
        receiver,
        opened.carrier,
        subprotocol=opened.subprotocol,
        compression=agreed,
        compress_from_bytes=compress_from_bytes,
        close_timeout_s=options.close_timeout_s,
        on_events=on_events,
    )


def _tls(
    name: str, ssl_context: ssl.SSLContext | None, ca_file: str | Path | None
) -> ssl.SSLContext:
    """Give the context to use; what it does not verify is logged."""
    try:
        context = ssl_context or shared_context(ca_file)
    except OSError as error:  # ssl.SSLError too
        raise errors.ConnectionFailed(
            f"{name}: no authorities in {ca_file}: {error.strerror or error}"
        ) from error
    for weakness in weaknesses(context):
        _log.warning("TLS IS WEAKENED", url=name, how=weakness)
    return context


async def _open_in_time(
    name: str, carrier: CarrierName, target: Target, receiver: Receiver, timeout_s: float
) -> Opened:
    """Open a carrier, or say in our own words why it failed."""
    try:
        async with awake_timeout(timeout_s) as limit:
            return await _open(carrier, target, receiver)
    except errors.ConnectionFailed as error:
        raise type(error)(f"{name}: {error}") from None
    except TimeoutError as error:
        if not limit.expired():  # the kernel's own
            raise errors.ConnectionFailed(f"{name}: {str(error) or 'timed out'}") from error
        text = f"{name}: not connected in {timeout_s:g} s"
        if target.dialled:
            why = "the host took the connection, and nothing more came of it"
            raise errors.ConnectionFailed(f"{text} ({why})") from error
        raise errors.Unreachable(text) from error
    except OSError as error:  # ssl.SSLError too
        reason = reason_of(error, tls=target.context is not None)
        raise errors.ConnectionFailed(f"{name}: {reason}") from error


async def _open(carrier: CarrierName, target: Target, receiver: Receiver) -> Opened:
    if carrier == "protocol":
        return await open_protocol(target, receiver)
    if carrier == "stream":
        return await open_stream(target, receiver)
    # Not imported before it is needed: it takes a while, and logs.
    from tickwire.net.carriers.picows import open_picows

    return await open_picows(target, receiver)
