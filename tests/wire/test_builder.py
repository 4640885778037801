import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import PayloadTooBig
from websockets.exceptions import ProtocolError as TheirProtocolError
from websockets.frames import Close, Frame
from websockets.streams import StreamReader

from tickwire.wire import FrameParser, build_close, build_frame


def read_by_websockets(data, *, masked):
    """The frame as an independent library reads it."""
    stream = StreamReader()
    stream.feed_data(data)
    steps = Frame.parse(stream.read_exact, mask=masked)
    try:
        next(steps)
    except StopIteration as done:
        assert not stream.buffer
        return done.value
    except (PayloadTooBig, TheirProtocolError) as error:
        raise AssertionError(f"not a right frame: {error}") from None
    raise AssertionError("the frame is not whole")


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_each_length_form_is_the_shortest(size, mask):
    payload = bytes(i & 0xFF for i in range(size))
    frame = build_frame(2, payload, mask=mask)
    header = 2 if size <= 125 else 4 if size <= 65535 else 10
    assert len(frame) == header + 4 * mask + size
    assert read_by_websockets(frame, masked=mask).data == payload
    parser = FrameParser("server" if mask else "client")
    assert parser.receive(frame) == [(2, payload)]


@settings(max_examples=2 * settings.default.max_examples)
@given(
    st.sampled_from([0, 1, 2, 8, 9, 10]),
    st.binary(max_size=400),
    st.booleans(),
    st.integers(0, 7),
    st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
)
def test_an_independent_library_reads_the_same(opcode, payload, fin, rsv, key):
    if opcode >= 8:
        fin, payload = True, payload[:125]
    data = build_frame(opcode, payload, fin=fin, rsv=rsv, key=key)
    assert (data[0] >> 4) & 7 == rsv
    frame = read_by_websockets(bytes([data[0] & 0x8F]) + data[1:], masked=True)
    assert (frame.opcode, frame.data, frame.fin) == (opcode, payload, fin)


def test_the_example_of_section_5_7():
    assert build_frame(1, b"Hello", mask=False) == bytes.fromhex("8105 48656c6c6f")
    key = bytes.fromhex("37fa213d")
    assert build_frame(1, b"Hello", key=key) == bytes.fromhex("8185 37fa213d 7f9f4d5158")
    assert build_frame(1, b"Hel", fin=False, mask=False) == bytes.fromhex("0103 48656c")
    assert build_frame(0, b"lo", mask=False) == bytes.fromhex("8002 6c6f")


def test_each_frame_has_a_new_key():
    keys = {build_frame(1, b"")[2:6] for _ in range(64)}
    assert len(keys) > 60


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_bytes_are_taken(make):
    assert build_frame(1, make(b"abc"), mask=False) == b"\x81\x03abc"


def test_text_must_be_bytes():
    with pytest.raises(TypeError):
        build_frame(1, "abc")


@pytest.mark.parametrize(
    ("opcode", "options", "match"),
    [
        (3, {}, "opcode"),
        (11, {}, "opcode"),
        (-1, {}, "opcode"),
        (16, {}, "opcode"),
        (9, {"fin": False}, "fragmented"),
        (9, {"payload": bytes(126)}, "125"),
        (1, {"rsv": 8}, "rsv"),
        (1, {"rsv": -1}, "rsv"),
        (1, {"key": b"abc"}, "4 bytes"),
        (1, {"key": b"abcde"}, "4 bytes"),
        (1, {"key": b"abcd", "mask": False}, "without a mask"),
    ],
)
def test_wrong_arguments_are_refused(opcode, options, match):
    with pytest.raises(ValueError, match=match):
        build_frame(opcode, options.pop("payload", b""), **options)


@pytest.mark.parametrize("code", [1000, 1001, 1009, 1014, 3000, 4999])
def test_a_close_is_read_back(code):
    frame = read_by_websockets(build_close(code, "au revoir ✓"), masked=True)
    assert Close.parse(frame.data) == Close(code, "au revoir ✓")


def test_a_close_without_a_code_is_empty():
    assert build_close(None, mask=False) == b"\x88\x00"
    with pytest.raises(ValueError, match="needs a close code"):
        build_close(None, "why")


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535, 66536])
def test_codes_that_must_not_be_sent_are_refused(code):
    with pytest.raises(ValueError, match="must not be sent"):
        build_close(code)


@pytest.mark.parametrize("n_ascii", [121, 122, 123, 124, 125])
def test_a_long_reason_is_cut_at_a_character(n_ascii):
    frame = build_close(1000, "a" * n_ascii + "€uro", mask=False)
    reason = frame[4:].decode()
    assert len(frame) <= 2 + 125
    assert reason == ("a" * n_ascii)[:123]
