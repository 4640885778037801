"""Book changes that waited for their snapshot meet a full ring, over sockets.

Whatever ends first, the wait for room, the connection or the feed: each row comes once and in
order, or the table gaps says which do not come.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from tests.feed.exchange import Exchange, binance_answer, exchange

import tickwire
from tickwire.feed.sources import sources as sources_module
from tickwire.ledger import book_gaps

Overflow = Literal["block", "drop_oldest"]
Run = Callable[[Coroutine[Any, Any, None]], None]
RING_ROWS = 16_384
LEVELS = 500
N_HELD = 50  # changes: more rows than the ring has
FIRST_PRICE = 1000


@pytest.fixture(autouse=True)
def patient_books(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first snapshot makes no gap however long it takes: a slow build holds for seconds."""
    monkeypatch.setattr(book_gaps, "FIRST_SNAPSHOT_NS", 60_000_000_000)


def delta(number: int, symbol: str = "BTCUSDT") -> bytes:
    levels = [[str(FIRST_PRICE + i), str(number)] for i in range(LEVELS)]
    data = {"e": "depthUpdate", "E": number, "s": symbol, "U": number, "u": number}
    return json.dumps(
        {"stream": f"{symbol.lower()}@depth@100ms", "data": data | {"b": levels, "a": []}}
    ).encode()


def snapshot(last: int, n_levels: int = 1) -> bytes:
    levels = [[str(1 + i), "1"] for i in range(n_levels)]
    return json.dumps({"lastUpdateId": last, "bids": levels, "asks": []}).encode()


def rows_of(*changes: int, last: int | None = None) -> list[tuple[int, float]]:
    """Give (venue_seq, price) of each row: a snapshot's, if one is named, then the changes'."""
    rows = [] if last is None else [(last, 1.0)]
    return rows + [(n, float(FIRST_PRICE + i)) for n in changes for i in range(LEVELS)]


