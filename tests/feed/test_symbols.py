"""Symbols that a venue does not list, in lists of the shapes that venues send."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

import tickwire
from tickwire.config import Config, Feed
from tickwire.errors import ConfigError, ConnectionFailed
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.plan.symbols import check_symbols, nearest, queries_of
from tickwire.sim import Simulator

HYPERLIQUID = {
    '{"type": "meta"}': {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "kPEPE"}]},
    '{"type": "spotMeta"}': {"tokens": [], "universe": [{"name": "PURR/USDC"}, {"name": "@1"}]},
    '{"type": "meta", "dex": "xyz"}': {"universe": [{"name": "xyz:TSLA"}]},
}


class Rest:
    """Answers by path, or by body where there is one."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
        asked = body or url
        self.asked.append(asked)
        for part, answer in self.answers.items():
            if part in asked:
                return (answer if isinstance(answer, bytes) else json.dumps(answer).encode()), 0
        raise ConnectionFailed(f"{url}: refused")


def sources(*given: tickwire.Source) -> tuple[SourcePlan, ...]:
    return plan_feed(Config(Feed(), given, ())).sources


def source(venue: str, *symbols: str, **more: object) -> tickwire.Source:
    return tickwire.Source(venue=venue, channels=["trades"], symbols=symbols, **more)


def check(rest: Rest, *given: tickwire.Source) -> list[str]:
    return asyncio.run(check_symbols(sources(*given), lambda _: rest))


def test_listed_symbols_are_no_problem() -> None:
    rest = Rest(HYPERLIQUID)
    assert check(rest, source("hyperliquid", "BTC", "kPEPE", "PURR/USDC", "@1", "xyz:TSLA")) == []
    assert rest.asked == list(HYPERLIQUID)


def test_unknown_symbols_are_an_error_with_the_nearest_known() -> None:
    listed = {"symbols": [{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT"}, {"symbol": "ETHBTC"}]}
    rest = Rest({"exchangeInfo": listed} | HYPERLIQUID)
    with pytest.raises(ConfigError) as caught:
        check(
            rest,
            source("binance", "BTC_USDT", "ETHUSDT", "QQQQQ"),
            source("hyperliquid", "BTC-USDT-SWAP", "KPEPE"),
            source("binance", "ETHUSD"),
        )
    assert caught.value.problems == [
        "source[0].symbols: binance has no 'BTC_USDT', did you mean 'BTCUSDT'?",
        "source[0].symbols: binance has no 'QQQQQ'",
        "source[1].symbols: hyperliquid has no 'BTC-USDT-SWAP', did you mean 'BTC'?",
        "source[1].symbols: hyperliquid has no 'KPEPE', did you mean 'kPEPE'?",
        "source[2].symbols: binance has no 'ETHUSD', did you mean 'ETHUSDT'?",
    ]
    assert sum("exchangeInfo" in each for each in rest.asked) == 1  # one list for both sources


@pytest.mark.parametrize(
    ("symbol", "meant"),
    [
        ("BTC/USDT", "BTCUSDT"),
        ("btcusdt", "BTCUSDT"),
        ("BTC-USDT-PERP", "BTCUSDT"),
        ("BTC/USDT:USDT", "BTCUSDT"),
        ("BTCUSTD", "BTCUSDT"),
        ("BTC_USDT", "BTCUSDT"),
        ("DOGE", None),
    ],
)
def test_what_others_write_is_understood(symbol: str, meant: str | None) -> None:
    assert nearest(symbol, ["BTCUSDT", "ETHUSDT", "BTCUSDC"]) == meant


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"symbols": []}', b'{"symbols": [1]}'])
def test_a_list_that_is_none_is_a_warning(answer: bytes) -> None:
    with capture_logs() as logs:
        [line] = check(Rest({"exchangeInfo": answer}), source("binance", "BTCUSDT"))
    assert line.startswith("symbols of binance not checked: ")
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("symbols not checked", "warning")
    ]


def test_a_list_that_cannot_be_had_is_a_warning() -> None:
    with capture_logs() as logs:
        assert len(check(Rest({}), source("binance", "BTCUSDT"))) == 1
    assert logs[0]["log_level"] == "warning"


def test_another_server_and_a_wish_not_to_be_checked_are_not_asked() -> None:
    for more in ({"url": "ws://127.0.0.1:1"}, {"check_symbols": False}):
        [plan] = sources(source("binance", "BTCUSDT", **more))
        assert queries_of(plan) == ()
    [plan] = sources(source("binance", "X", url="ws://127.0.0.1:1", rest_url="http://127.0.0.1:1"))
    assert len(queries_of(plan)) == 1
    mids = tickwire.Source(venue="hyperliquid", channels=["mids"], symbols=["*"])
    assert queries_of(sources(mids)[0]) == ()


@pytest.mark.parametrize(
    ("venue", "known", "unknown", "near"),
    [
        ("hyperliquid", "BTC", "BTCC-USD-PERP", "BTC"),
        ("binance", "BTCUSDT", "BTC_USDT", "BTCUSDT"),
        ("okx", "BTC-USDT", "BTC/USDC", "BTC-USDT"),
        ("kraken", "BTC/USD", "XBT/USD", "BTC/USD"),
        ("binance-usdm", "BTCUSDT", "BTC-USD-PERP", "BTCUSDT"),
    ],
)
def test_a_feed_with_an_unknown_symbol_ends_with_the_error(
    venue: str, known: str, unknown: str, near: str
) -> None:
    async def scenario(*symbols: str) -> None:
        async with Simulator(venue, symbols=[known]) as sim:
            given = source(venue, *symbols, url=sim.ws_url, rest_url=sim.rest_url)
            await tickwire.FeedHandler([given]).run(duration_s=1.0)

    # Alone too: it is refused at once, and the list says better why.
    for symbols in ((known, unknown), (unknown,)):
        with pytest.raises(ConfigError, match=f"has no '.*', did you mean '{near}'"):
            asyncio.run(scenario(*symbols))
    asyncio.run(scenario(known))


@pytest.mark.parametrize(
    ("venue", "name", "has"),
    [
        ("binance", "BTC-USDT-PERP", "spot pairs alone, such as 'BTC-USDT'"),
        ("bitget", "BTC/USDT:USDT", "spot pairs alone, such as 'BTC-USDT'"),
        ("kraken", "BTC-USD-PERP", "spot pairs alone, such as 'BTC-USD'"),
        ("bybit", "BTC/USDT", "contracts alone, such as 'BTC-USDT-PERP'"),
    ],
)
def test_a_name_of_another_market_is_an_error_that_names_what_this_one_has(
    venue: str, name: str, has: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        sources(source(venue, name, priority=[name]))
    assert caught.value.problems == [f"source[0].symbols: names {name!r}, {venue} has {has}"]


def test_names_are_looked_up_as_the_symbols_that_they_mean() -> None:
    rest = Rest(HYPERLIQUID)
    given = source("hyperliquid", "BTC-USD-PERP", "kPEPE/USDC:USDC", "PURR-USDC", "@1")
    assert sources(given)[0].settings.symbols == given.symbols.__class__(
        ["BTC", "kPEPE", "PURR/USDC", "@1"]
    )
    assert check(rest, given) == []
    with pytest.raises(ConfigError, match="hyperliquid has no 'BTCC', did you mean 'BTC'"):
        check(rest, source("hyperliquid", "BTCC-USD-PERP"))
