"""The simulator's moving book is what a recorded one is to a decoder, and always the same."""

import json
from hashlib import sha256
from itertools import pairwise
from statistics import mean

import pytest
from benchmarks.decode import books
from tests.reference import read_messages

N_BOOKS = 2000
RECORDED = "hyperliquid/hlarchive-l2book-btc-20240101-12-a"


def levels(payload: bytes) -> list[str]:
    return [json.dumps(each) for side in json.loads(payload)["data"]["levels"] for each in side]


def repeated(payloads: list[bytes]) -> float:
    """The share of levels that stood in the snapshot before, byte for byte."""
    shares = []
    for before, after in pairwise(map(levels, payloads)):
        known = set(before)
        shares.append(sum(level in known for level in after) / len(after))
    return mean(shares)


def test_nine_of_ten_levels_stood_in_the_snapshot_before() -> None:
    payloads = [books.book(number) for number in range(N_BOOKS)]
    assert repeated(payloads) == pytest.approx(0.91, abs=0.01)
    assert {len(levels(payload)) for payload in payloads} == {40}
    assert 1550 < mean(map(len, payloads)) < 1620
    assert len(set(payloads)) == N_BOOKS
    times = [json.loads(payload)["data"]["time"] for payload in payloads]
    assert {after - before for before, after in pairwise(times)} == {books.BOOK_INTERVAL_MS}


def test_a_number_always_has_the_same_snapshot() -> None:
    again = books.Books()
    backwards = [again.get(number) for number in (700, 3, 0)]
    assert backwards == [books.book(number) for number in (700, 3, 0)]
    assert books.book(books.N_BOOKS + 3) == books.book(3)
    # The same in any process and on any Python.
    assert sha256(books.book(700)).hexdigest()[:16] == "b73dd61237803bcf"


@pytest.mark.captures
def test_it_is_like_the_recorded_one() -> None:
    recorded = [message.payload for message in read_messages(RECORDED)]
    made = [books.book(number) for number in range(len(recorded))]
    assert repeated(made) == pytest.approx(repeated(recorded), abs=0.01)
    assert mean(map(len, made)) == pytest.approx(mean(map(len, recorded)), rel=0.01)
    for payload in recorded:
        assert len(levels(payload)) == len(levels(made[0])) == 40
