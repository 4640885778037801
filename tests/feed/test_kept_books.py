"""The books of a feed: equal to slow ones, right about their state, free where not configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.book.slow_book import SlowBook
from tests.cli.test_replay import URL, delta, snapshot
from tests.feed.test_handler import until
from tests.feed.test_replaying import begun
from tests.reference.captures import capture_path

import tickwire
from tickwire.book import BookReader
from tickwire.capture import CaptureWriter
from tickwire.config import Config, Feed, load
from tickwire.errors import ConfigError
from tickwire.feed.books import kept_books as module
from tickwire.feed.books.book_rows import MEMORY
from tickwire.feed.books.kept_books import KeptBooks
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.verifying import verifies
from tickwire.feed.replays.replaying import Replay
from tickwire.ledger.gaps import Place
from tickwire.ledger.reasons import DECODE_ERROR, DISCONNECT, SEQUENCE, SINK, STALE
from tickwire.ring import Consumer
from tickwire.sim import Simulator
from tickwire.venues import load as load_venue

Run = Callable[[Coroutine[Any, Any, None]], None]
Rows = list[dict[str, Any]]
TOP = ("bid_price", "bid_size", "ask_price", "ask_size")


def rows_of(batch: pa.RecordBatch) -> Rows:
    """Give rows; times as ns."""
    columns = {
        name: (column.cast("int64") if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


class Taking:
    """Takes tables of a feed until it ends."""

    def __init__(self, feed: tickwire.FeedHandler, *tables: str) -> None:
        self.rows: dict[str, Rows] = {table: [] for table in tables}
        self._tasks = [
            asyncio.ensure_future(self._take(each, feed.batches(each))) for each in tables
        ]

    async def _take(self, table: str, consumer: tickwire.BatchConsumer) -> None:
        async for batch in consumer:
            self.rows[table].extend(rows_of(batch))

    async def end(self) -> dict[str, Rows]:
        await asyncio.gather(*self._tasks)
        return self.rows


def changes_of(books: Rows) -> list[str]:
    """Give the states of a book, one after the other."""
    states = [row["state"] for row in books]
    return [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]


def slow_tops(
    book: Rows, depth: int = 0
) -> tuple[dict[str, SlowBook], dict[str, list[tuple[Any, ...]]]]:
    """Apply the rows of `book`: the books, and by symbol what `top` must have."""
    books: dict[str, SlowBook] = {}
    tops: dict[str, list[tuple[Any, ...]]] = {}
    message: Rows = []
    for row in book:
        message.append(row)
        if not row["last"]:
            continue
        slow = books.setdefault(row["symbol"], SlowBook(depth))
        levels = [(r["side"], r["price"], r["size"]) for r in message if r["side"]]
        slow.apply(levels, is_snapshot=row["is_snapshot"])
        message = []
        best: list[Any] = []
        for side in ("bid", "ask"):
            best += slow.best(side)
        known = tops.setdefault(row["symbol"], [])
        if not known or list(known[-1][3:]) != best:
            known.append((row["ts_event"], row["ts_recv"], row["venue_seq"], *best))
    return books, tops


@pytest.mark.parametrize(
    ("venue", "symbols"), [("binance-usdm", ["BTCUSDT", "ETHUSDT"]), ("hyperliquid", ["BTC"])]
)
def test_books_and_tables_are_those_of_the_rows(run: Run, venue: str, symbols: list[str]) -> None:
    async def main() -> None:
        async with Simulator(venue, rate=2000) as sim:
            source = tickwire.Source(
                venue=venue, channels=["book"], symbols=symbols, url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            settings = tickwire.BooksSettings(depth=4, depth_interval_s=0.05, interval_s=0.1)
            feed = tickwire.FeedHandler(source, books=settings)
            async with feed:
                taking = Taking(feed, "book", "top", "books", "depth")
                await feed.ready()
                await until(lambda: len(taking.rows["top"]) > 50)
                await until(lambda: len(taking.rows["depth"]) > 40)
                view = feed.book(venue, symbols[0], depth=2)
                assert (view.state, view.reason, len(view.bids)) == ("live", None, 2)
                assert view.bids["price"][0] > view.bids["price"][1]
                assert view.copy().asks.tolist() == view.asks.tolist()
            rows = await taking.end()
            books, tops = slow_tops(rows["book"])
            for symbol in symbols:
                found = [
                    (row["ts_event"], row["ts_recv"], row["venue_seq"], *(row[n] for n in TOP))
                    for row in rows["top"]
                    if row["symbol"] == symbol
                ]
                assert found == tops[symbol]
                view = feed.book(venue, symbol)
                assert view.bids.tolist() == books[symbol].sorted("bid")
                assert view.asks.tolist() == books[symbol].sorted("ask")
                states = [row for row in rows["books"] if row["symbol"] == symbol]
                assert changes_of(states) == ["waiting", "live"]
                assert states[0]["reason"] == "no_snapshot"
                assert len(states) > 2
                assert states[-1]["levels"] == len(view.bids) + len(view.asks)
                assert states[-1]["messages"] == view.messages
                assert states[-1]["checked"] is None
            assert {row["level"] for row in rows["depth"]} == set(range(4))
            assert feed.summary()["book_crossed"] == 0

    run(main())


def test_a_book_breaks_with_its_connection_and_its_snapshot_mends_it(run: Run) -> None:
    async def main() -> None:
        async with Simulator("binance-usdm", rate=1000) as sim:
            source = tickwire.Source(
                venue="binance-usdm", channels=["book"], symbols=["BTCUSDT"], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=tickwire.BooksSettings())
            async with feed:
                taking = Taking(feed, "book", "top", "books", "gaps")
                await until(lambda: len(taking.rows["top"]) > 5)
                sim.disconnect_all()
                await until(lambda: feed.book("binance-usdm", "BTCUSDT").state == "broken")
                await until(lambda: feed.book("binance-usdm", "BTCUSDT").state == "live")
                n_rows = len(taking.rows["top"])
                await until(lambda: len(taking.rows["top"]) > n_rows)
            rows = await taking.end()
            assert changes_of(rows["books"]) == ["waiting", "live", "broken", "live"]
            reasons = [row["reason"] for row in rows["books"] if row["state"] == "broken"]
            assert reasons[0] == "disconnect"
            assert all(row["reason"] is None for row in rows["books"] if row["state"] == "live")
            nulls = [i for i, row in enumerate(rows["top"]) if row["bid_price"] is None]
            assert len(nulls) == 1
            after = rows["top"][nulls[0] + 1]
            [first] = [row for row in rows["book"] if row["ts_recv"] == after["ts_recv"]][:1]
            assert first["is_snapshot"]
            books, _ = slow_tops(rows["book"])
            view = feed.book("binance-usdm", "BTCUSDT")
            assert view.bids.tolist() == books["BTCUSDT"].sorted("bid")
            assert feed.summary()["book_breaks"] == 1

    run(main())


def gapped(
    run: Run, venue: str, channel: str, look: Callable[..., None], *, depth: int = 0
) -> None:
    """Have `look` called with a feed whose book is live, and with its ledger and its place."""

    async def main() -> None:
        symbol = {"hyperliquid": "BTC", "kraken": "BTC/USD"}.get(venue, "BTCUSDT")
        async with Simulator(venue, rate=1000) as sim:
            source = tickwire.Source(
                venue=venue, channels=[channel], symbols=[symbol], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=tickwire.BooksSettings(depth=depth))
            async with feed:
                await until(lambda: feed.book(venue, symbol).state == "live")
                assert feed.pipeline is not None
                look(feed, feed.pipeline.ledger, Place(venue, symbol))

    run(main())


def test_a_stale_book_goes_on_where_nothing_was_missing(run: Run) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        gap = ledger.open("book", STALE, ledger.clock(), place)
        view = feed.book("binance-usdm", "BTCUSDT")
        assert (view.state, view.reason) == ("broken", "stale")
        ledger.close(gap, ledger.clock())
        assert feed.book("binance-usdm", "BTCUSDT").state == "live"
        ledger.record("book", STALE, 1, ledger.clock(), place)  # a silence that is over
        ledger.record("book", SINK, 1, ledger.clock(), place)
        ledger.record("book", DISCONNECT, 1, ledger.clock(), place, consumer="slow")
        ledger.record("trades", DISCONNECT, 1, ledger.clock(), place)
        ledger.record("book", DISCONNECT, 1, ledger.clock(), Place("other", place.symbol))
        ledger.record("book", DISCONNECT, 1, 2, place)  # before its snapshot
        assert feed.book("binance-usdm", "BTCUSDT").state == "live"

    gapped(run, "binance-usdm", "book", look)


def test_a_break_that_is_noticed_after_the_snapshot_leaves_the_book_live(run: Run) -> None:
    """What broke and was made whole between two looks is reported late, one after the other."""

    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        assert feed.pipeline.kept_books is not None
        snapshot_ns = feed.pipeline.kept_books._reader.describe(0)["snapshot_recv"]
        gap = ledger.open("book", SEQUENCE, snapshot_ns - 1, place)
        assert feed.book("binance-usdm", "BTCUSDT").state == "broken"
        ledger.close(gap, snapshot_ns)
        view = feed.book("binance-usdm", "BTCUSDT")
        assert (view.state, view.reason) == ("live", None)
        gap = ledger.open("book", SEQUENCE, snapshot_ns, place)
        ledger.close(gap, snapshot_ns + 1)  # what has ended it is no snapshot that the book has
        view = feed.book("binance-usdm", "BTCUSDT")
        assert (view.state, view.reason) == ("broken", "sequence")

    gapped(run, "binance-usdm", "book", look)


class Full:
    """A reader whose outputs are full."""

    def __init__(self, reader: BookReader) -> None:
        self._reader = reader

    def read(self) -> bool:
        """Apply nothing."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def test_a_snapshot_before_a_gap_that_is_applied_after_it_mends_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        kept, ring = feed.pipeline.kept_books, feed.pipeline.rings["book"]
        assert kept is not None

        def publish_snapshot() -> int:
            now_ns: int = ledger.clock()
            ring.append(
                venue="binance-usdm", symbol="BTCUSDT", channel="book", conn=1, ts_recv=now_ns,
                side="bid", price=1.0, size=1.0, is_snapshot=True, last=True,
            )  # fmt: skip
            ring.publish()
            return now_ns

        with monkeypatch.context() as patch:
            patch.setattr(kept, "_reader", Full(kept._reader))
            publish_snapshot()
            gap = ledger.open("book", SEQUENCE, ledger.clock(), place)
        view = feed.book("binance-usdm", "BTCUSDT")
        assert (view.state, view.bids.tolist()) == ("broken", [(1.0, 1.0)])
        ledger.close(gap, publish_snapshot())
        assert feed.book("binance-usdm", "BTCUSDT").state == "live"

    gapped(run, "binance-usdm", "book", look)


