"""Which operation reads a field into a column, and which do not fit."""

from __future__ import annotations

import pytest

from tickwire.decode import plan
from tickwire.decode.actions import Op, action_for, constant_code
from tickwire.decode.plan import Field, Reader
from tickwire.errors import PlanError
from tickwire.schema import Column, Kind

BARE = Field(Reader.BY_COLUMN, "x")


@pytest.mark.parametrize(
    ("kind", "op"),
    [
        (Kind.F64, Op.NUMBER),
        (Kind.I64, Op.INTEGER),
        (Kind.I32, Op.INTEGER32),
        (Kind.BOOL, Op.FLAG),
        (Kind.CODE32, Op.CODE),
        (Kind.TEXT, Op.TEXT),
        (Kind.BINARY, Op.TEXT),
    ],
)
def test_a_bare_path_follows_its_column(kind: Kind, op: Op) -> None:
    action = action_for("symbol", BARE, kind)
    assert action.op is op
    assert action.dictionary == ("symbol" if kind is Kind.CODE32 else "")


@pytest.mark.parametrize(
    ("field", "kinds"),
    [
        (plan.number("x"), {Kind.F64}),
        (plan.integer("x"), {Kind.I64, Kind.I32}),
        (plan.text("x"), {Kind.CODE16, Kind.CODE32, Kind.TEXT, Kind.BINARY}),
        (plan.flag("x"), {Kind.BOOL}),
        (plan.ms("x"), {Kind.TS}),
        (plan.rfc3339("x"), {Kind.TS}),
        (plan.choice("x", {"a": "b"}), {Kind.CODE16}),
        (plan.choice("x", {"a": True}), {Kind.BOOL}),
        (plan.sign("x", positive="a", negative="b"), {Kind.CODE16}),
        (plan.part("x", "@", 0), {Kind.CODE16, Kind.CODE32}),
        (plan.number(plan.part("x", ",", 0)), {Kind.F64}),
        (plan.member_key(), {Kind.CODE16, Kind.CODE32}),
        (plan.given(), {Kind.CODE32}),
        (plan.constant("x"), set()),
        (BARE, set(Kind) - {Kind.TS}),
    ],
    ids=lambda x: x.reader.value if isinstance(x, Field) else "",
)
def test_a_field_fits_these_columns_and_no_others(field: Field, kinds: set[Kind]) -> None:
    for kind in Kind:
        if kind in kinds:
            action_for("side", field, kind)
        else:
            with pytest.raises(PlanError):
                action_for("side", field, kind)


def test_a_dictionary_of_a_venues_own_takes_choices_only() -> None:
    with pytest.raises(PlanError, match="only symbol, channel, side, interval"):
        action_for("liquidity", plan.text("x"), Kind.CODE16)
    action_for("liquidity", plan.choice("x", {"m": "maker"}), Kind.CODE16)


@pytest.mark.parametrize("separator", ["", "ab", "é"])
def test_a_separator_is_one_byte(separator: str) -> None:
    with pytest.raises(PlanError, match="not one character"):
        action_for("symbol", plan.part("x", separator, 0), Kind.CODE32)


def test_a_choice_needs_choices() -> None:
    with pytest.raises(PlanError, match="needs choices"):
        action_for("side", plan.choice("x", {}), Kind.CODE16)
    with pytest.raises(PlanError, match="does not fit"):
        action_for("side", plan.choice("x", {"a": "b"}, otherwise=True), Kind.CODE16)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Kind.F64, 1.0, [1, "1", True, None]),
        (Kind.I64, 1, [1.0, "1", True, None]),
        (Kind.I32, 1, [1.0, True]),
        (Kind.BOOL, True, [1, "true", None]),
        (Kind.CODE16, "a", [1, True, None]),
        (Kind.TS, 1, [1.0, "2024-01-01"]),
    ],
)
def test_a_constant_is_of_its_columns_kind(kind: Kind, good: object, bad: list[object]) -> None:
    column = Column("c", kind)
    assert constant_code(column, good) == good  # type: ignore[arg-type]
    for value in bad:
        with pytest.raises(PlanError, match="does not fit"):
            constant_code(column, value)  # type: ignore[arg-type]


def test_actions_differ_by_what_they_do_and_not_by_their_register() -> None:
    one = action_for("side", plan.choice("x", {1: "a"}), Kind.CODE16)
    other = action_for("side", plan.choice("x", {1: "a"}), Kind.CODE16)
    other.register = 5
    assert one.identity() == other.identity()
    third = action_for("side", plan.choice("x", {True: "a"}), Kind.CODE16)
    assert one.identity() != third.identity()
