"""Books over a socket whose messages are lost, repeated and swapped: all of it is in `gaps`."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest
from tests.venues import chained
from tests.venues.chained import DEPTH, Served, serving

import tickwire
from tickwire.book import BookFollower
from tickwire.feed import housekeeping
from tickwire.feed.books import books as books_module
from tickwire.feed.books import followed
from tickwire.feed.books.followed import FollowedBooks
from tickwire.feed.streams import changes
from tickwire.ring import Dictionaries
from tickwire.venues import load

Run = Callable[[Coroutine[Any, Any, None]], None]
CHAINS = ["linked", "counted", "ranges", "checksum", "per_connection"]
SYMBOLS = ("A", "B", "C")
FAULTY = ("A", "B")
MS = 1_000_000

for _name in CHAINS:
    globals()[_name.upper()] = chained.venue(_name)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repair as often as it breaks, and wait for little."""
    monkeypatch.setattr(followed, "MOST_REPAIRS", ((60.0, 100_000),))
    monkeypatch.setattr(followed, "LOOK_S", 0.005)
    monkeypatch.setattr(books_module, "LOOK_S", 0.005)
    monkeypatch.setattr(changes, "OVERLAP_S", 0.05)
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.02)


class Seen:
    """What a feed gave: rows by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    async def take(self, table: str, consumer: Any) -> None:
        async for batch in consumer:
            columns = {
                name: (column.cast("int64") if pa.types.is_timestamp(column.type) else column)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            self.rows[table] += pa.Table.from_pydict(columns).to_pylist()

    def gaps(self) -> list[dict[str, Any]]:
        """Give the last row of each gap."""
        return list({row["gap_id"]: row for row in self.rows["gaps"]}.values())

    def books(self) -> dict[str, dict[str, dict[float, float]]]:
        """Give the books that the rows make."""
        made: dict[str, dict[str, dict[float, float]]] = {}
        is_new: dict[str, bool] = {}
        for row in self.rows["book"]:
            symbol = row["symbol"]
            if row["is_snapshot"] and is_new.get(symbol, True):
                made[symbol] = {"bid": {}, "ask": {}}
            is_new[symbol] = row["last"]
            if row["side"] is not None:
                side = made[symbol][row["side"]]
                side.pop(row["price"], None)
                if row["size"]:
                    side[row["price"]] = row["size"]
            if row["last"]:
                for name, side in made[symbol].items():
                    best = sorted(side, reverse=name == "bid")[:DEPTH]
                    made[symbol][name] = {price: side[price] for price in best}
        return made


async def until(happened: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def played(server: Served, n_faults: int, **more: Any) -> tuple[Seen, dict[str, Any]]:
    """Run a feed until so many messages have been struck and all books are right again."""
    source = tickwire.Source(
        venue=f"tests.feed.test_followed:{server.chain.upper()}",
        channels=["book", "quotes"],
        symbols=list(SYMBOLS),
        url=server.url,
        **more,
    )
    seen = Seen()
    feed = tickwire.FeedHandler([source])
    async with feed:
        await feed.ready()
        tasks = [
            asyncio.create_task(seen.take(table, feed.batches(table)))
            for table in ("book", "quotes", "gaps")
        ]
        await until(lambda: len(seen.rows["book"]) > 100)
        server.most_faults = n_faults
        await until(lambda: len(server.faults) == n_faults, 300)
        # The last loss is seen by what follows, and then repaired.
        await asyncio.sleep(0.3)
        await until(lambda: all(gap["state"] == "closed" for gap in seen.gaps()))
        server.is_over.set()
        await asyncio.sleep(0.1)
    await asyncio.gather(*tasks)
    return seen, feed.summary()


def check(server: Served, seen: Seen) -> None:
    gaps = [gap for gap in seen.gaps() if gap["reason"] != "shutdown"]
    books = [gap for gap in gaps if gap["table_name"] == "book" and gap["symbol"] in FAULTY]
    is_whole = server.chain == "per_connection"
    others = [gap for gap in gaps if gap not in books]
    assert is_whole or not others, others
    for gap in books:
        assert gap["reason"] == "sequence", gap
        if server.chain == "checksum":
            assert gap["detail"] == "checksum does not match"
    unseen = []
    for fault in server.faults:
        around = [
            gap
            for gap in books
            if gap["symbol"] == fault.symbol
            and gap["ts_start"] <= fault.at_ns + 100 * MS
            and fault.at_ns <= gap["ts_end"]
        ]
        if fault.kind == "drop" and not around:
            unseen.append(fault)
    if server.chain == "checksum":
        # A loss that changes none of the levels, or that the next change makes up for.
        assert sum(fault.is_visible for fault in unseen) <= len(server.faults) / 100, unseen
    else:
        assert not unseen
    # As many messages as were lost, where the numbers tell.
    if server.chain == "counted" and not any(fault.kind == "swap" for fault in server.faults):
        n_drops = sum(fault.kind == "drop" for fault in server.faults)
        assert sum(gap["lost"] or 0 for gap in books) <= n_drops
    made = seen.books()
    for symbol, market in server.markets.items():
        for name, side in market.sides.items():
            assert made[symbol][name] == {p: float(size) for p, size in side.items()}, symbol


def check_chain(rows: list[dict[str, Any]]) -> None:
    """Each message of a book follows the one before, or is a snapshot."""
    last: dict[str, int] = {}
    for row in rows:
        if not row["last"]:
            continue
        if not row["is_snapshot"] and row["venue_prev_seq"] is not None:
            assert row["venue_prev_seq"] == last[row["symbol"]]
        last[row["symbol"]] = row["venue_seq"]


@pytest.mark.parametrize("chain", CHAINS)
def test_what_is_done_to_messages_is_in_gaps(run: Run, chain: str) -> None:
    async def scene() -> None:
        with serving(chain, SYMBOLS, FAULTY, every=12) as server:
            seen, summary = await played(server, 5 if chain == "per_connection" else 12)
        check(server, seen)
        check_chain(seen.rows["book"])
        n_drops = sum(fault.kind == "drop" for fault in server.faults)
        assert summary["book_repairs"] >= (n_drops > 0)
        if chain == "per_connection":
            assert server.n_connections > 1
        else:
            # Only the broken symbols were asked for again, on the one connection.
            assert server.n_connections == 1
            assert server.n_subscribes.count("book.C") == 1
            assert server.n_subscribes.count("quotes.A") == 1

    run(scene())


@pytest.mark.thorough
@pytest.mark.parametrize("chain", CHAINS[:4])
def test_a_thousand_faults_are_in_gaps(chain: str) -> None:
    async def scene() -> None:
        with serving(chain, SYMBOLS, FAULTY, every=20, pace_s=0.001) as server:
            seen, _ = await played(server, 1000)
        check(server, seen)
        check_chain(seen.rows["book"])

    asyncio.run(scene())


def test_the_other_rows_of_a_connection_that_is_replaced_have_no_hole(run: Run) -> None:
    async def scene() -> None:
        with serving("per_connection", SYMBOLS, FAULTY, every=12, kinds=["drop"]) as server:
            seen, _ = await played(server, 3)
        check(server, seen)
        assert server.n_connections > 1
        for symbol in SYMBOLS:
            numbers = [row["venue_seq"] for row in seen.rows["quotes"] if row["symbol"] == symbol]
            assert len(numbers) > 20
            assert len(set(numbers)) == len(numbers)  # none is doubled
            assert numbers == sorted(numbers)
        assert not any(
            gap["reason"] != "sequence" for gap in seen.gaps() if gap["table_name"] == "quotes"
        )

    run(scene())


def test_a_symbol_that_never_gets_a_snapshot_leaves_repairs_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another connection brings none either: the next one comes later each time."""
    monkeypatch.setattr(followed, "MOST_REPAIRS", ((60.0, 60), (3600.0, 200)))
    now_s = 0.0
    symbols = Dictionaries().symbol
    follower = BookFollower("per_connection")
    books = FollowedBooks(
        load("coinbase"), follower, None, symbols, ["A"], Mock(), Mock(), Mock(),
        clock=lambda: now_s,
    )  # fmt: skip
    follower.offer(symbols.code("A"))  # a change
    repaired_s = []
    while now_s < 3600:
        books.look()
        if due := books.due():
            repaired_s.append(now_s)
            now_s += 1.5
            books.tried(due)
        now_s += 0.5
    assert len(repaired_s) < 40
    assert repaired_s[1] - repaired_s[0] < 3
    assert repaired_s[-1] - repaired_s[-2] > 100


