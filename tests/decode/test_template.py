"""Learning: other shapes of a message are read right however often they alternate."""

import random
from typing import Any

import pytest
from tests.decode.feeds import Feed
from tests.decode.test_steps import BBO, BOOK, CONTEXT, TRADE, Side

from tickwire.decode.plan import choice, message, ms, rows, text


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


@pytest.mark.volume
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


def test_each_connection_has_its_labels_in_rows_that_no_script_reads() -> None:
    fields: dict[str, Any] = {
        "symbol": "s",
        "ts_event": ms("t"),
        "price": "p",
        "size": "q",
        "trade_id": text("i"),
        "side": choice("m", {"b": "buy"}),
        "channel": "c",
    }
    trades = message(
        "listed", when={"e": "listed"}, rows=[rows(at="data[]", into="trades", **fields)]
    )
    feed = Feed([trades], labels={"trades": "mine"})
    plain = feed.decoder.connection(1)
    row = '{"s":"A","t":1,"p":"1","q":"2","m":"b","c":"trades","i":%d}'
    for number in range(100):
        # Of a form that did not come before: the row is the same, the message is walked.
        payload = f'{{"e":"listed","x{number}":0,"data":[{row % number}]}}'
        if number % 3:
            feed.offer(payload)
        else:
            plain.decode(payload.encode(), 1)
        (found,) = feed.take("trades")
        assert found["channel"] == ("mine" if number % 3 else "trades")
    assert not sum(feed.decoder.scripted.values())
