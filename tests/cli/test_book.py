"""`tickwire book`: of a capture, and of a feed that runs."""

import asyncio
import json
from pathlib import Path

from tests.cli.program import tickwire
from tests.cli.test_replay import URL, delta, snapshot
from tests.feed.test_handler import until

import tickwire as library
from tickwire.capture import CaptureWriter
from tickwire.cli.book import lines_of
from tickwire.sim import Simulator


def capture(folder: Path) -> Path:
    path = folder / "day.jsonl"
    with CaptureWriter(path) as writer:
        writer.write_message(delta(1, 2), 0)
        writer.write_answer(1, URL, snapshot(2))
        writer.write_message(delta(3, 3), 1_000_000_007)
    return path


def test_the_book_as_a_capture_leaves_it(tmp_path: Path) -> None:
    path = capture(tmp_path)
    found = tickwire("book", path, "BTCUSDT", "--venue", "binance")
    assert found.returncode == 0
    lines = found.stdout.splitlines()
    assert lines[0] == "binance BTCUSDT book: live"
    assert lines[1].startswith("2 messages, the last ")
    assert lines[2].split() == ["bid", "size", "bid", "price", "ask", "price", "ask", "size"]
    as_json = tickwire("book", path, "BTCUSDT", "--venue", "binance", "--json")
    answer = json.loads(as_json.stdout)
    assert (answer["state"], answer["venue_seq"], answer["messages"]) == ("live", 3, 2)
    assert answer["bids"]
    by_name = tickwire("book", path, "BTC-USDT", "--venue", "binance", "--json")
    assert json.loads(by_name.stdout) == answer


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = capture(tmp_path)
    found = tickwire("book", path, "BTCUSDT")
    assert (found.returncode, found.stderr) == (
        2, "tickwire: --venue: is required where a capture is given\n",
    )  # fmt: skip
    found = tickwire("book", path, "ETHUSDT", "--venue", "binance")
    assert found.returncode == 1
    assert "has no book of ETHUSDT that binance decodes" in found.stderr
    found = tickwire("book", tmp_path / "none.toml", "ETHUSDT")
    assert found.returncode == 2


async def test_the_book_of_a_running_feed(tmp_path: Path) -> None:
    async with Simulator("hyperliquid", rate=500) as sim:
        source = library.Source(
            venue="hyperliquid", channels=["book"], symbols=["BTC"], url=sim.ws_url
        )
        books = library.BooksSettings()
        state = tmp_path / ".tickwire"
        async with library.FeedHandler(source, books=books, state_dir=state, name="one") as feed:
            await until(lambda: feed.book("hyperliquid", "BTC").state == "live")
            config = tmp_path / "feed.toml"
            config.write_text(
                '[feed]\nname = "one"\n[[source]]\nvenue = "hyperliquid"\n'
                'channels = ["book"]\nsymbols = ["BTC"]\n'
            )
            asked = ("book", config, "BTC", "--depth", 3, "--json")
            found = await asyncio.to_thread(tickwire, *asked)
            answer = json.loads(found.stdout)
            assert answer["state"] == "live"
            assert len(answer["bids"]) == 3
            assert answer["bids"][0][0] > answer["bids"][1][0]
            view = feed.book("hyperliquid", "BTC-USDC-PERP", depth=3)
            assert (view.symbol, len(view.bids)) == ("BTC", 3)
            found = await asyncio.to_thread(tickwire, "book", config, "BTC-USDC-PERP")
            assert found.stdout.startswith("hyperliquid BTC book: live")
            found = await asyncio.to_thread(tickwire, "book", config, "SOL")
            assert found.returncode == 1
            assert "no book of  SOL" not in found.stderr
            assert "SOL" in found.stderr
        without = library.FeedHandler(source, state_dir=state, name="one")
        async with without:
            found = await asyncio.to_thread(tickwire, "book", config, "BTC")
            assert (found.returncode, "no section [books]" in found.stderr) == (1, True)
    found = await asyncio.to_thread(tickwire, "book", config, "BTC")
    assert found.returncode == 1
    assert "no feed" in found.stderr


def test_lines_of_a_book_that_is_not_well() -> None:
    found = {
        "venue": "v", "symbol": "S", "channel": "book", "state": "broken", "reason": "sequence",
        "is_crossed": True, "ts_recv": None, "messages": 1234, "venue_seq": None,
        "bids": [[100.5, 1e-08], [99.0, 2.0]], "asks": [[100.0, 3.0]],
    }  # fmt: skip
    assert lines_of(found) == [
        "v S book: broken (sequence), crossed",
        "1,234 messages, the last never, venue_seq None",
        "bid size  bid price  ask price  ask size",
        "   1e-08      100.5        100         3",
        "       2         99",
    ]
