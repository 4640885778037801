"""Books held against their oracles while a feed runs: what is wrong is found and repaired."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.feed.test_handler import until
from tests.feed.test_kept_books import Full, Taking, changes_of
from tests.feed.test_replaying import begun
from tests.reference.captures import capture_path
from tests.sim.alike import one_of_each
from tests.venues import chained
from tests.venues.chained import serving

import tickwire
from tickwire.config import Config, Feed
from tickwire.errors import PlanError
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.verifying import difference, shown_levels
from tickwire.feed.replays.replaying import Replay
from tickwire.sim import Simulator
from tickwire.sim.instruments import DEFAULT_SYMBOLS, VENUES
from tickwire.venues import Venue, lasting, load, same_id, same_time

Run = Callable[[Coroutine[Any, Any, None]], None]
VERIFIED = tickwire.BooksSettings(verify=True, interval_s=0.05)
NS = 1_000_000_000
# Hyperliquid's books are whole, but for one channel that has a test of its own below.
SYMBOLS = {
    name: symbols[0]
    for name, symbols in DEFAULT_SYMBOLS.items()
    if load(name).oracle is not None and not name.startswith("hyperliquid")
}
QUICK = ("binance", "binance-usdm", "okx", "bybit", "coinbase", "kraken", "deribit")


def quick(name: str) -> Venue:
    """Give a venue whose oracle decides soon."""
    venue = load(name)
    assert venue.oracle is not None
    if not venue.oracle.lasting_s:
        return venue
    return replace(venue, oracle=lasting(seconds=0.4, quotes=5))


def test_every_simulated_venue_with_books_that_change_has_an_oracle() -> None:
    assert set(SYMBOLS) == {name for name in VENUES if not name.startswith("hyperliquid")}


@pytest.mark.parametrize("name", one_of_each(SYMBOLS, set(SYMBOLS) - set(QUICK)))
def test_an_altered_row_is_found_by_the_venue_s_oracle_and_repaired(run: Run, name: str) -> None:
    """As a change would that is altered with its chain intact; another symbol's rows go on."""

    async def main() -> None:
        async with asyncio.timeout(30):
            await scene()

    async def scene() -> None:
        venue, symbol = quick(name), SYMBOLS[name]
        async with Simulator(name, rate=2000) as sim:
            symbols = DEFAULT_SYMBOLS[name][:2]
            source = tickwire.Source(
                venue=venue, channels=["book"], symbols=symbols, url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=VERIFIED)
            async with feed:
                taking = Taking(feed, "books", "gaps", "top")
                await feed.ready()

                def checked(symbol: str) -> int:
                    rows = [row for row in taking.rows["books"] if row["symbol"] == symbol]
                    return rows[-1]["oracle_checked"] or 0 if rows else 0

                await until(lambda: min(map(checked, symbols)) > 3)
                assert feed.summary()["book_oracle_mismatches"] == 0
                assert feed.pipeline is not None
                view = feed.book(name, symbol, depth=1)
                ring = feed.pipeline.rings["book"]
                ring.append(
                    venue=name, symbol=symbol, channel="book", conn=0, ts_recv=view.ts_recv,
                    side="bid", price=1.01 * view.asks["price"][0],
                    size=1e6, is_snapshot=False, last=True, venue_seq=view.venue_seq,
                )  # fmt: skip
                ring.publish()
                altered_ns = time.time_ns()
                assert feed.book(name, symbol).bids["size"][0] == 1e6
                await until(lambda: feed.summary()["book_oracle_mismatches"] == 1)
                await until(lambda: feed.book(name, symbol).state == "live")
                n_checked = checked(symbol)
                await until(lambda: checked(symbol) > n_checked + 1)
                assert feed.book(name, symbol).bids["size"][0] < 1e6
            rows = await taking.end()
            books = [row for row in rows["books"] if row["symbol"] == symbol]
            assert changes_of(books) == ["waiting", "live", "broken", "live"]
            [broken, *_] = [row for row in books if row["state"] == "broken"]
            assert (broken["reason"], broken["oracle_mismatched"]) == ("oracle", 1)
            [live, *_] = [row for row in books if row["state"] == "live"
                          and row["ts_recv"] > broken["ts_recv"]]  # fmt: skip
            assert venue.oracle is not None
            assert broken["ts_recv"] - altered_ns < (venue.oracle.lasting_s + 3) * NS
            # Another connection has to be made first where a connection is counted.
            is_counted = venue.book is not None and venue.book.repair == "reconnect"
            assert live["ts_recv"] - broken["ts_recv"] < (6 if is_counted else 2) * NS
            gaps = [
                row for row in rows["gaps"]
                if row["reason"] == "sequence" and row["table_name"] == "book"
            ]  # fmt: skip
            if name == "bitfinex":  # its connections have numbers of their own: no copy is known
                gaps = [row for row in gaps if row["symbol"] == symbol]
            assert [(row["symbol"], row["state"]) for row in gaps] == [
                (symbol, "open"), (symbol, "closed"),
            ]  # fmt: skip
            assert "its oracle" in gaps[0]["detail"]
            assert feed.summary()["book_oracle_mismatches"] == 1

    run(main())


