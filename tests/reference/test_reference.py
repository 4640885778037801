"""The judge is judged: the comparison finds differences, and a disguise changes no meaning."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import Columns, disguise, first_difference, parse
from tests.reference.rows import BadMessageError, Number, real, whole

from tickwire.schema import TABLES

QUOTE = {
    "venue": "binance",
    "symbol": "BTCUSDT",
    "ts_event": None,
    "ts_recv": 1_723_161_255_343_000_001,
    "conn": 3,
    "bid_price": 0.1,
    "bid_size": 0.0,
    "ask_price": None,
    "ask_size": 5e-324,
    "venue_seq": 7,
}


def quotes(*changes: dict[str, object]) -> tuple[Columns, pa.Table]:
    """Give two quotes as the reference has them, and as a table with changes in the second."""
    expected = Columns("quotes")
    expected.extend([QUOTE, QUOTE])
    schema = TABLES["quotes"].arrow_schema
    rows = [{"seq": 10} | QUOTE, {"seq": 11} | QUOTE]
    for change in changes:
        rows[1] |= change
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return expected, pa.table(columns, schema=schema)


def test_equal_rows_have_no_difference() -> None:
    assert first_difference(*quotes()) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("symbol", "ETHUSDT"),
        ("ts_event", 0),
        ("ts_recv", 1_723_161_255_343_000_002),
        ("conn", 4),
        ("bid_price", 0.1 + 2**-56),
        ("bid_size", -0.0),
        ("ask_price", 0.0),
        ("ask_size", 0.0),
        ("venue_seq", None),
    ],
)
def test_the_first_difference_is_named(column: str, value: object) -> None:
    difference = first_difference(*quotes({column: value}))
    assert difference is not None
    assert f"row 1, {column}" in difference


def test_numbers_of_rows_and_seq_are_compared() -> None:
    expected, table = quotes()
    assert "1 rows, expected 2" in (first_difference(expected, table.slice(0, 1)) or "")
    assert "seq" in (first_difference(*quotes({"seq": 13})) or "")


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.integers() | st.just(Number("1.50e1")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(JSON, st.integers(0, 1000), st.booleans(), st.booleans())
def test_a_disguise_changes_no_meaning(
    value: object, seed: int, escape: bool, duplicate: bool
) -> None:
    payload = json.dumps(value).encode()
    other = disguise(payload, seed, escape=escape, duplicate=duplicate)
    assert json.loads(other) == json.loads(payload)


def test_values_follow_the_grammar_of_json() -> None:
    assert parse(b'{"a":1.50}') == {"a": "1.50"}
    assert real("1e-3") == 0.001
    assert real("") is None
    assert whole("-7") == -7
    for wrong in ("+1", "01", ".5", "1.", "NaN", "Infinity", " 1", "1_0", "0x1"):
        with pytest.raises(BadMessageError):
            real(wrong)
    with pytest.raises(BadMessageError):
        parse(b'{"a":NaN}')
    with pytest.raises(BadMessageError):
        parse(b"{")
