"""The table quarantine: messages that could not be decoded."""

from __future__ import annotations

from collections.abc import Callable

from tickwire.observe import Metrics
from tickwire.ring import Ring


class Quarantine:
    """Keeps messages as far as its ring has room; it never blocks.

    Parameters
    ----------
    ring
        Of the table.
    metrics
        Counts what is truncated or dropped.

    Attributes
    ----------
    max_bytes
        How much of a message it takes.
    on_message
        Called with the connection and what is kept of each message; must not raise.
    """

    def __init__(self, ring: Ring, metrics: Metrics | None = None) -> None:
        self.max_bytes = ring.max_text_bytes("payload")
        self.on_message: Callable[[int, bytes], None] = lambda conn, payload: None
        self._ring = ring
        self._metrics = Metrics() if metrics is None else metrics

    def keep(
        self,
        venue: str,
        reason: str,
        payload: bytes,
        *,
        ts_recv: int,
        conn: int,
        is_truncated: bool,
    ) -> None:
        """Keep a message.

        Parameters
        ----------
        venue, conn
            Where it came from.
        reason
            Why it could not be decoded.
        payload
            At most `max_bytes` of it.
        ts_recv
            When it came, ns since the epoch.
        is_truncated
            The payload is not all of it.
        """
        is_kept = self._ring.append(
            venue=venue, ts_recv=ts_recv, conn=conn, reason=reason, payload=payload
        )
        self.on_message(conn, payload)
        if not is_kept:
            self._metrics.counter("quarantine_dropped", venue=venue).add()
        elif is_truncated:
            self._metrics.counter("quarantine_truncated", venue=venue).add()
