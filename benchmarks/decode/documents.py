"""Documents that no venue sends: nearly all numbers, nearly all text, and only what changed."""

from __future__ import annotations

import json
from random import Random

from tickwire.decode.plan import choice, constant, message, ms, rows

N_CANDLES = 100
N_NOTES = 20
WORDS = ("order", "Größe", "市场", "price\\limit", 'a "quoted" word', "tab\there", "plain text")

MESSAGES = (
    message(
        "candles",
        when={"type": "candles"},
        rows=[
            rows(
                at="candles[]",
                into="candles",
                symbol="$.symbol",
                interval=constant("1m"),
                ts_event=ms("[0]"),
                ts_open=ms("[0]"),
                ts_close=ms("[1]"),
                open="[2]",
                high="[3]",
                low="[4]",
                close="[5]",
                volume="[6]",
                trade_count="[7]",
            )
        ],
    ),
    message(
        "story",
        when={"type": "story"},
        rows=[
            rows(
                at="",
                into="trades",
                symbol="symbol",
                ts_event=ms("time"),
                channel=constant("trades"),
                side=choice("side", {"bought": "buy", "sold": "sell"}),
                price="price",
                size="size",
                trade_id="id",
                once=False,
            )
        ],
    ),
    message(
        "changed",
        when={"type": "changed"},
        rows=[
            rows(
                at="",
                into="tickers",
                carry=True,
                symbol="symbol",
                ts_event=ms("time"),
                last_price="last",
                mark_price="mark",
                index_price="index",
                funding_rate="funding",
            )
        ],
    ),
)


def numbers(number: int) -> bytes:
    """Give 100 candles as arrays of JSON numbers with up to 17 digits, some with exponents."""
    rng = Random(number)
    candles = [
        [
            1_700_000_000_000 + 60_000 * i,
            1_700_000_060_000 + 60_000 * i,
            *(rng.uniform(0, 10 ** rng.randrange(-7, 7)) for _ in range(5)),
            rng.randrange(10_000),
        ]
        for i in range(N_CANDLES)
    ]
    return json.dumps({"type": "candles", "symbol": "BTC", "candles": candles}).encode()


def strings(number: int) -> bytes:
    """Give a trade among long texts with escapes and characters beyond ASCII."""
    rng = Random(number)
    notes = [" ".join(rng.choices(WORDS, k=12)) for _ in range(N_NOTES)]
    story = {
        "type": "story",
        "notes": notes,
        "symbol": "BTC",
        "side": rng.choice(("bought", "sold")),
        "comment": " ".join(rng.choices(WORDS, k=40)),
        "price": f"{rng.randrange(96_000, 98_000)}.5",
        "size": f"{rng.random():.5f}",
        "time": 1_700_000_000_000 + number,
        "id": f"{rng.getrandbits(128):032x}-{WORDS[number % len(WORDS)]}",
        "signature": f"{rng.getrandbits(1024):x}",
    }
    return json.dumps(story, ensure_ascii=number % 2 == 0).encode()


def changed(number: int) -> bytes:
    """Give a ticker with the last price and one of three others; what is not there is carried."""
    rng = Random(number)
    name = ("mark", "index", "funding")[number % 3]
    ticker = {
        "type": "changed",
        "symbol": "BTC",
        "time": 1_700_000_000_000 + number,
        "last": f"{rng.randrange(96_000, 98_000)}.5",
        name: f"{rng.random() * 1000:.4f}",
    }
    return json.dumps(ticker).encode()
