"""RFC 7692 in the frame parser: RSV1, fragments, limits, refused messages."""

import gzip
import itertools
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from tickwire.errors import ProtocolError
from tickwire.wire import Control, FrameParser, Message, MessageQueue

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ROLES = ["client", "server"]

pytestmark = pytest.mark.usefixtures("library")


def serialized(opcode, payload=b"", *, fin=True, rsv=0, mask=False):
    """A frame by another library, which leaves the reserved bits to its extensions."""
    data = bytearray(Frame(Opcode(opcode), payload, fin=fin).serialize(mask=mask))
    data[0] |= rsv << 4
    return bytes(data)


class Compressor:
    """The other end: frames by an independent library, compressed by Python's zlib."""

    def __init__(self, role="client", *, keep_context=True, window_bits=15):
        self.mask = role == "server"
        self.keep_context = keep_context
        self.window_bits = window_bits
        self.encoder = zlib.compressobj(wbits=-window_bits)

    def frame(self, opcode, payload=b"", *, fin=True, rsv1=False):
        return serialized(opcode, payload, fin=fin, rsv=4 * rsv1, mask=self.mask)

    def deflated(self, payload):
        if not self.keep_context:
            self.encoder = zlib.compressobj(wbits=-self.window_bits)
        return (self.encoder.compress(payload) + self.encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def message(self, opcode, payload, *, cuts=(), between=b""):
        """A compressed message, in as many fragments as there are cuts and one more."""
        data = self.deflated(payload)
        edges = [0, *(min(cut, len(data)) for cut in sorted(cuts)), len(data)]
        pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
        frames = [
            self.frame(opcode if n == 0 else CONT, piece, fin=n == len(pieces) - 1, rsv1=n == 0)
            for n, piece in enumerate(pieces)
        ]
        return between.join(frames)


def make_parser(role="client", *, keep_context=True, window_bits=15, **options):
    parser = FrameParser(role, **options)
    parser.use_deflate(keep_context=keep_context, window_bits=window_bits)
    return parser


def parsed(data, pieces, parser):
    events = []
    edges = [0, *pieces, len(data)]
    for start, end in itertools.pairwise(edges):
        events += parser.receive(data[start:end])
    return [tuple(event) for event in events]


def everything(role, keep_context):
    """A stream with every kind of message, and its events."""
    peer = Compressor(role, keep_context=keep_context)
    ping = peer.frame(PING, b"p")
    text = "prix: 12 €, 🚀 ".encode() * 8
    data = [
        peer.message(TEXT, b'{"a":1}' * 9),
        peer.message(TEXT, b'{"a":1}' * 9),
        peer.message(TEXT, b""),
        ping,
        peer.message(TEXT, text, cuts=(1, 2, 30), between=ping),
        peer.frame(TEXT, "not compressed €".encode()),
        peer.frame(TEXT, b"nor is ", fin=False) + ping + peer.frame(CONT, b"this"),
        peer.message(BINARY, bytes(range(200)), cuts=(0, 5, 5, 400)),
        peer.message(BINARY, b"", cuts=(0,)),
        peer.message(TEXT, text),
        peer.frame(CLOSE, b"\x03\xe8"),
    ]
    events = [
        (TEXT, b'{"a":1}' * 9),
        (TEXT, b'{"a":1}' * 9),
        (TEXT, b""),
        (PING, b"p"),
        *[(PING, b"p")] * 3,
        (TEXT, text),
        (TEXT, "not compressed €".encode()),
        (PING, b"p"),
        (TEXT, b"nor is this"),
        (BINARY, bytes(range(200))),
        (BINARY, b""),
        (TEXT, text),
        (CLOSE, b"\x03\xe8"),
    ]
    return b"".join(data), events


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("keep_context", [True, False])
@pytest.mark.parametrize("in_place_limit", [125, 131_072])
def test_every_cut_gives_the_same(role, keep_context, in_place_limit):
    data, events = everything(role, keep_context)
    options = {"role": role, "keep_context": keep_context, "in_place_limit": in_place_limit}
    assert parsed(data, [], make_parser(**options)) == events
    assert parsed(data, range(1, len(data)), make_parser(**options)) == events
    for cut in range(1, len(data)):
        assert parsed(data, [cut], make_parser(**options)) == events


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.text(st.sampled_from("ab€🚀\x00"), max_size=400),
            st.lists(st.integers(0, 200), max_size=4),
        ),
        max_size=12,
    ),
    st.sampled_from(ROLES),
    st.booleans(),
    st.integers(9, 15),
    st.sampled_from([125, 131_072]),
    st.lists(st.integers(1, 3000), max_size=8),
)
def test_any_messages(messages, role, keep_context, window_bits, in_place_limit, cuts):
    peer = Compressor(role, keep_context=keep_context, window_bits=window_bits)
    data = b"".join(
        peer.message(TEXT, text.encode(), cuts=where)
        if compressed
        else peer.frame(TEXT, text.encode())
        for compressed, text, where in messages
    )
    parser = make_parser(
        role, keep_context=keep_context, window_bits=window_bits, in_place_limit=in_place_limit
    )
    pieces = sorted(min(cut, len(data)) for cut in cuts)
    assert parsed(data, pieces, parser) == [(TEXT, text.encode()) for _, text, _ in messages]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 131_073, 1_000_000])
