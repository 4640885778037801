import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire import reference
from websockets.frames import Close, Frame, Opcode

from tickwire.errors import ProtocolError
from tickwire.wire import FrameParser, Message, MessageQueue

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SIZES = (0, 1, 2, 125, 126, 127, 300, 65535, 65536, 131_072, 131_073, 400_000)


def serialized(opcode, payload=b"", *, fin=True, server=False):
    """A frame as the other end would send it, made by an independent library."""
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=server)


def parsed(data, pieces, **options):
    """Events as plain tuples and the fault, of `data` cut at `pieces`."""
    parser = FrameParser(**options)
    events = []
    edges = [0, *pieces, len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            events += parser.receive(data[start:end])
    except ProtocolError as error:
        events += parser.take_events()
        return [tuple(event) for event in events], (error.close_code, error.section)
    return [tuple(event) for event in events], None


def everything(server):
    """A stream with every kind of frame, and its events."""
    text = "prix: 12 €, 🚀".encode()
    frames = [
        (TEXT, b'{"a":1}', True),
        (TEXT, b"", True),
        (PING, b"are you there", True),
        (TEXT, text[:9], False),  # cut inside the euro sign
        (PONG, b"", True),
        (0, text[9:17], False),
        (0, b"", False),
        (PING, b"\x00\xff", True),
        (0, text[17:], True),
        (BINARY, bytes(range(200)), True),
        (BINARY, b"", False),
        (0, b"", True),
        (CLOSE, b"\x0f\xa0done", True),
    ]
    data = b"".join(serialized(op, p, fin=fin, server=server) for op, p, fin in frames)
    events = [
        (TEXT, b'{"a":1}'),
        (TEXT, b""),
        (PING, b"are you there"),
        (PONG, b""),
        (PING, b"\x00\xff"),
        (TEXT, text),
        (BINARY, bytes(range(200))),
        (BINARY, b""),
        (CLOSE, b"\x0f\xa0done"),
    ]
    return data, events


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_length_form(role, size, opcode):
    payload = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    parser = FrameParser(role)
    data = serialized(opcode, payload, server=role == "server")
    assert parser.receive(data + data) == [Message(opcode, payload)] * 2
    assert (parser.n_frames, parser.n_messages) == (2, 2)
    assert parser.n_bytes == 2 * len(data)


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("in_place_limit", [125, 131_072])
def test_every_cut_gives_the_same(role, in_place_limit):
    data, events = everything(role == "server")
    options = {"role": role, "in_place_limit": in_place_limit}
    assert parsed(data, [], **options) == (events, None)
    assert parsed(data, range(1, len(data)), **options) == (events, None)
    for cut in range(1, len(data)):
        assert parsed(data, [cut], **options) == (events, None)


def test_a_close_without_a_code_is_1005():
    parser = FrameParser()
    assert parser.close_code == 0
    parser.receive(serialized(CLOSE))
    assert parser.close_code == 1005


def long_frame(first, length, form):
    return bytes([first, {"!H": 126, "!Q": 127}[form]]) + struct.pack(form, length)


FAULTS = {
    "RSV1": (b"\xc1\x00", "client", 1002, "5.2", "reserved bits"),
    "RSV2": (b"\xa1\x00", "client", 1002, "5.2", "reserved bits"),
    "RSV3": (b"\x91\x00", "client", 1002, "5.2", "reserved bits"),
    "RSV1 on a control frame": (b"\xc9\x00", "client", 1002, "5.2", "reserved bits"),
    **{
        f"opcode {opcode}": (bytes([0x80 | opcode, 0]), "client", 1002, "5.2", "reserved opcode")
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "masked from server": (b"\x81\x80\x00\x00\x00\x00", "client", 1002, "5.1", "masked"),
    "unmasked from client": (b"\x81\x00", "server", 1002, "5.1", "unmasked"),
    "fragmented ping": (b"\x09\x00", "client", 1002, "5.5", "fragmented control"),
    "fragmented close": (b"\x08\x00", "client", 1002, "5.5", "fragmented control"),
    "ping of 126": (b"\x89\x7e\x00\x7e", "client", 1002, "5.5", "more than 125"),
    "ping of 65536": (b"\x89\x7f" + bytes(8), "client", 1002, "5.5", "more than 125"),
    "125 in two bytes": (long_frame(0x81, 125, "!H"), "client", 1002, "5.2", "shortest"),
    "0 in two bytes": (long_frame(0x81, 0, "!H"), "client", 1002, "5.2", "shortest"),
    "65535 in eight": (long_frame(0x82, 65535, "!Q"), "client", 1002, "5.2", "shortest"),
    "1 in eight": (long_frame(0x82, 1, "!Q"), "client", 1002, "5.2", "shortest"),
    "2**63": (long_frame(0x82, 1 << 63, "!Q"), "client", 1002, "5.2", "highest bit"),
    "2**64-1": (long_frame(0x82, (1 << 64) - 1, "!Q"), "client", 1002, "5.2", "highest bit"),
    "2**63-1": (long_frame(0x82, (1 << 63) - 1, "!Q"), "client", 1009, "10.4", "largest frame"),
    "16 MiB + 1": (long_frame(0x82, (1 << 24) + 1, "!Q"), "client", 1009, "10.4", "largest frame"),
    "continuation first": (b"\x80\x00", "client", 1002, "5.4", "without a message"),
    "text inside": (b"\x01\x00\x81\x00", "client", 1002, "5.4", "inside a fragmented"),
    "binary inside": (b"\x01\x00\x02\x00", "client", 1002, "5.4", "inside a fragmented"),
    "text not UTF-8": (b"\x81\x02\xc3\x28", "client", 1007, "8.1", "not UTF-8"),
    "text cut off": (b"\x81\x02a\xc3", "client", 1007, "8.1", "not UTF-8"),
    "text cut off in the last fragment": (
        b"\x01\x01\xe2\x80\x01\x82",
        "client",
        1007,
        "8.1",
        "not UTF-8",
    ),
    "text cut off by an empty end": (b"\x01\x01\xc3\x80\x00", "client", 1007, "8.1", "not UTF-8"),
    "close of one byte": (b"\x88\x01\x03", "client", 1002, "5.5.1", "one byte"),
    **{
        f"close code {code}": (
            b"\x88\x02" + struct.pack("!H", code),
            "client",
            1002,
            "7.4",
            "must not be sent",
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close reason not UTF-8": (b"\x88\x03\x03\xe8\xff", "client", 1007, "5.5.1", "reason"),
    "close reason cut off": (b"\x88\x04\x03\xe8\xe2\x82", "client", 1007, "5.5.1", "reason"),
}


@pytest.mark.parametrize(
    ("data", "role", "close_code", "section", "reason"), FAULTS.values(), ids=FAULTS
)
def test_each_fault_has_its_code_and_section(data, role, close_code, section, reason):
    before = serialized(TEXT, b"before", server=role == "server")
    for pieces in ([], range(1, len(before + data))):
        assert parsed(before + data, pieces, role=role) == (
            [(TEXT, b"before")],
            (close_code, section),
        )
    parser = FrameParser(role)
    for _ in range(2):  # and at every later call
        with pytest.raises(ProtocolError, match=reason):
            parser.receive(data)
    assert parser.take_events() == []
    assert isinstance(parser.error_as_exception(), ProtocolError)


def test_a_continuation_after_the_last_fragment_has_nothing_to_continue():
    data = serialized(TEXT, b"a", fin=False) + serialized(0, b"b") + serialized(0, b"c")
    assert parsed(data, []) == ([(TEXT, b"ab")], (1002, "5.4"))


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999])
def test_codes_that_may_be_sent_are_taken(code):
    parser = FrameParser()
    parser.receive(serialized(CLOSE, Close(code, "so long ✓").serialize()))
    assert parser.close_code == code


def test_largest_frame_and_message_at_the_limit():
    parser = FrameParser(max_frame=300, max_message=500)
    assert parser.receive(serialized(BINARY, bytes(300))) == [Message(BINARY, bytes(300))]
    with pytest.raises(ProtocolError, match="largest frame"):
        parser.receive(serialized(BINARY, bytes(301)))
    with pytest.raises(ProtocolError, match="largest message"):
        FrameParser(max_message=500).receive(serialized(BINARY, bytes(501)))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"role": "peer"}, "role"),
        ({"max_frame": 0}, "max_frame"),
        ({"max_message": -1}, "max_message"),
        ({"max_message": 1 << 62}, "max_message"),
        ({"in_place_limit": 124}, "in_place_limit"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        FrameParser(**options)


class TestFeedBuffer:
    """The face that carriers use, with handlers that refuse or stop."""

    def test_a_blocked_message_stays_and_is_offered_again(self):
        queue = MessageQueue(max_bytes=10)
        parser = FrameParser("server", in_place_limit=125)
        one, two = (serialized(TEXT, t, server=True) for t in (b"12345678", b"abcdefgh"))
        buffer = bytearray(one + two)
        assert parser.feed_buffer(buffer, queue) == len(one)
        assert parser.blocked
        del buffer[: len(one)]
        for _ in range(2):
            assert parser.feed_buffer(buffer, queue) == 0  # still full; not unmasked again
            assert parser.blocked
        assert parser.n_messages == 1
        assert queue.take() == (TEXT, b"12345678")
        assert parser.feed_buffer(buffer, queue) == len(two)
        assert not parser.blocked
        assert queue.take() == (TEXT, b"abcdefgh")
        assert parser.n_frames == parser.n_messages == 2

    @pytest.mark.parametrize("fragments", [1, 3])
    def test_a_blocked_message_in_the_assembly_is_kept(self, fragments):
        queue = MessageQueue(max_bytes=10)
        parser = FrameParser("server", in_place_limit=125)
        payload = b"x" * 300
        frames = b"".join(
            serialized(
                TEXT if i == 0 else 0,
                payload[i * 300 // fragments : (i + 1) * 300 // fragments],
                fin=i == fragments - 1,
                server=True,
            )
            for i in range(fragments)
        )
        last = serialized(TEXT, b"end", server=True)
        buffer = bytearray(serialized(TEXT, b"first", server=True) + frames + last)
        consumed = parser.feed_buffer(buffer, queue)
        assert consumed == len(buffer) - len(last)
        del buffer[:consumed]
        assert parser.blocked
        assert parser.feed_buffer(buffer, queue) == 0
        assert queue.take() == (TEXT, b"first")
        assert parser.feed_buffer(bytearray(), queue) == 0  # offering needs no new bytes
        assert not parser.blocked
        assert queue.take() == (TEXT, payload)
        assert parser.feed_buffer(buffer, queue) == len(buffer)
        assert queue.take() == (TEXT, b"end")

    @pytest.mark.parametrize("payload", [b"x" * 20, b"x" * 200])
    def test_a_handler_stops_after_its_message(self, payload):
        queue = MessageQueue(max_messages=2)
        parser = FrameParser(in_place_limit=125)
        frame = serialized(TEXT, payload)
        buffer = bytearray(frame * 3)
        assert parser.feed_buffer(buffer, queue) == 2 * len(frame)
        assert parser.halted
        assert len(queue) == 2
        assert parser.feed_buffer(buffer[2 * len(frame) :], queue) == len(frame)
        assert not parser.halted

    def test_an_unfinished_frame_is_not_consumed_but_a_large_one_is(self):
        queue = MessageQueue()
        parser = FrameParser(in_place_limit=1000)
        small, large = serialized(BINARY, bytes(1000)), serialized(BINARY, bytes(1001))
        assert parser.feed_buffer(bytearray(small[:-1]), queue) == 0
        assert parser.feed_buffer(bytearray(small), queue) == len(small)
        assert parser.feed_buffer(bytearray(large[:500]), queue) == 500
        assert parser.feed_buffer(bytearray(large[500:]), queue) == len(large) - 500
        assert [queue.take(), queue.take()] == [(BINARY, bytes(1000)), (BINARY, bytes(1001))]

    @pytest.mark.parametrize(
        "late",
        [
            serialized(TEXT, b"late"),
            serialized(BINARY, b"late", fin=False) + serialized(0, b"r"),
            serialized(PING, b"late"),
            serialized(CLOSE, b"\x03\xe9"),
        ],
        ids=["message", "fragments", "ping", "close"],
    )
    def test_no_frame_behind_a_close_is_read(self, late):
        # Section 5.5.1: the other end sends nothing more, so what comes is ignored.
        parser, queue = FrameParser(), MessageQueue()
        close = serialized(CLOSE, Close(1000, "").serialize())
        assert parser.feed_buffer(bytearray(close + late), queue) == len(close)
        assert parser.feed_buffer(bytearray(late), queue) == 0
        assert (parser.n_frames, parser.close_code, len(queue)) == (1, 1000, 0)
        assert parser.take_control() == [(CLOSE, b"\x03\xe8")]

    def test_control_frames_are_gathered(self):
        parser = FrameParser()
        pings = [b"%d" % i for i in range(40)]
        data = b"".join(serialized(PING, p) + serialized(PONG, p) for p in pings)
        data += serialized(CLOSE, Close(4001, "why").serialize()) + b"ignored"
        assert parser.feed_buffer(bytearray(data), MessageQueue()) == len(data) - 7
        control = parser.take_control()
        # Section 5.5.3: the newest ping must be among those that are answered.
        assert [p for op, p in control if op == PING] == [*pings[:15], pings[-1]]
        assert control[-2:] == [(PONG, b"39"), (CLOSE, b"\x0f\xa1why")]
        assert parser.take_control() == []


frames_of_messages = st.lists(
    st.tuples(
        st.sampled_from([TEXT, BINARY, PING, PONG]),
        st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)),
        st.lists(st.integers(0, 200), max_size=3),
        st.lists(st.binary(max_size=125), max_size=1),
    ),
    max_size=6,
)


