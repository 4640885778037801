"""Many symbols: state carried over them, and taken back; which is which."""

from __future__ import annotations

import json
from random import Random

import pytest
from tests.decode.declarations import STATES, TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model


def test_state_of_many_symbols_against_the_model() -> None:
    rng = Random(5)
    feed, model = Feed(STATES), Model(STATES, DATA)
    fields = {"l": 1.5, "m": "2", "f": -0.25, "n": 99}
    n_refused = 0
    for n in range(1500):
        data = {key: fields[key] for key in fields if rng.random() < 0.5}
        data |= {"s": f"S{rng.randrange(200)}"}
        if rng.random() < 0.1:
            data["m"] = "unreadable"
        time = "broken" if rng.random() < 0.1 else n
        kind = "full" if rng.random() < 0.1 else "change"
        payload = json.dumps({"e": kind, "data": data, "t": time}).encode()
        expected = model.decode(payload)
        n_refused += expected is None
        assert feed.rows(payload) == (expected or {})
    assert feed.decoder.errors == {"bad_time": n_refused}
    assert feed.decoder.unreadable_values["tickers.mark_price"] > 100


@pytest.mark.usefixtures("kernels")
def test_thousands_of_symbols_are_told_apart() -> None:
    feed = Feed(TRADES)
    texts = (f"{n:x}" * (n % 3 + 1) + "-USD"[: n % 5] for n in range(1, 5000))
    symbols = list(dict.fromkeys(texts))
    assert {len(symbol) for symbol in symbols} == set(range(1, 17))
    for trade in (1, 2):
        for start in range(0, len(symbols), 250):
            some = symbols[start : start + 250]
            rows = feed.rows(_listed(some, trade))["trades"]
            assert [row["symbol"] for row in rows] == some


def _listed(symbols: list[str], trade: int) -> bytes:
    data = ",".join(
        f'{{"s":"{symbol}","t":1,"p":"1.5","q":2,"x":"y","m":"b","i":{trade}}}'
        for symbol in symbols
    )
    return f'{{"e":"listed","data":[{data}]}}'.encode()