def test_every_size(role, size):
    import random

    peer = Compressor(role)
    noise = random.Random(size).randbytes(size)
    parser = make_parser(role)
    data = peer.message(BINARY, noise) + peer.message(BINARY, bytes(size))
    assert parser.receive(data) == [Message(BINARY, noise), Message(BINARY, bytes(size))]


# RFC 7692 section 6, and RFC 6455 section 5.2 for the other bits.
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("opcode", "bits"),
    [(PING, 4), (PONG, 4), (CLOSE, 4), (TEXT, 2), (BINARY, 1), (TEXT, 6), (TEXT, 5)],
)
def test_bits_that_must_not_be_set(role, opcode, bits):
    parser = make_parser(role)
    with pytest.raises(ProtocolError, match="reserved bits") as fault:
        parser.receive(serialized(opcode, rsv=bits, mask=role == "server"))
    assert fault.value.close_code == 1002


@pytest.mark.parametrize("compressed", [True, False])
def test_rsv1_in_a_later_fragment(compressed):
    peer = Compressor()
    data = peer.frame(TEXT, b"\x00" if compressed else b"a", fin=False, rsv1=compressed)
    with pytest.raises(ProtocolError, match="reserved bits") as fault:
        make_parser().receive(data + peer.frame(CONT, b"a", rsv1=True))
    assert fault.value.close_code == 1002


def test_rsv1_where_nothing_was_agreed_on():
    with pytest.raises(ProtocolError, match="reserved bits"):
        FrameParser().receive(Compressor().message(TEXT, b"a"))


@pytest.mark.parametrize("cuts", [(), (1,), (3, 4)])
@pytest.mark.parametrize(
    "payload",
    [b"\xff\xff\xff", b"\x07", b"\x01\x02\x00\x00\x00ab", b"\x4a\x4c\x4a\x06\x00\x00\x00"],
)
def test_data_that_cannot_be_inflated(payload, cuts):
    peer = Compressor()
    peer.deflated = lambda _: payload
    with pytest.raises(ProtocolError, match="cannot be inflated") as fault:
        make_parser().receive(peer.message(TEXT, b"", cuts=cuts))
    assert (fault.value.close_code, fault.value.rfc, fault.value.section) == (1007, 7692, "7.2.2")
    assert "RFC 7692 section 7.2.2" in str(fault.value)


@pytest.mark.parametrize("cuts", [(), (5,), range(1, 40)])
@pytest.mark.parametrize(
    "text", [b"caf\xc3\x28 " * 9, b"caf\xe2\x82", b"\xed\xa0\x80", b"a" * 50 + b"\xc3"]
)
def test_text_is_checked_when_it_is_inflated(text, cuts):
    with pytest.raises(ProtocolError, match="UTF-8") as fault:
        make_parser().receive(Compressor().message(TEXT, text, cuts=cuts))
    assert fault.value.close_code == 1007
    parser = make_parser()
    assert parser.receive(Compressor().message(BINARY, text, cuts=cuts)) == [Message(BINARY, text)]


@pytest.mark.parametrize("in_place_limit", [125, 131_072])
@pytest.mark.parametrize("cuts", [(), (20,)])
@pytest.mark.parametrize(("bad_at", "code"), [(5, 1007), (1000, 1007), (1001, 1009)])
def test_the_first_fault_of_a_message_is_told_however_it_is_cut(bad_at, code, cuts, in_place_limit):
    import random

    text = bytearray(random.Random(1).choices(range(32, 127), k=5000))
    text[bad_at] = 0xFF
    data = Compressor().message(TEXT, bytes(text), cuts=cuts)
    for step in (1, 7, 100, len(data)):
        parser = make_parser(max_frame=10_000, max_message=1000, in_place_limit=in_place_limit)
        with pytest.raises(ProtocolError) as fault:
            parsed(data, range(step, len(data), step), parser)
        assert fault.value.close_code == code


