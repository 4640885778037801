"""Messages made up at random, within what the venues may send and a little beyond."""

import json
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import BinanceReference, HyperliquidReference, compare, disguise
from tests.reference.rig import Rig

from tickwire.venues import load

RING_ROWS = 1 << 10
CHANNELS = ["trades", "quotes", "book", "candles:1m", "tickers", "mids"]


class Raw:
    """A JSON number with its text."""

    def __init__(self, text: str) -> None:
        self.text = text


def write(value: Any) -> str:
    """Write JSON in which numbers keep their text."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key)}:{write(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _digits(longest: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=1, max_size=longest)


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """Texts of the grammar: prices, every float64, long mantissas, exponents out of range."""
    kind = draw(st.sampled_from(("price", "bits", "long", "grammar")))
    if kind == "price":
        return f"{draw(st.integers(0, 10**7))}.{draw(_digits(8))}"
    if kind == "bits":
        bits = draw(st.integers(0, 2**64 - 1))
        (value,) = struct.unpack("<d", bits.to_bytes(8, "little"))
        return repr(value) if value == value and abs(value) != float("inf") else "0"
    if kind == "long":
        return f"{draw(st.integers(0, 9))}.{draw(_digits(300))}"
    text = draw(st.sampled_from(("", "-"))) + str(draw(st.integers(0, 10**25)))
    text += draw(st.sampled_from(("", "." + draw(_digits(20)))))
    exponent = draw(st.sampled_from("eE")) + draw(st.sampled_from(("", "+", "-")))
    return text + draw(st.sampled_from(("", exponent + str(draw(st.integers(0, 400))))))


NUMBERS = number_texts().flatmap(lambda text: st.sampled_from((text, Raw(text))))
COUNTS = st.integers(0, 2**31 - 1).map(lambda n: Raw(str(n)))
TIMES = st.integers(0, 9_000_000_000_000).flatmap(lambda n: st.sampled_from((Raw(str(n)), str(n))))
SYMBOLS = st.sampled_from(("BTC", "kPEPE", "@107", "PURR/USDC", "xyz:AAPL", 'q"\\\n', "幣安", "😀"))
# Few ids, with the time that belongs to each. Most trades that share one have other prices, so they
# are other trades.
IDS = st.integers(0, 5)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=70)


def sometimes(strategy: st.SearchStrategy[Any], other: Any = None) -> st.SearchStrategy[Any]:
    """Now and then another value, most often the real one."""
    return st.integers(0, 19).flatmap(lambda n: strategy if n else st.just(other))


def timed(trade: dict[str, Any], identity: str, time: str) -> dict[str, Any]:
    """Give a trade the time that belongs to its id."""
    number = trade[identity]
    trade[time] = Raw(str(1_700_000_000_000 + 7 * number % 31))
    trade[identity] = Raw(str(number)) if number % 3 else f"t{number}"
    return trade


def frame(channel: str, data: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return data.map(lambda value: {"channel": channel, "data": value})


LEVEL = st.fixed_dictionaries({"px": sometimes(NUMBERS), "sz": NUMBERS, "n": COUNTS})
SIDE = st.lists(LEVEL, max_size=4)
TRADE = st.fixed_dictionaries(
    {
        "coin": SYMBOLS,
        "side": sometimes(st.sampled_from("AB"), "C"),
        "px": sometimes(NUMBERS, "1,5"),
        "sz": NUMBERS,
        "hash": TEXT,
        "tid": IDS,
        "users": st.lists(TEXT, min_size=2, max_size=2),
    }
).map(lambda trade: timed(trade, "tid", "time"))
CONTEXT = st.fixed_dictionaries(
    {"markPx": sometimes(NUMBERS), "oraclePx": sometimes(NUMBERS, "")},
    optional={
        "funding": NUMBERS,
        "openInterest": NUMBERS,
        "dayBaseVlm": NUMBERS,
        "dayNtlVlm": NUMBERS,
        "midPx": sometimes(NUMBERS),
        "impactPxs": st.none() | st.lists(NUMBERS, min_size=2, max_size=2),
    },
)
HYPERLIQUID = st.one_of(
    frame("trades", st.lists(TRADE, max_size=4)),
    frame(
        "bbo",
        st.fixed_dictionaries(
            {
                "coin": SYMBOLS,
                "time": TIMES,
                "bbo": st.lists(st.none() | LEVEL, min_size=2, max_size=2),
            }
        ),
    ),
    frame(
        "l2Book",
        st.fixed_dictionaries(
            {"coin": SYMBOLS, "time": TIMES, "levels": st.lists(SIDE, min_size=2, max_size=2)},
            optional={"fast": st.booleans(), "spread": NUMBERS},
        ),
    ),
    frame("activeAssetCtx", st.fixed_dictionaries({"coin": SYMBOLS, "ctx": CONTEXT})),
    frame(
        "allMids",
        st.fixed_dictionaries({"mids": st.dictionaries(SYMBOLS, NUMBERS, max_size=5)}),
    ),
    frame("elsewhere", TEXT),
)

PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS).map(list), max_size=4)


def stream(name: str, **data: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(data).map(lambda value: {"stream": name, "data": value})


BINANCE = st.one_of(
    stream(
        "x@trade",
        e=st.just("trade"),
        E=TIMES,
        s=SYMBOLS,
        t=IDS,
        p=sometimes(NUMBERS),
        q=NUMBERS,
        m=sometimes(st.booleans(), "true"),
    ).map(lambda sent: sent | {"data": timed(sent["data"], "t", "T")}),
    stream(
        "x@bookTicker", u=COUNTS, s=SYMBOLS, b=NUMBERS, B=NUMBERS, a=sometimes(NUMBERS), A=NUMBERS
    ),
    stream("btcusdt@depth20", lastUpdateId=COUNTS, bids=PAIRS, asks=PAIRS),
    stream("ethusdt@depth5@100ms", lastUpdateId=COUNTS, bids=PAIRS, asks=PAIRS),
    stream(
        "x@ticker", e=st.just("24hrTicker"), E=TIMES, s=SYMBOLS, c=NUMBERS, v=NUMBERS, q=NUMBERS
    ),
)
SPELLING = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "shuffle": st.booleans(),
        "space": st.booleans(),
        "escape": st.booleans(),
        "duplicate": st.booleans(),
        "unknown": st.booleans(),
    }
)


def check(venue: str, reference: Any, messages: list[Any], spelling: dict[str, Any]) -> None:
    """Decode with both, and compare rows and counts."""
    rig = Rig.of(load(venue), CHANNELS, extras=True, ring_rows=RING_ROWS)
    for number, message in enumerate(messages):
        # A member that gives a row is read where it stands, so a wrong value before the real one
        # is an error: the one place where not only the last of equal keys is looked at.
        duplicate = spelling["duplicate"] and message.get("channel") != "allMids"
        payload = disguise(write(message).encode(), **spelling | {"duplicate": duplicate})
        rig.message(payload, number, 1)
        reference.message(payload, number, 1)
    for name, columns in reference.tables.items():
        compare(columns, rig.table(name))
    assert sum(rig.decoder.errors.values()) == reference.counts["bad"]
    assert rig.decoder.unknown_messages == reference.counts["unknown"]


def generated(messages: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Run a test over lists of messages, some of which come again, and ways to spell them."""
    lists = st.tuples(st.lists(messages, min_size=1, max_size=8), st.integers(0, 3))

    def decorate(test: Any) -> Any:
        again = lists.map(lambda made: made[0] + made[0][: made[1]])
        made = given(messages=again, spelling=SPELLING)(test)
        return settings(max_examples=settings.default.max_examples * 3 // 5)(made)

    return decorate


@generated(HYPERLIQUID)
def test_hyperliquid(messages: list[Any], spelling: dict[str, Any]) -> None:
    reference = HyperliquidReference(CHANNELS, extras=True)
    check("hyperliquid", reference, messages, spelling)


@generated(BINANCE)
def test_binance(messages: list[Any], spelling: dict[str, Any]) -> None:
    channels = [channel for channel in CHANNELS if channel != "mids"]
    check("binance", BinanceReference("binance", channels, extras=True), messages, spelling)
