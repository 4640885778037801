"""Each rule by the words of its venue."""

import pytest

from tickwire.book import RULES
from tickwire.book._rules import relation

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("rule", "delta", "found"),
    [
        ("first_is_next", (90, 100, 89), "old"),  # u <= lastUpdateId
        ("first_is_next", (90, 101, 89), "next"),  # U <= lastUpdateId + 1 <= u
        ("first_is_next", (101, 105, 100), "next"),
        ("first_is_next", (102, 105, 101), "hole"),
        ("first_covers", (90, 99, 89), "old"),  # u < lastUpdateId
        ("first_covers", (90, 100, 89), "next"),  # U <= lastUpdateId <= u
        ("first_covers", (101, 105, 99), "hole"),
        ("first_covers", (103, 105, 100), "next"),  # pu == lastUpdateId
        ("first_is_next", (LARGEST, LARGEST, LARGEST - 1), "hole"),
        ("first_covers", (-LARGEST, -LARGEST, -LARGEST), "old"),
    ],
)
def test_the_first_delta_after_a_snapshot(
    rule: str, delta: tuple[int, int, int], found: str
) -> None:
    assert relation(rule, 100, *delta, after_snapshot=True) == found


@pytest.mark.parametrize("rule", RULES)
def test_each_later_delta_is_linked_to_the_one_before(rule: str) -> None:
    assert relation(rule, 100, 150, 160, 100) == "next"
    assert relation(rule, 100, 90, 100, 89) == "old"
    assert relation(rule, 100, 102, 105, 101) == "hole"


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown book rule 'last_wins': one of first_is_next"):
        relation("last_wins", 1, 2, 2, 1)
