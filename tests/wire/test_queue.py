import pytest

from tickwire.wire import FrameParser, Message, MessageQueue, build_frame

EACH = 128  # bytes that a message counts beside its payload


def fed(queue, *payloads, opcode=1):
    """Feed one frame for each payload; gives the parser and the bytes it left."""
    parser = FrameParser()
    data = bytearray(b"".join(build_frame(opcode, payload, mask=False) for payload in payloads))
    del data[: parser.feed_buffer(data, queue)]
    return parser, data


def test_messages_come_out_in_order():
    queue = MessageQueue()
    fed(queue, b"one", b"", b"three")
    fed(queue, b"\xff", opcode=2)
    assert len(queue) == 4
    assert queue.n_bytes == 9 + 4 * EACH
    assert [queue.take() for _ in range(5)] == [
        Message(1, b"one"),
        Message(1, b""),
        Message(1, b"three"),
        Message(2, b"\xff"),
        None,
    ]
    assert len(queue) == queue.n_bytes == 0
    assert queue.n_messages == 4


def test_a_message_is_a_copy():
    queue, parser = MessageQueue(), FrameParser()
    data = bytearray(build_frame(1, b"abc", mask=False))
    parser.feed_buffer(data, queue)
    data[:] = bytes(len(data))
    assert queue.take() == (1, b"abc")


def test_it_takes_up_to_its_bound_exactly():
    queue = MessageQueue(max_bytes=10 + 3 * EACH)
    parser, rest = fed(queue, b"12345", b"67890", b"", b"")
    assert parser.blocked
    assert queue.n_bytes == 10 + 3 * EACH
    assert len(queue) == 3
    assert bytes(rest) == b"\x81\x00"


def test_an_empty_queue_takes_a_message_of_any_size():
    queue = MessageQueue(max_bytes=10)
    parser, rest = fed(queue, bytes(1000), b"x")
    assert parser.blocked
    assert len(rest) == 3
    assert queue.take() == (1, bytes(1000))


def test_it_says_that_it_holds_something():
    queue = MessageQueue()
    assert not queue.has_events
    fed(queue, b"x")
    assert queue.has_events


def test_it_asks_for_the_end_once():
    queue = MessageQueue(max_messages=2)
    parser, rest = fed(queue, b"a", b"b", b"c")
    assert parser.halted
    assert len(rest) == 3
    assert parser.feed_buffer(rest, queue) == 3
    assert not parser.halted
    assert len(queue) == 3


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"max_bytes": -1}, {"max_messages": -1}])
def test_wrong_bounds_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MessageQueue(**options)
