"""A ring of mids with its streams, and a reference in plain Python beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tickwire.ring import Dictionaries, Ring, Stream, Streams
from tickwire.schema import TABLES

ROWS = 1024
SYMBOLS = [f"S{i}" for i in range(40)]


@dataclass
class Reference:
    """Counts every row as it is staged."""

    rows: dict[tuple[int, str], list[tuple[int, int | None, int, int]]] = field(
        default_factory=dict
    )
    marks: dict[tuple[int, str], int] = field(default_factory=dict)

    def add(self, session: int, symbol: str, row: tuple[int, int | None, int, int]) -> None:
        self.rows.setdefault((session, symbol), []).append(row)

    def mark(self, session: int, symbol: str) -> None:
        self.marks[session, symbol] = len(self.rows.get((session, symbol), ()))

    def get(self, session: int, symbol: str) -> Stream | None:
        rows = self.rows.get((session, symbol))
        if not rows:
            return None
        recv, event, mono, conn = rows[-1]
        at = self.marks.get((session, symbol), 0)
        first = rows[at][:3] if at < len(rows) else (None, None, None)
        return Stream(len(rows), len(rows) - at, conn, recv, event, mono, *first)


def of(stream: Stream | None) -> Stream | None:
    """A stream without how late it is, which depends on when it was looked at."""
    return None if stream is None else stream._replace(late_ns=0)


class Market:
    """A ring of mids, its streams, and the reference beside it."""

    def __init__(self, *, overflow: str = "block", window_rows: int | None = None) -> None:
        self.ring = Ring(
            TABLES["mids"], ROWS, Dictionaries(), overflow=overflow, window_rows=window_rows
        )
        self.streams = Streams(self.ring)
        self.reference = Reference()
        self.sessions: dict[int, int] = {}
        self.now = 0

    def adopt(self, conn: int, session: int) -> None:
        self.streams.adopt(conn, session)
        self.sessions[conn] = session

    def stage(self, conn: int, symbol: str, *, event: bool = True) -> bool:
        self.now += 1
        row = (self.now, self.now - 5 if event else None, self.now * 7, conn)
        if not self.ring.stage(
            venue="v",
            symbol=symbol,
            ts_recv=row[0],
            ts_event=row[1],
            recv_mono=row[2],
            conn=conn,
            price=1.0,
        ):
            return False
        if conn in self.sessions:
            self.reference.add(self.sessions[conn], symbol, row)
        return True

    def check(self) -> None:
        for session in {*self.sessions.values()}:
            for symbol in SYMBOLS:
                code = self.ring.dictionaries.symbol.code(symbol)
                assert of(self.streams.get(session, code)) == self.reference.get(session, symbol)
