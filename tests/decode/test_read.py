"""One value, one column: what it becomes, and by which reason it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.decode.feeds import Feed
from tests.decode.pairs import Pair

from tickwire.decode import Decoder, Program
from tickwire.decode.plan import (
    choice,
    constant,
    integer,
    message,
    ms,
    ns,
    number,
    part,
    rfc3339,
    rows,
    seconds,
    sign,
    text,
    us,
)


def value_of(feed: Feed, table: str, column: str, raw: str) -> Any:
    """The column's value, `unreadable`, or the reason why the message was refused."""
    n_before = sum(feed.decoder.unreadable_values.values())
    found = feed.rows('{"v":' + raw + "}").get(table)
    reasons = feed.reasons()
    assert (found is None) == (len(reasons) == 1)
    if sum(feed.decoder.unreadable_values.values()) != n_before:
        assert found is not None
        assert found[0][column] is None
        return "unreadable"
    return found[0][column] if found else reasons[0][0]


def quotes(**fields: Any) -> Feed:
    return Feed(
        [message("q", when={}, rows=[rows(at="", into="quotes", symbol=constant("A"), **fields)])]
    )


NUMBERS = [
    ("1.5", 1.5),
    ('"1.5"', 1.5),
    ('"\\u0031.5"', 1.5),
    ("-0.0", -0.0),
    ("1e400", float("inf")),
    ("null", None),
    ('""', None),
    ("true", "wrong_kind"),
    ("[]", "wrong_kind"),
    ("{}", "wrong_kind"),
    ('"x"', "bad_number"),
    ('"+1"', "bad_number"),
    ('" 1"', "bad_number"),
    ('"NaN"', "bad_number"),
    ("01", "not_json"),
    ("+1", "not_json"),
    (".5", "not_json"),
    ("1.", "not_json"),
    ("1e", "not_json"),
    ("NaN", "not_json"),
    ("tru", "not_json"),
    ("nul", "not_json"),
    ("truex", "not_json"),
    ("nulll", "not_json"),
    ('"\\ud800"', "bad_text"),
    ('"\\x"', "not_json"),
    ('"1', "not_json"),
    ("1 2", "not_json"),
    ("", "not_json"),
    ('"1"2', "not_json"),
    ("'1'", "not_json"),
]


@pytest.mark.parametrize(("raw", "expected"), NUMBERS)
@pytest.mark.parametrize("before", ["1.5", '"1.5"', "null"])
@pytest.mark.parametrize("is_required", [False, True])
def test_numbers(raw: str, expected: Any, before: str, is_required: bool) -> None:
    mids = message("m", when={}, rows=[rows(at="", into="mids", symbol=constant("A"), price="v")])
    feed = Feed([mids]) if is_required else quotes(bid_price="v")
    place = ("mids", "price") if is_required else ("quotes", "bid_price")
    if is_required and expected is None:
        expected = "missing"
    elif not is_required and expected in ("wrong_kind", "bad_number", "bad_text"):
        expected = "unreadable"
    value_of(feed, *place, before)
    found = value_of(feed, *place, raw)
    assert (found, str(found)) == (expected, str(expected))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("-1.5", 1.5), ('"-1.5"', 1.5), ("2", 2.0), ("-0.0", -0.0), ("null", None)],
)
def test_a_magnitude_drops_the_sign(raw: str, expected: float | None) -> None:
    assert (
        value_of(quotes(bid_price=number("v", magnitude=True)), "quotes", "bid_price", raw)
        == expected
    )


TOP = 2**63 - 1
INTEGERS = [
    (0, "0", 0),
    (0, '"-7"', -7),
    (0, str(TOP), TOP),
    (0, str(-TOP), -TOP),
    (0, str(TOP + 1), "unreadable"),
    (0, str(-TOP - 1), "unreadable"),
    (0, "1.0", "unreadable"),
    (0, "1e3", "unreadable"),
    (0, '""', None),
    (0, "null", None),
    (0, "false", "unreadable"),
    (-1, "0", -1),
    (-1, str(-TOP), "unreadable"),
    (-1, str(-TOP + 1), -TOP),
    (1, str(TOP), "unreadable"),
    (1, str(TOP - 1), TOP),
    (5, '"5"', 10),
]


@pytest.mark.parametrize(("add", "raw", "expected"), INTEGERS)
@pytest.mark.parametrize("again", [False, True])
def test_integers(add: int, raw: str, expected: Any, again: bool) -> None:
    feed = quotes(venue_seq=integer("v", add=add))
    if again:
        value_of(feed, "quotes", "venue_seq", "17")
    assert value_of(feed, "quotes", "venue_seq", raw) == expected


