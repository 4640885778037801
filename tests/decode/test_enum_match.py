"""A choice among a few texts: each is found whatever follows it, and nothing else is."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "ext"
COMPILER = shutil.which("cc") or shutil.which("gcc")
WORD_BYTES = 16

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The header, compiled."""
    library = tmp_path_factory.mktemp("enum_match") / "enum_match.so"
    command = [str(COMPILER), "-O1", "-std=c11", "-shared", "-fPIC", f"-I{INCLUDE}"]
    subprocess.run(  # noqa: S603 - our own
        [*command, HERE / "enum_match.c", "-o", library], check=True
    )
    return ctypes.CDLL(str(library))


def makes(header: ctypes.CDLL, texts: list[bytes]) -> bool:
    """Make a choice; whether there is one."""
    sizes = (ctypes.c_uint32 * len(texts))(*map(len, texts))
    joined = b"".join(text[:WORD_BYTES].ljust(WORD_BYTES, b"\0") for text in texts)
    return bool(header.make(joined, sizes, len(texts)))


def found(header: ctypes.CDLL, data: bytes) -> int:
    return int(header.at(data.ljust(WORD_BYTES, b"\0")))


@pytest.mark.parametrize(
    "texts",
    [
        (b'A"', b'B"'),
        (b'buy"', b'sell"'),
        (b'bid"', b'bids"'),
        (b'a"', b'b"', b'c"', b'd"'),
        (b'opens a long"', b'closes a short"'),
        (b'"', b'a"'),
        (b"true", b"false"),
        (b'only"',),
    ],
)
def test_a_text_is_found_whatever_follows_and_no_other_is(
    header: ctypes.CDLL, texts: tuple[bytes, ...]
) -> None:
    assert makes(header, list(texts))
    chance = random.Random(3)
    for number, text in enumerate(texts):
        for _ in range(200):
            assert found(header, text + chance.randbytes(WORD_BYTES - len(text))) == number
        for at in range(len(text)):
            for bit in range(8):
                other = bytearray(text)
                other[at] ^= 1 << bit
                expected = next((i for i, each in enumerate(texts) if other.startswith(each)), -1)
                assert found(header, bytes(other)) == expected


@pytest.mark.parametrize(
    "texts",
    [
        (),
        (b'a"', b'b"', b'c"', b'd"', b'e"'),  # more than there are places
        (b'sixteen letters!"', b'another"'),  # longer than what is compared
        (b'samestart"', b'samestarts"'),  # only the first eight bytes tell
        (b'a@@@"', b'@a@@"', b'@@a@"', b'@@@a"'),  # no two bits tell all of them apart
        (b'"', b'aa"', b'ab"'),  # behind the shortest one there may be anything
    ],
)
def test_texts_that_two_bits_do_not_tell_apart_are_no_choice(
    header: ctypes.CDLL, texts: tuple[bytes, ...]
) -> None:
    assert not makes(header, list(texts))
