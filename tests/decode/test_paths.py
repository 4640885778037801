"""Paths as declarations write them."""

from __future__ import annotations

import pytest

from tickwire.decode.paths import Step, iterations, parse_path
from tickwire.errors import PlanError


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("px", ("px",)),
        ("o.s", ("o", "s")),
        ("[0]", (0,)),
        ("[-2]", (-2,)),
        ("o.list[3].x", ("o", "list", 3, "x")),
        ("data[]", ("data", Step.EACH)),
        ("[][0]", (Step.EACH, 0)),
        ("data.mids{}", ("data", "mids", Step.MEMBERS)),
        ("a b.c-d.Ω", ("a b", "c-d", "Ω")),
    ],
)
def test_a_path_is_cut_into_steps(text: str, steps: tuple[object, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text", [".a", "a.", "a..b", "a[", "a]", "[x]", "a[0]b", "{", "a{}b", "[1.5]", "[--1]"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is no path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "length"), [("a.b", 0), ("a[]", 2), ("a[].b", 2), ("a[].b{}", 4), ("[]", 1)]
)
def test_iterations_end_a_prefix(text: str, length: int) -> None:
    assert iterations(parse_path(text)) == length
