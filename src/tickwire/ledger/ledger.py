"""The feed's own rows: what was lost (gaps) and what happened to connections (sessions).

Rules of this file
------------------
- A row that finds its ring full waits here, bounded, and is offered again: nothing ever blocks.
- A gap is logged too, so that a person at the terminal sees what the table will say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from tickwire.clock import wall_ns
from tickwire.redaction import hidden
from tickwire.ring import Ring

MAX_WAITING = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened; empty where it concerns all.

    Parameters
    ----------
    venue, symbol
        By name.
    conn
        The connection's number.
    """

    venue: str | None = None
    symbol: str | None = None
    conn: int | None = None

    def known(self) -> dict[str, str | int]:
        """Give what is known, for a log line."""
        every = {"venue": self.venue, "symbol": self.symbol, "conn": self.conn}
        return {key: value for key, value in every.items() if value is not None}


class Ledger:
    """Writes the tables gaps and sessions.

    Parameters
    ----------
    gaps, sessions
        Their rings.

    Attributes
    ----------
    clock
        Gives ts_recv of its rows, ns since the epoch; a replay sets it to the capture's time.
    """

    def __init__(self, gaps: Ring, sessions: Ring) -> None:
        self.clock: Callable[[], int] = wall_ns
        self.n_gaps = 0
        self.n_unwritten = 0
        self._gaps = gaps
        self._sessions = sessions
        self._waiting: deque[tuple[Ring, dict[str, Any]]] = deque()
        self._log = structlog.get_logger("tickwire.ledger")

    def gap(
        self,
        table: str,
        reason: str,
        start_ns: int,
        end_ns: int,
        place: Place,
        *,
        lost: int | None = None,
        recovered: bool = False,
    ) -> None:
        """Write that rows of a table are missing.

        Parameters
        ----------
        table
            Of which.
        reason
            One of `tickwire.ledger.reasons`.
        start_ns, end_ns
            From the last row before to the first row after, ns since the epoch.
        place
            Whose.
        lost
            How many rows, where that is known.
        recovered
            Whether they have been fetched since.
        """
        self.n_gaps += 1
        self._log.warning(
            "gap",
            table=table,
            reason=reason,
            seconds=round((end_ns - start_ns) / 1e9, 3),
            **place.known(),
            **({} if lost is None else {"lost": lost}),
        )
        self._write(
            self._gaps,
            {
                "venue": place.venue,
                "symbol": place.symbol,
                "conn": place.conn,
                "ts_recv": self.clock(),
                "table_name": table,
                "reason": reason,
                "ts_start": start_ns,
                "ts_end": end_ns,
                "lost": lost,
                "recovered": recovered,
            },
        )

    def event(self, event: str, detail: str, place: Place, *, log: bool = False) -> None:
        """Write what happened to a connection.

        Parameters
        ----------
        event
            One word.
        detail
            A sentence, or empty.
        place
            Which connection.
        log
            Tell it in the log too; the session tells most of it itself.
        """
        detail = hidden(detail)
        if log:
            self._log.warning(event, detail=detail, **place.known())
        self._write(
            self._sessions,
            {
                "venue": place.venue,
                "symbol": place.symbol,
                "conn": place.conn,
                "ts_recv": self.clock(),
                "event": event,
                "detail": detail[:4096],
            },
        )

    @property
    def n_waiting(self) -> int:
        """Rows that have found no room yet."""
        return len(self._waiting)

    def retry(self) -> None:
        """Offer again what found its ring full."""
        while self._waiting:
            ring, values = self._waiting[0]
            if not ring.append(**values):
                break
            self._waiting.popleft()

    def _write(self, ring: Ring, values: dict[str, Any]) -> None:
        if self._waiting or not ring.append(**values):
            if len(self._waiting) == MAX_WAITING:
                self._waiting.popleft()
                self.n_unwritten += 1
            self._waiting.append((ring, values))