def level(**fields: Any) -> Feed:
    needed: dict[str, Any] = {
        "symbol": constant("A"),
        "channel": constant("book"),
        "is_snapshot": constant(True),
    }
    return Feed([message("b", when={}, rows=[rows(at="", into="book", **(needed | fields))])])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (str(2**31 - 1), 2**31 - 1),
        (str(-(2**31) + 1), -(2**31) + 1),
        (str(2**31), "unreadable"),
        (str(-(2**31)), "unreadable"),
        (str(2**32 + 1), "unreadable"),
        ("null", None),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_integers_of_32_bits(raw: str, expected: Any, again: bool) -> None:
    feed = level(order_count="v")
    if again:
        value_of(feed, "book", "order_count", "17")
    assert value_of(feed, "book", "order_count", raw) == expected


@pytest.mark.parametrize(
    ("field", "raw", "expected"),
    [
        (seconds("v"), '"1617666433.571648"', 1617666433571648000),
        (seconds("v"), "1", 10**9),
        (ms("v"), "1700000000123", 1700000000123 * 10**6),
        (ms("v"), '"1.5"', 1_500_000),
        (ms("v"), "9223372036854", 9223372036854 * 10**6),
        (ms("v"), "9223372036855", "bad_time"),
        (us("v"), "1.0009", 1000),
        (ns("v"), str(TOP), TOP),
        (ns("v"), str(TOP + 1), "bad_time"),
        (ms("v"), '""', None),
        (ms("v"), "null", None),
        (ms("v"), "true", "wrong_kind"),
        (ms("v"), '"2020-01-01"', "bad_time"),
        (ms("v"), "-1", -1_000_000),
        (ms("v"), "[]", "wrong_kind"),
        (rfc3339("v"), '"2023-10-06T17:35:55.440295Z"', 1696613755440295000),
        (rfc3339("v"), '"2023-10-06T17:35:55.440295"', "bad_time"),
        (rfc3339("v"), "1", "bad_time"),
        (rfc3339("v"), '""', None),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_times(field: Any, raw: str, expected: Any, again: bool) -> None:
    feed = quotes(ts_event=field)
    if again:
        value_of(feed, "quotes", "ts_event", "7" if field.unit_ns else "null")
    assert value_of(feed, "quotes", "ts_event", raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("true", True),
        ("false", False),
        ('"true"', "wrong_kind"),
        ("1", "wrong_kind"),
        ("null", "missing"),
        ("[]", "wrong_kind"),
    ],
)
def test_flags(raw: str, expected: Any) -> None:
    assert value_of(level(is_snapshot="v"), "book", "is_snapshot", raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"B"', "bid"),
        ('"\\u0042"', "bid"),
        ("1", "bid"),
        ("1.0", "bid"),
        ("true", "ask"),
        ("false", "unknown_choice"),
        ('"1"', "unknown_choice"),
        ("2", "unknown_choice"),
        ('"BB"', "unknown_choice"),
        ('""', "unknown_choice"),
        ("null", "missing"),
        ("[]", "wrong_kind"),
        ('"\\ud800"', "bad_text"),
    ],
)
def test_choices(raw: str, expected: Any) -> None:
    feed = level(side=choice("v", CHOICES))
    assert value_of(feed, "book", "side", raw) == expected


# A dict cannot hold both 1 and True.
class _Pairs(dict[Any, Any]):
    def items(self) -> Any:
        return (("B", "bid"), (1, "bid"), (True, "ask"))


CHOICES = _Pairs()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1", "bid"),
        ("-0.5", "ask"),
        ('"-1"', "ask"),
        ("0", "bid"),
        ("-0.0", "bid"),
        ('""', "bad_number"),
        ('"x"', "bad_number"),
        ("true", "wrong_kind"),
        ("null", "missing"),
    ],
)
def test_signs(raw: str, expected: Any) -> None:
    feed = level(side=sign("v", positive="bid", negative="ask"))
    assert value_of(feed, "book", "side", raw) == expected


@pytest.mark.parametrize(
    ("index", "upper", "raw", "expected"),
    [
        (0, True, '"btcusdt@depth@100ms"', "BTCUSDT"),
        (0, False, '"btc@x"', "btc"),
        (1, False, '"btc@x"', "x"),
        (-1, False, '"btc@x@y"', "y"),
        (-3, False, '"a@b@c"', "a"),
        (2, False, '"a@b"', "missing"),
        (-3, False, '"a@b"', "missing"),
        (0, False, '"a"', "a"),
        (0, True, '"\\u0062tc\\u0040x\\u00e9"', "BTC"),
        (1, True, '"btc\\u0040x\\u00e9"', "Xé"),
        (0, True, json.dumps("x" * 256), "too_long"),
        (0, True, json.dumps("x" * 255), "X" * 255),
        (0, True, "true", "wrong_kind"),
        (0, True, "null", "missing"),
    ],
)
def test_parts(index: int, upper: bool, raw: str, expected: Any) -> None:
    field = part("v", "@", index, upper=upper)
    feed = Feed([message("m", when={}, rows=[rows(at="", into="quotes", symbol=field)])])
    assert value_of(feed, "quotes", "symbol", raw) == expected


