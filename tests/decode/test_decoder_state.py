"""A decoder's parts and figures, before a message and after some."""

from __future__ import annotations

import pytest
from tests.decode.feeds import Feed

from tickwire.decode import MessageLimit
from tickwire.decode.plan import message, rows
from tickwire.errors import PlanError

TRADE = message(
    "trade", when={"k": "t"},
    rows=[rows(at="", into="trades", symbol="s", price="p", size="q", side="b", trade_id="i")],
)  # fmt: skip
MIDS = message("mids", when={"k": "m"}, rows=[rows(at="", into="mids", symbol="s", price="p")])


def mid(symbol: str, price: object) -> str:
    return f'{{"k":"m","from":"somewhere","s":"{symbol}","p":{price}}}'


def test_figures_begin_at_nothing() -> None:
    decoder = Feed([MIDS]).decoder
    assert (decoder.messages, decoder.unknown_messages, decoder.unrequested_messages) == (0, 0, 0)
    assert decoder.errors == decoder.unreadable_values == decoder.unconfigured_rows == {}
    assert (decoder.cached_levels, decoder.duplicate_trades, decoder.conflicting_trades) == (0,) * 3
    assert decoder.optional_columns == []
    assert set(decoder.scripted.values()) <= {0}


def test_each_message_is_counted_as_what_it_was() -> None:
    feed = Feed([MIDS], symbols=["A"])
    for price in range(10):
        assert feed.offer(mid("A", price))
    assert feed.offer(mid("B", 1))
    assert feed.offer(mid("A", '"x"'))
    assert feed.offer('{"k":"other"}')
    decoder = feed.decoder
    assert (decoder.messages, decoder.unknown_messages) == (13, 1)
    assert decoder.errors == {"bad_number": 1}
    assert decoder.unconfigured_rows == {"mids": 1}
    assert decoder.scripted["mids"] > 5


def test_what_is_not_requested_is_known_but_not_decoded() -> None:
    decoder = (feed := Feed([MIDS], wanted=["trades"])).decoder
    assert feed.offer(mid("A", 1))
    assert (decoder.messages, decoder.unknown_messages, decoder.unrequested_messages) == (1, 0, 1)


def test_a_message_is_known_by_its_kind() -> None:
    decoder = Feed([MIDS]).decoder
    assert decoder.kind_of(mid("A", 1).encode()) == "mids"
    assert decoder.kind_of(b'{"k":"other"}') is None
    assert decoder.kind_of(b'{"k":"m","s":"\xff"}') is None


def test_a_table_without_a_ring_is_an_error() -> None:
    feed = Feed([MIDS])
    with pytest.raises(PlanError, match="there is no ring for 'mids'"):
        type(feed.decoder)(feed.program, {}, feed.dictionaries, venue="v")


def test_room_is_waited_for_and_forgotten() -> None:
    feed = Feed([MIDS], rows=1024)
    calls: list[int] = []

    def callback() -> None:
        calls.append(1)

    assert not feed.decoder.wait_for_room(callback)  # there is room
    while feed.offer(mid("A", 1)):
        pass
    assert feed.decoder.wait_for_room(callback)
    feed.decoder.forget_room(callback)
    feed.take("mids")
    assert calls == []


def test_a_limit_tells_what_it_counts() -> None:
    limit = MessageLimit(3)
    assert (limit.most, limit.taken, limit.spent) == (3, 0, False)
