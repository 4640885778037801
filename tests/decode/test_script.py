"""Messages that look like the last of their route: one kernel reads them, to the same rows."""

from __future__ import annotations

import pytest
from tests.decode.declarations import TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

TRADE = '{"s":"%s","t":%s,"p":"%s","q":%s,"x":"y","m":"%s","i":%s}'


def listed(*trades: str) -> str:
    return '{{"e":"listed","data":[{}]}}'.format(",".join(trades))


def usual(number: int, symbol: str = "A") -> str:
    return listed(TRADE % (symbol, 1_700_000_000_000 + number, "1.5", "2", "b", number))


@pytest.mark.parametrize("n_messages", [3, 50])
def test_what_repeats_is_read_by_a_script(n_messages: int) -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    for number in range(1, n_messages + 1):
        assert feed.rows(usual(number)) == model.decode(usual(number).encode())
    # The first is walked in the general way; from its templates a script is linked by the second.
    assert feed.decoder.scripted == {"listed": n_messages - 2}
