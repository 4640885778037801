"""What a ring records of rows that it overwrote before a consumer had them."""

from __future__ import annotations

from typing import NamedTuple


class Drop(NamedTuple):
    """A range of rows that some consumer did not get.

    Parameters
    ----------
    first_row, last_row
        Positions, inclusive.
    ts_first_ns, ts_last_ns
        Their ts_recv, ns since the epoch.
    n_rows
        How many the slowest consumer lost.
    """

    first_row: int
    last_row: int
    ts_first_ns: int
    ts_last_ns: int
    n_rows: int


class Loss(NamedTuple):
    """Rows that one consumer did not get because it lagged.

    Parameters
    ----------
    n_rows
        How many.
    ts_first_ns, ts_last_ns
        The ts_recv of the first and the last of them, ns since the epoch.
    """

    n_rows: int
    ts_first_ns: int
    ts_last_ns: int
