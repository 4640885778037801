"""The socket of queries: what clients send, do not send and do not take, and what ends a query."""

import contextlib
import json
import os
import socket
import stat
import struct
import sys
import threading
import time

import duckdb
import pyarrow as pa
import pytest
from tests.sinks.batches import wait_for

import tickwire
from tickwire.config.sockets import query_socket
from tickwire.errors import SinkError, TickwireError
from tickwire.observe import Registry
from tickwire.serve import client, frames, queries, query_server
from tickwire.serve.frames import receive_frame
from tickwire.serve.places import find, noted_outputs
from tickwire.serve.queries import Queries
from tickwire.serve.query_server import QueryServer
from tickwire.serve.requests import Limits, QueryError
from tickwire.serve.snapshot import Database, TableSource, isolated
from tickwire.serve.statements import QueryRefused

ENDLESS = "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c"


class Served:
    """A server of one table of ten rows, and what it counts."""

    def __init__(self, folder):
        rows = pa.table({"seq": list(range(10)), "price": [0.5] * 10})
        self.instance = isolated()
        self.registry = Registry()
        self.queries = Queries(
            Database(
                self.instance.cursor, {"mids": TableSource(None, lambda: rows)}, is_locked=True
            ),
            self.registry.labelled(),
        )
        self.path = query_socket(folder, "main")
        self.server = QueryServer(self.queries, self.path)

    def count(self, name):
        return int(self.registry.total(name))

    def dial(self):
        dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dialled.settimeout(20)
        dialled.connect(str(self.path))
        return dialled

    def ask(self, data):
        with self.dial() as dialled:
            with contextlib.suppress(OSError):  # it has seen enough
                dialled.sendall(data)
            kind, answer = receive_frame(dialled)
        return kind, json.loads(answer) if kind != b"D" else answer


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".tickwire"
    folder.mkdir()
    found = Served(folder)
    found.server.start()
    yield found
    found.server.stop()
    found.instance.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("query")]


def rows(connection, sql="SELECT count(*) AS n FROM mids"):
    return connection.query(sql).read_all().to_pylist()


def test_a_query_by_name_gives_arrow(served):
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600
    with tickwire.connect("main") as connection:
        assert connection.is_live
        assert "running" in repr(connection)
        assert rows(connection) == [{"n": 10}]
        table = connection.query("SELECT * FROM mids ORDER BY seq").read_all()
        assert table.column("seq").to_pylist() == list(range(10))
        assert connection.query("FROM mids WHERE false").read_all().num_rows == 0
    wait_for(lambda: served.count("queries_open") == 0)
    assert served.count("queries") == 3
    assert served.count("query_rows") == 11
    assert served.registry.total("query_seconds") > 0


def test_a_cursor_is_one_of_db_api(served):
    with tickwire.connect("main") as connection, connection.cursor() as cursor:
        with pytest.raises(QueryError, match="nothing was executed"):
            cursor.fetch_arrow_table()
        cursor.execute("SELECT seq, make_timestamp_ns(1001) AS at FROM mids ORDER BY seq")
        assert [column[0] for column in cursor.description] == ["seq", "at"]
        assert cursor.fetchone()[0] == 0
        assert cursor.fetchone()[1].microsecond == 1
        assert [row[0] for row in cursor.fetchmany(3)] == [2, 3, 4]
        assert [row[0] for row in cursor] == [5, 6, 7, 8, 9]
        assert cursor.fetchone() is None
        assert cursor.execute("FROM mids").fetchall()[9][0] == 9
        assert cursor.execute("FROM mids").fetch_arrow_table().num_rows == 10


def test_errors_are_one_line_and_counted(served):
    with tickwire.connect("main") as connection:
        with pytest.raises(QueryRefused, match="only SELECT may run, not DELETE"):
            connection.query("DELETE FROM mids")
        with pytest.raises(QueryError, match="nowhere") as failed:
            connection.query("SELECT nowhere FROM mids")
        assert "\n" not in str(failed.value)
        with pytest.raises(QueryError, match="Could not convert"):
            rows(connection, "SELECT 'a'::INT FROM mids")
        assert rows(connection) == [{"n": 10}]
    assert served.count("queries_refused") == 1
    assert served.count("queries_failed") == 2


