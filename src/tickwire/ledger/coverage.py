"""How much of the time each stream is known: complete, missing, or not verifiable; as one query.

Rules of this file
------------------
- The query is SQL of DuckDB over relations that the caller names: tables of a file, Parquet files,
  or anything else with the columns of `tickwire.schema`. It is the same for all of them.
- Missing is what lies in a gap of the stream; of each gap the last row counts, and one that is
  still open lasts until the last row of all. Where rows came after all, what they left counts.
- Complete is only what the venue's own numbers prove: between two messages of a book of which the
  second names the first as the one before it, and between two trades with consecutive ids. A stream
  of several channels proves nothing, as their rows are mixed.
- The rest cannot be verified. It is never called complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tickwire.schema import DATA_TABLES

COLUMNS = (
    "venue",
    "table_name",
    "symbol",
    "ts_from",
    "ts_to",
    "seconds",
    "complete_s",
    "missing_s",
    "unverifiable_s",
    "complete",
    "missing",
    "unverifiable",
    "gaps",
    "rows",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What part of the time is looked at; ns since the epoch.

    Parameters
    ----------
    from_ns, to_ns
        None: from a stream's first row or gap, and to the last row of all streams.
    """

    from_ns: int | None = None
    to_ns: int | None = None


def coverage_sql(
    relations: Mapping[str, str], consumer: str | None = None, bounds: Bounds | None = None
) -> str:
    """Give the query, with the columns of `COLUMNS`, a row per stream.

    Parameters
    ----------
    relations
        Table to what stands behind FROM for it; `gaps` and those whose streams are of interest.
    consumer
        The sink that has written them: rows that only another consumer lost do not count. None:
        all count.
    bounds
        Part of the time.

    Raises
    ------
    KeyError
        There is no relation for `gaps`.
    """
    gaps = relations["gaps"]
    bounds = bounds or Bounds()
    # A list of instruments is no stream: nothing of it is missing while it does not change.
    tables = [name for name in DATA_TABLES if name in relations and name != "instruments"]
    others = "" if consumer is None else f" AND (consumer IS NULL OR consumer = {_text(consumer)})"
    query = f"""
WITH last_gaps AS (
    SELECT * FROM (
        SELECT table_name::VARCHAR AS table_name, venue::VARCHAR AS venue,
               symbol::VARCHAR AS symbol, consumer::VARCHAR AS consumer,
               epoch_ns(CASE WHEN recovered IS NULL THEN ts_start ELSE ts_left_start END) AS a,
               epoch_ns(CASE WHEN recovered IS NULL THEN ts_end ELSE ts_left_end END) AS b,
               epoch_ns(ts_recv) AS written
        FROM {gaps}
        QUALIFY row_number() OVER (PARTITION BY gap_id ORDER BY seq DESC) = 1
    ) WHERE a IS NOT NULL{others}
),
steps AS ({_steps(tables, relations)}),
extents AS ({_extents(tables, relations, bounds)}),
until AS (
    SELECT max(b) AS b FROM (
        SELECT b FROM extents UNION ALL SELECT greatest(coalesce(b, a), written) FROM last_gaps
    )
),
streams AS (
    SELECT table_name, venue, symbol, sum(n) AS n,
           {_bound(bounds.from_ns, "min(a)")} AS a,
           {_bound(bounds.to_ns, "(SELECT b FROM until)")} AS b
    FROM (
        SELECT * FROM extents
        UNION ALL
        SELECT table_name, venue, symbol, a, NULL, 0 FROM last_gaps
        WHERE symbol IS NOT NULL AND venue IS NOT NULL
    )
    GROUP BY ALL
),
of_streams AS (
    SELECT s.table_name, s.venue, s.symbol, greatest(g.a, s.a) AS a,
           least(coalesce(g.b, s.b), s.b) AS b
    FROM streams s JOIN last_gaps g
      ON g.table_name = s.table_name AND coalesce(g.venue, s.venue) = s.venue
     AND coalesce(g.symbol, s.symbol) = s.symbol
    WHERE g.a < s.b AND coalesce(g.b, s.b) >= s.a
),
pieces AS (
    SELECT table_name, venue, symbol, greatest(a, coalesce(max(b) OVER (
               PARTITION BY table_name, venue, symbol ORDER BY a, b
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), a)) AS a, b
    FROM of_streams
),
missing AS (
    SELECT table_name, venue, symbol, sum(greatest(b - a, 0)) AS ns, count(*) AS n
    FROM pieces GROUP BY ALL
),
numbered AS (
    SELECT table_name, venue, symbol, min(t) AS a, max(t) AS b FROM (
        SELECT table_name, venue, symbol, t, count(*) FILTER (NOT coalesce(follows, FALSE)) OVER (
                   PARTITION BY table_name, venue, symbol ORDER BY seq
                   ROWS UNBOUNDED PRECEDING) AS island
        FROM steps
    )
    GROUP BY table_name, venue, symbol, island HAVING count(*) > 1
),
proved AS (
    SELECT n.table_name, n.venue, n.symbol, greatest(n.a, s.a) AS a, least(n.b, s.b) AS b
    FROM numbered n JOIN streams s USING (table_name, venue, symbol)
    WHERE least(n.b, s.b) > greatest(n.a, s.a)
),
complete AS (
    SELECT table_name, venue, symbol, sum(ns) AS ns FROM (
        SELECT table_name, venue, symbol, b - a AS ns FROM proved
        UNION ALL
        SELECT p.table_name, p.venue, p.symbol, greatest(p.a, g.a) - least(p.b, g.b)
        FROM proved p JOIN pieces g USING (table_name, venue, symbol)
        WHERE least(p.b, g.b) > greatest(p.a, g.a)
    )
    GROUP BY ALL
),
lengths AS (
    SELECT s.*, greatest(s.b - s.a, 0) AS ns, coalesce(c.ns, 0) AS complete_ns,
           coalesce(m.ns, 0) AS missing_ns, coalesce(m.n, 0) AS n_gaps
    FROM streams s
    LEFT JOIN complete c USING (table_name, venue, symbol)
    LEFT JOIN missing m USING (table_name, venue, symbol)
)
SELECT venue, table_name, symbol, make_timestamp_ns(a) AS ts_from, make_timestamp_ns(b) AS ts_to,
       ns / 1e9 AS seconds, complete_ns / 1e9 AS complete_s, missing_ns / 1e9 AS missing_s,
       (ns - complete_ns - missing_ns) / 1e9 AS unverifiable_s,
       complete_ns / nullif(ns, 0) AS complete, missing_ns / nullif(ns, 0) AS missing,
       (ns - complete_ns - missing_ns) / nullif(ns, 0) AS unverifiable,
       n_gaps AS gaps, n::BIGINT AS rows
FROM lengths
ORDER BY venue, table_name, symbol
"""  # noqa: S608 - names of tickwire's own, and literals
    return query.strip()


