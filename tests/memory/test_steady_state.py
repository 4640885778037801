"""From bytes in the receive buffer to published rows, nothing is allocated for a message.

`benchmarks.allocations` says what is counted and how.
"""

from __future__ import annotations

import pytest
from benchmarks.allocations import KEPT, MOST_PER_READ, Counts, why_not
from benchmarks.allocations import counts as count_all
from benchmarks.decode.payloads import CASES

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can be counted")


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Counts:
    return count_all(tmp_path_factory.mktemp("counter"))


@pytest.mark.parametrize("case", CASES)
def test_messages_allocate_nothing(counts: Counts, case: str) -> None:
    each = counts[case]
    assert each["many_per_read"] >= 2 * each["few_per_read"]
    assert each["many"] == each["few"]


@pytest.mark.parametrize("case", CASES)
def test_a_read_allocates_only_what_python_needs_for_it(counts: Counts, case: str) -> None:
    each = counts[case]
    assert each["few"] <= MOST_PER_READ * each["reads"]


def test_the_counter_sees_an_object_for_each_message(counts: Counts) -> None:
    assert counts[KEPT]["allocations"] > counts[KEPT]["messages"]