def test_an_endless_query_is_ended_after_its_time_and_the_next_one_runs(served):
    with tickwire.connect("main", limit_s=0.3, max_rows=1_000_000_000) as connection:
        began_s = time.monotonic()
        with pytest.raises(QueryError, match=r"it took more than 0\.3 s"):
            rows(connection, ENDLESS)
        assert time.monotonic() - began_s < 5
        with pytest.raises(QueryError, match=r"it took more than 0\.3 s"):
            rows(connection, "SELECT * FROM range(100000) a, range(100000) b, range(100000) c")
    with tickwire.connect("main") as connection:
        assert rows(connection) == [{"n": 10}]
    assert served.count("queries_interrupted") == 2


def test_an_answer_of_too_many_rows_is_an_error(served):
    with tickwire.connect("main", max_rows=5) as connection:
        assert rows(connection, "FROM mids LIMIT 5")[4]["seq"] == 4
        with pytest.raises(QueryError, match="more than 5 rows"):
            rows(connection, "FROM mids")
    with pytest.raises(QueryRefused):
        tickwire.connect("main", max_rows=0)
    with pytest.raises(QueryRefused):
        tickwire.connect("main", limit_s=-1)


def test_queries_take_turns_and_those_that_wait_are_shown(served):
    found = []

    def ask():
        with tickwire.connect("main", limit_s=0.4) as connection:
            try:
                found.append(rows(connection, ENDLESS))
            except QueryError as error:
                found.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(served.queries.open_queries) == 3)
    assert served.queries.open_queries[0].sql == ENDLESS
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert any("it took more" in text for text in found)
    assert all("it took more" in text or "other queries" in text for text in found)


JUNK = {
    "nothing": b"\n",
    "bytes": bytes(range(256)) * 4 + b"\n",
    "no object": b"[]\n",
    "deep": b"[" * 30_000 + b"\n",
    "no sql": b"{}\n",
    "no text": b'{"sql": 1}\n',
    "empty": b'{"sql": " "}\n',
    "limit": b'{"sql": "SELECT 1", "limit_s": "x"}\n',
    "long limit": b'{"sql": "SELECT 1", "limit_s": 1e9}\n',
    "rows": b'{"sql": "SELECT 1", "max_rows": 0.5}\n',
    "much": b"x" * (4 << 20),
    "half": b'{"sql": "SELECT 1"',
}


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_gets_an_error_and_hurts_no_other(served, data, monkeypatch):
    monkeypatch.setattr(query_server, "REQUEST_S", 0.2)
    try:
        kind, answer = served.ask(data)
    except frames.FramesCut:
        assert len(data) > frames.MAX_REQUEST_BYTES  # reset, as bytes were left unread
    else:
        assert kind == b"E"
        assert answer["kind"] == "refused"
    wait_for(lambda: served.count("queries_refused") == 1)
    with tickwire.connect("main") as connection:
        assert rows(connection) == [{"n": 10}]


def test_clients_that_vanish_or_take_nothing_hold_up_no_other(served, monkeypatch):
    monkeypatch.setattr(frames, "STALL_S", 0.2)
    monkeypatch.setattr(query_server, "REQUEST_S", 0.3)
    silent = [served.dial() for _ in range(3)]
    large = json.dumps({"sql": "FROM range(10000000)"}).encode() + b"\n"
    for reset in (False, True):
        gone = served.dial()
        gone.sendall(large)
        if reset:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
    stuck = served.dial()
    stuck.sendall(large)
    with tickwire.connect("main") as connection:
        assert rows(connection) == [{"n": 10}]
    wait_for(lambda: not served.server._clients)
    for each in (*silent, stuck):
        each.close()


