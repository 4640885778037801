"""What follows what, by chain."""

import pytest

from tickwire.book import CHAINS
from tickwire.book._chains import follows

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("chain", "numbers", "answer"),
    [
        ("linked", {"prev": 100, "last": 105}, "next"),
        ("linked", {"prev": 100, "last": 100}, "next"),  # a keepalive
        ("linked", {"prev": 100, "last": 3}, "next"),  # numbers fall, and link
        ("linked", {"prev": 90, "last": 100}, "old"),
        ("linked", {"prev": 2, "last": 5}, "hole"),  # behind a fall that was lost
        ("linked", {"prev": 101, "last": 105}, "hole"),
        ("linked", {"last": 105}, "hole"),
        ("counted", {"last": 101}, "next"),
        ("counted", {"last": 100}, "old"),
        ("counted", {"last": 99}, "old"),
        ("counted", {"last": 102}, "hole"),
        ("counted", {"last": 102, "step": 2}, "next"),
        ("counted", {"last": LARGEST}, "hole"),
        ("counted", {}, "hole"),
        ("ranges", {"first": 101, "last": 109}, "next"),
        ("ranges", {"first": 90, "last": 100}, "old"),
        ("ranges", {"first": 90, "last": 101}, "hole"),  # it covers more than what is missing
        ("ranges", {"first": 102, "last": 109}, "hole"),
        ("ranges", {"last": 109}, "hole"),
        ("per_connection", {}, "next"),
        ("checksum", {}, "next"),
        ("none", {"last": 5}, "next"),
    ],
)
def test_a_chain_compares(chain: str, numbers: dict[str, int], answer: str) -> None:
    assert follows(chain, 100, **numbers) == answer


def test_the_largest_number_has_no_next() -> None:
    assert follows("counted", LARGEST, last=-LARGEST) == "old"
    assert follows("ranges", -LARGEST, first=LARGEST, last=LARGEST) == "hole"


def test_every_chain_is_known_and_no_other() -> None:
    assert all(follows(chain, 0, first=1, last=1, prev=0) == "next" for chain in CHAINS)
    with pytest.raises(ValueError, match="unknown chain 'hashed': one of linked"):
        follows("hashed", 0)