@pytest.mark.parametrize("cuts", [(), (1,)])
def test_text_that_the_end_of_the_message_brings_is_checked_too(cuts):
    # A stored block of four bytes that are left out: what the tail puts there is not UTF-8.
    peer = Compressor()
    peer.deflated = lambda _: b"\x00\x04\x00\xfb\xff"
    with pytest.raises(ProtocolError, match="UTF-8"):
        make_parser().receive(peer.message(TEXT, b"", cuts=cuts))
    with_tail = [Message(BINARY, b"\x00\x00\xff\xff")]
    assert make_parser().receive(peer.message(BINARY, b"", cuts=cuts)) == with_tail


@pytest.mark.parametrize("cuts", [(), (3,), (200, 5000)])
@pytest.mark.parametrize("limit", [1000, 5000, 1_000_000])
def test_the_limit_holds_to_the_byte(limit, cuts):
    options = {"max_frame": limit + 100, "max_message": limit}
    fits = Compressor().message(BINARY, bytes(limit), cuts=cuts)
    assert make_parser(**options).receive(fits) == [Message(BINARY, bytes(limit))]
    parser = make_parser(**options)
    with pytest.raises(ProtocolError, match="largest message") as fault:
        parser.receive(Compressor().message(BINARY, bytes(limit + 1), cuts=cuts))
    assert fault.value.close_code == 1009
    assert parser.assembly_bytes <= limit + 1


def test_a_message_that_grows_by_compressing_is_taken():
    import random

    noise = random.Random(7).randbytes(10_000)
    data = Compressor().message(BINARY, noise, cuts=(5000,))
    parser = make_parser(max_message=10_000)
    assert parser.receive(data) == [Message(BINARY, noise)]