def _extents(tables: list[str], relations: Mapping[str, str], bounds: Bounds) -> str:
    """The first and the last row of each stream, and how many there are."""
    if not tables:
        return (
            "SELECT ''::VARCHAR AS table_name, ''::VARCHAR AS venue, ''::VARCHAR AS symbol, "
            "0::BIGINT AS a, 0::BIGINT AS b, 0::BIGINT AS n WHERE FALSE"
        )
    counted = "count(*)"
    if bounds.from_ns is not None or bounds.to_ns is not None:
        low = "TRUE" if bounds.from_ns is None else f"epoch_ns(ts_recv) >= {bounds.from_ns}"
        high = "TRUE" if bounds.to_ns is None else f"epoch_ns(ts_recv) <= {bounds.to_ns}"
        counted = f"count(*) FILTER ({low} AND {high})"
    return " UNION ALL ".join(
        f"SELECT {_text(table)} AS table_name, venue::VARCHAR AS venue, "  # noqa: S608 - names of tickwire's own
        "symbol::VARCHAR AS symbol, min(epoch_ns(ts_recv)) AS a, max(epoch_ns(ts_recv)) AS b, "
        f"{counted} AS n FROM {relations[table]} GROUP BY ALL"
        for table in tables
    )


def _steps(tables: list[str], relations: Mapping[str, str]) -> str:
    """Each message of a numbered stream, and whether it follows the one before it."""
    of_stream = "PARTITION BY venue, symbol ORDER BY seq"
    found = []
    if "trades" in tables:
        step = (
            f"TRY_CAST(trade_id AS BIGINT) - lag(TRY_CAST(trade_id AS BIGINT)) OVER ({of_stream})"
        )
        found.append((relations["trades"], "trades", f"{step} = 1", "TRUE"))
    if "book" in tables:
        before = f"lag(venue_seq) OVER ({of_stream})"
        after_snapshot = f"lag(is_snapshot) OVER ({of_stream})"
        # The first message after a snapshot may overlap it; tickwire has spliced it by its rule.
        step = (
            f"NOT is_snapshot AND venue_prev_seq IS NOT NULL "
            f"AND (venue_prev_seq = {before} OR {after_snapshot})"
        )
        found.append((relations["book"], "book", step, "last"))
    if not found:
        return (
            "SELECT ''::VARCHAR AS table_name, ''::VARCHAR AS venue, ''::VARCHAR AS symbol, "
            "0::BIGINT AS seq, 0::BIGINT AS t, FALSE AS follows WHERE FALSE"
        )
    return " UNION ALL ".join(
        f"SELECT {_text(table)} AS table_name, venue::VARCHAR AS venue, "  # noqa: S608 - names of tickwire's own
        f"symbol::VARCHAR AS symbol, seq, epoch_ns(ts_recv) AS t, "
        f"({step}) AND count(DISTINCT channel) OVER (PARTITION BY venue, symbol) = 1 AS follows "
        f"FROM {relation} WHERE {which}"
        for relation, table, step, which in found
    )


def _bound(given: int | None, otherwise: str) -> str:
    return otherwise if given is None else f"{given}::BIGINT"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