def test_a_book_by_positions_is_held_against_whole_ones_of_the_same_time(run: Run) -> None:
    """A level behind the best is altered; it is found, and the book begins again."""

    async def main() -> None:
        async with Simulator("hyperliquid", rate=500) as sim, asyncio.timeout(30):
            source = tickwire.Source(
                venue="hyperliquid", channels=["book:l2"], symbols=["BTC"], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=VERIFIED)
            async with feed:
                taking = Taking(feed, "books", "gaps")
                await feed.ready()

                def book(depth: int | None = None) -> Any:
                    return feed.book("hyperliquid", "BTC", channel="book:l2", depth=depth)

                await until(lambda: feed.summary()["book_oracle_checked"] > 5)
                assert feed.summary()["book_oracle_mismatches"] == 0
                assert (book().state, len(book().bids)) == ("unverifiable", 20)
                assert feed.pipeline is not None
                view = book()
                price = float(view.bids["price"][-1])
                assert feed.pipeline.rings["book"].append(
                    venue="hyperliquid", symbol="BTC", channel="book:l2", conn=0,
                    ts_recv=view.ts_recv, ts_event=view.ts_event, side="bid", price=price,
                    size=1e6, is_snapshot=False, last=True,
                )  # fmt: skip
                feed.pipeline.rings["book"].publish()
                await until(lambda: feed.summary()["book_oracle_mismatches"] >= 1)
                n_checked = feed.summary()["book_oracle_checked"]
                await until(lambda: feed.summary()["book_oracle_checked"] > n_checked + 5)
                assert 1e6 not in book().bids["size"]
            rows = await taking.end()
            gaps = [row for row in rows["gaps"] if row["reason"] == "sequence"]
            assert [(row["symbol"], row["state"]) for row in gaps] == [
                ("BTC", "open"), ("BTC", "closed"),
            ]  # fmt: skip
            assert "oracle" in gaps[0]["detail"]

    run(main())


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("binance", "book:20"),
        ("binance-usdm", "book:5"),
        ("okx", "book:5"),
        ("bitget-futures", "book:5"),
    ],
)
def test_a_level_behind_the_best_is_compared_where_ids_match(
    run: Run, name: str, channel: str
) -> None:
    """What quotes cannot show: the third level of a side is altered."""

    async def main() -> None:
        async with Simulator(name, rate=2000) as sim, asyncio.timeout(30):
            source = tickwire.Source(
                venue=name, channels=["book", channel], symbols=[SYMBOLS[name]], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=VERIFIED)
            async with feed:
                taking = Taking(feed, "books", "gaps")

                def is_live() -> bool:
                    return feed.book(name, SYMBOLS[name], channel="book").state == "live"

                await until(lambda: feed.summary()["book_oracle_checked"] > 20 and is_live())
                await asyncio.sleep(0.3)
                assert feed.summary()["book_oracle_mismatches"] == 0
                view = feed.book(name, SYMBOLS[name], channel="book", depth=3)
                assert feed.pipeline is not None
                ring = feed.pipeline.rings["book"]
                ring.append(
                    venue=name, symbol=SYMBOLS[name], channel="book", conn=0, ts_recv=view.ts_recv,
                    side="bid", price=(view.bids["price"][1] + view.bids["price"][2]) / 2, size=7.0,
                    is_snapshot=False, last=True, venue_seq=view.venue_seq,
                )  # fmt: skip
                ring.publish()
                await until(lambda: feed.summary()["book_oracle_mismatches"] == 1)
                await until(is_live)
            rows = await taking.end()
            [gap, *_] = [row for row in rows["gaps"] if row["reason"] == "sequence"]
            assert "behind the best" in gap["detail"]

    run(main())


