"""Trades that were missed, had by REST: pages, what is left, failures; with a scripted venue."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from tickwire.config import Config, Feed, Source
from tickwire.errors import HostDown, RequestRefused, TickwireError
from tickwire.feed.pipeline import GAP_ID, Pipeline
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.prices import last_prices
from tickwire.feed.streams import backfill as module
from tickwire.feed.streams import backfill_pages as pages
from tickwire.ledger import holes
from tickwire.ring import Consumer, Ring
from tickwire.supervise import Failures

Run = Callable[[Coroutine[Any, Any, None]], None]
SECOND = 10**9
ZERO_MS = 1_700_000_000_000
REST_CONN = 100


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(pages, "MAX_RETRY_S", 0.002)
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    monkeypatch.setattr(pages, "LATER_S", (0.001, 0.001, 0.001))
    monkeypatch.setattr(pages, "LOOK_AT_HOST_S", 0.001)


def rows_of(ring: Ring) -> list[dict[str, Any]]:
    """Give what a ring holds, times in ns."""
    consumer, rows = Consumer(ring), []
    while (batch := consumer.take()) is not None:
        is_time = [pa.types.is_timestamp(column.type) for column in batch.columns]
        columns = [
            (column.cast("int64") if is_ns else column).to_pylist()
            for is_ns, column in zip(is_time, batch.columns, strict=True)
        ]
        names = batch.schema.names
        rows += [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    consumer.close()
    return rows


def trade(number: int) -> dict[str, Any]:
    return {
        "id": number, "price": f"{number}.50", "qty": "1.0", "quoteQty": "1",
        "time": ZERO_MS + number, "isBuyerMaker": number % 2 == 0, "isBestMatch": True,
    }  # fmt: skip


class Market:
    """Serves trades by id, or the newest ones, and fails when told to."""

    def __init__(self) -> None:
        self.newest = 0
        self.urls: list[str] = []
        self.failures: list[TickwireError | bytes] = []
        self.hidden: set[int] = set()
        self.on_request: Callable[[], None] = lambda: None

    async def get(self, url: str) -> tuple[bytes, int]:
        self.urls.append(url.partition("BTCUSDT")[2])
        await asyncio.sleep(0)
        self.on_request()
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, bytes):
                return failure, 7
            raise failure
        asked = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))
        limit = int(asked["limit"])
        first = int(asked.get("fromId", self.newest - limit + 1))
        ids = range(max(1, first), min(self.newest, first + limit - 1) + 1)
        found = [trade(number) for number in ids if number not in self.hidden]
        return json.dumps(found).encode(), 7 * SECOND


class Scene:
    """A pipeline of one symbol's trades, and connections that bring given ids."""

    def __init__(self, venue: str = "binance", **options: Any) -> None:
        source = Source(venue=venue, channels=["trades"], symbols=["BTCUSDT"], **options)
        self.plan = plan_feed(Config(Feed(ring_rows=16_384), (source,)))
        self.pipeline = Pipeline(self.plan, dict.fromkeys((*self.plan.tables, GAP_ID), 0))
        [self.source] = self.pipeline.sources
        self.consumers = {name: Consumer(ring) for name, ring in self.pipeline.rings.items()}
        self.market = Market()
        self.conns = count(REST_CONN)
        self.conn = -1
        self.key = "btcusdt@trade"
        self.now_ns = ZERO_MS * 1_000_000
        self.pipeline.ledger.clock = self.pipeline.ledger.monotonic = lambda: self.now_ns
        self.source.gaps.start({})

    def connect(self) -> None:
        self.conn += 1
        self.connection = self.source.decoder.connection(self.conn)
        self.source.gaps.connected(0, self.conn)
        self.source.gaps.acknowledged(0, self.key)

    def bring(self, *numbers: int) -> None:
        for number in numbers:
            data = {
                "e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": f"{number}.50",
                "q": "1.0", "T": ZERO_MS + number, "m": number % 2 == 0,
            }  # fmt: skip
            if self.plan.sources[0].venue.name != "binance":
                data["X"] = "MARKET"
            text = json.dumps({"stream": self.key, "data": data}).encode()
            self.now_ns = max(self.now_ns, (ZERO_MS + number) * 1_000_000)
            assert self.connection.decode(text, self.now_ns, self.now_ns)
            self.market.newest = max(self.market.newest, number)

    def lose(self) -> None:
        self.source.gaps.disconnected(0, "disconnect", "lost")

    def miss(self, *ranges: tuple[int, int]) -> None:
        """Bring what lies before and behind these ids, and lose the connection between."""
        if self.conn < 0:
            self.connect()
            self.bring(ranges[0][0] - 1)
        for _, last in ranges:
            self.lose()
            self.now_ns = (ZERO_MS + last) * 1_000_000
            self.connect()
            self.bring(last + 1)
            self.source.gaps.look()

    @contextlib.asynccontextmanager
    async def filling(self) -> AsyncIterator[None]:
        assert self.source.backfiller is not None
        run = self.source.backfiller.run(self.market, lambda: next(self.conns))
        task = asyncio.create_task(run)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_filled(self, n_gaps: int = 1) -> None:
        async with asyncio.timeout(30):
            while self.filled < n_gaps:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.001)

    @property
    def filled(self) -> int:
        ring = self.pipeline.rings["gaps"]
        valid = [row for row in rows_of(ring) if row["recovered"] is not None]
        return len({row["gap_id"] for row in valid})

    def rows(self, table: str) -> list[dict[str, Any]]:
        return rows_of(self.pipeline.rings[table])

    def ids(self) -> list[int]:
        return [int(row["trade_id"]) for row in self.rows("trades")]

    def gap(self) -> dict[str, Any]:
        return self.rows("gaps")[-1]

    def total(self, name: str) -> float:
        return self.pipeline.registry.total(name)


