"""Channels of one table on one connection: each is a part, whose rows are known apart.

Rules of this file
------------------
- `book` and `book:fast` of a symbol share a connection, and the rows of the one must neither hide
  that the other has fallen silent nor end its gap. Their rows say which channel they are of.
- A part has a number, as sessions have: its connection's own for the first channel, and one behind
  those of all connections for each further one.
- Candles have no parts: of an interval, the next row has all that the one before had.
"""

from __future__ import annotations

from collections.abc import Sequence

from tickwire.feed.plan.plans import ConnectionPlan
from tickwire.schema import TABLES

DIVISIBLE = frozenset(
    name for name, table in TABLES.items() if any(each.name == "channel" for each in table.columns)
)


class Parts:
    """The parts of a source's connections.

    Parameters
    ----------
    connections
        The source's.

    Attributes
    ----------
    n_numbers
        How many there are, with those of the connections themselves.
    divided
        By connection and table: of each channel its number.
    """

    def __init__(self, connections: Sequence[ConnectionPlan]) -> None:
        self.n_numbers = len(connections)
        self.divided: dict[tuple[int, str], dict[str, int]] = {}
        for number, connection in enumerate(connections):
            channels: dict[str, dict[str, None]] = {}
            for each in connection.subscriptions:
                if each.table in DIVISIBLE:
                    channels.setdefault(each.table, {})[each.channel] = None
            for table, (first, *more) in channels.items():
                if more:
                    self.divided[number, table] = {first: number}
                    for channel in more:
                        self.divided[number, table][channel] = self.n_numbers
                        self.n_numbers += 1

    def numbers(self, connection: int, table: str) -> list[int]:
        """Give the numbers under which the rows of a connection in a table are known."""
        return [*self.divided.get((connection, table), {"": connection}).values()]

    def number(self, connection: int, table: str, channel: str) -> int:
        """Give the number under which the rows of a channel are known."""
        divided = self.divided.get((connection, table))
        return connection if divided is None else divided[channel]
