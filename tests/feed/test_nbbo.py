"""Two simulated venues through sockets: `nbbo` and one merged stream, against slow references."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from benchmarks.all_on.reference import SlowNbbo, rows_of
from structlog.testing import capture_logs
from tests.feed.test_handler import until

import tickwire
from tickwire.config import Config, Feed
from tickwire.feed.books.nbbo import instruments_of
from tickwire.feed.plan.planning import plan_feed
from tickwire.sim import Simulator

Run = Callable[[Coroutine[Any, Any, None]], None]
NAME = "BTC-USDT-PERP"
BOOKS = {("binance-usdm", "BTCUSDT"): NAME, ("okx", "BTC-USDT-SWAP"): NAME}
PAGE = Path(__file__).parents[2] / "docs" / "books.md"
MERGED = ["trades", "quotes", "top", "nbbo"]


def source_of(venue: str, sim: Simulator) -> tickwire.Source:
    return tickwire.Source(
        venue=venue, channels=["book", "trades", "quotes"], symbols=[NAME], url=sim.ws_url,
        rest_url=sim.rest_url, check_symbols=False,
    )  # fmt: skip


def test_rows_over_two_venues_are_those_of_slow_references(run: Run) -> None:
    """Also while one of them is not there, and in one stream with trades and quotes."""

    async def main() -> None:
        found: dict[str, list[tuple[int, int]]] = {table: [] for table in MERGED}
        rows: dict[str, list[dict[str, Any]]] = {"top": [], "nbbo": []}
        stream: list[tuple[int, str, int]] = []

        async def take(table: str) -> None:
            async for batch in feed.batches(table):
                times = batch["ts_recv"].cast("int64").to_pylist()
                found[table] += zip(times, batch["seq"].to_pylist(), strict=True)
                if table in rows:
                    rows[table] += rows_of(batch)

        async def take_merged() -> None:
            async for table, batch in merged:
                times = batch["ts_recv"].cast("int64").to_pylist()
                stream.extend(
                    (ts, table, seq)
                    for ts, seq in zip(times, batch["seq"].to_pylist(), strict=True)
                )

        async with (
            Simulator("binance-usdm", rate=700, seed=3) as one,
            Simulator("okx", rate=700, symbols=["BTC-USDT-SWAP"], seed=4) as other,
            asyncio.timeout(30),
        ):
            sources = [source_of("binance-usdm", one), source_of("okx", other)]
            feed = tickwire.FeedHandler(sources, books=tickwire.BooksSettings(nbbo=True))
            async with feed:
                merged = feed.merged(MERGED, within_ms=1000)
                tasks = [asyncio.ensure_future(take(table)) for table in MERGED]
                tasks.append(asyncio.ensure_future(take_merged()))
                await until(lambda: {row["left_out"] for row in rows["nbbo"]} >= {None})
                n_before = len(rows["nbbo"])
                other.disconnect_all()
                await until(lambda: "okx" in {row["left_out"] for row in rows["nbbo"][n_before:]})
                await until(lambda: len(rows["nbbo"]) > 100 and not rows["nbbo"][-1]["left_out"])
            await asyncio.gather(*tasks)
        slow = SlowNbbo(BOOKS, list(BOOKS))
        expected = [each for row in rows["top"] for each in slow.take(row)]
        assert rows["nbbo"] == expected
        assert {row["bid_venue"] for row in expected} >= {"binance-usdm", "okx"}
        assert merged.late_rows == dict.fromkeys(MERGED, 0)
        assert stream == sorted(
            ((ts, table, seq) for table in MERGED for ts, seq in found[table]),
            key=lambda row: (row[0], MERGED.index(row[1]), row[2]),
        )
        assert feed.summary()["rows"]["nbbo"] == len(expected)

    run(main())


def test_names_make_an_instrument_and_a_venue_s_own_symbol_does_not() -> None:
    def instruments(**symbols: list[str]) -> dict[tuple[str, str], str]:
        sources = tuple(
            tickwire.Source(venue=venue.replace("_", "-"), channels=["book"], symbols=each)
            for venue, each in symbols.items()
        )
        plan = plan_feed(Config(feed=Feed(), sources=sources))
        return instruments_of(plan.given, plan.sources)

    with capture_logs() as logs:
        found = instruments(
            binance=["BTC-USDT"], binance_usdm=["BTC/USDT:USDT", "BTC-USDT-PERP"], okx=["BTC/USDT"],
            hyperliquid=["BTC-USDC-PERP"],
        )  # fmt: skip
    assert found == {
        ("binance", "BTCUSDT"): "BTC-USDT",
        ("binance-usdm", "BTCUSDT"): NAME,
        ("okx", "BTC-USDT"): "BTC-USDT",
        ("hyperliquid", "BTC"): "BTC-USDC-PERP",
    }
    assert logs == []
    with capture_logs() as logs:
        assert instruments(binance=["BTCUSDT", "ETH-USDT"]) == {("binance", "ETHUSDT"): "ETH-USDT"}
    assert [(line["symbols"], line["count"]) for line in logs] == [("binance BTCUSDT", 1)]


def test_the_page_s_example_runs(run: Run) -> None:
    [text] = [
        each
        for each in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
        if "feed.merged" in each
    ]
    printed: list[tuple[Any, ...]] = []

    class Enough(Exception):
        pass

    def keep(*values: Any) -> None:
        printed.append(values)
        if {row[0] for row in printed} == {"trades", "nbbo"} and len(printed) > 50:
            raise Enough

    async def main() -> None:
        async with (
            Simulator("binance-usdm", rate=500) as one,
            Simulator("okx", rate=500, symbols=["BTC-USDT-SWAP"]) as other,
            asyncio.timeout(20),
        ):
            sims = {"binance-usdm": one, "okx": other}

            def source(venue: str, **keys: Any) -> tickwire.Source:
                urls = {"url": sims[venue].ws_url, "rest_url": sims[venue].rest_url}
                return tickwire.Source(venue=venue, check_symbols=False, **urls, **keys)

            lives: list[Coroutine[Any, Any, None]] = []
            fake = type("tickwire", (), dict(vars(tickwire)) | {"Source": staticmethod(source)})
            names: dict[str, Any] = {"print": keep}
            code = text.replace("import asyncio\n", "").replace("import tickwire\n", "")
            names |= {"tickwire": fake, "asyncio": type("asyncio", (), {"run": lives.append})}
            exec(compile(code, "books.md", "exec"), names)  # noqa: S102 - our own page
            with pytest.raises(Enough):
                await lives[0]

    run(main())
