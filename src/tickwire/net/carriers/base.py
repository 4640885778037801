"""What a connection needs of whatever moves its bytes."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from tickwire.wire import Deflate


class Carrier(Protocol):
    """Moves the bytes of one connection whose handshake is done.

    What it reads goes to the connection's `Receiver`. It knows nothing of frames to send.
    """

    @property
    def lost(self) -> asyncio.Future[Exception | None]:
        """Done when the transport is gone, with its error if it had one."""

    @property
    def transport(self) -> asyncio.Transport:
        """What owns the socket."""

    def begin(self) -> None:
        """Start to read."""

    def write(self, data: bytes) -> None:
        """Send, or keep to be sent; never blocks."""

    def unsent_bytes(self) -> int:
        """Give how much is kept to be sent."""

    def has_unread(self, *, or_end: bool = True) -> bool:
        """Tell whether bytes, or the end if that counts, have come and wait to be read."""

    async def drain(self) -> None:
        """Wait until little enough is kept to be sent.

        Raises
        ------
        OSError
            If the transport is lost, so that what was given last may never be sent.
        """

    def pause_reading(self) -> None:
        """Read no more, so that TCP pushes back."""

    def resume_reading(self) -> None:
        """Read on."""

    def close(self) -> None:
        """Send what is kept, then close the transport."""

    def abort(self) -> None:
        """Close the transport at once."""


class Opened(NamedTuple):
    """A connection whose handshake is done, and what was agreed on in it.

    Parameters
    ----------
    carrier
        Moves its bytes.
    subprotocol
        The one that the server chose.
    compression
        Of permessage-deflate; None: messages are not compressed.
    """

    carrier: Carrier
    subprotocol: str | None
    compression: Deflate | None
