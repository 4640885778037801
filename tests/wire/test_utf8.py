"""The UTF-8 check of ext/tickwire/base/utf8.h, through the parser, against Python's decoder."""

import itertools
import random

import pytest
from tests.wire.reference import is_utf8

from tickwire.errors import ProtocolError
from tickwire.wire import FrameParser, MessageQueue, _parser, _streamed, build_frame, simd_level

LEVELS = ("portable", "neon", "sse2", "avx2")

CRAFTED = [
    b"",
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2\x80",
    b"\xc2\x7f",
    b"\xc2\xc0",
    b"\xdf\xbf",
    b"\xe0\x9f\xbf",
    b"\xe0\xa0\x80",
    b"\xec\x80\x80",
    b"\xed\x9f\xbf",
    b"\xed\xa0\x80",  # surrogates
    b"\xed\xbf\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf3\xbf\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x9a",
    "é€🚀".encode(),
    "é€🚀".encode()[:-1],
    "漢字".encode() + b"\x80",
]


def force_simd_level(level):
    """Force a level where text is checked in place and where it is in pieces."""
    forced = [module._force_simd_level(level) for module in (_parser, _streamed)]
    assert len(set(forced)) == 1
    return forced[0]


@pytest.fixture(params=LEVELS)
def level(request):
    if not force_simd_level(request.param):
        pytest.skip(f"this machine has no {request.param}")
    yield request.param
    force_simd_level(None)


def accepts(text):
    """Whether the parser takes `text` as one frame, read in place."""
    parser = FrameParser()
    try:
        parser.receive(build_frame(1, text, mask=False))
    except ProtocolError as error:
        return {1007: False}[error.close_code]
    return True


def accepts_in_pieces(text, cuts):
    """Whether the parser takes `text` cut into fragments."""
    edges = [0, *cuts, len(text)]
    parser = FrameParser()
    try:
        for i, (start, end) in enumerate(itertools.pairwise(edges)):
            fin = i == len(edges) - 2
            opcode = 0 if i else 1
            parser.receive(build_frame(opcode, text[start:end], fin=fin, mask=False))
    except ProtocolError:
        return False
    return True


def test_the_best_level_is_used_by_default():
    assert force_simd_level(None)
    best = simd_level()
    assert best == [name for name in LEVELS if force_simd_level(name)][-1]
    assert not force_simd_level("mmx")
    assert force_simd_level(None)


def test_crafted_text_behind_every_length_of_ascii(level):
    assert simd_level() == level
    for piece in CRAFTED:
        for n_before in range(150):
            text = b"x" * n_before + piece
            assert accepts(text) == is_utf8(text), text
        text = b"x" * 200 + piece + b"y" * 200
        assert accepts(text) == is_utf8(text), text


@pytest.mark.usefixtures("level")
def test_one_bad_byte_anywhere():
    for n in (15, 16, 31, 32, 33, 63, 64, 127, 128, 129, 300):
        for position in range(n):
            text = bytearray(b"a" * n)
            assert accepts(text)
            text[position] = 0x80
            assert not accepts(text), (n, position)


@pytest.mark.usefixtures("level")
def test_every_alignment():
    for offset in range(70):
        for text, good in ((b"a" * 140, True), (b"a" * 139 + b"\xe9", False)):
            frame = build_frame(1, text, mask=False)
            buffer = bytearray(offset) + frame
            parser, queue = FrameParser(), MessageQueue()
            consumed = parser.feed_buffer(memoryview(buffer)[offset:], queue)
            assert (consumed == len(frame)) is good
            assert (parser.error_as_exception() is None) is good


@pytest.mark.usefixtures("level")
def test_random_text_and_bytes():
    choose = random.Random(6455)
    ranges = [(0, 0x7F), (0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0x10FFFF)]
    for _ in range(3000):
        parts = [
            chr(choose.randint(*choose.choice(ranges))) * choose.choice((1, 1, 3, 20))
            for _ in range(choose.randrange(30))
        ]
        text = bytearray("".join(parts).encode())
        assert accepts(bytes(text))
        for _ in range(choose.randrange(3)):
            if text:
                text[choose.randrange(len(text))] = choose.randrange(256)
        assert accepts(bytes(text)) == is_utf8(bytes(text)), bytes(text)
        cuts = sorted(choose.randint(0, len(text)) for _ in range(3))
        assert accepts_in_pieces(bytes(text), cuts) == is_utf8(bytes(text)), (bytes(text), cuts)


@pytest.mark.usefixtures("level")
def test_crafted_text_at_every_cut():
    for piece in CRAFTED:
        text = b"abc" + piece + b"def" * 20
        for cut in range(len(text)):
            assert accepts_in_pieces(text, [cut]) == is_utf8(text), (text, cut)


def test_all_pairs_and_all_leading_triples():
    for first in range(256):
        for second in range(256):
            text = bytes([first, second])
            assert accepts(text) == is_utf8(text), text
    for first in range(0xE0, 0xF5):
        for second in range(0x70, 0xD0):
            for third in (0x7F, 0x80, 0xBF, 0xC0):
                for tail in (b"", b"\x80", b"a"):
                    text = bytes([first, second, third]) + tail
                    assert accepts(text) == is_utf8(text), text
