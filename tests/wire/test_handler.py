from tickwire.wire import FrameParser, Handler, build_frame


def test_the_base_takes_every_message():
    parser = FrameParser()
    data = bytearray(build_frame(1, b"one", mask=False) + build_frame(2, b"two", mask=False))
    assert parser.feed_buffer(data, Handler()) == len(data)
    assert parser.n_messages == 2
    assert not parser.blocked
    assert not parser.halted
