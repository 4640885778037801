import base64
import gzip
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickwire.errors import DecodeError
from tickwire.wire import Inflater

TAIL = b"\x00\x00\xff\xff"
LIMIT = 1 << 20

pytestmark = pytest.mark.usefixtures("library")

# An l2 frame's `c` as Hyperliquid sends it: base64 without its padding, and a raw deflate stream
# without its end.
SAMPLE = (
    "XZS9jhcxDMTfJXVk+dvOv4RXoDttRUuBgO50705OQolNuftbeyaT0b6P7+M1vnz7Oub4M14UGUKuGRg8x4/xent7Hz/3J7"
    "HfI+CY4/d+IlBMGR/zQFwH7s9cPRq1SveoNaqHEkhu6UblUAQRyb6ZC41Q6q7oUIJwx66LhzIsXl5ned0TEdhyy+KKV55Z"
    "hHSKPhuHKiwL77N+KDm4B3esByMI6eImLIcypDF3YT7UgIS4hsWLKs0VfTMemrBS16q6eeNASP1vc9Y40FaTzZuGAaLJln"
    "1mKda1FVvYaPPbLJJjC4HYrFMtdNtCKqaFtt6/yiIYknbqZdY4o7WDrmsCcWJtm+uB2bG3kmpYiNJnGY8ugZNjTUv4piGQ"
    "vKS5Yi6zHNHPyzcrBdEVzTPXrFyihcFWFkdwraTwTYpBlbPTKKNu0oojfJNioCCrtRK+SRHoMmyOBc9mB0YOr3cgN6kAF/"
    "u8v+eZ49fnb4ts6pTJu2ikcz+RT4pJOWk9z8f"
)


class Sender:
    """Compresses messages as RFC 7692 section 7.2.1 says, with Python's zlib."""

    def __init__(self, *, keep_context=True, window_bits=15, level=6):
        self.keep_context = keep_context
        self.settings = (level, zlib.DEFLATED, -window_bits)
        self.encoder = zlib.compressobj(*self.settings)

    def compress(self, message):
        if not self.keep_context:
            self.encoder = zlib.compressobj(*self.settings)
        data = self.encoder.compress(message) + self.encoder.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL)
        return data[:-4]


def stored(message, *, final=False):
    size = len(message).to_bytes(2, "little")
    return bytes([final]) + size + bytes(255 - byte for byte in size) + message


def messages_of(n):
    return [b'{"coin":"BTC","px":"%d.5","sz":"0.%d"}' % (64_000 + i % 7, i) * 3 for i in range(n)]


@pytest.mark.parametrize("keep_context", [True, False])
@pytest.mark.parametrize("window_bits", range(9, 16))
def test_messages_one_after_the_other(keep_context, window_bits):
    sender = Sender(keep_context=keep_context, window_bits=window_bits)
    inflater = Inflater(LIMIT, keep_context=keep_context, window_bits=window_bits)
    for message in [*messages_of(50), b"", bytes(100_000), b"", b"x", *messages_of(5)]:
        assert inflater.decompress(sender.compress(message)) == message


@given(
    st.lists(st.one_of(st.binary(max_size=300), st.text("abc", max_size=5000).map(str.encode))),
    st.booleans(),
    st.integers(9, 15),
    st.integers(0, 9),
)
def test_any_messages(messages, keep_context, window_bits, level):
    sender = Sender(keep_context=keep_context, window_bits=window_bits, level=level)
    inflater = Inflater(LIMIT, keep_context=keep_context, window_bits=window_bits)
    assert [inflater.decompress(sender.compress(each)) for each in messages] == messages


def test_a_peer_that_says_8_and_uses_9():
    # As zlib before 1.2.9 does, without a word.
    sender = Sender(window_bits=9)
    inflater = Inflater(LIMIT, window_bits=8)
    for message in messages_of(100):
        assert inflater.decompress(sender.compress(message)) == message


# RFC 7692 section 7.2.3, each of its examples.
def test_the_examples_of_the_rfc():
    inflater = Inflater(LIMIT)
    one = bytes.fromhex("f248cdc9c90700")
    assert inflater.decompress(one) == b"Hello"
    assert inflater.decompress(one) == b"Hello"
    assert inflater.decompress(bytes.fromhex("f200110000")) == b"Hello"  # shares the window
    assert inflater.decompress(bytes.fromhex("000500faff48656c6c6f00")) == b"Hello"
    assert inflater.decompress(bytes.fromhex("f348cdc9c9070000")) == b"Hello"  # BFINAL
    assert (
        inflater.decompress(bytes.fromhex("f248050000 00ffff cac9c90700")) == b"Hello"
    )  # 2 blocks
    assert inflater.decompress(b"\x00") == b""
    assert inflater.decompress(bytes.fromhex("f200110000")) == b"Hello"