class Script:
    """What an exchange sends, in steps that the test lets it take."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def play(self, *steps: range) -> Iterator[bytes]:
        for step in steps:
            for number in step:
                yield delta(number)
            self.goes_on.wait(30)
            self.goes_on.clear()


class Scene:
    """A feed of spot books, and a consumer that takes nothing by itself."""

    def __init__(self, server: Exchange, carrier: str, overflow: Overflow) -> None:
        self.server = server
        self.feed = tickwire.FeedHandler(
            [
                tickwire.Source(
                    venue="binance",
                    channels=["book"],
                    symbols=list(server.snapshots),
                    url=server.ws_url,
                    rest_url=server.rest_url,
                    carrier=carrier,
                    backoff_max_s=0.05,
                )
            ],
            ring_rows=RING_ROWS,
            overflow=overflow,
        )
        self.rows: list[tuple[int, float]] = []
        self.symbols: list[str] = []
        self.conns: list[int] = []
        self.last_recv_ns = 0

    async def fill(self) -> None:
        """Let all changes be held, then the snapshot come; they fill the ring."""
        await self.hold()
        self.server.serves_snapshots.set()
        await self.until(lambda: self.books.is_releasing)

    async def hold(self) -> None:
        """Let all changes be held."""
        self.book, self.gaps = self.feed.batches("book"), self.feed.batches("gaps")
        assert self.feed.pipeline is not None
        [source] = self.feed.pipeline.sources
        self.decoder = source.decoder
        assert source.books is not None
        self.books = source.books
        n_held = N_HELD * len(self.server.snapshots)
        await self.until(lambda: self.decoder.messages == n_held)
        assert self.book.empty()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not happened():  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.002)

    def keep(self, batch: Any) -> None:
        columns = (batch.column(name).to_pylist() for name in ("venue_seq", "price"))
        self.rows += zip(*columns, strict=True)
        self.symbols += batch.column("symbol").to_pylist()
        self.conns += batch.column("conn").to_pylist()
        self.last_recv_ns = batch.column("ts_recv").cast("int64")[-1].as_py()

    async def take(self, n_rows: int) -> None:
        """Take rows until there are so many."""
        async with asyncio.timeout(30):
            while len(self.rows) < n_rows:
                self.keep(await self.book.get())

    async def take_rest(self) -> None:
        """Take rows until the feed ends."""
        async with asyncio.timeout(30):
            async for batch in self.book:
                self.keep(batch)

    def gap_rows(self) -> list[dict[str, Any]]:
        """Give the gaps that have been written; times in ns."""
        rows = []
        while not self.gaps.empty():
            batch = self.gaps.get_nowait()
            for name in ("ts_start", "ts_end"):
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, name, batch.column(name).cast("int64"))
            names = ["gap_id", "conn", "table_name", "reason", "ts_start", "ts_end", "lost"]
            rows += batch.select(names).to_pylist()
        return rows


@contextmanager
def scene(
    plays: list[Iterator[bytes]],
    carrier: str = "protocol",
    overflow: Overflow = "block",
    **others: bytes,
) -> Iterator[Scene]:
    with exchange(plays, binance_answer, {"BTCUSDT": snapshot(0)} | others) as server:
        server.serves_snapshots.clear()
        try:
            yield Scene(server, carrier, overflow)
        finally:
            server.serves_snapshots.set()


HELD = range(1, N_HELD + 1)
LATER = range(N_HELD + 1, N_HELD + 31)


@pytest.mark.parametrize("carrier", ["protocol", "stream", "picows"])
def test_all_rows_come_in_order_when_the_consumer_goes_on(run: Run, carrier: str) -> None:
    async def play() -> None:
        script = Script()
        with scene([script.play(HELD, LATER)], carrier) as on:
            async with on.feed:
                await on.fill()
                script.goes_on.set()
                [source] = on.feed._feed.sources  # type: ignore[union-attr] # it runs
                await on.until(lambda: source.sessions[0].is_paused)
                assert on.book.qsize() > RING_ROWS - LEVELS
                expected = rows_of(*HELD, *LATER, last=0)
                await on.take(len(expected))
                script.goes_on.set()
                assert on.rows == expected
                assert on.books.held_bytes == 0
                assert on.gap_rows() == []
            await on.take_rest()
            assert on.rows == expected

    run(play())


def test_symbols_that_wait_together_each_keep_their_order(run: Run) -> None:
    async def play() -> None:
        n_levels = RING_ROWS // 2  # while the others wait, such a snapshot does not fit either
        both = (delta(n, symbol) for n in HELD for symbol in ("BTCUSDT", "ETHUSDT"))
        with scene([both], ETHUSDT=snapshot(0, n_levels)) as on:
            async with on.feed:
                await on.fill()
                changes = rows_of(*HELD)
                expected = {
                    "BTCUSDT": [(0, 1.0), *changes],
                    "ETHUSDT": [(0, float(1 + i)) for i in range(n_levels)] + changes,
                }
                await on.take(sum(map(len, expected.values())))
                found: dict[str, list[tuple[int, float]]] = {"BTCUSDT": [], "ETHUSDT": []}
                for symbol, row in zip(on.symbols, on.rows, strict=True):
                    found[symbol].append(row)
                assert found == expected
                assert on.books.held_bytes == 0
                assert on.gap_rows() == []

    run(play())


def test_a_disconnect_does_not_take_away_what_waits_for_room(run: Run) -> None:
    async def play() -> None:
        first, second = Script(), Script()
        again = range(1, 3)  # as an exchange that was restarted counts
        with scene([first.play(HELD), second.play(again)]) as on:
            async with on.feed:
                await on.fill()
                first.goes_on.set()
                await on.until(lambda: on.feed.summary()["connects"] == 2)
                assert on.books.is_releasing
                held = rows_of(*HELD, last=0)
                expected = held + rows_of(*again, last=0)
                await on.take(len(expected))
                second.goes_on.set()
                assert on.rows == expected
                assert on.conns == [0] * len(held) + [1] * (len(expected) - len(held))
                await on.until(lambda: not on.gaps.empty())
                lost, waited = [gap for gap in on.gap_rows() if gap["ts_end"] is not None]
                assert (lost["conn"], lost["reason"]) == (0, "disconnect")
                assert (waited["conn"], waited["reason"]) == (1, "waiting_for_snapshot")
                assert lost["ts_end"] == waited["ts_start"]  # the acknowledgement

    run(play())


def test_a_stop_waits_for_room(run: Run) -> None:
    async def play() -> None:
        script = Script()
        with scene([script.play(HELD)]) as on:
            await on.feed.start()
            await on.fill()
            taking = asyncio.create_task(on.take_rest())
            await on.feed.stop()
            script.goes_on.set()
            await taking
            assert on.rows == rows_of(*HELD, last=0)
            assert on.gap_rows() == []

    run(play())


def test_what_finds_no_room_by_the_end_of_the_stop_is_a_gap(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "RELEASE_S", 0.05)

    async def play() -> None:
        script = Script()
        with scene([script.play(HELD)]) as on:
            await on.feed.start()
            await on.fill()
            before_ns = time.time_ns()
            await on.feed.stop()
            script.goes_on.set()
            await on.take_rest()
            n_let_in = (RING_ROWS - 1) // LEVELS
            assert on.rows == rows_of(*HELD[:n_let_in], last=0)
            [gap] = on.gap_rows()
            assert (gap["table_name"], gap["reason"]) == ("book", "overflow")
            assert (gap["conn"], gap["lost"]) == (0, None)
            # Where one read brought them all, both are its time.
            assert on.last_recv_ns <= gap["ts_start"] <= gap["ts_end"] < before_ns

    run(play())


def test_where_the_oldest_go_those_that_waited_go_too_and_are_counted(run: Run) -> None:
    async def play() -> None:
        script = Script()
        with scene([script.play(HELD, LATER)], overflow="drop_oldest") as on:
            async with on.feed:
                await on.hold()
                held_bytes = on.books.held_bytes
                on.server.serves_snapshots.set()
                await on.until(lambda: on.books.held_bytes == 0)
                script.goes_on.set()
                n_messages = N_HELD + len(LATER)
                await on.until(lambda: on.decoder.messages == n_messages)
                script.goes_on.set()
            await on.take_rest()
            assert held_bytes > N_HELD * LEVELS
            expected = rows_of(*HELD, *LATER, last=0)
            n_lost = len(expected) - len(on.rows)
            assert n_lost > len(rows_of(*HELD)) - RING_ROWS
            assert on.rows == expected[n_lost:]
            gaps = on.gap_rows()
            assert {(gap["table_name"], gap["reason"]) for gap in gaps} == {("book", "overflow")}
            assert sum(gap["lost"] for gap in gaps) == n_lost

    run(play())