@pytest.mark.parametrize(
    ("index", "raw", "expected"),
    [(1, '"1m_BTC_USDT"', "BTC_USDT"), (0, '"a_b"', "a_b"), (-2, '"a_b_c"', "b_c"),
     (2, '"a_b"', "missing")],
)  # fmt: skip
def test_a_part_and_all_behind_it(index: int, raw: str, expected: str) -> None:
    field = part("v", "_", index, rest=True)
    messages = [message("m", when={}, rows=[rows(at="", into="quotes", symbol=field)])]
    assert value_of(Feed(messages), "quotes", "symbol", raw) == expected
    Pair(messages).read(f'{{"v":{raw}}}')


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"BTC"', "BTC"),
        ("12", "12"),
        ('"\\u00e9\\ud83d\\ude00"', "é\U0001f600"),
        (json.dumps("x" * 255), "x" * 255),
        (json.dumps("x" * 256), "too_long"),
        (json.dumps("x" * 10_240), "too_long"),
        ("true", "wrong_kind"),
        ("null", "missing"),
        ('"\\udc00"', "bad_text"),
        ('"\\ud800x"', "bad_text"),
        ("[]", "wrong_kind"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_symbols(raw: str, expected: Any, again: bool) -> None:
    feed = Feed([message("m", when={}, rows=[rows(at="", into="quotes", symbol="v")])])
    if again:
        value_of(feed, "quotes", "symbol", '"A"')
    assert value_of(feed, "quotes", "symbol", raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"id"', "id"),
        ("7", "7"),
        ('""', ""),
        ('"\\ud800"', "bad_text"),
        ("true", "wrong_kind"),
        ("null", "missing"),
        ("{}", "wrong_kind"),
        ('"\\u0000"', "\0"),
    ],
)
@pytest.mark.parametrize("before", [None, '"id"', "7"])
def test_ids(raw: str, expected: Any, before: str | None) -> None:
    declared = rows(
        at="",
        into="trades",
        once=False,
        symbol=constant("A"),
        channel=constant("trades"),
        price=constant(1.0),
        size=constant(1.0),
        side=constant("buy"),
        trade_id=text("v"),
    )
    feed = Feed([message("m", when={}, rows=[declared])])
    if before is not None:
        value_of(feed, "trades", "trade_id", before)
    assert value_of(feed, "trades", "trade_id", raw) == expected


def test_a_full_dictionary_refuses_new_symbols_only() -> None:
    feed = Feed(
        [message("m", when={}, rows=[rows(at="", into="quotes", symbol="v")])], max_symbols=2
    )
    assert [value_of(feed, "quotes", "symbol", f'"{x}"') for x in "ABCA"] == [
        "A",
        "B",
        "dictionary_full",
        "A",
    ]


def test_channels_have_the_names_of_the_configuration_and_of_the_connection() -> None:
    def named(name: str) -> Any:
        return message(
            name,
            when={"e": name},
            rows=[
                rows(
                    at="",
                    into="book",
                    symbol=constant("A"),
                    channel=constant(name),
                    is_snapshot=constant(True),
                )
            ],
        )

    feed = Feed(
        [named("book"), named("book:5")], aliases={"book": "book:100ms"}, labels={"book": "book:n5"}
    )
    assert feed.rows('{"e":"book"}')["book"][0]["channel"] == "book:n5"
    assert feed.rows('{"e":"book:5"}')["book"][0]["channel"] == "book:5"
    other = feed.decoder.connection(8)
    assert other.decode(b'{"e":"book"}', 1)
    assert feed.take("book")[0]["channel"] == "book:100ms"


def test_a_binary_message_must_be_utf_8() -> None:
    feed = quotes(bid_price="v")
    for bad in (b'{"v":1,"x":"\xff"}', b"\x80", b'{"v":1,"x":"\xc3'):
        assert feed.rows(bad) == {}
        assert feed.reasons() == [("bad_text", bad)]
    assert feed.rows('{"v":1,"x":"é"}')
    assert isinstance(feed.decoder, Decoder)
    assert isinstance(feed.program, Program)
