"""Messages inside of others: their rows, by every tier; what is wrong with them; mistakes."""

import base64
import json
import re
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.decode.documents import Writer, expectations
from tests.decode.documents import holding as held
from tests.decode.feeds import DATA, Feed
from tests.decode.pairs import Pair

from tickwire.decode import plan
from tickwire.decode.plan import Message, inflated, member_key, message, ms, present, rows
from tickwire.errors import PlanError

REFERENCE = Path(__file__).parents[2] / "docs" / "declaring.md"
WBITS = {"deflate": -15, "zlib": 15, "gzip": 31}
MIDS = rows(at="m[]", into="mids", symbol="c", ts_event=ms("$.t"), price="p")
PACKED = message("packed", when={"ch": "p"}, packed=inflated("d.z"))
INSIDE = message("inside", inside="packed", when={"m": present()}, rows=[MIDS])
PLAIN = message("plain", when={"m": present()}, rows=[MIDS])


def packed(value: Any, form: str = "deflate", *, ended: bool = True) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    squeeze = zlib.compressobj(wbits=WBITS[form])
    end = zlib.Z_FINISH if ended else zlib.Z_SYNC_FLUSH
    return base64.b64encode(squeeze.compress(text) + squeeze.flush(end)).decode()


def holding(text: str, **more: Any) -> bytes:
    return json.dumps({"ch": "p", "d": {"z": text} | more}).encode()


def said(*prices: tuple[str, str], t: int = 1) -> dict[str, Any]:
    return {"t": t, "m": [{"c": coin, "p": price} for coin, price in prices]}


def prices(feed: Feed, payload: bytes) -> list[tuple[str, float]]:
    return [(row["symbol"], row["price"]) for row in feed.rows(payload).get("mids", [])]


@pytest.mark.parametrize("form", WBITS)
def test_what_a_message_holds_is_decoded_as_a_message_is(form: Any) -> None:
    holder = message("packed", when={"ch": "p"}, packed=inflated("$.d.z", form))
    feed = Feed([holder, INSIDE, PLAIN])
    for number in range(200):  # until scripts read both
        found = (("A", f"{number}.5"), ("B", "2"))
        text = packed(said(*found), form)
        assert prices(feed, holding(text)) == [("A", number + 0.5), ("B", 2.0)]
        # Other shapes in between, and the same text outside.
        assert prices(feed, json.dumps(said(("C", "1"))).encode()) == [("C", 1.0)]
        if number % 7 == 0:
            assert prices(feed, holding(text, more=[1]).replace(b"/", b"\\/")) == [
                ("A", number + 0.5), ("B", 2.0),
            ]  # fmt: skip
    assert feed.decoder.errors == {}
    assert feed.decoder.messages == 400 + len(range(0, 200, 7))
    assert feed.decoder.scripted.get("inside", 0) > 100


def test_a_slash_may_be_written_with_a_backslash() -> None:
    feed = Feed([PACKED, INSIDE])
    squeeze = zlib.compressobj(0, wbits=-15)  # stored as it is: of "???" base64 makes "Pz8/"
    text = squeeze.compress(json.dumps(said(("?" * 9, "1"))).encode()) + squeeze.flush()
    payload = holding(base64.b64encode(text).decode()).replace(b"/", b"\\/")
    assert b"\\/" in payload
    assert prices(feed, payload) == [("?" * 9, 1.0)]


def test_only_messages_inside_are_looked_for_there_and_those_nowhere_else() -> None:
    other = message("other", when={"ch": "q"}, packed=inflated("d.z"))
    within = message(
        "of the other", inside="other",
        rows=[rows(at="{}", into="mids", symbol=member_key(), price="")],
    )  # fmt: skip
    feed = Feed([PACKED, other, INSIDE, within])
    text = packed({"X": "5"})
    for _ in range(3):
        assert prices(feed, holding(text)) == []
        assert prices(feed, holding(text).replace(b'"p"', b'"q"')) == [("X", 5.0)]
        assert prices(feed, holding(packed(said(("A", "1"))))) == [("A", 1.0)]
    assert prices(feed, b'{"X":"5"}') == prices(feed, json.dumps(said(("A", "1"))).encode()) == []
    assert feed.decoder.unknown_messages == 5