@pytest.mark.parametrize("cuts", [(), (7, 1000)])
def test_a_bomb_costs_no_more_than_the_limit(cuts):
    limit = 1 << 20
    bomb = Compressor().message(BINARY, bytes(100 << 20), cuts=cuts)
    assert len(bomb) < limit
    parser = make_parser(max_message=limit)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError) as fault:
            parser.receive(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fault.value.close_code == 1009
    assert peak < 2 * len(bomb) + 100_000  # Python's share: the bytes that came
    assert parser.assembly_bytes <= limit + 1  # tickwire
    with pytest.raises(ProtocolError):
        parser.receive(b"")


def test_memory_is_kept_for_the_next_message_but_not_after_a_big_one():
    peer = Compressor()
    parser = make_parser()
    parser.receive(peer.message(BINARY, bytes(50_000)))
    kept = parser.assembly_bytes
    assert 50_000 <= kept <= 100_000
    for _ in range(100):
        parser.receive(peer.message(BINARY, bytes(30_000), cuts=(9,)))
        assert parser.assembly_bytes == kept
    parser.receive(peer.message(BINARY, bytes(5_000_000)))
    assert parser.assembly_bytes == 0


class Reluctant(MessageQueue):
    """Takes a message only when the one before has been taken from it."""

    def __init__(self):
        super().__init__(max_bytes=1)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("cuts", [(), (2,)])
@pytest.mark.parametrize("in_place_limit", [125, 131_072])
def test_a_refused_message_is_inflated_once(role, cuts, in_place_limit):
    # With a context: one inflated twice would turn all that follow it into nonsense.
    peer = Compressor(role)
    messages = [b'{"n":%d,"same":"words in each"}' % (n // 2) * 12 for n in range(20)]
    data = bytearray(b"".join(peer.message(TEXT, each, cuts=cuts) for each in messages))
    parser = make_parser(role, in_place_limit=in_place_limit)
    queue = Reluctant()
    taken = []
    start = 0
    for _ in range(200):
        start += parser.feed_buffer(memoryview(data)[start:], queue)
        if parser.blocked:
            start += parser.feed_buffer(memoryview(data)[start:], queue)
            assert parser.blocked
            taken.append(queue.take().payload)
        elif start == len(data):
            break
    taken.append(queue.take().payload)
    assert taken == messages
    assert parser.n_messages == len(messages)


def test_a_halt_is_where_it_should_be():
    peer = Compressor()
    first = peer.message(TEXT, b"one " * 9) + peer.message(TEXT, b"two " * 9, cuts=(3,))
    data = bytearray(first + peer.message(TEXT, b"three"))
    parser = make_parser()
    queue = MessageQueue(max_messages=2)
    assert parser.feed_buffer(data, queue) == len(first)
    assert parser.halted
    assert [queue.take().payload, queue.take().payload] == [b"one " * 9, b"two " * 9]


def test_control_frames_are_never_compressed():
    peer = Compressor()
    events = make_parser().receive(peer.frame(PING, b"\xf2H\xcd\xc9\xc9\x07\x00"))
    assert events == [Control(PING, b"\xf2H\xcd\xc9\xc9\x07\x00")]


# Messages that a venue packs as a whole, in binary frames.


def packed(form, message):
    if form == "gzip":
        return gzip.compress(message)
    return zlib.compress(message, wbits=-15)


@pytest.mark.parametrize("form", ["gzip", "deflate"])
@pytest.mark.parametrize("cuts", [False, True])
def test_binary_frames_are_unpacked_and_text_is_not(form, cuts):
    peer = Compressor()
    messages = [b'{"n":%d}' % n * 100 for n in range(30)]
    data = b""
    for message in messages:
        payload = packed(form, message)
        if cuts:
            data += peer.frame(BINARY, payload[:9], fin=False) + peer.frame(CONT, payload[9:])
        else:
            data += peer.frame(BINARY, payload)
        data += peer.frame(TEXT, b"plain")
    parser = FrameParser()
    parser.unpack_binary(form)
    expected = [[Message(BINARY, each), Message(TEXT, b"plain")] for each in messages]
    assert parser.receive(data) == list(itertools.chain(*expected))
    assert parser.n_messages == 60


def test_both_at_once():
    parser = make_parser()
    parser.unpack_binary("gzip")
    message = b'{"n":1}' * 100
    data = Compressor().message(BINARY, gzip.compress(message), cuts=(4,))
    assert parser.receive(data) == [Message(BINARY, message)]


@pytest.mark.parametrize("fragmented", [False, True])
def test_what_cannot_be_unpacked_is_handed_over_as_it_came(fragmented):
    peer = Compressor()
    parser = FrameParser()
    parser.unpack_binary("gzip")
    good = gzip.compress(b"right")
    for bad in (b"{}", good[:-1], b""):
        data = peer.frame(BINARY, bad, fin=not fragmented)
        if fragmented:
            data += peer.frame(CONT, b"")
        assert parser.receive(data) == [Message(BINARY, bad)]
        assert parser.receive(peer.frame(BINARY, good)) == [Message(BINARY, b"right")]


@pytest.mark.parametrize("form", ["gzip", "deflate"])
@pytest.mark.parametrize("fragmented", [False, True])
def test_a_packed_bomb_costs_no_more_than_the_limit(form, fragmented):
    limit = 1 << 20
    peer = Compressor()
    parser = FrameParser(max_message=limit)
    parser.unpack_binary(form)
    data = peer.frame(BINARY, packed(form, bytes(60 << 20)), fin=not fragmented)
    if fragmented:
        data += peer.frame(CONT, b"")
    with pytest.raises(ProtocolError) as fault:
        parser.receive(data)
    assert fault.value.close_code == 1009
    assert parser.assembly_bytes <= 2 * limit + 1
    assert parser.take_events() == []


@pytest.mark.parametrize("fragmented", [False, True])
def test_a_refused_packed_message_is_offered_again(fragmented):
    peer = Compressor()
    parser = FrameParser()
    parser.unpack_binary("gzip")
    messages = [b"message %d" % n for n in range(6)]
    data = bytearray()
    for each in messages:
        data += peer.frame(BINARY, gzip.compress(each), fin=not fragmented)
        data += peer.frame(CONT, b"") if fragmented else b""
    queue = Reluctant()
    taken = []
    start = 0
    while len(taken) < len(messages):
        start += parser.feed_buffer(memoryview(data)[start:], queue)
        taken.append(queue.take().payload)
    assert taken == messages


def test_forms_that_are_not():
    with pytest.raises(ValueError, match="'deflate' or 'gzip'"):
        FrameParser().unpack_binary("message")
