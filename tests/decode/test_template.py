"""Learning: other shapes of a message are read right however often they alternate."""

import random

import pytest
from tests.decode.test_steps import BBO, BOOK, CONTEXT, TRADE, Side


def respelled(message: bytes, rng: random.Random) -> bytes:
    """The message with white space, another order of keys or a key more."""
    way = rng.randrange(4)
    if way == 0:
        return message.replace(b",", b" , ")
    if way == 1:
        return message.replace(b'"coin":"', b'"more":[1,{"a":[]}],"coin":"')
    if way == 2:
        return message.replace(b'"users":["0xcc0a","0xc64c"]', b'"users":["1","2","3"]')
    return message


@pytest.mark.parametrize("extras", [False, True])
def test_shapes_that_alternate_give_the_same_rows(extras: bool) -> None:
    rng = random.Random(1)
    side = Side(extras=extras)
    for number in range(100):
        message = rng.choice([TRADE, BBO, BOOK, CONTEXT])
        message = message.replace(b"293353986402527", b"%d" % (10**13 + number))
        message = respelled(message, rng)
        assert side.rows(message) == Side(extras=extras).rows(message)


def test_symbols_that_alternate_get_their_own_codes() -> None:
    side = Side()
    for number in range(150):
        coin = f"COIN{number % 17}" if number % 3 else "A-SYMBOL-LONGER-THAN-A-WORD"
        message = TRADE.replace(b'"BTC"', b'"%s"' % coin.encode())
        message = message.replace(b"293353986402527", b"%d" % (10**13 + number))
        [row] = side.rows(message)["trades"]
        assert f"'symbol': '{coin}'" in str(row)
