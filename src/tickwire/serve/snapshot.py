"""A snapshot: a DuckDB connection on which committed and fresh rows of a table are one.

Rules of this file
------------------
- Fresh rows are copied before the transaction begins: what has left the ring by then is in the
  output that the transaction sees. What both have is left out of the fresh rows, by `seq` and time.
- The transaction is read-only, and the connection knows no variables of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickwire.ledger.coverage import coverage_sql
from tickwire.serve.statements import QueryRefused, StatementCheck, one_line

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 10_000
FRESH = "tickwire_fresh_"
COVERAGE = "coverage"
PREPARED = (
    "SET SESSION python_enable_replacements = false",
    "SET SESSION enable_progress_bar = false",
    "SET SESSION TimeZone = 'UTC'",  # the same answers wherever a query runs
)


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where the rows of a table are.

    Parameters
    ----------
    committed
        Given the connection, gives what stands behind FROM for the rows of its output, once they
        can no longer change; None where it has no output.
    fresh
        Copies the rows that its output may not have; None where all are committed.
    """

    committed: Callable[[duckdb.DuckDBPyConnection], str | None] | None
    fresh: Callable[[], pa.Table] | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """What queries run in.

    Parameters
    ----------
    connect
        Gives a connection of its own, to be closed by the caller.
    tables
        Where each table's rows are, by its name.
    others
        Given a connection, gives the tables of the database that are no feed's.
    is_locked
        Its settings cannot be changed any more, and were right from the start.
    consumer
        Whose gaps count in the view `coverage`: the name of the sink.
    """

    connect: Callable[[], duckdb.DuckDBPyConnection]
    tables: Mapping[str, TableSource]
    others: Callable[[duckdb.DuckDBPyConnection], Collection[str]] = lambda connection: ()
    is_locked: bool = False
    consumer: str | None = None


class Snapshot:
    """Some tables at one moment, for statements that read them; a context manager.

    Parameters
    ----------
    database
        What it is of.
    check
        Says what may run, and which tables that needs.
    sql
        The first statement, whose tables are looked at; None: every table.

    Attributes
    ----------
    connection
        Its own, in a read-only transaction.

    Raises
    ------
    QueryRefused
        The statement may not run.
    """

    def __init__(self, database: Database, check: StatementCheck, sql: str | None = None) -> None:
        self._database = database
        self._check = check
        self._tables = {name.lower(): source for name, source in database.tables.items()}
        self._others: set[str] = set()  # looked for where a statement names no table of the feed
        self.connection = database.connect()
        try:
            self._prepare(sql)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the transaction."""
        import duckdb

        with suppress(duckdb.Error):  # there is none, or it has failed
            self.connection.rollback()
        with suppress(duckdb.Error):
            self.connection.close()

    def query(self, sql: str, *, is_checked: bool = False) -> pa.RecordBatchReader:
        """Run a statement; rows come as they are found.

        Raises
        ------
        QueryRefused
            It may not run.
        duckdb.Error
            It fails.
        """
        if not is_checked:
            self._check.tables(sql, self.known)
        relation = self.connection.sql(sql)
        if relation is None:
            raise QueryRefused("the statement gives no rows")
        # Of DuckDB 1.4 the one, since 1.5 the other.
        reader: Any = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
        return reader(BATCH_ROWS)

    @property
    def known(self) -> set[str]:
        """The tables that a statement may name."""
        found = {*self._tables, *self._others}
        return found | {COVERAGE} if "gaps" in self._tables else found

    def _prepare(self, sql: str | None) -> None:
        if not self._database.is_locked:
            for statement in PREPARED:
                self.connection.execute(statement)
        try:
            wanted = self.known if sql is None else self._check.tables(sql, self.known)
        except QueryRefused:
            self._others = {name.lower() for name in self._database.others(self.connection)}
            self._others -= {*self._tables}
            if sql is None or not self._others:
                raise
            wanted = self._check.tables(sql, self.known)
        needed = set(self._tables) if COVERAGE in wanted else wanted & {*self._tables}
        sources = {name: self._tables[name] for name in sorted(needed)}
        fresh = {
            name: source.fresh() for name, source in sources.items() if source.fresh is not None
        }
        self.connection.execute("BEGIN TRANSACTION READ ONLY")
        for name, source in sources.items():
            self._view(name, source, fresh.get(name))
        if COVERAGE in wanted and COVERAGE not in self._tables:
            relations = {name: f'"{name}"' for name in sources}
            query = coverage_sql(relations, self._database.consumer)
            self.connection.execute(f"CREATE TEMP VIEW {COVERAGE} AS {query}")

    def _view(self, name: str, source: TableSource, fresh: pa.Table | None) -> None:
        committed = None if source.committed is None else source.committed(self.connection)
        parts = [] if committed is None else [f"SELECT * FROM {committed}"]  # noqa: S608 - quoted
        if fresh is not None and committed is not None:
            fresh = self._not_committed(committed, fresh)
        if fresh is not None and (fresh.num_rows or committed is None):
            self.connection.register(f"{FRESH}{name}", fresh)
            parts.append(f'SELECT * FROM "{FRESH}{name}"')  # noqa: S608 - a table's name
        if not parts:
            raise QueryRefused(f"table {name} has no rows that can be read")
        query = " UNION ALL BY NAME ".join(parts)
        self.connection.execute(f'CREATE TEMP VIEW "{name}" AS {query}')

    def _not_committed(self, committed: str, fresh: pa.Table) -> pa.Table:
        """Leave out what the output has; it may have rows of other feeds with the same numbers."""
        if not fresh.num_rows:
            return fresh
        seqs = fresh.column("seq").to_numpy()
        held = self.connection.execute(
            f"SELECT seq, epoch_ns(ts_recv) AS at FROM {committed} "  # noqa: S608 - quoted names
            f"WHERE seq BETWEEN {int(seqs[0])} AND {int(seqs[-1])}"
        ).fetchnumpy()
        if not len(held["seq"]):
            return fresh
        # By the microsecond: more of a time in Parquet is lost in DuckDB before 1.5.
        at = fresh.column("ts_recv").cast(pa.int64()).to_numpy() // 1000
        places = np.searchsorted(seqs, held["seq"])  # each is there: `seq` counts without a break
        places = np.minimum(places, len(seqs) - 1)
        is_held = np.zeros(len(seqs), bool)
        is_held[places[(seqs[places] == held["seq"]) & (at[places] == held["at"] // 1000)]] = True
        return fresh if not is_held.any() else fresh.filter(pa.array(~is_held))


def isolated(folders: Iterable[str] = (), memory_mb: int = 512) -> duckdb.DuckDBPyConnection:
    """Open an instance that reaches no file but those in some folders, and no network."""
    import duckdb

    connection = duckdb.connect(
        config={
            "threads": "1",
            "memory_limit": f"{memory_mb}MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    for statement in (
        "SET python_enable_replacements = false",
        "SET enable_progress_bar = false",
        "SET GLOBAL TimeZone = 'UTC'",
        "CREATE MACRO main.utc(ts) AS ts AT TIME ZONE 'UTC'",
        f"SET allowed_directories = [{', '.join(map(_literal, folders))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def explained(error: Exception) -> str:
    """Give what DuckDB says in one line, without the names of fresh rows."""
    return one_line(error).replace(FRESH, "")
