"""Times of exchanges, as the standard library reads them."""

from __future__ import annotations

from random import Random

import pytest
from tests.decode.feeds import Feed
from tests.decode.model import rfc3339_ns

from tickwire.decode.plan import message, rfc3339, rows, seconds

MESSAGES = [
    message(
        name,
        when={"e": name},
        rows=[rows(at="", into="tickers", symbol="s", ts_event=time, last_price="p")],
    )
    for name, time in (("rfc3339", rfc3339("t")), ("seconds", seconds("t")))
]


def read(feed: Feed, name: str, text: str) -> int | None:
    rows = feed.rows(f'{{"e":"{name}","s":"A","t":"{text}","p":1.5}}')
    feed.reasons()
    return rows["tickers"][0]["ts_event"] if rows else None


def written(rng: Random) -> str:
    """A time of RFC 3339, or nearly one."""
    year = rng.choice((1970, 2000, 2026, 2100, rng.randrange(1700, 2250)))
    text = (
        f"{year}-{rng.randrange(1, 13):02}-{rng.randrange(1, 32):02}"
        f"T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    )
    digits = rng.choice((0, 0, 3, 6, 6, 9, rng.randrange(1, 13)))
    if digits:
        text += f".{rng.randrange(10**digits):0{digits}}"
    text += rng.choice(("Z", "Z", "Z", "Z", "Z", "z", "+01:30", ""))
    if rng.random() < 0.2:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice("0123456789-:.TZ /") + text[at + 1 :]
    return text


@pytest.mark.usefixtures("kernels")
def test_times_of_rfc_3339() -> None:
    rng, feed = Random(3), Feed(MESSAGES)
    texts = [written(rng) for _ in range(1500)]
    assert [read(feed, "rfc3339", text) for text in texts] == [rfc3339_ns(text) for text in texts]


@pytest.mark.usefixtures("kernels")
def test_counts_of_seconds() -> None:
    rng, feed = Random(4), Feed(MESSAGES)
    for _ in range(500):
        whole = rng.choice((0, 1_617_666_433, rng.randrange(9_223_372_036)))
        fraction = "".join(rng.choices("0123456789", k=rng.randrange(1, 15)))
        expected = whole * 10**9 + int(fraction.ljust(9, "0")[:9])
        assert read(feed, "seconds", f"{whole}.{fraction}") == expected
        assert read(feed, "seconds", f"{whole}") == whole * 10**9
    for text in ("01.5", "1.", ".5", "", "9223372036.854775808", "9" * 20, "9" * 19):
        assert read(feed, "seconds", text) is None