@settings(max_examples=3 * settings.default.max_examples)
@given(frames_of_messages, st.booleans(), st.data())
def test_agrees_with_the_reference_on_any_stream(messages, server, data):
    """Valid and damaged streams, any limits, any cuts."""
    stream = b""
    for opcode, payload, cuts, pings in messages:
        if opcode >= CLOSE:
            stream += serialized(opcode, payload[:125], server=server)
            continue
        edges = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
        for i, (start, end) in enumerate(itertools.pairwise(edges)):
            fin = i == len(edges) - 2
            stream += serialized(0 if i else opcode, payload[start:end], fin=fin, server=server)
            stream += b"".join(serialized(PING, ping, server=server) for ping in pings)
    damage = data.draw(
        st.lists(
            st.tuples(st.integers(0, max(len(stream) - 1, 0)), st.integers(0, 255)), max_size=2
        )
    )
    damaged = bytearray(stream)
    for position, byte in damage if stream else []:
        damaged[position] = byte
    stream = bytes(damaged)
    limit = data.draw(st.sampled_from([16_777_216, 150]))
    in_place_limit = data.draw(st.sampled_from([125, 131_072]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))

    expected = reference.read(stream, server=server, limit=limit, in_place_limit=in_place_limit)
    options = {
        "role": "server" if server else "client",
        "max_frame": limit,
        "max_message": limit,
        "in_place_limit": in_place_limit,
    }
    assert parsed(stream, cuts, **options) == expected
    assert parsed(stream, range(1, len(stream)), **options) == expected