def test_what_was_missed_comes_in_pages_and_the_gap_says_so(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 2310))
        async with scene.filling():
            await scene.until_filled()
            scene.bring(2312)
        assert scene.market.urls == [
            "&fromId=11&limit=1000", "&fromId=1011&limit=1000", "&fromId=2011&limit=300",
        ]  # fmt: skip
        assert sorted(scene.ids()) == list(range(10, 2313))
        rows = {int(row["trade_id"]): row for row in scene.rows("trades")}
        assert {rows[number]["conn"] for number in range(11, 2311)} == {REST_CONN}
        assert {rows[number]["conn"] for number in (10, 2311, 2312)} == {0, 1}
        missed = rows[1234]
        assert missed["ts_recv"] == 7 * SECOND
        assert missed["ts_event"] == (ZERO_MS + 1234) * 1_000_000
        assert (missed["price"], missed["size"], missed["side"]) == (1234.5, 1.0, "sell")
        assert (missed["symbol"], missed["channel"]) == ("BTCUSDT", "trades")
        gap = scene.gap()
        assert (gap["state"], gap["recovered"]) == ("closed", 2300)
        assert gap["ts_left_start"] is None
        [event] = [row for row in scene.rows("sessions") if row["event"] == "backfill"]
        assert (event["symbol"], event["conn"]) == ("BTCUSDT", REST_CONN)
        assert scene.total("backfilled_rows") == scene.total("recovered_rows") == 2300
        assert scene.total("backfill_requests") == 3
        assert not scene.total("backfills_given_up")
        # They are no duplicates, and what a connection has brought stays known.
        assert scene.total("duplicate_trades") == scene.total("conflicting_trades") == 0
        scene.bring(10, 2311)
        assert scene.total("duplicate_trades") == 2

    run(play())