def test_too_many_clients_at_once_are_told(served, monkeypatch):
    monkeypatch.setattr(query_server, "MAX_CLIENTS", 1)
    monkeypatch.setattr(query_server, "REQUEST_S", 2.0)
    with served.dial():
        wait_for(lambda: len(served.server._clients) == 1)
        with tickwire.connect("main") as connection, pytest.raises(QueryError, match="too many"):
            rows(connection)
        assert served.count("queries_refused") == 1


def test_a_stop_ends_what_runs(served):
    failed = []

    def ask():
        with tickwire.connect("main", limit_s=60) as connection:
            try:
                rows(connection, ENDLESS)
            except TickwireError as error:
                failed.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: bool(served.queries._deadlines))
    began_s = time.monotonic()
    served.server.stop()
    assert time.monotonic() - began_s < 5
    thread.join(10)
    assert failed
    assert not served.path.exists()
    with pytest.raises(TickwireError, match="none of its outputs"):
        tickwire.connect("main")


def test_a_stop_goes_on_where_a_query_does_not_end(served, monkeypatch, caplog):
    monkeypatch.setattr(queries, "CLOSE_S", 0.2)
    ends, failed = threading.Event(), []

    def hang():  # as in one call of a function, which is not interrupted
        with contextlib.suppress(QueryError):
            served.queries.run("FROM mids", Limits(60), lambda batch, is_first: ends.wait(20))

    def wait():
        with pytest.raises(QueryError) as refused:
            served.queries.run("FROM mids", Limits(60), lambda batch, is_first: None)
        failed.append(str(refused.value))

    hung = threading.Thread(target=hang)
    hung.start()
    wait_for(lambda: bool(served.queries._deadlines))
    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_for(lambda: len(served.queries.open_queries) == 2)
    began_s = time.monotonic()
    served.queries.close()
    waiting.join(5)
    assert time.monotonic() - began_s < 5
    assert failed == ["the feed stops"]
    assert "queries do not end" in caplog.text
    ends.set()
    hung.join()


def test_what_fails_before_a_statement_runs_is_an_error_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".tickwire"
    folder.mkdir()
    found = Served(folder)
    torn = TableSource(lambda connection: "read_parquet(['nowhere.parquet'])", None)
    full = TableSource(None, lambda: no_rows(SinkError("sink x is behind")))
    found.queries._database.tables.update(trades=torn, quotes=full)
    found.server.start()
    with tickwire.connect("main") as connection:
        with pytest.raises(QueryError, match=r"nowhere\.parquet"):
            rows(connection, "FROM trades")
        with pytest.raises(QueryError, match="sink x is behind"):
            rows(connection, "FROM quotes")
    wait_for(lambda: found.count("queries_failed") == 2)
    found.server.stop()
    found.instance.close()


def no_rows(error):
    raise error


def test_no_umask_is_touched_which_other_threads_have_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the process has one umask"))
    found = Served(tmp_path)
    found.server.start()
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
    found.server.stop()
    found.instance.close()


def test_a_process_without_threads_answers_the_next_client(served, monkeypatch):
    start = threading.Thread.start
    n_left = [1]

    def once(thread):
        if thread.name == "query-client" and n_left:
            n_left.pop()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", once)
    with tickwire.connect("main") as connection, pytest.raises(QueryError):
        connection.query("FROM mids")
    with tickwire.connect("main") as connection:
        assert rows(connection) == [{"n": 10}]
    wait_for(lambda: not served.server._clients)


def test_what_takes_the_memory_may_end_a_query(served):
    ended = []

    def ask():
        with tickwire.connect("main", limit_s=60) as connection:
            try:
                rows(connection, ENDLESS)
            except QueryError as error:
                ended.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: bool(served.queries._deadlines))
    while thread.is_alive():  # as a sink does, which repeats it with its commit
        for deadline in list(served.queries._deadlines):
            deadline._connection.interrupt()
        thread.join(0.02)
    assert ended == ["the query was ended: the feed needed the memory to commit its rows"]