def test_what_a_read_staged_before_an_undecodable_message_mends_nothing(run: Run) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        ring = feed.pipeline.rings["book"]
        ring.stage(
            venue=place.venue, symbol=place.symbol, channel="book", conn=0, side="bid", price=1.0,
            size=1.0, is_snapshot=True, last=True, ts_recv=ledger.clock(), ts_event=1,
        )  # fmt: skip
        ledger.open("book", DECODE_ERROR, ledger.clock(), place)
        ring.publish()
        assert feed.book("hyperliquid", "BTC").bids["price"].tolist() == [1.0]
        assert feed.book("hyperliquid", "BTC").state == "broken"

    gapped(run, "hyperliquid", "book", look)


def test_a_gap_breaks_the_books_of_its_own_channels(run: Run) -> None:
    """Two sources have the same symbol in different channels; one of them stands still."""

    async def main() -> None:
        async with Simulator("kraken", rate=1000) as sim:
            sources = [
                tickwire.Source(
                    venue="kraken", channels=[channel], symbols=["BTC/USD"], url=sim.ws_url,
                    rest_url=sim.rest_url,
                )
                for channel in ("book:10", "book:25")
            ]  # fmt: skip
            feed = tickwire.FeedHandler(sources, books=tickwire.BooksSettings())

            def states() -> list[str]:
                return [feed.book("kraken", "BTC/USD", channel=each).state for each in channels]

            channels = ("book:10", "book:25")
            async with feed:
                await until(lambda: states() == ["live", "live"])
                feed.pause(0)
                await until(lambda: states()[0] == "broken")
                assert states() == ["broken", "live"]
                feed.resume(0)
                await until(lambda: states() == ["live", "live"])

    run(main())