def test_where_the_ids_count_on_nothing_is_asked_for(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(5)
        scene.lose()
        scene.connect()
        scene.bring(6)
        scene.source.gaps.look()
        async with scene.filling():
            await scene.until_filled()
        assert scene.market.urls == []
        assert (scene.gap()["recovered"], scene.gap()["ts_left_start"]) == (0, None)

    run(play())


def test_holes_side_by_side_are_had_together(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 20), (22, 30))
        async with scene.filling():
            await scene.until_filled(2)
        assert sorted(scene.ids()) == list(range(10, 32))
        assert scene.total("backfilled_rows") == 19
        assert not scene.total("duplicate_trades")

    run(play())


def test_a_stream_that_stays_quiet_is_asked_for_from_its_last_id_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "QUIET_NS", 0)

    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(5)
        scene.lose()
        scene.connect()
        scene.market.newest = 1207

        def on_request() -> None:
            if len(scene.market.urls) == 2:
                scene.bring(1207)  # by the connection, while the answer is on its way

        scene.market.on_request = on_request
        async with scene.filling():
            await scene.until_filled()
        assert scene.market.urls == ["&fromId=6&limit=1000", "&fromId=1006&limit=1000"]
        assert sorted(scene.ids()) == list(range(5, 1208))
        assert scene.gap()["recovered"] == 1201
        # The connection may bring one of them still.
        scene.bring(1206)
        assert sorted(scene.ids()) == list(range(5, 1208))

    run(play())


def test_a_node_that_lags_is_asked_again_before_a_hole_without_an_end_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "QUIET_NS", 0)

    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(5)
        scene.lose()
        scene.connect()
        scene.market.newest = 9
        scene.market.failures = [b"[]", b"[]"]  # answers of a node that has not got them yet
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == [5, 6, 7, 8, 9]
        asked = ["&fromId=6&limit=1000"] * 3 + ["&fromId=10&limit=1000"]
        assert scene.market.urls == asked
        assert scene.gap()["recovered"] == 4
        events = [row["detail"] for row in rows_of(scene.pipeline.rings["sessions"])]
        [told] = [text for text in events if text and "as 4 answers say" in text]
        assert told.startswith("no trades from id 10 on")

    run(play())


def test_a_host_that_is_down_is_waited_for_without_a_count_of_failures(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 20))
        scene.market.failures = [HostDown("h", 0.001, 10.0) for _ in range(30)]
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == list(range(10, 22))
        assert scene.total("errors") == 0
        assert scene.total("backfill_requests") == 1  # the others were not made

    run(play())


def test_a_host_that_was_down_for_too_long_keeps_no_hole(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 20))
        scene.market.failures = [HostDown("h", 60.0, pages.LONGEST_DOWN_S)]
        async with scene.filling():
            await scene.until_filled()
        assert scene.total("backfills_given_up") == 1
        assert len(scene.market.urls) == 1

    run(play())


def test_failures_are_tried_again(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.market.failures = [
            RequestRefused("418"), b"[1", b'{"code":-1}', b"[{}]", b"[]", b"\xff",
        ]  # fmt: skip
        scene.miss((11, 20))
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == list(range(10, 22))
        assert scene.total("backfill_requests") == 7
        assert scene.total("errors") == 6
        assert scene.gap()["recovered"] == 10

    run(play())


def test_what_fails_again_and_again_is_given_up_and_stays_missing(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 1510))
        answers = iter(range(100))

        def on_request() -> None:
            if next(answers) >= 1:
                scene.market.failures = [RequestRefused("418")]

        scene.market.on_request = on_request
        async with scene.filling():
            await scene.until_filled()
        assert scene.total("backfill_requests") == 1 + pages.MOST_FAILURES
        assert scene.total("backfills_given_up") == 1
        gap = scene.gap()
        assert gap["recovered"] == 1000
        # The last that came was of ms 1010, the gap begins with that of ms 10.
        assert gap["ts_left_start"] - gap["ts_start"] == 1000 * 1_000_000
        assert gap["ts_left_end"] == gap["ts_end"]

    run(play())


