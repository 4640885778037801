"""What no honest peer sends: every head of a frame, text split anywhere, fragments without end."""

import itertools
import struct

import pytest
from tests.wire import reference
from tests.wire.test_parser import BINARY, PING, TEXT, parsed, serialized

from tickwire.errors import ProtocolError
from tickwire.wire import FrameParser, Message

ROLES = ("client", "server")
TEXTS = ("é€😀", "\x7f\x80߿ࠀ\ud7ff\ue000\uffff\U00010000\U0010ffff")


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(b"", id="between"),
        pytest.param(b"\x01\x00", id="inside a message", marks=pytest.mark.thorough),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_every_head_of_a_frame(role, inside):
    """All 65,536 of them, with zeros behind: lengths, mask keys and payloads of any meaning."""
    is_server = role == "server"
    before = serialized(TEXT, b"", fin=False, server=is_server) if inside else b""
    options = {"role": role, "in_place_limit": 125, "max_frame": 1000, "max_message": 1000}
    for first, second in itertools.product(range(256), range(256)):
        stream = before + bytes((first, second)) + bytes(140)
        expected = reference.read(stream, server=is_server, limit=1000, in_place_limit=125)
        assert parsed(stream, [], **options) == expected


def test_the_key_of_a_masked_frame_is_not_taken_for_a_length():
    for second in range(256):
        for key in (b"\x00\x7e\x00\x00", b"\x00\xff\x00\x00"):
            stream = bytes((0x80 | TEXT, second)) + key + b"a" * 400
            expected = reference.read(stream, server=False, limit=1000, in_place_limit=1000)
            assert parsed(stream, [], max_frame=1000, max_message=1000) == expected


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536, 2**31, 2**32, 2**62, 2**63 - 1])
def test_every_length_in_every_form(role, length):
    is_server = role == "server"
    for opcode, power in itertools.product((TEXT, PING), range(64)):
        for value in {length, 1 << power, (1 << power) - 1}:
            for marker, form in ((126, "!H"), (127, "!Q")):
                if value >> 8 * struct.calcsize(form):
                    continue
                head = bytes((0x80 | opcode, marker | is_server << 7)) + struct.pack(form, value)
                expected = reference.read(
                    head + bytes(8), server=is_server, limit=1000, in_place_limit=125
                )
                options = {"role": role, "max_frame": 1000, "max_message": 1000}
                assert parsed(head + bytes(8), [2], **options) == expected


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("server", [False, True])
def test_text_may_be_split_anywhere(text, server):
    payload = text.encode()
    options = {"role": "server" if server else "client"}
    for one, two in itertools.combinations_with_replacement(range(len(payload) + 1), 2):
        pieces = payload[:one], payload[one:two], payload[two:]
        stream = b"".join(
            serialized(0 if n else TEXT, piece, fin=n == 2, server=server)
            for n, piece in enumerate(pieces)
        )
        assert parsed(stream, [], **options) == ([(TEXT, payload)], None)
        assert parsed(stream, range(1, len(stream)), **options) == ([(TEXT, payload)], None)


def test_bad_text_is_refused_wherever_it_is_split():
    for bad in (b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xff"):
        payload = b"ab" + bad
        for cut in range(len(payload) + 1):
            stream = serialized(TEXT, payload[:cut], fin=False) + serialized(0, payload[cut:])
            events, fault = parsed(stream, [])
            assert (events, fault) == ([], reference.NOT_TEXT)


def test_fragments_without_end_stop_at_the_limit():
    parser = FrameParser(max_message=100_000)
    part = serialized(0, bytes(1000), fin=False)
    assert parser.receive(serialized(BINARY, bytes(1000), fin=False)) == []
    for _ in range(99):
        assert parser.receive(part + serialized(PING)) == [(PING, b"")]
    assert parser.assembly_bytes <= 200_000
    with pytest.raises(ProtocolError, match="largest message"):
        parser.receive(part)


def test_a_message_follows_one_that_was_as_long_as_may_be():
    parser = FrameParser(max_message=1000)
    for _ in range(3):
        first, last = serialized(BINARY, bytes(999), fin=False), serialized(0, b"x")
        assert parser.receive(first + last) == [Message(BINARY, bytes(999) + b"x")]