def test_who_holds_the_books_is_named(run: Run) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        lag, rings = feed.pipeline.lag, feed.pipeline.rings
        slow = Consumer(rings["depth"], on_lag="block", max_lag=1)
        rings["depth"].renew_limits()
        lag.watch("depth", "slow", slow, 1)
        assert feed.pipeline.kept_books is not None
        reader = feed.pipeline.kept_books._reader
        assert [each.rows for each in lag._watched["book"] if each.name == "books"] == [reader]
        now_s = [lag._looked_s]
        lag._clock = lambda: now_s[0]
        ring = rings["book"]
        of = {"venue": place.venue, "symbol": place.symbol, "channel": "book", "conn": 0}
        for number in range(1, 4):  # a snapshot fits, the next waits
            ring.stage(
                **of, side="bid", price=number, size=1.0, is_snapshot=True, last=True,
                ts_recv=ledger.clock() + number * 10**11, ts_event=number,
            )  # fmt: skip
        ring.publish()
        assert not feed.pipeline.kept_books.read()
        with capture_logs() as lines:
            for _ in range(3):
                now_s[0] += 1.0
                lag.look()
        assert [(each["table"], each["consumer"]) for each in lines] == [("depth", "slow")]
        slow.close()
        rings["depth"].renew_limits()
        assert feed.pipeline.kept_books.read()

    gapped(run, "hyperliquid", "book", look, depth=2)