WRONG = {
    "not base64": ("inflate", holding("$$$$")),
    "not deflate": ("inflate", holding(base64.b64encode(b"\xff" * 40).decode())),
    "not JSON": ("not_json", holding(packed(b"{"))),
    "cut": ("not_json", holding(packed(said(*[("A", str(n)) for n in range(99)]))[:80])),
    "not UTF-8": ("bad_text", holding(packed(b'{"m":[],"\xff":1}'))),
    "a bomb": ("too_long", holding(packed(b" " * 5_000_000))),
    "no text": ("missing", b'{"ch":"p","d":{}}'),
    "null": ("missing", b'{"ch":"p","d":{"z":null}}'),
    "an object": ("wrong_kind", b'{"ch":"p","d":{"z":{}}}'),
    "a lone surrogate": ("bad_text", b'{"ch":"p","d":{"z":"\\ud800"}}'),
    "a wrong price": ("bad_number", holding(packed(said(("A", "1"), ("B", "x"))))),
    "no price": ("missing", holding(packed({"t": 1, "m": [{"c": "A"}]}))),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_decoded_is_kept_as_it_came_and_gives_no_rows(case: str) -> None:
    reason, payload = WRONG[case]
    feed = Feed([PACKED, INSIDE])
    for _ in range(3):
        assert feed.rows(payload) == {}
        assert feed.reasons() == [(reason, payload)]
        assert prices(feed, holding(packed(said(("A", "1"))))) == [("A", 1.0)]
    assert feed.decoder.errors == {reason: 3}
    assert feed.decoder.messages == 6


@pytest.mark.parametrize("form", WBITS)
def test_the_model_says_the_same(form: Any) -> None:
    holder = message("packed", when={"ch": "p"}, packed=inflated("d.z", form))
    keyed = rows(at="o{}", into="mids", symbol=member_key(), price="x")
    others = message("others", inside="packed", rows=[keyed])
    pair = Pair([holder, INSIDE, others, PLAIN])
    rng = Random(form)
    for number in range(300):
        writer = Writer(rng, mistakes=rng.choice((0.0, 0.03)), steady=True)
        text = writer.write(expectations(rng.choice((INSIDE, others)), DATA))
        pair.read(writer.write(held(holder, text)))
        pair.read(text)  # which outside is another message, or none
        usual = packed(said(("A", f"{number}.5"), ("B", "2")), form)
        pair.read(holding(usual).decode())
    assert 20 < sum(pair.feed.decoder.errors.values()) < 300
    assert pair.feed.decoder.scripted.get("inside", 0) > 20
    for _, payload in WRONG.values():
        pair.read(payload.decode())
    pair.read('{"a":[1]}')


def test_nothing_is_unpacked_for_tables_that_are_not_wanted() -> None:
    feed = Feed([PACKED, INSIDE], wanted=["trades"])
    assert feed.rows(holding("$")) == {}
    assert feed.decoder.errors == {}
    assert feed.decoder.unrequested_messages == 1


def test_a_full_ring_waits_and_takes_it_again() -> None:
    feed = Feed([PACKED, INSIDE], rows=1024)
    text = packed(said(*[("A", str(n)) for n in range(400)]))
    n_taken = 0
    while feed.offer(holding(text).decode()):
        n_taken += 1
    assert n_taken == 2
    assert len(feed.take("mids")) == 800
    assert feed.offer(holding(text).decode())


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([INSIDE], "inside of 'packed', which holds no messages"),
        ([PLAIN, message("x", inside="plain", rows=[MIDS])], "which holds no messages"),
        ([message("x", when={"a": 1}, packed=inflated("a"), rows=[MIDS])], "has no rows"),
        ([message("x", kind="ping", packed=inflated("a"))], "is data"),
        ([message("x", packed=inflated("a", "lz4"))], "no form 'lz4', one of deflate, zlib"),
        ([message("x", packed=inflated("a[]"))], "is not one text"),
        ([message("x", packed=inflated("a", most_bytes=0))], "most_bytes should be"),
        ([PACKED, message("x", inside="packed", kind="pong")], "is JSON, data"),
        ([PACKED, message("x", inside="packed", raw="a", rows=[MIDS])], "is JSON, data"),
    ],
)
def test_a_wrong_declaration_says_so(messages: list[Message], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        Feed(messages)


def test_the_example_of_the_reference_page_decodes() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    (code,) = (each for each in blocks if "inflated(" in each)
    names: dict[str, Any] = {name: getattr(plan, name) for name in dir(plan)}
    exec(code, names)  # noqa: S102 - our own documentation
    feed = Feed(names["messages"])
    payload = {"channel": "changes", "data": packed({"BTC": {"mark": "5.5"}}, ended=False)}
    [row] = feed.rows(json.dumps(payload).encode())["tickers"]
    assert (row["symbol"], row["mark_price"]) == ("BTC", 5.5)
