"""Documents that no exchange sends, against the model; and what comes after them is as before."""

from __future__ import annotations

import json
from random import Random

import pytest
from tests.decode.declarations import GROUPS, TRADES
from tests.decode.documents import Writer, expectations
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import Message

PLACES = [
    pytest.param(group, message, id=f"{group}, {message.name}")
    for group, messages in GROUPS.items()
    for message in messages
]
TRADE = '{"e":"flat","s":%s,"t":%s,"p":%s,"q":"2","m":"b","i":%s}'


def right(message: Message, noise: float = 0.0) -> bytes:
    """A document of a declaration, without a mistake."""
    writer = Writer(Random(3), mistakes=0.0, noise=noise)
    return writer.write(expectations(message, DATA)).strip().encode()


def agrees(feed: Feed, model: Model, payload: bytes) -> None:
    """Decode by both; what the model refuses is quarantined whole."""
    expected = model.decode(payload)
    assert feed.rows(payload) == (expected or {}), payload
    assert [kept for _, kept in feed.reasons()] == ([payload] if expected is None else [])


@pytest.mark.parametrize("is_learned", [False, True])
@pytest.mark.parametrize(("group", "message"), PLACES)
def test_truncated_at_every_byte(group: str, message: Message, is_learned: bool) -> None:
    payload = right(message)
    feed, model = Feed(GROUPS[group], rows=4096), Model(GROUPS[group], DATA)
    if is_learned:
        for _ in range(3):
            agrees(feed, model, payload)
    for end in range(len(payload)):
        assert feed.rows(payload[:end]) == {}
        assert [kept for _, kept in feed.reasons()] == [payload[:end]]
    agrees(feed, model, payload)


@pytest.mark.parametrize(("group", "message"), PLACES)
def test_spelled_in_odd_ways_and_truncated_at_every_byte(group: str, message: Message) -> None:
    payload = right(message, noise=0.4)
    feed = Feed(GROUPS[group], rows=4096)
    for end in range(len(payload)):
        assert feed.rows(payload[:end]) == {}
        assert [kept for _, kept in feed.reasons()] == [payload[:end]]


@pytest.mark.parametrize(
    "ends",
    [(b"\x00", b'"'), pytest.param((b"\xff", b"\\"), marks=pytest.mark.thorough)],
    ids=["zero or quote", "no text or backslash"],
)
@pytest.mark.parametrize(("group", "message"), PLACES)
def test_every_byte_replaced_by_one_that_ends_something(
    group: str, message: Message, ends: tuple[bytes, ...]
) -> None:
    payload = right(message)
    feed, model = Feed(GROUPS[group], rows=4096), Model(GROUPS[group], DATA)
    for at in range(len(payload)):
        for byte in ends:
            damaged = payload[:at] + byte + payload[at + 1 :]
            try:
                json.loads(damaged.decode())
            except ValueError:
                rows = feed.rows(damaged)
                reasons = feed.reasons()
                # It may stand in a value that nothing names, which is not looked at closely.
                assert bool(rows) + bool(reasons) <= 1, damaged
            else:
                agrees(feed, model, damaged)


def trade(symbol: str = '"BTC"', time: str = "1", price: str = "1", identity: str = "7") -> bytes:
    return (TRADE % (symbol, time, price, identity)).encode()


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud800"', r'"\udfff"', r'"\ud83d\ud83d"', r'"\ude00\ud83d"', r'"\ud83dx"', r'"\ud83d\n"',
        r'"\ud83d\ude00"', r'"\u0000"', r'"a\u0000b"', r'"\u00"', r'"\x41"', '"a\x00b"', '"\n"',
        '"\x7f"', r'"\"', '"', '""', "''", '"\ud7ff\ue000\uffff"',
        *(f'"{"x" * n}"' for n in (255, 256, 100_000)), *(f'"{"é" * n}"' for n in (127, 128)),
        '"' + r"\u00e9" * 128 + '"',
    ],
)  # fmt: skip
def test_texts(text: str) -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    for payload in (trade(symbol=text), trade(identity=text), trade(price=text), trade()):
        agrees(feed, model, payload)
        agrees(feed, model, payload)


@pytest.mark.parametrize(
    "text",
    [
        "1e400", "-1e400", "1e-400", "1e99999999999999999999", "0e99999999999999999999", "9" * 400,
        "9" * 100_000, "0." + "0" * 100_000 + "1", "1" * 100_000 + "e-100000", "-0", "-0.0", "00",
        "1.", ".1", "+1", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "nan", "1e", "1e+", "--1",
        "-", "tru", "truee", "nul", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808",
    ],
)  # fmt: skip
def test_numbers(text: str) -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    for written in (text, f'"{text}"'):
        for payload in (trade(price=written), trade(time=written), trade()):
            agrees(feed, model, payload)
            agrees(feed, model, payload)


@pytest.mark.parametrize(
    "opening", ["[", '{"a":', '{"data":', '{"data":[', '{"e":"flat","x":[', '"']
)
@pytest.mark.parametrize("depth", [1, 511, 100_000, 1_000_000])
def test_what_opens_and_never_closes(opening: str, depth: int) -> None:
    feed = Feed(TRADES)
    payload = (opening * depth).encode()
    assert feed.rows(payload) == {}
    assert len(feed.reasons()) == 1
    assert feed.rows(trade())


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("place", ["s", "t", "p", "i", "e", "x", "data"])
def test_depth_wherever_a_value_may_stand(place: str, depth: int) -> None:
    feed = Feed(TRADES)
    members = dict(json.loads(trade())) | {place: 0}
    text = json.dumps(members).replace(f'"{place}": 0', f'"{place}": {"[" * depth}{"]" * depth}')
    rows = feed.rows(text)
    # Only what nothing names may be an array, down to where brackets are not followed any more.
    assert bool(rows) == (place in ("x", "data") and depth < 512)
    if not rows and place != "e":
        assert len(feed.reasons()) == 1


def test_a_key_given_twice_counts_as_its_last() -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    for doubled in ('"p":1,"p":2', '"p":2,"x":0,"p":"3"', '"s":"A","s":"B"', '"q":null,"q":"1"'):
        payload = trade().replace(b'"m":"b"', b'"m":"b",' + doubled.encode())
        agrees(feed, model, payload)
        agrees(feed, model, payload)


def test_many_members_and_elements_that_nothing_names() -> None:
    feed, model = Feed(TRADES), Model(TRADES, DATA)
    more = ",".join(f'"x{n}":[{n},null,{{"s":"no"}}]' for n in range(20_000)).encode()
    agrees(feed, model, trade()[:-1] + b"," + more + b"}")
    agrees(feed, model, b"{" + more + b"," + trade(identity="8")[1:])


def test_random_bytes_never_give_rows() -> None:
    rng = Random(5)
    feed = Feed(TRADES)
    for _ in range(3000):
        payload = rng.randbytes(rng.randrange(60))
        assert feed.rows(payload) == {}
    assert sum(feed.decoder.errors.values()) + feed.decoder.unknown_messages == 3000
