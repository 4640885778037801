"""What a decoder needs of others."""

from __future__ import annotations

from typing import Protocol


class QuarantineTable(Protocol):
    """Keeps messages that could not be decoded, such as `tickwire.ledger.Quarantine`."""

    @property
    def max_bytes(self) -> int:
        """How much of a message it takes."""

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
        """Keep a message; `is_truncated` where the payload is not all of it."""
