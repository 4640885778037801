"""Base64 of compressed text, unpacked as the standard library does; cut, too big, broken."""

import base64
import json
import random
import zlib
from contextlib import suppress

import pytest

from tickwire.decode._unpacker import Unpacker
from tickwire.errors import DecodeError

WBITS = {"deflate": -15, "zlib": 15, "gzip": 31}
TEXT = json.dumps({"l": [[{"p": str(n), "s": f"{n}.5"} for n in range(40)]]}).encode()


def packed(text: bytes, form: str, *, ended: bool = True) -> bytes:
    squeeze = zlib.compressobj(wbits=WBITS[form])
    end = zlib.Z_FINISH if ended else zlib.Z_SYNC_FLUSH
    return base64.b64encode(squeeze.compress(text) + squeeze.flush(end))


@pytest.mark.parametrize("form", WBITS)
def test_any_bytes_come_out_as_they_went_in(form: str) -> None:
    rng = random.Random(5)
    unpacker = Unpacker(1 << 20)
    for _ in range(200):
        text = rng.randbytes(rng.choice((0, 1, 2, 3, 50, 9_000))) + b"a" * rng.choice((0, 70_000))
        whole = packed(text, form)
        assert unpacker.unpacked(whole, form, 1 << 20) == text
        assert unpacker.unpacked(whole.rstrip(b"="), form, 1 << 20) == text


@pytest.mark.parametrize("form", ["deflate", "zlib"])
def test_a_stream_without_its_end_and_a_group_without_its_last_letters_give_what_is_there(
    form: str,
) -> None:
    unpacker = Unpacker(1 << 20)
    whole = packed(TEXT, form, ended=False).rstrip(b"=")
    assert unpacker.unpacked(whole, form, 1 << 20) == TEXT
    for n_less in range(1, 5):  # of the sync flush alone, which holds nothing
        assert unpacker.unpacked(whole[:-n_less], form, 1 << 20) == TEXT
    assert TEXT.startswith(unpacker.unpacked(whole[: len(whole) // 2], form, 1 << 20))


def test_gzip_without_its_end_is_none() -> None:
    with pytest.raises(DecodeError) as caught:
        Unpacker(1 << 20).unpacked(packed(TEXT, "gzip")[:-8], "gzip", 1 << 20)
    assert caught.value.reason == "inflate"


@pytest.mark.parametrize("form", WBITS)
def test_a_bomb_costs_its_limit(form: str) -> None:
    unpacker = Unpacker(10_000)
    bomb = packed(b"0" * 50_000_000, form)
    for most in (10_000, 100):
        with pytest.raises(DecodeError) as caught:
            unpacker.unpacked(bomb, form, most)
        assert caught.value.reason == "too_long"
    just = packed(b"0" * 100, form)
    assert unpacker.unpacked(just, form, 100) == b"0" * 100
    with pytest.raises(DecodeError):
        unpacker.unpacked(just, form, 99)


@pytest.mark.parametrize("form", WBITS)
@pytest.mark.parametrize("letter", [b"-", b"_", b"\n", b" ", b"\x00", b"\xff", b"=", b"\\"])
def test_what_is_no_base64_is_refused_wherever_it_stands(form: str, letter: bytes) -> None:
    unpacker = Unpacker(1 << 20)
    whole = packed(TEXT, form).rstrip(b"=")
    for at in (0, 5, len(whole) // 2, len(whole) - 4):
        with pytest.raises(DecodeError) as caught:
            unpacker.unpacked(whole[:at] + letter + whole[at + 1 :], form, 1 << 20)
        assert caught.value.reason == "inflate"


def test_damage_is_never_more_than_an_error() -> None:
    rng = random.Random(7)
    unpacker = Unpacker(1 << 16)
    for _ in range(3_000):
        form = rng.choice(list(WBITS))
        text = bytearray(packed(TEXT, form))
        for _ in range(rng.randint(1, 4)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        with suppress(DecodeError):
            found = unpacker.unpacked(bytes(text[: rng.randrange(len(text))]), form, 1 << 16)
            assert len(found) <= 1 << 16
    assert unpacker.unpacked(packed(TEXT, "deflate"), "deflate", 1 << 16) == TEXT
