"""Bytes in, messages out: what the parser for Python adds to the one that receivers feed."""

import pytest
from tests.wire.test_parser import CLOSE, PING, PONG, TEXT, serialized
from websockets.frames import Close

from tickwire.errors import ProtocolError
from tickwire.wire import Control, FrameParser, Message, MessageQueue


def test_receive_gives_typed_events_in_wire_order():
    data = serialized(PING, b"a") + serialized(TEXT, b"b") + serialized(PONG, b"c")
    events = FrameParser().receive(data)
    assert events == [Control(PING, b"a"), Message(TEXT, b"b"), Control(PONG, b"c")]
    assert [type(event) for event in events] == [Control, Message, Control]


def test_more_pings_than_slots_all_come_out_of_receive():
    pings = [b"%d" % i for i in range(100)]
    data = b"".join(serialized(PING, payload) for payload in pings)
    assert [event.payload for event in FrameParser().receive(data)] == pings


def test_nothing_comes_after_a_close():
    parser = FrameParser()
    data = serialized(CLOSE, Close(1001, "bye").serialize()) + serialized(TEXT, b"late")
    assert parser.receive(data) == [Control(CLOSE, b"\x03\xe9bye")]
    assert parser.closed
    assert parser.close_code == 1001
    assert parser.receive(serialized(TEXT, b"later")) == []


def test_what_came_before_an_error_can_be_taken_and_the_error_stays():
    parser = FrameParser()
    with pytest.raises(ProtocolError, match="reserved bits"):
        parser.receive(serialized(TEXT, b"good") + b"\xc1\x00")
    assert parser.take_events() == [Message(TEXT, b"good")]
    for _ in range(2):
        with pytest.raises(ProtocolError, match="reserved bits"):
            parser.receive(serialized(TEXT, b"late"))
        with pytest.raises(ProtocolError, match="reserved bits"):
            parser.raise_error()
    assert parser.take_events() == []


def test_an_unfinished_frame_waits_for_its_rest():
    parser = FrameParser()
    data = serialized(TEXT, b"x" * 300)
    for byte in data[:-1]:
        assert parser.receive(bytes([byte])) == []
    assert parser.receive(data[-1:] + data[:1]) == [Message(TEXT, b"x" * 300)]
    assert parser.receive(data[1:]) == [Message(TEXT, b"x" * 300)]
    assert parser.n_bytes == 2 * len(data)


def test_read_only_memory_is_refused():
    with pytest.raises(BufferError):
        FrameParser("server").feed_buffer(memoryview(b"\x81\x00"), MessageQueue())
