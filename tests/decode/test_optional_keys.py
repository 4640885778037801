"""Messages that send what has changed: one script for all of a route's, to the same rows."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model
from tests.decode.pairs import Pair

from tickwire.decode.plan import message, ms, rows

pytestmark = pytest.mark.usefixtures("kernels")

COLUMNS: dict[str, Any] = {
    "last_price": "lastPrice",
    "mark_price": "markPrice",
    "index_price": "indexPrice",
    "funding_rate": "fundingRate",
    "open_interest": "openInterest",
    "volume_24h": "volume24h",
}
TICKERS = [
    message(
        "tickers",
        when={"topic": "tickers"},
        rows=[
            rows(
                at="data",
                into="tickers",
                carry=True,
                symbol="symbol",
                ts_event=ms("$.ts"),
                next_funding_ts=ms("nextFundingTime"),
                **COLUMNS,
            )
        ],
    )
]
KEYS = (
    "tick", "lastPrice", "high", "markPrice", "note", "indexPrice", "openInterest", "volume24h",
    "nextFundingTime", "fundingRate", "bid", "ask",
)  # fmt: skip
ODD = ("", "1e5", "-1.5", "1.", "01", "x", "\\u0031", "1 ", "12345678901234567890", 'a\\"b')


def value(rng: Random, key: str, *, odd: float) -> str:
    if rng.random() < odd:
        return f'"{rng.choice(ODD)}"'
    if rng.random() < odd / 2:
        return rng.choice(("null", "1.5", "true", "[]", '{"a":"b"}'))
    if key == "nextFundingTime":
        return f'"{1_700_000_000_000 + rng.randrange(10**9)}"'
    if key == "note":
        return f'"{"text " * rng.randrange(12)}"'
    return f'"{rng.randrange(10**5)}.{rng.randrange(100)}"'


def ticker(rng: Random, keys: list[str], *, odd: float = 0.02) -> str:
    changed = "".join(f',"{key}":{value(rng, key, odd=odd)}' for key in keys)
    symbol, time = rng.choice("ABC"), 1_700_000_000_000 + rng.randrange(10**6)
    return f'{{"topic":"tickers","data":{{"symbol":"{symbol}"{changed}}},"cs":7,"ts":{time}}}'


@pytest.mark.parametrize("seed", range(2))
def test_one_script_reads_whatever_keys_have_changed(seed: int) -> None:
    rng, pair = Random(seed), Pair(TICKERS)
    n_read = 0
    for number in range(250):
        keys = [key for key in KEYS if rng.random() < 0.3]
        if rng.random() < 0.04:
            rng.shuffle(keys)
        if rng.random() < 0.02:
            keys.append(rng.choice(KEYS))
        n_read += pair.read(ticker(rng, keys)) and number >= 50
    assert n_read > 120


def test_a_script_reads_sets_of_keys_that_it_has_not_seen() -> None:
    rng, pair = Random(3), Pair(TICKERS)

    def text() -> str:
        keys = [key for key in KEYS if rng.random() < 0.5]
        return ticker(rng, keys, odd=0.0)

    for _ in range(30):
        pair.read(text())
    assert all(pair.read(text()) for _ in range(100))  # of 4,096


@pytest.mark.parametrize("seed", range(2))
def test_texts_that_are_nearly_such_messages(seed: int) -> None:
    """A decoder that has learned gives what one gives that has not."""
    rng, feed = Random(seed), Feed(TICKERS)
    sound = [ticker(rng, [key for key in KEYS if rng.random() < 0.4]) for _ in range(60)]
    model = Model(TICKERS, DATA)
    for text in sound:
        assert feed.rows(text) == (model.decode(text.encode()) or {})
        feed.reasons()
    for _ in range(400):
        text = rng.choice(sound)
        at = rng.randrange(60, len(text))
        text = text[:at] + rng.choice(
            ('"', '","', '":"', ",", "}", '"}', "{", '"bid":', '"bid":"1",', "1", "")
        ) + text[at + rng.randrange(4) :]  # fmt: skip
        expected = model.decode(text.encode())
        assert feed.rows(text) == (expected or {}), text
        assert len(feed.reasons()) == (expected is None), text