def test_without_the_context_a_reference_to_it_is_corrupt():
    inflater = Inflater(LIMIT, keep_context=False)
    assert inflater.decompress(bytes.fromhex("f248cdc9c90700")) == b"Hello"
    with pytest.raises(DecodeError, match="inflated"):
        inflater.decompress(bytes.fromhex("f200110000"))
    assert inflater.decompress(bytes.fromhex("f248cdc9c90700")) == b"Hello"


def test_a_final_block_does_not_end_the_window():
    inflater = Inflater(LIMIT)
    assert inflater.decompress(bytes.fromhex("f348cdc9c9070000")) == b"Hello"
    assert inflater.decompress(bytes.fromhex("f200110000")) == b"Hello"
    several = stored(b"a", final=True) + stored(b"b", final=True) + stored(b"c")
    assert inflater.decompress(several + b"\x00") == b"abc"
    assert inflater.decompress(bytes.fromhex("f200110000")) != b"Hello"


def test_a_final_block_at_the_very_end_is_taken_for_what_it_is():
    inflater = Inflater(LIMIT)
    assert inflater.decompress(stored(b"whole", final=True)) == b"whole"
    assert inflater.decompress(bytes.fromhex("f248cdc9c90700")) == b"Hello"


@pytest.mark.parametrize("before", [b"\x00", stored(b"whole", final=True)])
def test_no_bytes_at_all_are_no_message(before):
    inflater = Inflater(LIMIT)  # section 7.2.3.6: an empty message is one byte
    inflater.decompress(before)
    with pytest.raises(DecodeError, match="inflated"):
        inflater.decompress(b"")


@pytest.mark.parametrize("keep_context", [True, False])
def test_a_message_cut_short_is_corrupt(keep_context):
    sender = Sender(keep_context=keep_context)
    data = sender.compress(messages_of(1)[0])
    for end in range(1, len(data)):
        with pytest.raises(DecodeError, match="inflated"):
            Inflater(LIMIT, keep_context=keep_context).decompress(data[:end])


def test_a_stored_block_may_take_the_tail_for_its_content():
    # What is left out at the end belongs to the block by the letter of section 7.2.2.
    block = stored(b"abcd" + TAIL)[:-4]
    assert Inflater(LIMIT).decompress(block) == b"abcd" + TAIL


def codes_of_all_lengths():
    """A block with a byte for each length of code; fifteen ones end it, so the tail can end it."""
    bits = "0" + "01"  # not the final block, codes of its own; the lowest bit comes first
    bits += "00000" + "00000"  # 257 codes and 1
    # Lengths of the codes for lengths, in the order of RFC 1951 section 3.2.7: fifteen have four
    # bits and two have five, so that 1 to 13 are 0000 to 1100, and so on in the order of values.
    widths = {18: 5, 15: 5} | dict.fromkeys(range(15), 4)
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
    bits += f"{len(order) - 4:04b}"[::-1]
    bits += "".join(f"{widths.get(each, 0):03b}"[::-1] for each in order)
    ranked = sorted(widths, key=lambda each: (widths[each], each))
    codes = {each: f"{at:04b}" for at, each in enumerate(ranked[:15])}
    codes |= {each: f"1111{at}" for at, each in enumerate(ranked[15:])}
    # Bytes 0 to 14 have codes of 1 to 15 bits, the end of the block has one of 15.
    bits += "".join(codes[length] for length in range(1, 16))
    bits += codes[18] + f"{138 - 11:07b}"[::-1] + codes[18] + f"{103 - 11:07b}"[::-1]
    bits += codes[15] + codes[0]
    bits += "0" * (-len(bits) % 8)  # the byte 0, as often as fits
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def test_the_tail_must_not_end_a_block_of_the_message():
    """Its last bits end one here: there was no flush, and a bit is left of the byte."""
    block = codes_of_all_lengths()
    assert zlib.decompressobj(-15).decompress(block + TAIL).endswith(bytes(16))
    with pytest.raises(DecodeError, match="inflated"):
        Inflater(LIMIT).decompress(block)


@settings(max_examples=3 * settings.default.max_examples)
@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_give_what_zlib_gives_or_an_error(data):
    reference = zlib.decompressobj(-15)
    try:
        expected = reference.decompress(data + TAIL)
    except zlib.error:
        expected = None
    try:
        found = Inflater(LIMIT).decompress(data)
    except DecodeError:
        return
    if reference.eof:
        assert found.startswith(expected)
    else:
        assert found == expected