def test_a_stale_socket_is_noticed_and_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".tickwire"
    folder.mkdir()
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(query_socket(folder, "main")))
    left.close()
    with pytest.raises(TickwireError, match="no feed 'main' runs"):
        tickwire.connect("main")
    found = Served(folder)
    found.server.start()
    with tickwire.connect("main") as connection:
        assert rows(connection) == [{"n": 10}]
    found.server.stop()
    found.instance.close()


def test_a_socket_that_cannot_be_had_is_a_line_in_the_log(tmp_path):
    found = Served(tmp_path / "nowhere")
    found.server.start()
    found.server.stop()
    found.instance.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        frames.HEAD.pack(b"E", 3) + b"abc",
        frames.HEAD.pack(b"D", 9),
    ],
)
def test_an_answer_of_something_else_is_an_error(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".tickwire"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(query_socket(folder, "main")))
        listening.listen()

        def answer():
            accepted, _ = listening.accept()
            with accepted, contextlib.suppress(OSError):
                accepted.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        with tickwire.connect("main") as connection, pytest.raises(QueryError):
            connection.query("SELECT 1")
        thread.join()


def test_files_are_opened_where_no_feed_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("market.duckdb") as database:
        database.execute("CREATE TABLE trades AS SELECT i AS seq, 1.5 AS price FROM range(7) t(i)")
        database.execute("CREATE MACRO utc(ts) AS ts AT TIME ZONE 'UTC'")
    (tmp_path / ".tickwire").mkdir()
    notes = noted_outputs(tmp_path / ".tickwire", "main")
    path = str(tmp_path / "market.duckdb")
    notes.write_text(json.dumps({"outputs": [{"type": "duckdb", "path": path, "tables": None}]}))
    (tmp_path / "feed.toml").write_text(
        '[[source]]\nvenue = "binance"\nchannels = ["trades"]\nsymbols = ["A"]\n'
        '[[sink]]\ntype = "duckdb"\npath = "market.duckdb"\n'
    )
    for feed in ("main", "market.duckdb", "feed.toml", tmp_path / "market.duckdb"):
        with tickwire.connect(feed) as connection:
            assert not connection.is_live
            assert "outputs" in repr(connection)
            assert rows(connection, "SELECT count(*) AS n, sum(price) AS s FROM trades") == [
                {"n": 7, "s": 10.5}
            ]
            with pytest.raises(QueryRefused):
                connection.query("FROM read_text('feed.toml')")
    notes.write_text("junk")
    with pytest.raises(TickwireError, match="cannot be read"):
        find("main")
    (tmp_path / "x.duckdb").write_text("no database")
    with pytest.raises(TickwireError, match="cannot open"):
        tickwire.connect("x.duckdb")


def test_limits_are_checked():
    assert query_server.asked({"sql": "SELECT 1", "limit_s": 2, "max_rows": 3})[1] == Limits(2.0, 3)


def test_large_frames_go_in_pieces():
    near, far = socket.socketpair()
    data = os.urandom(frames.PIECE_BYTES + 10)
    sender = threading.Thread(target=frames.send_frame, args=(near, b"D", data))
    sender.start()
    assert receive_frame(far)[1] + receive_frame(far)[1] == data
    sender.join()
    near.close()
    with pytest.raises(frames.FramesCut):
        receive_frame(far)
    far.close()
    assert client.ANSWER_S > 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_a_query_has_a_lower_priority_than_the_feed(tmp_path):
    found = []

    def fresh():
        found.append((os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)))
        return pa.table({"seq": [1]})

    instance = isolated()
    tables = {"mids": TableSource(None, fresh)}
    server = QueryServer(
        Queries(Database(instance.cursor, tables, is_locked=True)), tmp_path / "query.sock"
    )
    own = os.getpriority(os.PRIO_PROCESS, 0)
    server.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dialled:
            dialled.connect(str(tmp_path / "query.sock"))
            dialled.sendall(b'{"sql": "SELECT * FROM mids"}\n')
            assert receive_frame(dialled)[0] == b"D"
    finally:
        server.stop()
        instance.close()
    assert found == [(min(19, own + query_server.NICE), os.SCHED_BATCH)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
