"""What a query may ask for: a statement, and how much of rows and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tickwire.errors import TickwireError
from tickwire.serve.statements import QueryRefused

LIMIT_S = 10.0
MAX_LIMIT_S = 600.0
MAX_ROWS = 10_000_000


class QueryError(TickwireError):
    """A query that failed, or was ended."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a query may take.

    Parameters
    ----------
    seconds
        From when it was asked for until its last row is with the client.
    rows
        Of its answer.
    """

    seconds: float = LIMIT_S
    rows: int = MAX_ROWS


def asked(request: dict[str, Any]) -> tuple[str, Limits]:
    """Give what a request asks for.

    Raises
    ------
    QueryRefused
        It is none.
    """
    sql, seconds, rows = (request.get(key) for key in ("sql", "limit_s", "max_rows"))
    limits = Limits()
    if not isinstance(sql, str) or not sql.strip():
        raise QueryRefused("a request has an `sql`")
    if seconds is not None:
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_LIMIT_S:
            raise QueryRefused(f"limit_s should be more than 0 and at most {MAX_LIMIT_S:g}")
        limits = Limits(float(seconds), limits.rows)
    if rows is not None:
        if not isinstance(rows, int) or rows < 1:
            raise QueryRefused("max_rows should be a whole number, at least 1")
        limits = Limits(limits.seconds, rows)
    return sql, limits