def test_which_channels_show_the_best_levels_of_a_book() -> None:
    found = {
        (name, channel): shown_levels(load(name), channel)
        for name, channels in (
            ("okx", ("book:5", "book", "quotes")), ("binance", ("book:10", "book:100ms")),
            ("bitget", ("book:5",)), ("bybit", ("book",)), ("hyperliquid", ("book", "book:fast")),
        )
        for channel in channels
    }  # fmt: skip
    assert {key: n for key, n in found.items() if n} == {
        ("okx", "book:5"): 5,
        ("bitget", "book:5"): 5,
        ("binance", "book:10"): 10,
        ("hyperliquid", "book"): 20,
    }
    assert "behind the best" in difference((1.0, 1.0, 2.0, 1.0), (1.0, 1.0, 2.0, 1.0))


LINKED = chained.venue("linked", same_id())
COUNTED = chained.venue("counted", same_id())
RANGES = chained.venue("ranges", same_id())
LATE = chained.venue("linked", lasting(seconds=0.3, quotes=4))
COUNTED_LATE = chained.venue("per_connection", lasting(seconds=0.3, quotes=4))


@pytest.mark.parametrize("name", ["LINKED", "COUNTED", "RANGES", "LATE", "COUNTED_LATE"])
def test_a_change_altered_on_its_way_is_found_and_others_have_no_hole(run: Run, name: str) -> None:
    venue: Venue = globals()[name]
    assert venue.book is not None

    async def main() -> None:
        async with asyncio.timeout(30):
            await scene()

    async def scene() -> None:
        kinds = ["alter"]
        with serving(venue.book.chain.kind, "ABC", "A", kinds=kinds, pace_s=0.004) as server:  # type: ignore[union-attr]
            source = tickwire.Source(
                venue=venue, channels=["book"], symbols=list("ABC"), url=server.url
            )
            feed = tickwire.FeedHandler(source, books=VERIFIED)
            async with feed:
                taking = Taking(feed, "book", "books", "gaps")
                await feed.ready()
                await until(lambda: len(taking.rows["book"]) > 200)
                assert feed.summary()["book_oracle_mismatches"] == 0
                server.most_faults = 1
                await until(lambda: feed.summary()["book_oracle_mismatches"] == 1)
                await until(lambda: feed.book("chained", "A").state == "live")
                n_rows = len(taking.rows["book"])
                await until(lambda: len(taking.rows["book"]) > n_rows + 200)
                server.is_over.set()
            rows = await taking.end()
        gaps = [row for row in rows["gaps"] if row["reason"] == "sequence"]
        assert {(row["table_name"], row["symbol"]) for row in gaps} == {("book", "A")}
        [fault] = server.faults
        assert gaps[0]["ts_start"] <= fault.at_ns + 50_000_000
        assert gaps[-1]["ts_end"] - fault.at_ns < 2 * NS
        for symbol in "BC":
            found = [row for row in rows["book"] if row["symbol"] == symbol and row["last"]]
            if venue.book.chain.kind == "linked":  # type: ignore[union-attr]
                pairs = pairwise(found)
                assert all(after["venue_prev_seq"] == row["venue_seq"] for row, after in pairs)

    run(main())


def watched(run: Run, look: Callable[[tickwire.FeedHandler], None]) -> None:
    """Have `look` called with a feed of Bybit whose book is live and watched."""

    async def main() -> None:
        async with Simulator("bybit", rate=1000) as sim:
            source = tickwire.Source(
                venue=quick("bybit"), channels=["book"], symbols=["BTCUSDT"], url=sim.ws_url,
                rest_url=sim.rest_url,
            )  # fmt: skip
            feed = tickwire.FeedHandler(source, books=VERIFIED)
            async with feed:
                await until(lambda: feed.book("bybit", "BTCUSDT").state == "live")
                look(feed)

    run(main())


def publish_bid(feed: tickwire.FeedHandler, at_ns: int, price: float) -> None:
    """Write a message of the book: one level."""
    assert feed.pipeline is not None
    ring = feed.pipeline.rings["book"]
    assert ring.append(
        venue="bybit", symbol="BTCUSDT", channel="book", conn=0, ts_recv=at_ns, side="bid",
        price=price, size=1.0, is_snapshot=False, last=True,
    )  # fmt: skip