async def behind(feed: tickwire.FeedHandler) -> tuple[tickwire.BatchConsumer, KeptBooks]:
    """Give a consumer of `top` that takes nothing, and books that wait for it."""
    slow = feed.batches("top", on_lag="block", maxsize=1)
    assert feed.pipeline is not None
    kept = feed.pipeline.kept_books
    assert kept is not None
    await until(lambda: slow.qsize() > 0 and kept._reader.available > 50)
    return slow, kept


def kept_of(sim: Simulator) -> tickwire.FeedHandler:
    source = tickwire.Source(
        venue="hyperliquid", channels=["book"], symbols=["BTC"], url=sim.ws_url
    )
    return tickwire.FeedHandler(source, books=tickwire.BooksSettings())


def test_books_wait_for_a_consumer_and_go_on_as_it_takes(run: Run) -> None:
    async def main() -> None:
        async with Simulator("hyperliquid", rate=1000) as sim:
            feed = kept_of(sim)
            async with feed:
                taking = Taking(feed, "book")
                slow, kept = await behind(feed)
                stopped = asyncio.create_task(feed.stop())
                tops: Rows = []
                async for batch in slow:
                    tops += rows_of(batch)
                await stopped
            assert kept._reader.is_closed
            rows = await taking.end()
            _, expected = slow_tops(rows["book"])
            found = [
                (row["ts_event"], row["ts_recv"], row["venue_seq"], *(row[n] for n in TOP))
                for row in tops
            ]
            assert found == expected["BTC"][-len(found) :]
            assert len(found) > 5
            await kept.end()  # once more: nothing

    run(main())


def test_a_break_has_the_books_read_on(run: Run) -> None:
    """What shows it waits for room where `top` is full, though no row comes any more."""

    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        kept = feed.pipeline.kept_books
        assert kept is not None
        for is_open in (True, False):
            kept._is_scheduled = False
            if is_open:
                gap = ledger.open("book", STALE, ledger.clock(), place)
            else:
                ledger.close(gap, ledger.clock())
            assert kept._is_scheduled

    gapped(run, "hyperliquid", "book", look)


def test_rows_that_no_book_has_had_at_the_end_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_ROWS_S", 0.05)

    async def main() -> None:
        async with Simulator("hyperliquid", rate=1000) as sim:
            async with kept_of(sim) as feed:
                _, kept = await behind(feed)
                with capture_logs() as lines:
                    await kept.end()
            [line] = [line for line in lines if "rows of books" in line["event"]]
            assert (line["log_level"], line["rows"] > 50) == ("warning", True)

    run(main())


