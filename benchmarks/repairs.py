"""How soon a book is right again: `python -m benchmarks.repairs`, by venue.

A simulator of the venue sends two symbols at a modest rate. In turn a message of a book is lost,
and a level of a kept book is altered, which only the oracle can find. Shown are the times until
`books` says `broken`, and from there until it says `live`, with the constants of a run, and how
often a book of the other symbol broke meanwhile. The gates are 2 s from broken to live, and no
other book; but where a connection counts its messages, a lost one may be any symbol's.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from dataclasses import dataclass

import structlog
import uvloop

from tickwire import BooksSettings, FeedHandler, Source
from tickwire.clock import wall_ns
from tickwire.sim import Simulator
from tickwire.sim.instruments import DEFAULT_SYMBOLS
from tickwire.venues import load

MOST_S = 2.0
# Hyperliquid's messages are whole books: each is right by itself.
SYMBOLS = {
    venue: list(symbols[:2])
    for venue, symbols in DEFAULT_SYMBOLS.items()
    if not venue.startswith("hyperliquid")
}
CAUSES = ("lost", "altered")
CALM_S = 4.0  # a replaced connection has been closed by then
GIVEN_UP_S = 40.0


class Books:
    """The states of a feed's books, as `books` says them."""

    def __init__(self, feed: FeedHandler) -> None:
        self.changes: list[tuple[str, str, int]] = []  # symbol, state and ts_recv
        self._has_changed = asyncio.Event()
        self._task = asyncio.create_task(self._take(feed))

    async def _take(self, feed: FeedHandler) -> None:
        states: dict[str, str] = {}
        async for row in feed.rows("books"):
            if states.get(row.symbol) != row.state:
                states[row.symbol] = row.state
                self.changes.append((row.symbol, row.state, row.ts_recv))
                self._has_changed.set()

    async def until(self, state: str, since: int, symbol: str = "") -> tuple[str, int, int]:
        """Wait for a state from that change on; gives of which symbol, when, the next change."""
        while True:
            for at in range(since, len(self.changes)):
                found, reached, ts_recv = self.changes[at]
                if reached == state and symbol in ("", found):
                    return found, ts_recv, at + 1
            self._has_changed.clear()
            await self._has_changed.wait()

    def broken(self, since: int) -> set[str]:
        """Give the symbols whose book has broken from that change on."""
        return {symbol for symbol, state, _ in self.changes[since:] if state == "broken"}


@dataclass(frozen=True, slots=True)
class Repair:
    """How long it took to find what was wrong, and to repair it; other books that broke."""

    found_s: float
    repaired_s: float
    n_others: int


def _alter(feed: FeedHandler, venue: str, symbol: str) -> None:
    """Publish a bid above the best ask, as one of the venue's changes."""
    assert feed.pipeline is not None
    ring = feed.pipeline.rings["book"]
    view = feed.book(venue, symbol, depth=1)
    ring.append(
        venue=venue, symbol=symbol, channel="book", conn=0, ts_recv=view.ts_recv, side="bid",
        price=1.01 * view.asks["price"][0], size=1e6, is_snapshot=False, last=True,
        venue_seq=view.venue_seq,
    )  # fmt: skip
    ring.publish()


async def _measure(venue: str, cause: str, n: int) -> list[Repair]:
    """Give for each time how it went."""
    symbols = SYMBOLS[venue]
    repairs: list[Repair] = []
    async with Simulator(venue, rate=1000, symbols=symbols) as sim:
        source = Source(
            venue=venue, channels=["book"], symbols=symbols,
            url=sim.ws_url, rest_url=sim.rest_url, check_symbols=False,
        )  # fmt: skip
        async with FeedHandler(source, books=BooksSettings(verify=True)) as feed:
            books = Books(feed)
            for symbol in symbols:
                await books.until("live", 0, symbol)
            for _ in range(n):
                await asyncio.sleep(CALM_S)
                since, struck_ns = len(books.changes), wall_ns()
                if cause == "altered":
                    _alter(feed, venue, symbols[0])
                else:
                    sim.inject("drop*1=book@0s")
                symbol, broken_ns, at = await books.until("broken", since)
                _, live_ns, _ = await books.until("live", at, symbol)
                n_others = len(books.broken(since) - {symbol})
                repairs.append(
                    Repair((broken_ns - struck_ns) / 1e9, (live_ns - broken_ns) / 1e9, n_others)
                )
    return repairs


def _shown(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} {max(values):6.2f}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and exit 1 where a repair takes too long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repairs", description=__doc__)
    parser.add_argument("--venue", action="append", choices=list(SYMBOLS))
    parser.add_argument("--cause", action="append", choices=CAUSES)
    parser.add_argument("-n", type=int, default=5, help="times of each")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(
        f"{'':24}{'found, s':>14}{'repaired, s':>14}{'others':>8}\n"
        f"{'':24}{'p50    max':>14}{'p50    max':>14}{'broken':>8}"
    )
    worst = 0.0
    n_others = 0
    for venue in options.venue or SYMBOLS:
        rule = load(venue).book
        for cause in options.cause or CAUSES:
            repairs = uvloop.run(_bounded(venue, cause, options.n))
            found, repaired = (
                [each.found_s for each in repairs],
                [each.repaired_s for each in repairs],
            )
            broken = sum(each.n_others for each in repairs)
            worst = max(worst, *repaired)
            if cause == "altered" or rule is None or rule.repair != "reconnect":
                n_others += broken
            shown = f"{_shown(found):>14}{_shown(repaired):>14}{broken:8}"
            print(f"{venue:16}{cause:8}{shown}", flush=True)
    print(f"the longest repair {worst:.2f} s, at most {MOST_S:g}; other books broken {n_others}")
    sys.exit(worst > MOST_S or n_others > 0)


async def _bounded(venue: str, cause: str, n: int) -> list[Repair]:
    async with asyncio.timeout(GIVEN_UP_S * n):
        return await _measure(venue, cause, n)


if __name__ == "__main__":
    main()
