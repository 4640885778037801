"""Checksums of books, beside the venues' own words for them in plain Python."""

import random
import zlib

import pytest

from tickwire.book import BookChecksums
from tickwire.book._checksum import decimals_of

LEVELS = [("bid", "99.50", "1.250"), ("bid", "98.00", "0.001"), ("ask", "100.00", "12.000")]


def filled(checksums: BookChecksums) -> BookChecksums:
    checksums.learn(0, [(price, size) for _, price, size in LEVELS])
    rows = [(side, float(price), float(size)) for side, price, size in LEVELS]
    checksums.apply(0, rows, is_snapshot=True)
    return checksums


def test_kraken() -> None:
    text = "1000012000" + "99501250" + "98001"
    assert filled(BookChecksums(10)).checksum(0) == zlib.crc32(text.encode())


def test_kraken_of_fewer_levels() -> None:
    text = "1000012000" + "99501250"
    assert filled(BookChecksums(1)).checksum(0) == zlib.crc32(text.encode())


def test_okx_as_it_was() -> None:
    checksums = BookChecksums(25, interleaved=True, plain=True, separator=":", learns=False)
    text = "99.5:1.25:100:12:98:0.001"
    assert filled(checksums).checksum(0) == zlib.crc32(text.encode())


def test_bitget_as_it_was() -> None:
    checksums = BookChecksums(25, interleaved=True, plain=True, separator=":")
    text = "99.50:1.250:100.00:12.000:98.00:0.001"
    assert filled(checksums).checksum(0) == zlib.crc32(text.encode())


def test_numbers_of_any_size_and_sign_have_a_text() -> None:
    checksums = BookChecksums(2, interleaved=True, plain=True, separator=":", learns=False)
    rows = [
        ("bid", -0.25, 1e-20),  # a price below zero, a size of more decimals than any venue has
        ("ask", 3.0, 1e18),  # a size of more digits than a sum can hold has none
    ]
    checksums.apply(0, rows, is_snapshot=True)
    assert checksums.checksum(0) == zlib.crc32(b"-0.25:0.000000000000000000:3:")


@pytest.mark.parametrize("depth", [0, 10, 25])
def test_any_book_has_the_checksum_of_a_slow_one(depth: int) -> None:
    rng = random.Random(depth)
    checksums = BookChecksums(10, depth=depth)
    checksums.learn(0, [("0.01", "0.00000001")])
    sides: dict[str, dict[int, int]] = {"bid": {}, "ask": {}}
    for number in range(2000):
        rows = []
        for _ in range(rng.randint(0, 4)):
            side = rng.choice(["bid", "ask"])
            price, size = rng.randint(1, 60), rng.choice([0, rng.randint(1, 10**12)])
            rows.append((side, price / 100, size / 10**8))
            sides[side].pop(price, None)
            if size:
                sides[side][price] = size
        checksums.apply(0, rows, is_snapshot=False)
        best = {side: sorted(found, reverse=side == "bid") for side, found in sides.items()}
        if depth:
            best = {side: found[:depth] for side, found in best.items()}
            sides = {side: {at: sides[side][at] for at in found} for side, found in best.items()}
        text = "".join(
            f"{price}{sides[side][price]}" for side in ("ask", "bid") for price in best[side][:10]
        )
        assert checksums.checksum(0) == zlib.crc32(text.encode()), number


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("1", 0), ("1.50", 2), ("1e-08", 8), ("1.5E-8", 9), ("15e3", 0), ("0.00000000", 8)],
)
def test_decimals_of_a_text(text: str, decimals: int) -> None:
    assert decimals_of(text) == decimals


def test_what_is_not_possible_is_refused() -> None:
    with pytest.raises(ValueError, match="levels is 0, should be 1 to 100"):
        BookChecksums(0)
    assert BookChecksums(10).decimals(0) is None


@pytest.mark.parametrize("plain", [False, True])
def test_numbers_of_every_length_are_written_as_text(plain: bool) -> None:
    for n_digits in range(1, 16):
        for decimals in range(min(n_digits, 9)):
            number = int("9876543210123456"[:n_digits])
            for value in (number, 10 ** (n_digits - 1), 10**n_digits - 1):
                text = f"{value / 10**decimals:.{decimals}f}"
                checksums = BookChecksums(1, plain=plain)
                checksums.learn(0, [(text, "1")])
                checksums.apply(0, [("ask", float(text), 1.0)], is_snapshot=True)
                price = text if plain else text.replace(".", "").lstrip("0")
                assert checksums.checksum(0) == zlib.crc32(f"{price}1".encode()), text
