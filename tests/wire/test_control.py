import pytest

from tickwire.wire import FrameParser, MessageQueue, build_close, build_frame

CLOSE, PING, PONG = 8, 9, 10


def waiting_after(*frames):
    parser = FrameParser()
    data = bytearray().join(build_frame(opcode, p, mask=False) for opcode, p in frames)
    assert parser.feed_buffer(data, MessageQueue()) == len(data)
    return parser.take_control()


def test_nothing_waits_at_first():
    assert FrameParser().take_control() == []


@pytest.mark.parametrize("payload", [b"", b"a", bytes(125), bytes(range(131, 256))])
@pytest.mark.parametrize("opcode", [PING, PONG])
def test_a_payload_is_kept_whole(opcode, payload):
    assert waiting_after((opcode, payload)) == [(opcode, payload)]


def test_pings_keep_their_order_until_the_slots_are_full():
    pings = [(PING, b"%d" % i) for i in range(16)]
    assert waiting_after(*pings) == pings
    assert waiting_after(*pings, (PING, b"new")) == [*pings[:15], (PING, b"new")]


def test_a_shorter_payload_leaves_nothing_of_the_longer_one():
    assert waiting_after((PONG, b"long one"), (PONG, b"x")) == [(PONG, b"x")]


def test_the_close_comes_last():
    parser = FrameParser()
    frames = [build_frame(PONG, b"o", mask=False), build_frame(PING, b"i", mask=False)]
    data = bytearray(b"".join([*frames, build_close(4000, "x", mask=False)]))
    parser.feed_buffer(data, MessageQueue())
    assert parser.take_control() == [(PING, b"i"), (PONG, b"o"), (CLOSE, b"\x0f\xa0x")]
    assert parser.take_control() == []


def test_slots_are_free_again_after_a_take():
    parser = FrameParser()
    for round_ in range(5):
        pings = [(PING, b"%d.%d" % (round_, i)) for i in range(16)]
        data = bytearray().join(build_frame(op, payload, mask=False) for op, payload in pings)
        parser.feed_buffer(data, MessageQueue())
        assert parser.take_control() == pings
