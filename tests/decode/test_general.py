"""The fallback: order of keys, equal keys, empty and deep values, values of another kind."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from tests.decode.declarations import BOOKS, POSITIONAL, STATES, TRADES
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

LISTED = '{"e":"listed","data":[%s]}'
TRADE = '{"s":"A","t":1,"p":1,"q":1,"m":"b","i":"%s"}'


def test_every_order_of_keys_gives_the_same_rows() -> None:
    parts = {
        "e": '"e":"sides"', "t": '"t":5', "kind": '"kind":"full"',
        "data": '"data":{%s}',
    }  # fmt: skip
    inner = ['"s":"A"', '"u":9', '"b":[["1","2"],["3","4"]]', '"a":[["5","6"]]']
    feed = Feed(BOOKS)
    expected = None
    for outer in permutations(parts.values()):
        for order in permutations(inner):
            found = feed.rows("{" + ",".join(outer) % ",".join(order) + "}")["book"]
            expected = expected or found
            assert found == expected
    assert expected is not None
    assert [row["side"] for row in expected] == ["bid", "bid", "ask"]


@pytest.mark.parametrize(
    "text",
    [
        '{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":1,"b":[[1,2]],"a":[],"b":[[3,4]]}}',
        '{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":1,"a":[[1,2]],"b":[],"a":[]}}',
        '{"e":"sides","t":1,"kind":"full","data":{"b":[[1,2]],"a":[],"s":"A","u":1},"t":[],"t":2}',
        '{"e":"sides","t":1,"kind":"full","data":1,"data":{"s":"A","u":1,"b":[],"a":[]}}',
        '{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":1,"b":[[1,2]],"a":[]},"data":{}}',
        '{"e":"sides","t":1,"kind":"full","data":{"s":"A","u":1,"b":[[1,2]],"a":[]},"data":null}',
        '{"e":"sides","t":1,"kind":"x","kind":"full","data":{"s":[],"s":"A","u":1,"b":[],"a":[]}}',
    ],
)
def test_of_equal_keys_the_last_counts(text: str) -> None:
    feed, model = Feed(BOOKS), Model(BOOKS, DATA)
    expected = model.decode(text.encode())
    assert feed.rows(text) == (expected or {})
    assert len(feed.reasons()) == (expected is None)


def test_an_equal_outer_key_behind_the_rows_counts_for_them() -> None:
    text = '{"e":"outer","t":1,"i":"%s","arg":{"s":"A"},"data":[{"p":1,"q":1,"m":"b"}]%s}'
    feed = Feed(TRADES)
    for extra in (
        ',"arg":{"s":"B"}',
        ',"i":"9"',
        ',"t":2',
        ',"arg":{"s":"B","s":"C"}',
        ',"arg":null',
    ):
        payload = text % (f"id {len(extra)}", extra)
        expected = Model(TRADES, DATA).decode(payload.encode())
        assert feed.rows(payload) == (expected or {})


def test_equal_members_give_one_row_in_the_first_ones_place() -> None:
    feed = Feed(STATES)
    found = feed.rows(
        '{"e":"mids","t":1,"mids":{"A":{"p":[]},"B":{"p":2},"\\u0041":{"p":1},"B":{"p":3}}}'
    )
    for table, column in (("mids", "price"), ("tickers", "mark_price")):
        assert [(row["symbol"], row[column]) for row in found[table]] == [("A", 1.0), ("B", 3.0)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LISTED % "null", "missing"), (LISTED % "1", "wrong_kind"), (LISTED % "[]", "wrong_kind"),
        (LISTED % "{}", "missing"), ('{"e":"listed","data":{}}', "wrong_kind"),
        ('{"e":"listed","data":null}', "missing"), ('{"e":"listed","data":"x"}', "wrong_kind"),
        ('{"e":"listed"}', "missing"), ('{"e":"optional","data":{}}', "wrong_kind"),
        ('{"e":"optional","data":7}', "wrong_kind"), (LISTED % "1 2", "wrong_kind"),
        (LISTED % "," , "not_json"), ('{"e":"listed","data":[],}', "not_json"),
        ('{"e":"listed",,"data":[]}', "not_json"), ('{"e":"listed" "data":[]}', "not_json"),
        ('{"e":"listed","data":[}', "not_json"), ('{"e":"listed","x":[}],"data":[]}', "not_json"),
        ('{"e":"listed",data:[]}', "not_json"), ('{"e":"listed","data"[]}', "not_json"),
        ('{"e":"listed","data":[' + TRADE % "1" + ",]}", "not_json"),
        ('{"e":"listed","x":"\t","data":[]}', "not_json"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [[], [LISTED % (TRADE % "7")], [LISTED % ""]])
def test_what_is_no_list_of_trades_is_refused(text: str, reason: str, before: list[str]) -> None:
    feed = Feed(TRADES)
    for earlier in before:
        feed.rows(earlier)
    assert feed.rows(text) == {}
    assert feed.reasons() == [(reason, text.encode())]


def test_empty_arrays_and_absent_optional_places_give_no_rows() -> None:
    feed = Feed(TRADES)
    for text in (LISTED % "", '{"e":"optional"}', '{"e":"optional","data":null}', LISTED % " \n"):
        assert feed.rows(text) == {}
    assert feed.reasons() == []


def test_values_do_not_leak_into_the_next_row_or_message() -> None:
    feed = Feed(STATES)
    full = '{"e":"several","s":"A","price":1,"q":[1,2,3],"list":[]}'
    assert feed.rows(full)["quotes"][0]["ask_price"] == 2.0
    for q in ("[]", "[null]", "[7]"):
        row = feed.rows(full.replace("[1,2,3]", q))["quotes"][0]
        assert row["ask_price"] is None
        assert row["bid_price"] == (7.0 if q == "[7]" else None)
    listed = Feed(TRADES)
    whole = TRADE % "1"
    assert listed.rows(LISTED % (whole + "," + (TRADE % "2").replace('"p":1,', ""))) == {}
    assert listed.reasons()[0][0] == "missing"
    assert listed.rows(LISTED % whole)
    assert listed.rows(LISTED % '{"i":"3"}') == {}
    assert listed.reasons()[0][0] == "missing"


@pytest.mark.parametrize("depth", [1, 100, 512, 513, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_skipped_values_may_nest_512_deep(depth: int, brackets: str) -> None:
    inside = "[" * depth + "]" * depth
    if brackets == "{}":
        inside = '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)
    feed = Feed(TRADES)
    payload = '{"e":"listed","x":' + inside + ',"data":[' + TRADE % "1" + "]}"
    assert bool(feed.rows(payload)) is (depth <= 512)
    assert len(feed.reasons()) == (depth > 512)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_positions_count_from_both_ends(n: int) -> None:
    feed, model = Feed(POSITIONAL), Model(POSITIONAL, DATA)
    body = [[["1", "2", 3, "b", "id"]], {"a": [["1", "2"]]}, {"b": [["3", "4"]]}, "SYM", "END"]
    for kind in ("trade", "book", "mids"):
        payload = json.dumps([17, kind, *body[:n]]).encode()
        expected = model.decode(payload)
        assert feed.rows(payload) == (expected or {})
        assert len(feed.reasons()) == (expected is None)
