"""Which SQL statements may run: one SELECT, over known tables, with functions that only compute.

Rules of this file
------------------
- DuckDB itself takes a statement apart, in an instance that has neither files nor network. What it
  says of tables and functions is compared with lists of what is allowed: a function or a syntax
  that a later version brings is refused until it is listed.
- A name that could be a file's or a Python variable's is never handed to DuckDB as that of a table.
- Besides this a query runs in a read-only transaction; neither relies on the other.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tickwire.errors import TickwireError

if TYPE_CHECKING:
    import duckdb

MAX_SQL_BYTES = 16 << 10
MAX_DEPTH = 200
MAX_PASSED = 256  # statements that need not be taken apart again: who polls repeats them
# What may stand behind FROM, as `json_serialize_sql` names it.
TABLE_REFS = frozenset(
    {
        *("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST"),
        *("EMPTY", "CTE", "PIVOT", "SHOW_REF", "COLUMN_DATA", "EMPTY_FROM"),
    }
)
# What a statement and each of its parts may be.
NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
# Of those that DuckDB says have effects: what only differs from call to call.
VOLATILE = frozenset({"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"})
# One call takes any time, or memory that no limit counts, and DuckDB does not interrupt it.
UNBOUNDED = frozenset(
    {
        *("levenshtein", "editdist3", "damerau_levenshtein", "jaro_similarity"),
        *("jaro_winkler_similarity", "range", "generate_series", "repeat", "lpad", "rpad"),
        *("list_resize", "array_resize"),
    }
)
# They say something of the process, run or plan SQL that they are given, read or write what is no
# row, wait, or trust bytes of their argument.
REFUSED = frozenset(
    {
        *("current_setting", "getvariable", "getenv", "current_query", "write_log", "sleep_ms"),
        *("pg_sleep", "nextval", "currval", "setval", "setseed", "stats", "get_block_size"),
        *("json_serialize_sql", "json_serialize_plan", "json_deserialize_sql"),
        *("json_execute_serialized_sql", "parse_duckdb_log_message", "invoke", "vector_type"),
        *("create_sort_key", "combine", "finalize", "to_aggregate_state", "index_key"),
        *("variant_bytes_to_variant", "variant_group_array", "cast_to_type", "in_search_path"),
    }
)
REFUSED_PREFIXES = ("__", "pg_", "inet_", "has_", "icu_sort", "read_", "write_", "st_", "duckdb_")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class QueryRefused(TickwireError):
    """A statement that may not run, or more than may be asked for."""


class StatementCheck:
    """Takes statements apart and says which may run; any thread.

    Parameters
    ----------
    macros
        Names of macros that the database has, beside DuckDB's own functions.
    """

    def __init__(self, macros: Collection[str] = ()) -> None:
        self._macros = frozenset(macros)
        self._lock = threading.Lock()
        self._passed: OrderedDict[tuple[str, frozenset[str]], frozenset[str]] = OrderedDict()

    @cached_property
    def _parser(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        parser = duckdb.connect(
            config={
                "threads": "1",
                "memory_limit": "128MiB",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "temp_directory": "",
            }
        )
        parser.execute(f"SET max_expression_depth = {MAX_DEPTH}")
        parser.execute("SET enable_external_access = false")
        parser.execute("SET lock_configuration = true")
        return parser

    @cached_property
    def _functions(self) -> frozenset[str]:
        """The functions that only compute."""
        found = self._parser.execute(
            "SELECT lower(function_name), bool_or(coalesce(has_side_effects, false)) "
            "FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro') "
            "OR function_type = 'window' GROUP BY ALL"
        ).fetchall()
        allowed = {
            name
            for name, has_effects in found
            if (not has_effects or name in VOLATILE)
            and name not in REFUSED | UNBOUNDED
            and not name.startswith(REFUSED_PREFIXES)
        }
        # Of window functions, and what the parser itself makes, which no version has in its list.
        windows = {"row_number", "rank", "dense_rank", "rank_dense", "percent_rank", "cume_dist"}
        windows |= {"ntile", "lag", "lead", "first_value", "last_value", "nth_value"}
        return frozenset(allowed | windows | {"error", "fill", "unnest", "count_star"})

    @cached_property
    def _views(self) -> frozenset[str]:
        """The views that every database has."""
        found = self._parser.execute("SELECT lower(view_name) FROM duckdb_views()").fetchall()
        return frozenset(name for (name,) in found)

    def tables(self, sql: str, known: Collection[str]) -> set[str]:
        """Give the known tables that a statement reads.

        Parameters
        ----------
        sql
            The statement.
        known
            Names of tables, in lower case.

        Raises
        ------
        QueryRefused
            It may not run: one line that says why.
        """
        key = sql, frozenset(known)
        with self._lock:
            if key not in self._passed:
                found = _Found(self._functions | self._macros, known, self._views)
                found.read(self._parsed(sql))
                self._passed[key] = frozenset(found.tables)
                if len(self._passed) > MAX_PASSED:
                    self._passed.popitem(last=False)
            return set(self._passed[key])

    def _parsed(self, sql: str) -> Any:
        try:
            n_bytes = len(sql.encode())
        except UnicodeError:
            raise QueryRefused("the statement is not UTF-8") from None
        if n_bytes > MAX_SQL_BYTES:
            raise QueryRefused(f"the statement is longer than {MAX_SQL_BYTES:,} bytes")
        if "\0" in sql:
            raise QueryRefused("the statement has a zero byte")
        import duckdb

        try:
            statements = self._parser.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryRefused(one_line(error)) from None
        if len(statements) != 1:
            raise QueryRefused(f"one statement at a time, not {len(statements)}")
        try:
            statement_type = statements[0].type
        except ValueError:  # one that the module has no name for
            raise QueryRefused("only SELECT may run") from None
        if statement_type != duckdb.StatementType.SELECT:
            kind = str(statement_type).rpartition(".")[2].replace("_", " ")
            raise QueryRefused(f"only SELECT may run, not {kind}")
        try:
            row = self._parser.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
            tree = json.loads(row[0]) if row is not None else {"error": True}
        except (duckdb.Error, RecursionError) as error:
            raise QueryRefused(f"the statement cannot be checked: {one_line(error)}") from None
        if tree.get("error", True):
            why = tree.get("error_message", "")
            raise QueryRefused(f"only SELECT may run: {' '.join(str(why).split())}")
        return tree


class _Found:
    """What a statement names.

    Parameters
    ----------
    functions, known
        What it may name.
    views
        What a common table expression may not be called: where it is out of scope, its name would
        be that of the view.

    Attributes
    ----------
    tables
        The known tables that it reads.
    """

    def __init__(
        self, functions: Collection[str], known: Collection[str], views: Collection[str]
    ) -> None:
        self.tables: set[str] = set()
        self._views = views
        self._functions = functions
        self._known = known

    def read(self, tree: Any) -> None:
        """Look at every node, without recursion."""
        ctes = frozenset(_names_of_ctes(tree))
        for name in ctes:
            if not NAME.fullmatch(name) or name in self._views:
                raise QueryRefused(f"{name!r} is no name for a common table expression")
        table_functions = set()
        for node in _nodes(tree):
            kind = node.get("type")
            if kind == "TABLE_FUNCTION":
                table_functions.add(id(node.get("function")))
            if "class" not in node and "alias" in node and "sample" in node:
                self._table_ref(node, str(kind), ctes)
            if "cte_map" in node:
                self._name(str(kind), "statement", NODES)
            if node.get("materialized") == "CTE_MATERIALIZE_NEVER":
                raise QueryRefused("NOT MATERIALIZED may not be used: its plan can be of any size")
            if "function_name" in node:
                self._function(node, is_table=id(node) in table_functions)
            if node.get("class") == "COLLATE":
                self._name(str(node.get("collation", "")).lower(), "collation", COLLATIONS)
            for key in ("type_name", "user_type_name"):
                if isinstance(node.get(key), str) and node.get("class", "TYPE") == "TYPE":
                    self._name(node[key].lower(), "type", TYPES)

    def _table_ref(self, node: dict[str, Any], kind: str, ctes: Collection[str]) -> None:
        if kind not in TABLE_REFS:
            raise QueryRefused(f"{kind} may not stand behind FROM")
        if kind == "SHOW_REF" and node.get("query") is not None:
            return  # DESCRIBE or SUMMARIZE of a query, which is looked at
        if kind not in ("BASE_TABLE", "SHOW_REF"):
            return
        names = [str(node.get(key) or "") for key in ("catalog_name", "schema_name", "table_name")]
        catalog, schema, table = (name.lower() for name in names)
        if node.get("at_clause") is not None:
            raise QueryRefused("a table has no earlier state: AT may not be used")
        if not catalog and not schema and kind == "BASE_TABLE" and table in ctes:
            if table in self._known:  # of one scope perhaps, and the table in another
                self.tables.add(table)
            return
        if catalog or schema not in ("", "main") or table not in self._known:
            shown = ".".join(name for name in names if name)
            tables = ", ".join(sorted(self._known))
            raise QueryRefused(f"no table {shown!r} here: {tables or 'there is none'}")
        self.tables.add(table)

    def _function(self, node: dict[str, Any], *, is_table: bool) -> None:
        name = str(node["function_name"]).lower()
        where = [str(node.get(key) or "").lower() for key in ("catalog", "schema")]
        allowed = TABLE_FUNCTIONS if is_table else self._functions
        if where[0] not in ("", "system") or where[1] not in ("", "main") or name not in allowed:
            raise QueryRefused(f"function {'.'.join((*filter(None, where), name))} may not be used")

    @staticmethod
    def _name(name: str, what: str, allowed: Collection[str]) -> None:
        if name not in allowed:
            raise QueryRefused(f"{what} {name!r} may not be used")


# Others are those of extensions, which DuckDB would look for.
COLLATIONS = frozenset({"nocase", "noaccent", "nfc", "binary", "c", "posix"})
TYPES = frozenset(
    {
        *("bigint", "int8", "int64", "long", "oid", "boolean", "bool", "logical", "blob", "bytea"),
        *("binary", "varbinary", "date", "decimal", "numeric", "dec", "double", "float8", "float"),
        *("float4", "real", "hugeint", "int128", "integer", "int4", "int32", "int", "signed"),
        *("interval", "smallint", "int2", "int16", "short", "time", "timestamp", "datetime"),
        *("timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns", "timestamptz"),
        *("timestamp with time zone", "time with time zone", "timetz", "tinyint", "int1"),
        *("timestamp_tz", "timestamptz_ns", "time_ns", "ubigint", "uint64", "uhugeint"),
        *("uint128", "uinteger", "uint32", "usmallint", "uint16", "utinyint", "uint8", "uuid"),
        *("varchar", "char", "bpchar", "text", "string", "nvarchar", "bit", "bitstring", "list"),
        *("struct", "row", "map", "union", "array", "json", "null", "guid", '"null"'),
    }
)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Give every object of a JSON document, an outer one before those in it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _names_of_ctes(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        entries = node["map"] if isinstance(node.get("map"), list) else ()
        for entry in entries:
            if isinstance(entry, dict) and "key" in entry:
                yield str(entry["key"]).lower()
        if node.get("type") == "RECURSIVE_CTE_NODE" or "ctename" in node or "cte_name" in node:
            name = node.get("cte_name") or node.get("ctename")
            if name:
                yield str(name).lower()


def one_line(error: BaseException) -> str:
    """Give what DuckDB says, without where in the text and in its own code."""
    text = str(error).split("\n\n")[0]
    return " ".join(text.split())
