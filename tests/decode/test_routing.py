"""Which declaration a message belongs to."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import (
    Message,
    Test,
    absent,
    equal,
    member_key,
    message,
    prefix,
    present,
    rows,
    suffix,
    unlike,
)


def mid(name: str, when: dict[str, object], **more: object) -> Message:
    """A message whose price says which one it is taken for."""
    from tickwire.decode.plan import constant

    price = float(len(name))
    return message(
        name,
        when=when,  # type: ignore[arg-type]
        rows=[rows(at="", into="mids", symbol=constant(name), price=constant(price))],
        **more,  # type: ignore[arg-type]
    )


def taken_for(feed: Feed, text: str) -> str | None:
    """The name of the declaration that gave the row; None where there is no row."""
    found = feed.rows(text).get("mids", [])
    assert len(found) < 2
    return found[0]["symbol"] if found else None


TESTS: list[tuple[Test, list[str], list[str]]] = [
    (
        equal("a", 1, True),
        ['"a"', "1", "1.0", "1e0", "true", '"\\u0061"'],
        ['"1"', "false", '"ab"'],
    ),
    (prefix("ab", "x"), ['"ab"', '"abc"', '"x"', '"\\u0061b"'], ['"a"', '""', "1", "[]", "null"]),
    (suffix("ab", "x"), ['"ab"', '"cab"', '"x"'], ['"b"', '""', '"abc"', "true", '{"ab":1}']),
    (present(), ["null", '""', "[1]", '{"a":1}', "0"], []),
    (unlike("a", 1), ['"b"', "null", "[]", '"1"', "true"], ['"a"', "1", "1.00"]),
]


@pytest.mark.parametrize(
    ("test", "right", "wrong"), TESTS, ids=lambda x: getattr(x, "relation", "")
)
@pytest.mark.parametrize("predicted", [False, True])
def test_a_test_holds_for_these_and_not_for_those(
    test: Test, right: list[str], wrong: list[str], predicted: bool
) -> None:
    feed = Feed([mid("chosen", {"e": test}), mid("the rest", {})])
    for before in (right + wrong) if predicted else [None]:
        for value, name in [(x, "chosen") for x in right] + [(x, "the rest") for x in wrong]:
            if before is not None:
                taken_for(feed, f'{{"k":"v","e":{before}}}')
            assert taken_for(feed, f'{{"k":"v","e":{value}}}') == name
    expected = "chosen" if test.relation == "unlike" else "the rest"
    assert taken_for(feed, '{"k":"v"}') == expected
    assert feed.reasons() == []


def test_absent_is_not_null() -> None:
    feed = Feed([mid("absent", {"o.e": absent()}), mid("there", {})])
    assert taken_for(feed, '{"o":{}}') == "absent"
    assert taken_for(feed, '{"o":1}') == "absent"
    assert taken_for(feed, '{"o":{"e":null}}') == "there"
    assert taken_for(feed, '{"o":{"e":1},"o":{}}') == "absent"


def test_the_first_declaration_that_matches_wins() -> None:
    whens = {
        "a": {"x": 1},
        "bb": {"x": prefix("p"), "y": present()},
        "ccc": {"y": "y"},
        "dddd": {"z.z": absent(), "x": unlike(2)},
    }
    values = ["", '"x":1', '"x":2', '"x":"pq"', '"y":"y"', '"y":null', '"z":{"z":0}']
    for order in permutations(whens):
        messages = [mid(name, dict(whens[name])) for name in order]
        feed, model = Feed(messages), Model(messages, DATA)
        for seed in range(40):
            some = Random(seed).sample(values, 3)
            text = "{" + ",".join(x for x in some if x) + "}"
            expected = model.decode(text.encode())
            assert expected is not None
            found = expected["mids"][0]["symbol"] if expected else None
            assert taken_for(feed, text) == found, (order, text)


def test_the_key_that_routes_may_come_last_and_twice() -> None:
    feed = Feed([mid("a", {"e": "a"}), mid("bb", {"e": "bb"})])
    long = ",".join(f'"k{i}":[{i},{{"e":"a"}}]' for i in range(50))
    for name in ("a", "bb", "a", "a", "bb"):
        assert taken_for(feed, f'{{"t":"same",{long},"e":"{name}"}}') == name
        assert taken_for(feed, f'{{"e":"a","e":"bb",{long},"e":"{name}"}}') == name
        assert taken_for(feed, f'{{"e":"{name}","e":[],"e":null,"e":"{name}"}}') == name
    assert taken_for(feed, '{"e":"a","e":"c"}') is None
    assert feed.decoder.unknown_messages == 1


def test_a_message_that_begins_like_another_is_not_taken_for_it() -> None:
    book = rows(at="data[]", into="mids", symbol="s", price="p")
    other = rows(at="data[]", into="quotes", symbol="s", bid_price="p")
    feed = Feed(
        [
            message("mid", when={"e": "x", "kind": "mid"}, rows=[book]),
            message("quote", when={"e": "x", "kind": "quote"}, rows=[other]),
            message("nothing", when={"e": "x", "kind": "none"}, kind="ignore"),
        ]
    )
    data = '"data":[{"s":"A","p":1},{"s":"B","p":2}]'
    rng = Random(3)
    for _ in range(60):
        kind = rng.choice(["mid", "quote", "none", "other"])
        found = feed.rows(f'{{"e":"x",{data},"kind":"{kind}"}}')
        expected = {"mid": ["mids"], "quote": ["quotes"], "none": [], "other": []}[kind]
        assert list(found) == expected
        assert all(len(x) == 2 for x in found.values())
    assert feed.reasons() == []


def test_a_wrong_prediction_remembers_no_trade() -> None:
    from tests.decode.declarations import TRADES

    trade = '{"k":"v","s":"A","t":1,"p":1,"q":1,"m":"b","i":"7","e":"%s"}'
    other = message("other", when={"e": "other"}, kind="ignore")
    feed = Feed([TRADES[0], other])
    assert feed.rows((trade % "flat").replace('"7"', '"6"'))["trades"]
    assert feed.rows(trade % "other") == {}  # predicted to be a trade
    assert [row["trade_id"] for row in feed.rows(trade % "flat")["trades"]] == ["7"]
    assert feed.rows(trade % "flat") == {}


def test_raw_texts_and_events() -> None:
    feed = Feed(
        [
            message("pong", raw="pong", kind="pong"),
            message("hello", raw=prefix("Hello, "), kind="ignore"),
            message("wrong", raw=suffix("!"), kind="error"),
            message("ack", when={"id": present()}, kind="acknowledge"),
            mid("data", {"e": "data"}),
        ]
    )
    for text, kind in [
        ("pong", "pong"), ("Hello, you", None), ("oh no!", "error"), ('{"id":1}', "acknowledge"),
    ]:  # fmt: skip
        for _ in range(2):
            assert feed.rows(text) == {}
            assert feed.connection.has_events == (kind is not None)
            events = feed.connection.take_events()
            assert events == ([(kind, text.encode())] if kind else [])
            assert not feed.connection.has_events
            assert taken_for(feed, '{"e":"data"}') == "data"
    assert feed.decoder.messages == 8
    for text in ("ping", "", " ", "pon", "pongs"):
        assert feed.rows(text) == {}
        assert feed.reasons() == [("not_json", text.encode())]
    assert feed.decoder.errors == {"not_json": 5}


def test_unknown_and_unrequested_messages_are_counted_and_not_kept() -> None:
    messages = [
        mid("m", {"e": "m"}),
        message("q", when={"e": "q"}, rows=[rows(at="", into="quotes", symbol="s")]),
    ]
    feed = Feed(messages, wanted=["mids"])
    for text in ('{"e":"q"}', '{"e":"q","s":7}', '{"e":"z"}', "{}", "[]", "17", '"text"', "null"):
        assert feed.rows(text) == {}
    assert feed.decoder.unrequested_messages == 2
    assert feed.decoder.unknown_messages == 6
    assert feed.decoder.messages == 8
    assert feed.decoder.errors == {}
    assert feed.reasons() == []


def test_an_array_may_be_told_by_positions_from_both_ends() -> None:
    messages = [mid("last", {"[-1]": "x"}), mid("first", {"[0]": "x"}), mid("deep", {"[1][0]": 1})]
    feed, model = Feed(messages), Model(messages, DATA)
    for text in (
        "[]",
        '["x"]',
        '["x",1]',
        '[1,"x"]',
        "[0,[1]]",
        "[0,[[1]]]",
        '[["x"],"y"]',
        "[1,[1],2]",
    ):
        expected = model.decode(text.encode())
        assert expected is not None
        found = expected["mids"][0]["symbol"] if expected else None
        assert taken_for(feed, text) == found, text


def test_members_are_decoded_next_to_other_messages() -> None:
    feed = Feed(
        [
            message(
                "mids",
                when={"e": "mids"},
                rows=[rows(at="d{}", into="mids", symbol=member_key(), price="")],
            ),
            mid("other", {"e": "other"}),
        ]
    )
    found = feed.rows('{"e":"mids","d":{"A":"1","B":"2","\\u0041":"3"}}')
    assert [(row["symbol"], row["price"]) for row in found["mids"]] == [("A", 3.0), ("B", 2.0)]
    assert feed.rows('{"e":"mids","d":{}}') == {}
    assert feed.rows('{"e":"mids"}') == {}
    assert feed.reasons() == [("missing", b'{"e":"mids"}')]
