"""A connection: when its data came, its messages for the session, its labels."""

from __future__ import annotations

import pytest
from tests.decode.feeds import Feed

from tickwire.decode._connection import Connection
from tickwire.decode.plan import message, rows
from tickwire.errors import PlanError


def test_data_is_dated_and_other_messages_are_not() -> None:
    pong = message("pong", raw="pong", kind="pong")
    feed = Feed([pong, message("m", rows=[rows(at="", into="mids", symbol="s", price="p")])])
    connection = feed.connection
    assert feed.offer("pong")
    assert (connection.first_message_ns, connection.last_message_ns) == (0, 0)
    for _ in range(3):
        assert feed.offer('{"s":"A","p":1}')
    assert (connection.first_message_ns, connection.last_message_ns) == (2, 4)
    assert connection.take_events() == [("pong", b"pong")]
    assert connection.take_events() == []
    assert connection.conn == 7


def test_labels_are_bounded() -> None:
    few = {code: code + 1 for code in range(64)}
    with pytest.raises(PlanError, match="more than"):
        Connection(1, few)
    assert Connection(1, {0: 1}).conn == 1