@pytest.mark.parametrize("chain", CHAINS)
def test_an_untouched_feed_has_no_gap(run: Run, chain: str) -> None:
    async def scene() -> None:
        with serving(chain, SYMBOLS, ()) as server:
            seen, summary = await played(server, 0)
        check(server, seen)
        assert not seen.gaps()
        assert summary["withheld_book_messages"] == 0
        assert summary["book_repairs"] == 0

    run(scene())


@pytest.mark.parametrize("chain", ["per_connection", "checksum"])
def test_what_one_of_two_connections_loses_is_no_gap(run: Run, chain: str) -> None:
    """The other one has brought it; the numbers, and the turns, are each connection's own."""

    async def scene() -> None:
        kinds = ["drop", "repeat"] if chain == "per_connection" else ["repeat"]
        with serving(chain, SYMBOLS, FAULTY, every=6, kinds=kinds, strikes_all=False) as server:
            seen, summary = await played(server, 12, redundancy=2)
        check_one_leg(server, seen)
        if chain == "per_connection":
            assert summary["connection_holes"] > 0
        assert summary["book_repairs"] == 0
        assert server.n_connections == 2

    run(scene())


def check_one_leg(server: Served, seen: Seen) -> None:
    assert not seen.gaps()
    made = seen.books()
    for symbol, market in server.markets.items():
        for name, side in market.sides.items():
            assert made[symbol][name] == {p: float(size) for p, size in side.items()}, symbol
        numbers = [row["venue_seq"] for row in seen.rows["quotes"] if row["symbol"] == symbol]
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("chain", ["per_connection", "checksum"])
def test_the_end_of_one_of_two_connections_is_no_gap(run: Run, chain: str) -> None:
    async def scene() -> None:
        with serving(chain, SYMBOLS, ()) as server:
            source = tickwire.Source(
                venue=f"tests.feed.test_followed:{chain.upper()}",
                channels=["book", "quotes"],
                symbols=list(SYMBOLS),
                url=server.url,
                redundancy=2,
            )
            seen = Seen()
            async with tickwire.FeedHandler([source]) as feed:
                await feed.ready()
                tasks = [
                    asyncio.create_task(seen.take(table, feed.batches(table)))
                    for table in ("book", "quotes", "gaps")
                ]
                for n_connections in (3, 4, 5):
                    n_rows = len(seen.rows["book"])
                    await until(lambda n=n_rows: len(seen.rows["book"]) > n + 200)
                    server.end_oldest()
                    await until(lambda n=n_connections: server.n_connections == n)
                n_rows = len(seen.rows["book"])
                await until(lambda: len(seen.rows["book"]) > n_rows + 200)
                server.is_over.set()
                await asyncio.sleep(0.1)
            await asyncio.gather(*tasks)
        check_one_leg(server, seen)

    run(scene())


@pytest.mark.parametrize("chain", ["linked", "checksum"])
def test_a_planned_change_of_connections_leaves_no_gap(run: Run, chain: str) -> None:
    async def scene() -> None:
        with serving(chain, SYMBOLS, ()) as server:
            venue = f"tests.feed.test_followed:{chain.upper()}"
            source = tickwire.Source(
                venue=venue, channels=["book"], symbols=list(SYMBOLS), url=server.url
            )
            seen = Seen()
            async with tickwire.FeedHandler([source]) as feed:
                await feed.ready()
                tasks = [
                    asyncio.create_task(seen.take(table, feed.batches(table)))
                    for table in ("book", "gaps")
                ]
                await until(lambda: len(seen.rows["book"]) > 100)
                await feed.refresh()
                n_rows = len(seen.rows["book"])
                await until(lambda: len(seen.rows["book"]) > n_rows + 100)
                server.is_over.set()
                await asyncio.sleep(0.1)
            await asyncio.gather(*tasks)
        assert server.n_connections == 2
        check(server, seen)
        assert not seen.gaps()

    run(scene())