class WithoutMemory:
    """A reader that has had no memory for rows of a book."""

    n_failures = 1

    def __init__(self, reader: BookReader) -> None:
        self._reader = reader
        self.changes = 1

    def take_changes(self) -> list[tuple[int, str, str, int]]:
        """Give the change of the one book, once."""
        self.changes = 0
        return [(0, "live", "broken", 5)]

    def describe(self, number: int) -> dict[str, Any]:
        """Give the book with its failure."""
        return self._reader.describe(number) | {"has_failed": True}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def test_a_book_that_found_no_memory_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        assert feed.pipeline is not None
        kept = feed.pipeline.kept_books
        assert kept is not None
        with monkeypatch.context() as patch, capture_logs() as lines:
            reader = WithoutMemory(kept._reader)
            patch.setattr(kept, "_reader", reader)
            patch.setattr(kept._rows, "_reader", reader)
            for _ in range(3):
                kept.read()
            view = feed.book("hyperliquid", "BTC")
        assert view.reason == MEMORY
        found = [(each["event"], each["failures"]) for each in lines if "memory" in each["event"]]
        assert found == [("no memory for books: rows are not applied", 1)]

    gapped(run, "hyperliquid", "book", look)


@pytest.mark.parametrize(("venue", "state"), [("binance-usdm", "live"), ("hyperliquid", "broken")])
def test_what_cannot_be_decoded_breaks_a_book_that_no_chain_verifies(
    run: Run, venue: str, state: str
) -> None:
    def look(feed: tickwire.FeedHandler, ledger: Any, place: Place) -> None:
        ledger.record("book", DECODE_ERROR, ledger.clock(), ledger.clock() + 1, Place(venue))
        assert place.symbol is not None
        assert feed.book(venue, place.symbol).state == state

    gapped(run, venue, "book", look)


def replayed(folder: Path, *, interval_s: float = 0.5) -> dict[str, Rows]:
    """Give the tables of a small capture."""
    path = folder / "day.jsonl"
    if not path.exists():
        with CaptureWriter(path) as writer:
            writer.write_message(delta(1, 2), 0)
            writer.write_answer(1, URL, snapshot(2))
            for number in range(3, 3000):
                writer.write_message(delta(number, number), number * 1_000_000)
    rows: dict[str, Rows] = {}

    async def main() -> None:
        source = tickwire.Source(venue="binance", channels=["book"], symbols=["BTCUSDT"])
        settings = tickwire.BooksSettings(depth=1, interval_s=interval_s)
        feed = tickwire.FeedHandler(source, books=settings, replays=True)
        replay = await begun(feed, Replay(feed, path))
        taking = Taking(feed, "book", "top", "books", "depth")
        await replay
        rows.update(await taking.end())

    asyncio.run(main())
    return rows


def test_a_replay_gives_the_same_rows_every_time(tmp_path: Path) -> None:
    first = replayed(tmp_path)
    assert all(first.values())
    assert replayed(tmp_path) == first
    assert len(first["books"]) > 3
    assert first["books"][0]["ts_recv"] < 10**10  # the capture's clock


def test_without_the_section_there_is_nothing() -> None:
    source = tickwire.Source(venue="binance", channels=["book"], symbols=["BTCUSDT"])
    plan = plan_feed(Config(Feed(), (source,)))
    assert not {"books", "top", "depth"} & set(plan.tables)
    feed = tickwire.FeedHandler(source)
    with pytest.raises(RuntimeError, match="no books are kept"):
        feed.book("binance", "BTCUSDT")
    trades = tickwire.Source(venue="binance", channels=["trades"], symbols=["BTCUSDT"])
    with_books = Config(Feed(), (trades,), books=tickwire.BooksSettings(depth=5))
    assert "top" not in plan_feed(with_books).tables
    books = Config(Feed(), (source,), books=tickwire.BooksSettings())
    assert {"books", "top"} <= set(plan_feed(books).tables)
    assert "depth" not in plan_feed(books).tables


