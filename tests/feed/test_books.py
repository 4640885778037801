"""Books that need a snapshot: what comes when, and what is written down when it does not come."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pyarrow as pa
import pytest

from tickwire.config import Config, Feed, Source
from tickwire.errors import RequestRefused, TickwireError
from tickwire.feed.books import books as books_module
from tickwire.feed.books.books import Books, fetch_books, symbol_of
from tickwire.feed.pipeline import GAP_ID, Pipeline
from tickwire.feed.plan.planning import plan_feed
from tickwire.ring import Consumer
from tickwire.venues import load

Run = Callable[[Coroutine[Any, Any, None]], None]
REST_NS = 1_000_000


@pytest.fixture(autouse=True)
def _retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(books_module, "LOOK_S", 0.002)


def delta(first: int, last: int) -> bytes:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last}
    return json.dumps(
        {"stream": "btcusdt@depth@100ms", "data": data | {"b": [["1", "2"]], "a": []}}
    ).encode()


def snapshot(last: int) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": [["1", "1"]], "asks": []}).encode()


class ScriptedRest:
    """Gives its answers, one after the other; then waits for ever."""

    def __init__(self, *answers: bytes | TickwireError) -> None:
        self.answers = list(answers)
        self.urls: list[str] = []

    async def get(self, url: str) -> tuple[bytes, int]:
        self.urls.append(url)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, TickwireError):
            raise answer
        return answer, REST_NS


class Scene:
    """A pipeline of spot books with one connection."""

    def __init__(self) -> None:
        source = Source(venue="binance", channels=["book"], symbols=["BTCUSDT"])
        plan = plan_feed(Config(Feed(ring_rows=16_384), (source,)))
        self.pipeline = Pipeline(plan, dict.fromkeys((*plan.tables, GAP_ID), 0))
        [self.source] = self.pipeline.sources
        assert self.source.books is not None
        self.books: Books = self.source.books
        self.consumers = {name: Consumer(ring) for name, ring in self.pipeline.rings.items()}
        self.connect(7)

    def connect(self, conn: int) -> None:
        self.connection = self.source.decoder.connection(conn)
        self.source.gaps.connected(0, conn)
        self.books.on_connected(("BTCUSDT",), conn)

    def send(self, *deltas: tuple[int, int]) -> None:
        for first, last in deltas:
            assert self.connection.decode(delta(first, last), last)

    def rows(self, table: str) -> list[dict[str, Any]]:
        batch = self.consumers[table].take()
        if batch is None:
            return []
        columns = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            is_time = pa.types.is_timestamp(column.type)
            columns[name] = (column.cast("int64") if is_time else column).to_pylist()
        return [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]

    def book(self) -> list[tuple[bool, int, int, int]]:
        return [
            (row["is_snapshot"], row["venue_seq"], row["ts_recv"], row["conn"])
            for row in self.rows("book")
        ]

    @contextlib.asynccontextmanager
    async def fetching(self, rest: ScriptedRest) -> Any:
        task = asyncio.create_task(fetch_books(self.books, rest, "http://rest"))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_rows(self, n_rows: int) -> None:
        while self.pipeline.rings["book"].published < n_rows:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)


def test_nothing_is_looked_for_while_nothing_happens(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        scene = Scene()
        looks = 0
        look = scene.books.look

        def counted() -> list[str]:
            nonlocal looks
            looks += 1
            return look()

        monkeypatch.setattr(scene.books, "look", counted)
        async with scene.fetching(ScriptedRest(snapshot(7))):
            await asyncio.sleep(0.3)
            assert looks == 1
            scene.send((1, 5), (6, 10))
            await asyncio.wait_for(scene.until_rows(2), 30)
            await asyncio.sleep(0.1)
            n_looks = looks
            await asyncio.sleep(0.2)
            assert looks == n_looks <= 5

    run(play())


def test_the_snapshot_comes_first_then_the_deltas_that_were_held(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5), (6, 10))
        rest = ScriptedRest(snapshot(7))
        async with scene.fetching(rest):
            await asyncio.wait_for(scene.until_rows(2), 30)
            scene.send((11, 12))
        assert rest.urls == ["http://rest/api/v3/depth?symbol=BTCUSDT&limit=5000"]
        assert scene.book() == [
            (True, 7, REST_NS, 7),
            (False, 10, 10, 7),
            (False, 12, 12, 7),
        ]
        scene.books.end()
        assert scene.rows("gaps") == []

    run(play())


def test_a_snapshot_that_is_too_old_is_fetched_again(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((100, 105), (106, 110))
        rest = ScriptedRest(snapshot(50), snapshot(90), snapshot(104))
        async with scene.fetching(rest):
            await asyncio.wait_for(scene.until_rows(3), 30)
        assert len(rest.urls) == 3
        assert [row[:2] for row in scene.book()] == [(True, 104), (False, 105), (False, 110)]
        old = [row for row in scene.rows("sessions") if row["event"] == "snapshot_old"]
        assert [row["symbol"] for row in old] == ["BTCUSDT"] * 2
        assert scene.pipeline.registry.total("snapshot_retries") == 2

    run(play())


@pytest.mark.parametrize(
    "failure",
    [RequestRefused("http://rest: 429"), b"<html>busy</html>", b"{}", b'{"lastUpdateId":5}'],
)
def test_a_failure_is_written_down_once_and_tried_again(
    run: Run, failure: bytes | TickwireError
) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5))
        rest = ScriptedRest(failure, failure, snapshot(5))
        async with scene.fetching(rest):
            await asyncio.wait_for(scene.until_rows(1), 30)
        assert [row[:2] for row in scene.book()] == [(True, 5)]
        opened, closed = scene.rows("gaps")
        for gap in (opened, closed):
            assert (gap["table_name"], gap["reason"]) == ("book", "waiting_for_snapshot")
            assert (gap["gap_id"], gap["symbol"]) == (0, "BTCUSDT")
        assert (opened["state"], opened["ts_end"]) == ("open", None)
        assert (closed["state"], closed["ts_end"]) == ("closed", max(REST_NS, closed["ts_start"]))
        events = [row["event"] for row in scene.rows("sessions")]
        assert events == ["snapshot_failed"] * 2

    run(play())


def test_a_disconnect_forgets_what_was_held(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5), (6, 10))
        scene.books.look()
        scene.books.on_disconnected(("BTCUSDT",))
        assert scene.books.look() == []
        scene.connect(8)
        scene.send((21, 25))
        async with scene.fetching(ScriptedRest(snapshot(22))):
            await asyncio.wait_for(scene.until_rows(2), 30)
            scene.books.on_disconnected(("BTCUSDT",))
            scene.connect(9)
            scene.send((31, 35))
            await asyncio.sleep(0.05)
        assert scene.book() == [(True, 22, REST_NS, 8), (False, 25, 25, 8)]
        assert scene.books.look() == ["BTCUSDT"]

    run(play())


def test_a_snapshot_that_comes_after_the_disconnect_is_not_used(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5))
        scene.books.look()
        scene.books.on_disconnected(("BTCUSDT",))
        assert scene.books.offer("BTCUSDT", snapshot(5), REST_NS) == "unwanted"
        assert scene.book() == []

    run(play())


def test_a_break_of_the_chain_is_a_gap_until_the_next_snapshot(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5))
        scene.books.look()
        assert scene.books.offer("BTCUSDT", snapshot(5), REST_NS) == "spliced"
        scene.pipeline.ledger.replay_at(lambda: 500_000)
        scene.send((6, 8), (20, 25))
        assert scene.books.has_news
        assert scene.books.look() == ["BTCUSDT"]
        assert scene.books.offer("BTCUSDT", snapshot(22), REST_NS) == "spliced"
        assert [row[:2] for row in scene.book()] == [
            (True, 5),
            (False, 8),
            (True, 22),
            (False, 25),
        ]
        opened, closed = scene.rows("gaps")
        assert (opened["reason"], opened["lost"], opened["ts_end"]) == ("sequence", 11, None)
        assert opened["ts_start"] == 8  # the last event before the hole, not when it was noticed
        assert closed == opened | {
            "state": "closed",
            "ts_end": REST_NS,
            "seq": 1,
            "ts_recv": closed["ts_recv"],
        }
        assert (closed["symbol"], closed["conn"]) == ("BTCUSDT", 7)

    run(play())


def test_a_full_ring_takes_the_snapshot_later(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5))
        scene.books.look()
        levels = [[str(price), "1"] for price in range(1, 8001)]
        first, second = (
            json.dumps({"lastUpdateId": last, "bids": levels, "asks": []}).encode()
            for last in (5, 20_001)
        )
        assert scene.books.offer("BTCUSDT", first, REST_NS) == "spliced"
        scene.send(*((number, number) for number in range(6, 1006)))
        scene.send((20_000, 20_001), (20_002, 20_002))  # the chain breaks: these are held
        assert scene.books.look() == ["BTCUSDT"]
        assert scene.pipeline.rings["book"].published == 9000
        assert scene.books.offer("BTCUSDT", second, REST_NS) == "full"
        assert scene.pipeline.rings["book"].published == 9000
        assert len(scene.book()) == 9000
        assert scene.books.offer("BTCUSDT", second, REST_NS) == "spliced"
        rows = scene.book()
        assert len(rows) == 8001  # the first delta held is older than the snapshot
        assert [row[:2] for row in rows[-2:]] == [(True, 20_001), (False, 20_002)]

    run(play())


def test_the_request_is_recognised_whatever_its_host_and_version() -> None:
    rule = load("binance").book
    assert rule is not None
    for url in (
        "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000",
        "https://www.binance.com/api/v1/depth?limit=10&symbol=BTCUSDT",
    ):
        assert symbol_of(rule, url) == "BTCUSDT"
    for url in (
        "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT",
        "https://api.binance.com/api/v3/trades?symbol=BTCUSDT",
        "https://api.binance.com/api/v3/depth",
        "nonsense",
    ):
        assert symbol_of(rule, url) is None


def test_a_snapshot_s_id_must_be_one(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.send((1, 5))
        for last_id in ('"x"', "-1", "null", "{}", "1e30"):
            text = f'{{"lastUpdateId":{last_id},"bids":[],"asks":[]}}'
            with pytest.raises(TickwireError, match=r"binance snapshot of BTCUSDT, which begins"):
                scene.books.offer("BTCUSDT", text.encode(), REST_NS)
        assert scene.book() == []
        assert scene.books.offer("BTCUSDT", snapshot(5), REST_NS) == "spliced"
        assert scene.book() == [(True, 5, REST_NS, 7)]

    run(play())