def test_quotes_wait_where_the_rows_of_their_book_do(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While `top` is full a book stands still, and its quotes go on."""

    def look(feed: tickwire.FeedHandler) -> None:
        assert feed.pipeline is not None
        kept, quotes = feed.pipeline.kept_books, feed.pipeline.rings["quotes"]
        assert kept is not None
        view = feed.book("bybit", "BTCUSDT", depth=1).copy()
        assert view.ts_recv is not None
        bid, ask = view.bids["price"][0], view.asks["price"][0]
        before = feed.summary()
        with monkeypatch.context() as patch:
            patch.setattr(kept, "_reader", Full(kept._reader))
            for number in range(1, 11):
                at_ns = view.ts_recv + number * NS // 5
                price = bid + number * (ask - bid) / 100
                publish_bid(feed, at_ns, price)
                assert quotes.append(
                    venue="bybit", symbol="BTCUSDT", conn=0, ts_recv=at_ns, bid_price=price,
                    bid_size=1.0, ask_price=ask, ask_size=1.0,
                )  # fmt: skip
                assert not kept.read()
        assert kept.read()
        after = feed.summary()
        assert after["book_oracle_mismatches"] == 0
        assert after["book_oracle_checked"] >= before["book_oracle_checked"] + 20
        assert feed.book("bybit", "BTCUSDT").state == "live"

    watched(run, look)


def test_silent_quotes_are_waited_for_once(run: Run) -> None:
    def look(feed: tickwire.FeedHandler) -> None:
        assert feed.pipeline is not None
        kept, rings = feed.pipeline.kept_books, feed.pipeline.rings
        assert kept is not None
        view = feed.book("bybit", "BTCUSDT", depth=1)
        assert view.ts_recv is not None
        price = float(view.bids["price"][0])
        for _ in range(5):
            publish_bid(feed, view.ts_recv, price)
            kept._turn()
        for name in ("book", "quotes"):
            lists = [each for each in gc.get_referents(rings[name]) if isinstance(each, list)]
            calls = [call for each in lists for call in each if hasattr(call, "__self__")]
            assert [call.__self__ for call in calls if call.__self__ is kept] == [kept]

    watched(run, look)


def test_the_oracle_is_asked_for_where_books_are_verified() -> None:
    def channels(*given: str, verify: bool = True, venue: str = "okx") -> tuple[Any, set[str]]:
        source = tickwire.Source(venue=venue, channels=list(given), symbols=["BTC-USDT"])
        books = tickwire.BooksSettings(verify=verify)
        plan = plan_feed(Config(Feed(), (source,), books=books))
        return plan.sources[0].settings.channels, set(plan.tables)

    asked, tables = channels("book")
    assert list(asked) == ["book", "quotes"]
    assert "quotes" in tables
    assert list(channels("book", "quotes")[0]) == ["book", "quotes"]
    assert list(channels("book", verify=False)[0]) == ["book"]
    assert list(channels("trades")[0]) == ["trades"]
    assert list(channels("book", venue="hyperliquid")[0]) == ["book"]
    assert list(channels("book:l2", venue="hyperliquid")[0]) == ["book:l2", "quotes", "book"]


@pytest.mark.parametrize(
    ("oracle", "wrong"),
    [
        (same_id("book"), "should be a channel of quotes"),
        (same_id("news"), "should be a channel of quotes"),
        (same_time("book", levels=0), "same_time of 0 levels"),
        (lasting(seconds=0), "should last some seconds and some quotes"),
        ("quotes", "should be same_id"),
    ],
)
def test_an_oracle_that_cannot_work_is_refused(oracle: Any, wrong: str) -> None:
    with pytest.raises(PlanError, match=wrong):
        chained.venue("linked", oracle)


def test_a_difference_is_put_in_words() -> None:
    assert difference((1.5, 2.0, 1.75, 3.0), (1.25, 2.0, 1.75, 3.0)) == (
        "the book has bid 2 at 1.5, ask 3 at 1.75; its oracle bid 2 at 1.25, ask 3 at 1.75"
    )


@pytest.mark.captures
@pytest.mark.parametrize(
    ("venue", "symbol", "channel", "capture", "least"),
    [
        ("binance-usdm", "BTCUSDT", "book", "binance/hbt-usdm-btcusdt_20240808", 500),
        ("binance-coinm", "BTCUSD_PERP", "book", "binance/hbt-coinm-btcusd_perp_20240808", 250),
        ("binance", "BTCUSDT", "book", "binance/hbt-spot-btcusdt_20240808", 500),
        ("coinbase", "BTC-USD", "book", "coinbase/cfv3-coinbase-20260809-advanced", 50),
        ("coinbase", "ETH-USD", "book", "coinbase/cfv3-coinbase-20260809-advanced", 50),
    ],
)
def test_an_untouched_capture_has_no_mismatch(
    venue: str, symbol: str, channel: str, capture: str, least: int
) -> None:
    found: dict[str, Any] = {}

    async def main() -> None:
        source = tickwire.Source(venue=venue, channels=[channel], symbols=[symbol])
        feed = tickwire.FeedHandler(source, books=VERIFIED, replays=True)
        await (await begun(feed, Replay(feed, Path(capture_path(capture)))))
        found.update(feed.summary())

    asyncio.run(main())
    assert found["book_oracle_mismatches"] == 0
    assert found["book_oracle_checked"] > least
