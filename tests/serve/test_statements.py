"""What may run, and everything that writes, or reaches files or the network, and may not."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.serve import statements
from tickwire.serve.statements import QueryRefused, StatementCheck

KNOWN = {"trades", "quotes"}
CHECK = StatementCheck({"utc"})

ALLOWED = """
SELECT 1
FROM trades
WITH a AS (SELECT 1) SELECT * FROM a
VALUES (1)
DESCRIBE trades
SUMMARIZE trades
SELECT * FROM trades t JOIN quotes q USING (seq) WHERE t.price > 1 AND t.symbol IN ('a') LIMIT 5
FROM trades PIVOT (count(*) FOR side IN ('buy', 'sell'))
SELECT avg(price) OVER (PARTITION BY symbol ORDER BY seq ROWS 5 PRECEDING) FROM main.trades
SELECT * FROM trades QUALIFY row_number() OVER (PARTITION BY symbol) = 1
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r
SELECT utc(ts_recv), ts_recv::DATE, cast(price AS DECIMAL(10, 2)), [1, 2][1], {'a': 1}.a FROM trades
SELECT list_transform([1, 2], lambda x: x + 1)
SELECT count(DISTINCT symbol), sum(size) FILTER (WHERE side = 'buy') FROM trades GROUP BY ALL
SELECT * EXCLUDE (seq) REPLACE (price * 2 AS price) FROM trades
SELECT columns('p.*') FROM trades
FROM range(10) t(n)
SELECT date_trunc('minute', ts_recv), INTERVAL 5 MINUTE, now(), current_date, random() FROM trades
FROM trades ASOF JOIN quotes ON trades.symbol = quotes.symbol AND trades.ts_recv >= quotes.ts_recv
SELECT time_bucket(INTERVAL '1 minute', ts_recv), arg_max(price, seq) FROM trades GROUP BY 1
SELECT lag(price) OVER w FROM trades WINDOW w AS (ORDER BY seq)
FROM trades USING SAMPLE 10 ROWS
FROM trades UNION ALL FROM trades
SELECT (SELECT max(seq) FROM trades), EXISTS (FROM quotes), CASE WHEN true THEN 'a' END
SELECT 'a' COLLATE nocase
""".strip().splitlines()

REFUSED = r"""
INSERT INTO trades VALUES (1)
UPDATE trades SET price = 1
DELETE FROM trades
TRUNCATE trades
MERGE INTO trades USING quotes ON true WHEN MATCHED THEN DELETE
CREATE TABLE x (i INT)
CREATE TEMP TABLE x (i INT)
CREATE VIEW x AS FROM trades
CREATE MACRO x(a) AS a
CREATE SECRET (TYPE s3)
DROP TABLE trades
ALTER TABLE trades ADD COLUMN x INT
COMMENT ON TABLE trades IS 'x'
COPY trades TO 'x.csv'
COPY trades FROM 'x.csv'
COPY (SELECT 1) TO '/dev/stdout'
EXPORT DATABASE 'x'
IMPORT DATABASE 'x'
ATTACH 'x.db'
DETACH main
USE main
INSTALL httpfs
LOAD httpfs
UPDATE EXTENSIONS
SET threads = 1
RESET threads
SET VARIABLE x = 1
PRAGMA table_info('trades')
PRAGMA database_size
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
BEGIN
COMMIT
PREPARE x AS SELECT 1
EXECUTE x
CALL range(1)
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
SELECT 1; SELECT 2
SELECT 1; DROP TABLE trades
WITH x AS (INSERT INTO trades VALUES (1) RETURNING *) FROM x
FROM 'x.csv'
FROM "x.parquet"
FROM x.csv
FROM 's3://bucket/x.parquet'
FROM 'https://example.com/x.csv'
FROM read_csv('x')
FROM read_csv_auto('x')
FROM read_parquet('x')
FROM parquet_scan('x')
FROM parquet_metadata('x')
FROM read_json('x')
FROM read_text('/etc/passwd')
FROM read_blob('/etc/passwd')
FROM sniff_csv('x')
FROM glob('/*')
FROM read_duckdb('x')
FROM sqlite_scan('x', 'y')
FROM postgres_scan('x', 'y', 'z')
FROM arrow_scan(1, 2, 3)
FROM pandas_scan(1)
FROM seq_scan('trades')
FROM query('SELECT 1')
FROM query_table('trades')
FROM histogram_values('x.csv', a)
FROM checkpoint()
FROM force_checkpoint()
FROM enable_logging()
FROM duckdb_secrets()
FROM which_secret('s3://x', 's3')
FROM duckdb_settings()
FROM duckdb_tables
FROM information_schema.tables
FROM pg_catalog.pg_tables
FROM sqlite_master
FROM db.main.trades
FROM temp.trades
FROM json_execute_serialized_sql('x')
FROM nowhere
FROM trades AT (VERSION => 1)
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
DESCRIBE 'x.csv'
SUMMARIZE 'x.csv'
PIVOT trades ON side USING count(*)
FROM (FROM 'x.parquet')
SELECT (SELECT count(*) FROM 'x.parquet')
FROM trades WHERE seq IN (FROM 'x.json')
SELECT list_transform([1], lambda x: (SELECT count(*) FROM 'x.csv'))
FROM 'x.csv', (WITH "x.csv" AS (SELECT 1) FROM "x.csv")
WITH a AS (FROM "x.csv"), "x.csv" AS (SELECT 1) FROM a
SELECT nextval('a')
SELECT currval('a')
SELECT current_setting('secret_directory')
SELECT getvariable('a')
SELECT getenv('HOME')
SELECT write_log('x')
SELECT sleep_ms(10000)
SELECT json_serialize_plan('FROM ''x.csv''')
SELECT json_serialize_sql('SELECT 1')
SELECT __internal_decompress_string(1)
SELECT combine(1, 2)
SELECT st_read('x')
SELECT system.pg_catalog.pg_sleep(1)
SELECT 'a'::INET
SELECT 'a' COLLATE de
SELECT nowhere(1)
SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))
SELECT damerau_levenshtein(symbol, side) FROM trades
SELECT len(range(600000000))
SELECT [x for x in generate_series(1, 600000000)]
SELECT repeat('x', 3000000000)
SELECT lpad('x', 2000000000, 'y')
WITH a AS NOT MATERIALIZED (SELECT 1) FROM a
FROM (WITH duckdb_databases AS (SELECT 1) FROM duckdb_databases), duckdb_databases
WITH sqlite_master AS (FROM sqlite_master) FROM sqlite_master
SELEC 1
""".strip().splitlines()


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_only_reads_may_run(sql):
    CHECK.tables(sql, KNOWN)


@pytest.mark.parametrize("sql", REFUSED)
def test_all_else_is_refused_in_one_line(sql):
    with pytest.raises(QueryRefused) as refused:
        CHECK.tables(sql, KNOWN)
    assert str(refused.value).strip()
    assert "\n" not in str(refused.value)


def test_the_tables_of_a_statement_are_found_wherever_they_stand():
    assert CHECK.tables("SELECT (SELECT max(seq) FROM Trades)", KNOWN) == {"trades"}
    assert CHECK.tables("WITH a AS (FROM quotes) FROM a, main.TRADES", KNOWN) == KNOWN
    assert CHECK.tables("SELECT 1", KNOWN) == set()
    # Of one scope a common table expression, of another one the table.
    sql = "SELECT * FROM trades, (WITH trades AS (SELECT 1) FROM trades)"
    assert CHECK.tables(sql, KNOWN) == {"trades"}


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "--",
        "SELECT '\0'",
        "SELECT '" + "x" * statements.MAX_SQL_BYTES + "'",
        "SELECT " + "(" * 4000 + "1" + ")" * 4000,
        "SELECT 1" + " + 1" * 1500,
        "SELECT " + "not " * 1500 + "true",
        "SELECT \ud800",
    ],
    ids=["empty", "semicolon", "comment", "zero", "long", "deep", "wide", "nots", "surrogate"],
)
def test_what_is_no_statement_or_too_much_of_one_is_refused(sql):
    with pytest.raises(QueryRefused):
        CHECK.tables(sql, KNOWN)


def test_what_has_passed_is_remembered_within_a_bound(monkeypatch):
    monkeypatch.setattr(statements, "MAX_PASSED", 3)
    check = StatementCheck()
    for _ in range(2):
        for n in range(5):
            sql = f"SELECT {n} FROM trades"  # noqa: S608 - a number
            assert check.tables(sql, KNOWN) == {"trades"}
    assert len(check._passed) == 3
    with pytest.raises(QueryRefused):
        check.tables("SELECT 4 FROM trades", {"quotes"})  # other tables, another answer


PIECES = [word for sql in (*ALLOWED, *REFUSED) for word in sql.split()]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map(" ".join))
def test_what_is_allowed_only_reads_whatever_it_is_put_together_from(sql):
    try:
        CHECK.tables(sql, KNOWN)
    except QueryRefused:
        return
    with duckdb.connect() as connection:
        [statement] = connection.extract_statements(sql)
        assert statement.type == duckdb.StatementType.SELECT
        connection.execute("CREATE TABLE trades (seq BIGINT, price DOUBLE, side VARCHAR)")
        connection.execute("SET enable_external_access = false")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            connection.execute(f"EXPLAIN {sql}")
        except duckdb.PermissionException as error:  # it would have reached a file
            raise AssertionError(sql) from error
        except duckdb.TransactionException as error:  # it would have written
            raise AssertionError(sql) from error
        except duckdb.Error:
            pass  # no such column, say
