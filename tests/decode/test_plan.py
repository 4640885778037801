"""Declarations are data, made by small functions."""

from __future__ import annotations

import dataclasses

import pytest

from tickwire.decode import Program, plan
from tickwire.decode.plan import (
    Field,
    Reader,
    choice,
    constant,
    message,
    null,
    number,
    part,
    prefix,
    rows,
    text,
)
from tickwire.errors import PlanError
from tickwire.schema import TABLES


def test_a_bare_path_is_read_by_its_column() -> None:
    declared = plan.rows(at="", into="quotes", symbol="s", bid_price=plan.number("b"))
    assert declared.fields["symbol"] == Field(Reader.BY_COLUMN, "s")
    assert declared.fields["bid_price"] == Field(Reader.NUMBER, "b")


@pytest.mark.parametrize(("table", "once"), [("trades", True), ("quotes", False)])
def test_trades_are_delivered_once_unless_said_otherwise(table: str, once: bool) -> None:
    assert plan.rows(at="", into=table).once is once
    assert plan.rows(at="", into=table, once=not once).once is not once


@pytest.mark.parametrize(
    ("make", "unit_ns"),
    [(plan.seconds, 10**9), (plan.ms, 10**6), (plan.us, 10**3), (plan.ns, 1)],
)
def test_times_have_their_unit(make: object, unit_ns: int) -> None:
    assert callable(make)
    assert make("t") == Field(Reader.TIME, "t", unit_ns=unit_ns)


def test_a_scalar_in_when_or_raw_means_equal() -> None:
    made = plan.message("m", when={"a": 1, "b": plan.present()}, raw="pong")
    assert made.when == {"a": plan.equal(1), "b": plan.present()}
    assert made.raw == plan.equal("pong")
    assert made.kind == "data"


def test_declarations_cannot_be_changed() -> None:
    field = plan.text("x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        field.path = "y"  # type: ignore[misc]


def test_a_number_is_of_a_path_or_of_a_part() -> None:
    with pytest.raises(PlanError, match="without upper"):
        number(part("x", ",", 0, upper=True))
    with pytest.raises(PlanError, match="takes a path"):
        number(text("x"))


def test_rows_depend_on_scalars_alone() -> None:
    quotes = rows(at="", into="quotes", when={"x": prefix("a")}, symbol="s")
    with pytest.raises(PlanError, match=r"when\['x'\]: takes equal, .* not prefix"):
        Program("own", [message("one", rows=[quotes])], TABLES)


def test_a_choice_that_may_be_null_needs_a_column_that_may() -> None:
    trades = rows(
        at="",
        into="trades",
        symbol="s",
        channel=constant("trades"),
        price="p",
        size="q",
        side=choice("m", {"b": "buy"}, otherwise=null()),
        trade_id="i",
    )
    with pytest.raises(PlanError, match=r"side: may not be null"):
        Program("own", [message("one", rows=[trades])], TABLES)
