import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.wire import Deflater, Inflater

TAIL = b"\x00\x00\xff\xff"

pytestmark = pytest.mark.usefixtures("library")


def inflated(decoder, data):
    """What Python's zlib makes of it, which must be all and whole."""
    found = decoder.decompress(data + TAIL)
    assert not decoder.eof
    assert not decoder.unconsumed_tail
    return found


@pytest.mark.parametrize("window_bits", range(9, 16))
def test_a_peer_with_a_window_no_larger_understands(window_bits):
    deflater = Deflater(window_bits=window_bits)
    decoder = zlib.decompressobj(-window_bits)
    words = [b"alpha", b"beta", b"gamma " * 10_000]
    rng = random.Random(window_bits)
    for _ in range(100):
        message = b" ".join(rng.choices(words, k=rng.randrange(8)))
        assert inflated(decoder, deflater.compress(message)) == message


def test_without_the_context_each_message_stands_alone():
    deflater = Deflater(keep_context=False)
    first, second = deflater.compress(b"Hello" * 9), deflater.compress(b"Hello" * 9)
    assert first == second
    assert inflated(zlib.decompressobj(-15), second) == b"Hello" * 9


def test_with_the_context_a_message_again_is_short():
    message = random.Random(1).randbytes(1000)
    deflater = Deflater()
    assert len(deflater.compress(message)) > 1000
    assert len(deflater.compress(message)) < 50


@given(st.lists(st.binary(max_size=2000)), st.booleans(), st.integers(9, 15), st.integers(1, 9))
def test_what_it_deflates_is_inflated(messages, keep_context, window_bits, level):
    deflater = Deflater(keep_context=keep_context, window_bits=window_bits, level=level)
    inflater = Inflater(1 << 20, keep_context=keep_context, window_bits=window_bits)
    for message in messages:
        assert inflater.decompress(deflater.compress(message)) == message


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65_535, 65_536, 300_000, 3_000_000])
def test_sizes_that_do_not_compress(size):
    message = random.Random(size).randbytes(size)
    deflater = Deflater()
    decoder = zlib.decompressobj(-15)
    for data in (message, memoryview(message), bytearray(message)):
        assert inflated(decoder, deflater.compress(data)) == message


def test_an_empty_message_is_one_byte():
    assert Deflater().compress(b"") == b"\x00"  # RFC 7692 section 7.2.3.6


@pytest.mark.parametrize("options", [{"window_bits": 8}, {"window_bits": 16}, {"level": 0}])
def test_what_makes_no_deflater(options):
    with pytest.raises(ValueError, match="must be"):
        Deflater(**options)
