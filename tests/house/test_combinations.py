"""What `make test` leaves out of a product, each two values of it have met."""

import re
from itertools import combinations, product
from pathlib import Path

import pytest
from tests.house.combinations import left_out

SIZES = [(2, 2, 2), (2, 3, 2), (3, 2, 18), (2, 3, 2, 5)]


def given(sizes: tuple[int, ...]) -> list[dict[str, object]]:
    values = [[f"{name} {place}" for place in range(size)] for name, size in enumerate(sizes)]
    return [{f"p{name}": value for name, value in enumerate(each)} for each in product(*values)]


@pytest.mark.parametrize("remainder", [0, 1])
@pytest.mark.parametrize("sizes", SIZES)
def test_each_two_values_meet(sizes: tuple[int, ...], remainder: int) -> None:
    tests = given(sizes)
    run = [
        each
        for each, out in zip(tests, left_out(tests, remainder=remainder), strict=True)
        if not out
    ]
    assert len(run) == len(tests) / 2
    for one, other in combinations(tests[0], 2):
        assert {(each[one], each[other]) for each in run} == {
            (each[one], each[other]) for each in tests
        }


def test_two_parameters_and_what_is_no_product_run_whole() -> None:
    assert left_out(given((2, 3))) == [False] * 6
    assert left_out(given((2, 2, 2))[:7]) == [False] * 7


def test_where_two_are_enough_each_value_is_there() -> None:
    tests = given((2, 3))
    run = [each for each, out in zip(tests, left_out(tests, 2), strict=True) if not out]
    assert len(run) == 3
    assert [len({each[name] for each in run}) for name in ("p0", "p1")] == [2, 3]


def test_of_one_parameter_one_value_is_there() -> None:
    assert left_out(given((2,)), 1) == [False, True]
    assert left_out(given((2,)), 1, 1) == [True, False]


def test_names_that_are_given_together_are_one_parameter() -> None:
    code = "1002"  # of several faults
    tests = [each | {"code": code if each["p1"] != "1 0" else "1007"} for each in given((2, 3))]
    assert left_out(tests) == [False] * 6


def test_coverage_runs_each_test_of_both_loops_on_one() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    [uncounted] = re.findall(r"^UNCOUNTED := (.*)$", makefile, re.M)
    assert "-k 'not uvloop'" in makefile
    # Of some tests the half on asyncio is marked so, and that on uvloop is not in.
    assert "combination" not in uncounted.split()