@pytest.mark.parametrize("form", ["message", "deflate", "gzip"])
@pytest.mark.parametrize("limit", [1, 10, 4096, 5000, 100_000])
def test_the_limit_holds_to_the_byte(form, limit):
    def packed(message):
        if form == "gzip":
            return gzip.compress(message)
        return Sender().compress(message)

    inflater = Inflater(limit, form=form, keep_context=False)
    assert inflater.decompress(packed(bytes(limit))) == bytes(limit)
    with pytest.raises(DecodeError, match=f"more than {limit} bytes") as refused:
        inflater.decompress(packed(bytes(limit + 1)))
    assert refused.value.reason == "too_big"
    assert inflater.allocated_bytes <= limit + 1
    assert inflater.decompress(packed(b"a")) == b"a"


def test_memory_grows_by_what_comes_and_a_big_message_does_not_keep_it():
    inflater = Inflater(1 << 24, keep_context=False)
    assert inflater.allocated_bytes == 0
    inflater.decompress(Sender().compress(bytes(100_000)))
    assert 100_000 <= inflater.allocated_bytes <= 200_000
    kept = inflater.allocated_bytes
    inflater.decompress(Sender().compress(b"small"))
    assert inflater.allocated_bytes == kept
    inflater.decompress(Sender().compress(bytes(10_000_000)))
    assert inflater.allocated_bytes == 0


def test_gzip_one_member_or_several():
    inflater = Inflater(LIMIT, form="gzip")
    for message in messages_of(20):
        assert inflater.decompress(gzip.compress(message)) == message
    assert inflater.decompress(gzip.compress(b"one, ") + gzip.compress(b"two")) == b"one, two"


@pytest.mark.parametrize("n_known", [120, 4096])
def test_a_member_of_gzip_knows_nothing_of_the_one_before(n_known):
    # zlib keeps a window only of what came in an earlier call: here, of the first 4,096 bytes.
    text = b"".join(messages_of(60)) if n_known == 4096 else messages_of(1)[0]
    encoder = zlib.compressobj(wbits=-15, zdict=text[:n_known])
    body = encoder.compress(text[:100]) + encoder.flush()
    assert len(body) < 20
    alone = gzip.compress(text[:100])
    referring = alone[:10] + body + alone[-8:]  # header, data, checksum and size
    with pytest.raises(DecodeError, match="inflated"):
        Inflater(LIMIT, form="gzip").decompress(gzip.compress(text) + referring)


def test_gzip_that_is_not_right():
    data = gzip.compress(messages_of(1)[0])
    inflater = Inflater(LIMIT, form="gzip")
    wrong_sum = data[:-8] + bytes(4) + data[-4:]
    for bad in (b"", b"{}", wrong_sum, data + b"x", data + data[:7], data[1:]):
        with pytest.raises(DecodeError, match="inflated"):
            inflater.decompress(bad)
    for end in range(len(data)):
        with pytest.raises(DecodeError, match="inflated"):
            inflater.decompress(data[:end])
    assert inflater.decompress(data) == messages_of(1)[0]


def test_raw_deflate_with_and_without_its_end():
    inflater = Inflater(LIMIT, form="deflate")
    encoder = zlib.compressobj(wbits=-15)
    flushed = encoder.compress(b"prices") + encoder.flush(zlib.Z_SYNC_FLUSH)
    ended = flushed + encoder.flush()
    for message in (flushed, flushed[:-4], ended):
        assert inflater.decompress(message) == b"prices"
    for bad in (ended + b"x", b"\xff\xff"):
        with pytest.raises(DecodeError, match="inflated"):
            inflater.decompress(bad)


def test_a_field_of_hyperliquid_that_lacks_its_end():
    data = base64.b64decode(SAMPLE + "=")
    message = Inflater(1 << 20, form="deflate").decompress(data)
    assert message == zlib.decompressobj(-15).decompress(data)
    assert len(message) == 1273
    assert json.loads(message)["c"] == "BTC"
    with pytest.raises(DecodeError, match="more than 1000"):
        Inflater(1000, form="deflate").decompress(data)


@pytest.mark.parametrize(
    ("limit", "options"),
    [
        (0, {}),
        (1 << 62, {}),
        (1, {"form": "zip"}),
        (1, {"window_bits": 7}),
        (1, {"window_bits": 16}),
    ],
)
def test_what_makes_no_inflater(limit, options):
    with pytest.raises(ValueError, match="must be"):
        Inflater(limit, **options)
