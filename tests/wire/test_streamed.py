"""Messages in fragments and large ones: what is checked on the way, and what memory they take."""

import pytest
from tests.wire.test_parser import BINARY, TEXT, serialized

from tickwire.errors import ProtocolError
from tickwire.wire import FrameParser, Message


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"a\xe2", b"\x28"),
        (b"\xf4", b"\x90"),
        (b"\xed", b"\xa0"),
        (b"\xe0", b"\x80"),
        (b"\xf0\x9f", b"\xc0"),
        (b"", b"\xff"),
    ],
)
def test_a_fragment_fails_at_the_byte_that_shows_it(good, bad):
    parser = FrameParser()
    assert parser.receive(serialized(TEXT, good, fin=False)) == []
    # The next fragment is not complete, and still its first byte is enough.
    assert parser.receive(b"\x00\x05") == []
    with pytest.raises(ProtocolError, match="not UTF-8"):
        parser.receive(bad)


def test_largest_message_counts_all_fragments():
    parser = FrameParser(max_message=1000)
    part = serialized(BINARY, bytes(600), fin=False)
    assert parser.receive(part) == []
    assert parser.receive(serialized(0, bytes(400), fin=True)) == [Message(BINARY, bytes(1000))]
    assert parser.receive(part) == []
    with pytest.raises(ProtocolError, match="largest message") as caught:
        parser.receive(serialized(0, bytes(401)))
    assert caught.value.close_code == 1009


def test_memory_follows_the_bytes_and_not_the_header():
    parser = FrameParser()
    frame = serialized(BINARY, bytes(8_000_000))
    parser.receive(frame[:5000])
    assert 0 < parser.assembly_bytes <= 16_384
    assert len(parser.receive(frame[5000:])) == 1
    assert parser.assembly_bytes <= 1_048_576


def test_empty_fragments_without_end_take_no_memory():
    parser = FrameParser()
    parser.receive(serialized(BINARY, b"", fin=False))
    for _ in range(100):
        assert parser.receive(serialized(0, b"", fin=False) * 100) == []
    assert parser.assembly_bytes <= 4096
    assert parser.receive(serialized(0, b"x")) == [Message(BINARY, b"x")]
