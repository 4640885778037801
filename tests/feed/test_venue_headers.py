"""Headers that a venue needs go with the opening handshake; a source may have its own instead."""

import json
import re

import pytest
from tests.feed.exchange import exchange
from tests.feed.test_addresses import TRADE, n_trades, venue
from tests.venues.own import declare

import tickwire
from tickwire.errors import PlanError
from tickwire.venues import load

SIZES = {"X-Gate-Size-Decimal": "1"}


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({}, {"X-Gate-Size-Decimal": "1"}),
        ({"Origin": "https://a"}, {"X-Gate-Size-Decimal": "1", "Origin": "https://a"}),
        ({"x-gate-size-decimal": "0"}, {"X-Gate-Size-Decimal": "0"}),
    ],
)
def test_the_handshake_has_them(own: dict[str, str], sent: dict[str, str]) -> None:
    with exchange([[json.dumps(TRADE).encode()]], json.dumps) as server:
        source = tickwire.Source(
            venue=venue(headers=SIZES),
            channels=["trades"],
            symbols=["A"],
            url=server.ws_url,
            headers=own,
        )
        tickwire.run(n_trades(source, 1))
    (given,) = server.headers
    assert {name: given[name] for name in sent} == sent  # an error where one comes twice


def test_sizes_of_contracts_at_gate_have_their_fractions() -> None:
    assert load("gate-futures").headers == load("gate-btc").headers == SIZES
    assert load("gate").headers == {}


@pytest.mark.parametrize("wrong", [{"A b": "1"}, {"A": "1\r\nB: 2"}, {"A": 1}, ["A"]])
def test_what_is_no_header_is_found_where_it_is_declared(wrong: object) -> None:
    with pytest.raises(PlanError, match=re.escape("headers: ")):
        declare(headers=wrong)
