"""State carried from message to message, against a dictionary that does the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.declarations import STATES
from tests.decode.feeds import Feed

NAMES = {"l": "last_price", "m": "mark_price", "f": "funding_rate"}
values = st.dictionaries(st.sampled_from(sorted(NAMES)), st.none() | st.integers(1, 9))
sent = st.tuples(st.sampled_from(["full", "change"]), st.sampled_from("ABC"), values, st.booleans())


def message_of(kind: str, symbol: str, fields: dict[str, Any], broken: bool) -> bytes:
    data = {"s": symbol} | fields
    return json.dumps({"e": kind, "data": data, "t": "no time" if broken else 1}).encode()


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(st.lists(sent, max_size=20))
def test_a_row_has_the_last_value_of_each_column_of_its_symbol(
    messages: list[tuple[str, str, dict[str, Any], bool]],
) -> None:
    feed = Feed(STATES)
    known: dict[str, dict[str, float | None]] = {}
    for kind, symbol, fields, broken in messages:
        found = feed.rows(message_of(kind, symbol, fields, broken)).get("tickers", [])
        if broken:
            assert found == []
            continue
        state = dict.fromkeys(NAMES.values()) if kind == "full" else known.get(symbol, {})
        # A null says as little as a missing field.
        state = state | {NAMES[key]: value for key, value in fields.items() if value is not None}
        known[symbol] = state
        (row,) = found
        assert {name: row[name] for name in NAMES.values()} == {
            name: state.get(name) for name in NAMES.values()
        }


def test_more_symbols_than_fit_at_first_keep_their_state() -> None:
    feed = Feed(STATES)
    symbols = [f"S{number}" for number in range(3000)]
    for number, symbol in enumerate(symbols):
        feed.offer(message_of("full", symbol, {"l": number}, False))
    feed.take("tickers")
    for number, symbol in enumerate(symbols):
        (row,) = feed.rows(message_of("change", symbol, {"m": 1}, False))["tickers"]
        assert (row["symbol"], row["last_price"], row["mark_price"]) == (symbol, number, 1.0)


def test_sources_carry_apart() -> None:
    first, second = Feed(STATES), Feed(STATES)
    first.rows(message_of("full", "A", {"l": 5}, False))
    (row,) = second.rows(message_of("change", "A", {"m": 1}, False))["tickers"]
    assert row["last_price"] is None