def test_a_book_that_is_not_there_is_named(run: Run) -> None:
    async def main() -> None:
        async with Simulator("hyperliquid", rate=100) as sim:
            source = tickwire.Source(
                venue="hyperliquid", channels=["book"], symbols=["BTC"], url=sim.ws_url
            )
            async with tickwire.FeedHandler(source, books=tickwire.BooksSettings()) as feed:
                assert feed.book("hyperliquid", "BTC").channel == "book"
                with pytest.raises(KeyError, match="no book of hyperliquid SOL: one of hyperl"):
                    feed.book("hyperliquid", "SOL")
                with pytest.raises(KeyError, match="no book of SOL: one of hyperliquid BTC"):
                    feed.book("", "SOL")  # as /book asks where no venue has it
                with pytest.raises(KeyError, match="no book of BTC in book:fast: one of book"):
                    feed.book("hyperliquid", "BTC", channel="book:fast")
                with pytest.raises(ValueError, match="-1 levels"):
                    feed.book("hyperliquid", "BTC", depth=-1)

    run(main())


def test_how_books_are_kept_is_the_venue_s_rule() -> None:
    assert verifies(load_venue("binance"), "book") == (True, False, 0)
    assert verifies(load_venue("binance"), "book:10") == (False, False, 0)
    assert verifies(load_venue("hyperliquid"), "book") == (False, False, 0)
    assert verifies(load_venue("kraken"), "book:25") == (True, False, 25)
    assert verifies(load_venue("okx"), "book") == (True, False, 0)
    assert verifies(load_venue("okx"), "book:5") == (False, False, 0)


def test_the_section_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    source = '[[source]]\nvenue = "hyperliquid"\nchannels = ["book"]\nsymbols = ["BTC"]\n'
    path.write_text(source)
    assert load(path).books is None
    path.write_text(source + "[books]\n")
    assert load(path).books == tickwire.BooksSettings()
    path.write_text(source + "[books]\ndepth = 2000\ninterval = 1.0\n")
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert [line.partition(": ")[2].partition(":")[0] for line in raised.value.problems] == [
        "books.depth",
        "books.interval",
    ]


CAPTURES = [
    ("binance-usdm", "book", "BTCUSDT", "binance/hbt-usdm-btcusdt_20240808"),
    ("binance", "book", "BTCUSDT", "binance/hbt-spot-btcusdt_20240808"),
    ("coinbase", "book", "BTC-USD", "coinbase/cfv3-coinbase-20260809-advanced"),
    ("kraken", "book:10", "BTC/USD", "kraken/dc-kraken-20260816-btcusd-d10"),
]


@pytest.mark.captures
@pytest.mark.parametrize(("venue", "channel", "symbol", "capture"), CAPTURES)
def test_books_of_captures_are_the_slow_ones(
    venue: str, channel: str, symbol: str, capture: str
) -> None:
    """Every row of `top`, and the whole book at the end."""

    async def main() -> None:
        source = tickwire.Source(venue=venue, channels=[channel], symbols=[symbol])
        books = tickwire.BooksSettings()
        feed = tickwire.FeedHandler(source, books=books, replays=True, ring_rows=1 << 20)
        replay = await begun(feed, Replay(feed, capture_path(capture)))
        taking = Taking(feed, "book", "top", "books")
        await replay
        rows = await taking.end()
        depth = verifies(load_venue(venue), channel)[2]
        slow, tops = slow_tops(rows["book"], depth)
        found = [
            (row["ts_event"], row["ts_recv"], row["venue_seq"], *(row[n] for n in TOP))
            for row in rows["top"]
            if any(row[name] is not None for name in TOP)
        ]
        assert len(found) > 5
        assert found == tops[symbol]
        view = feed.book(venue, symbol)
        assert view.bids.tolist() == slow[symbol].sorted("bid")
        assert view.asks.tolist() == slow[symbol].sorted("ask")
        assert view.crossed == slow[symbol].n_crossed == 0
        assert view.orphans == slow[symbol].n_orphans
        last = rows["books"][-1]
        checks = (54, 0) if venue == "kraken" else (None, None)  # each message has its checksum
        assert (last["checked"], last["mismatched"]) == checks

    asyncio.run(main())
