"""Kraken's books, kept from rows of the ring: their checksums are the venue's, at every depth."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.feed.test_handler import until

import tickwire
from tickwire.feed.books import kept_books
from tickwire.feed.books.book_view import BookView
from tickwire.sim import Simulator
from tickwire.venues import Venue

Run = Callable[[Coroutine[Any, Any, None]], None]
SYMBOL = "BTC/USD"


def checksum_of(view: BookView, decimals: tuple[int, int]) -> int:
    """Compute it as Kraken documents it: ten asks and ten bids, without points and first zeros."""
    texts = []
    for side in (view.asks, view.bids):
        for price, size in side[:10].tolist():
            for value, n in zip((price, size), decimals, strict=True):
                texts.append(f"{value:.{n}f}".replace(".", "").lstrip("0"))
    return zlib.crc32("".join(texts).encode())


async def compare(depth: int, n: int) -> tuple[int, int]:
    """Give how many of so many states of a kept book had the venue's checksum, and the most levels.

    The decoder has compared its own book with the checksum of each message.
    """
    async with Simulator("kraken", rate=2000, seed=depth) as sim, asyncio.timeout(30):
        source = tickwire.Source(
            venue="kraken", channels=[f"book:{depth}"], symbols=[SYMBOL], url=sim.ws_url,
            rest_url=sim.rest_url,
        )  # fmt: skip
        async with tickwire.FeedHandler(source, books=tickwire.BooksSettings()) as feed:
            await until(lambda: feed.book("kraken", SYMBOL).state == "live")
            assert feed.pipeline is not None
            checksums = feed.pipeline._checksums["kraken"]
            code = feed.pipeline.dictionaries.symbol.code(SYMBOL)
            n_equal = most = n_messages = 0
            for _ in range(n):
                await until(lambda n=n_messages: feed.book("kraken", SYMBOL).messages > n)
                view = feed.book("kraken", SYMBOL)
                n_messages = view.messages
                found = checksums.decimals(code)
                assert found is not None
                n_equal += checksum_of(view, found) == checksums.checksum(code)
                most = max(most, len(view.bids), len(view.asks))
            assert checksums.n_checked >= n_messages - 1
            assert checksums.n_mismatched == 0
    return n_equal, most


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_a_kept_book_has_the_venue_s_checksum_and_no_level_past_its_depth(
    run: Run, depth: int
) -> None:
    async def main() -> None:
        assert await compare(depth, 25) == (25, depth)

    run(main())


def test_a_book_that_is_not_truncated_has_another_checksum(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = kept_books.verifies

    def without_depth(venue: Venue, channel: str) -> tuple[bool, bool, int]:
        return *right(venue, channel)[:2], 0

    monkeypatch.setattr(kept_books, "verifies", without_depth)

    async def main() -> None:
        n_equal, most = await compare(10, 60)
        assert n_equal < 60
        assert most > 10

    run(main())