@pytest.mark.parametrize("is_open", [False, True])
def test_a_venue_that_answers_with_older_trades_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    monkeypatch.setattr(holes, "QUIET_NS", 0)

    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(2000)
        scene.lose()
        scene.connect()
        if not is_open:
            scene.bring(2010)
            scene.source.gaps.look()
        older = json.dumps([trade(number) for number in range(1500, 2500)]).encode()
        scene.market.failures = [older] * 100
        async with scene.filling():
            await scene.until_filled()
        assert scene.total("backfill_requests") == pages.MOST_FAILURES
        assert scene.total("backfills_given_up") == 1
        assert scene.total("backfilled_rows") == 0
        gap = scene.gap()
        assert (gap["ts_left_start"], gap["ts_left_end"]) == (gap["ts_start"], gap["ts_end"])

    run(play())


def test_a_trade_that_an_answer_has_twice_counts_once(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        ids = (11, 11, 12, 13, 14, 15, 16, 17, 18, 20)
        scene.market.failures = [json.dumps([trade(number) for number in ids]).encode()]
        scene.miss((11, 20))
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == [*range(10, 19), 20, 21]
        gap = scene.gap()
        assert gap["recovered"] == 9
        assert gap["ts_left_start"] == gap["ts_start"]  # 19 is missing
        assert scene.total("backfills_given_up") == 1

    run(play())


def test_a_symbol_whose_ids_begin_with_0_is_filled_too(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(0, 1, 2)
        scene.miss((3, 5))
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == list(range(7))
        assert scene.market.urls == ["&fromId=3&limit=3"]

    run(play())


def test_a_later_hole_of_a_stream_waits_for_the_one_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "QUIET_NS", 0)

    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(5)
        scene.lose()
        scene.connect()  # and brings nothing: what is missing has no end
        scene.market.newest = 20
        asked = asyncio.Event()

        def on_request() -> None:
            asked.set()
            # Of the first hole the venue does not answer until the second has ended.
            if "limit=1000" in scene.market.urls[-1] and len(scene.market.urls) < 6:
                scene.market.failures = [RequestRefused("418")]

        scene.market.on_request = on_request
        async with scene.filling():
            await asked.wait()
            scene.lose()
            scene.now_ns += SECOND
            scene.connect()
            scene.bring(21)
            scene.source.gaps.look()
            await scene.until_filled(2)
        assert sorted(scene.ids()) == list(range(5, 22))
        assert not scene.total("duplicate_trades")

    run(play())


def test_a_bound_of_rows_is_kept(run: Run) -> None:
    async def play() -> None:
        scene = Scene(backfill_max_rows=1500)
        scene.miss((11, 5010))
        async with scene.filling():
            await scene.until_filled()
        assert sorted(scene.ids()) == [10, *range(3511, 5012)]  # the newest ones
        assert scene.total("backfilled_rows") == 1500
        assert scene.total("backfills_given_up") == 1
        gap = scene.gap()
        assert gap["recovered"] == 1500
        assert gap["ts_left_start"] == gap["ts_start"]
        assert gap["ts_left_end"] - gap["ts_start"] == 3501 * 1_000_000

    run(play())


def test_ids_that_the_venue_lacks_leave_the_gap_as_it_is(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.market.hidden = {14}
        scene.miss((11, 20))
        async with scene.filling():
            await scene.until_filled()
        gap = scene.gap()
        assert gap["recovered"] == 9
        assert (gap["ts_left_start"], gap["ts_left_end"]) == (gap["ts_start"], gap["ts_end"])
        assert scene.total("backfills_given_up") == 1

    run(play())


@pytest.mark.parametrize(("last", "complete"), [(900, True), (1500, False)])
def test_where_only_the_newest_are_had_older_ones_stay_missing(
    run: Run, last: int, complete: bool
) -> None:
    async def play() -> None:
        scene = Scene("binance-usdm")
        scene.miss((11, last))
        async with scene.filling():
            await scene.until_filled()
        assert scene.market.urls == ["&limit=1000"]
        first = 11 if complete else last + 2 - 1000
        assert sorted(scene.ids()) == [10, *range(first, last + 2)]
        gap = scene.gap()
        assert gap["recovered"] == last + 1 - first
        if complete:
            assert gap["ts_left_start"] is None
        else:
            assert gap["ts_left_start"] == gap["ts_start"]
            assert gap["ts_left_end"] - gap["ts_start"] == (first - 10) * 1_000_000
        assert scene.total("backfills_given_up") == (not complete)

    run(play())


def test_newest_trades_that_are_older_than_the_last_one_say_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "QUIET_NS", 0)

    async def play() -> None:
        scene = Scene("binance-usdm")
        scene.connect()
        scene.bring(5)
        scene.lose()
        scene.connect()
        scene.market.newest = 8
        scene.market.failures = [b"[]", json.dumps([trade(3), trade(4)]).encode()]
        async with scene.filling():
            await scene.until_filled()
        assert scene.total("backfill_requests") == 3
        assert sorted(scene.ids()) == [5, 6, 7, 8]
        assert scene.gap()["ts_left_start"] is None

    run(play())


def test_a_full_ring_takes_the_rows_later(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.connect()
        n_rows = scene.pipeline.rings["trades"].capacity - 5
        scene.bring(*range(1, n_rows + 1))  # the consumer has taken none
        scene.miss((n_rows + 1, n_rows + 10))
        async with scene.filling():
            await asyncio.sleep(0.02)
            assert not scene.filled
            scene.consumers["trades"].take()
            await scene.until_filled()
        assert scene.gap()["recovered"] == 10

    run(play())


def test_what_is_not_done_when_the_feed_stops_is_given_up(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.market.failures = [RequestRefused("418")] * 100
        scene.miss((11, 20))
        async with scene.filling():
            await asyncio.sleep(0.005)
        assert scene.total("backfills_given_up") == 1
        assert not scene.filled

    run(play())


def test_holes_of_a_stream_that_wait_are_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 0)

    async def play() -> None:
        scene = Scene()
        scene.connect()
        scene.bring(1)
        async with scene.filling():
            for number in (3, 5, 7):
                scene.miss((number - 1, number - 1))
                await asyncio.sleep(0.02)
            monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
            await scene.until_filled(3)
        assert sorted(scene.ids()) == list(range(1, 8))
        assert scene.total("backfilled_rows") == 3

    run(play())


@pytest.mark.parametrize(
    "options",
    [
        {"backfill": False},
        {"url": "ws://127.0.0.1:1"},
        {"urls": ["ws://127.0.0.1:1"]},
        {"venue": "hyperliquid"},
    ],
)
def test_it_can_be_left_out(options: dict[str, Any]) -> None:
    scene = Scene(**options)
    assert scene.source.backfiller is None
    assert scene.plan.sources[0].backfills == ()


def test_another_server_s_rest_counts_where_it_is_named() -> None:
    scene = Scene(url="ws://127.0.0.1:1", rest_url="http://127.0.0.1:2")
    assert [each.channel for each in scene.plan.sources[0].backfills] == ["trades"]


def test_an_old_trade_is_no_last_price(run: Run) -> None:
    async def play() -> None:
        scene = Scene()
        scene.miss((11, 20))
        async with scene.filling():
            await scene.until_filled()
        assert scene.rows("trades")[-1]["price"] == 20.5
        assert last_prices(scene.pipeline, ["binance"])["BTCUSDT"].value == 21.5

    run(play())


def test_what_has_no_holes_by_id_cannot_be_filled() -> None:
    scene = Scene()
    scene.source.gaps.holes = None
    with pytest.raises(ValueError, match="binance: nothing can be had by id"):
        module.Backfiller(
            scene.plan.sources[0],
            scene.source.decoder,
            scene.source.gaps,
            scene.pipeline.ledger,
            deque(),
            scene.pipeline.metrics,
            Failures(),
        )


class Jumping(Scene):
    """The same, looked at every 250 ms as a feed does."""

    def look(self) -> None:
        self.now_ns += 250_000_000
        self.source.gaps.look()

    def sequence_gaps(self) -> list[dict[str, Any]]:
        found = rows_of(self.pipeline.rings["gaps"])
        return [row for row in found if row["reason"] == "sequence"]


def test_ids_that_are_left_out_while_the_stream_goes_on_are_a_gap_and_come_after_all(
    run: Run,
) -> None:
    async def play() -> None:
        scene = Jumping()
        scene.connect()
        scene.bring(10)
        scene.look()
        scene.bring(11, 12)
        scene.look()
        scene.bring(13, 16, 17)  # 14 and 15 are left out, and nothing was silent
        scene.look()
        assert scene.sequence_gaps() == []  # another connection may bring them still
        async with scene.filling():
            scene.look()
            await scene.until_filled()
        [gap, filled] = scene.sequence_gaps()
        assert (gap["lost"], gap["state"], gap["symbol"]) == (2, "closed", "BTCUSDT")
        assert gap["ts_start"] < gap["ts_end"]
        assert (gap["ts_event_start"], gap["ts_event_end"]) == (
            (ZERO_MS + 12) * 1_000_000,
            (ZERO_MS + 17) * 1_000_000,
        )
        assert (filled["gap_id"], filled["recovered"]) == (gap["gap_id"], 2)
        assert sorted(scene.ids()) == list(range(10, 18))
        scene.bring(18)
        for _ in range(3):
            scene.look()
        assert len(scene.sequence_gaps()) == 2  # said once

    run(play())


def test_ids_that_come_out_of_their_order_leave_nothing_out() -> None:
    scene = Jumping()
    scene.connect()
    scene.bring(10)
    scene.look()
    scene.bring(11, 13)
    scene.look()
    scene.bring(12, 14)  # by the connection that was behind
    for _ in range(3):
        scene.look()
    assert scene.sequence_gaps() == []


def test_ids_left_out_before_a_disconnect_are_said_too() -> None:
    scene = Jumping()
    scene.connect()
    scene.bring(10)
    scene.look()
    scene.bring(11, 14)
    scene.lose()
    [gap] = scene.sequence_gaps()
    assert gap["lost"] == 2


def test_ids_that_a_gap_has_swallowed_are_not_said_again() -> None:
    scene = Jumping()
    scene.connect()
    scene.bring(10)
    scene.look()
    scene.lose()
    scene.connect()
    scene.bring(20)
    for number in range(21, 24):
        scene.look()
        scene.bring(number)
    assert scene.sequence_gaps() == []


def test_ids_that_need_not_count_by_one_leave_nothing_out() -> None:
    scene = Jumping("binance-usdm")
    scene.connect()
    scene.bring(10)
    scene.look()
    scene.bring(11, 14)
    for _ in range(3):
        scene.look()
    assert scene.sequence_gaps() == []


def test_what_a_silence_has_swallowed_comes_after_all(run: Run) -> None:
    async def play() -> None:
        scene = Jumping()
        scene.connect()
        for number in range(1, 6001):  # a trade each millisecond
            scene.bring(number)
            if number % 250 == 0:
                scene.source.gaps.look()
        scene.ids()
        async with scene.filling():
            scene.bring(7201, 7202)
            scene.now_ns += 250_000_000
            scene.source.gaps.look()
            await scene.until_filled()
        found = rows_of(scene.pipeline.rings["gaps"])
        assert [(row["reason"], row["recovered"]) for row in found] == [
            ("stale", None),
            ("stale", 1200),
        ]
        assert set(range(6001, 7201)) <= set(scene.ids())

    run(play())
