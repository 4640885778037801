"""`tickwire symbols`, asking simulated exchanges."""

import asyncio
import json

import pytest
from tests.cli.program import tickwire

from tickwire.cli.symbols import HEAD, fits, instruments_of, nothing_fits, table
from tickwire.errors import TickwireError
from tickwire.sim import Simulator
from tickwire.sim.instruments import DEFAULT_SYMBOLS
from tickwire.venues import Instrument, load

SWAP = Instrument("BTC-USDT-SWAP", "perpetual", "BTC", "USDT", tick_size=0.1)
SPOT = Instrument("ETH-USDT", "spot", "ETH", "USDT")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("", True), ("btc", True), ("usdt-perp", True), ("BTC*PERP", True), ("BTC?USDT*", True),
     ("ETH", False), ("BTC*X", False)],
)  # fmt: skip
def test_a_pattern_fits_symbol_or_name(pattern: str, found: bool) -> None:
    assert fits(SWAP, pattern) == found


def test_the_nearest_is_named() -> None:
    assert nothing_fits("okx", "ETHUSD", [SWAP, SPOT]) == (
        "okx has no symbol like 'ETHUSD' among 2; the nearest is 'ETH-USDT'"
    )
    assert nothing_fits("okx", "??", [SWAP]) == "okx has no symbol like '??' among 1"


def test_lines_have_columns() -> None:
    head, first, second = table([SWAP, SPOT])
    assert head.split() == [*HEAD]
    assert first.split() == ["BTC-USDT-SWAP", "BTC-USDT-PERP", "perpetual", "0.1"]
    assert second.split() == ["ETH-USDT", "ETH-USDT", "spot"]


@pytest.mark.parametrize("venue", DEFAULT_SYMBOLS)
async def test_each_simulated_venue_lists_its_symbols(venue: str) -> None:
    async with Simulator(venue) as sim:
        found = await instruments_of(load(venue), sim.rest_url)
    assert [each.symbol for each in found] == sorted(DEFAULT_SYMBOLS[venue])
    if venue in ("okx", "bybit", "coinbase", "kraken"):
        assert all(each.base and each.quote and each.tick_size for each in found)


@pytest.mark.parametrize("url", ["here", "ws://127.0.0.1:1", "http://", "http://[::"])
def test_a_wrong_url_is_an_error_of_one_line(url: str) -> None:
    done = tickwire("symbols", "okx", "--rest-url", url)
    assert done.returncode == 2
    assert done.stderr.startswith("tickwire: --rest-url: should be a URL with http://")
    assert done.stderr.count("\n") == 1


async def test_the_command() -> None:
    async with Simulator("okx") as sim:

        async def ask(*more: str) -> tuple[int, str, str]:
            arguments = ("symbols", "okx", *more, "--rest-url", sim.rest_url)
            done = await asyncio.to_thread(tickwire, *arguments)
            return done.returncode, done.stdout, done.stderr

        code, out, _ = await ask("swap", "--json")
        assert code == 0
        (found,) = json.loads(out)
        assert (found["venue"], found["symbol"]) == ("okx", "BTC-USDT-SWAP")
        assert (found["name"], found["kind"]) == ("BTC-USDT-PERP", "perpetual")
        code, out, _ = await ask()
        assert (code, len(out.splitlines())) == (0, 4)
        code, _, said = await ask("BTC-USDC")
        assert code == 1
        assert "okx has no symbol like 'BTC-USDC' among 3; the nearest is 'BTC-USDT'" in said


async def test_a_venue_without_a_list_says_so() -> None:
    with pytest.raises(TickwireError, match="own lists its symbols nowhere"):
        await instruments_of(load("tests.venues.own:OWN"))
