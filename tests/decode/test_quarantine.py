"""What cannot be decoded is counted by reason, and kept: whole, truncated or dropped."""

from __future__ import annotations

import pytest
from tests.decode.feeds import Feed

from tickwire.decode._quarantine import REASONS
from tickwire.decode.plan import message, rows

MIDS = [message("m", rows=[rows(at="", into="mids", symbol="s", price="p")])]


def test_each_reason_has_its_count_and_its_rows() -> None:
    feed = Feed(MIDS)
    wrong = {
        "not_json": b"{",
        "missing": b'{"s":"A"}',
        "bad_number": b'{"s":"A","p":"one"}',
        "bad_text": b'{"s":"\xff","p":1}',
    }
    for reason, payload in wrong.items():
        for _ in range(2):
            assert feed.rows(payload) == {}
            assert feed.reasons() == [(reason, payload)]
    assert feed.decoder.errors == dict.fromkeys(wrong, 2)
    assert wrong.keys() < set(REASONS)
    assert feed.decoder.messages == 8


def test_what_is_too_long_is_truncated_and_what_finds_no_room_dropped() -> None:
    feed = Feed(MIDS)
    longest = feed.quarantine.max_text_bytes("payload")
    for n_bytes in (longest, longest + 1):
        payload = b"x" * n_bytes
        assert feed.rows(payload) == {}
        assert feed.reasons() == [("not_json", payload[:longest])]
    assert feed.registry.total("quarantine_truncated") == 1
    assert feed.registry.total("quarantine_dropped") == 0
    n_more = feed.quarantine.capacity + 10
    for _ in range(n_more):  # it never blocks
        assert feed.offer("x")
    n_dropped = feed.registry.total("quarantine_dropped")
    assert n_dropped >= 10
    assert len(feed.reasons()) == n_more - n_dropped > 1000
    assert feed.decoder.errors == {"not_json": n_more + 2}


@pytest.mark.parametrize(
    "symbol",
    [
        *(b"\xff", b"\x80", b"\xc1\x80", b"\xe2"),  # begin no character, or end in one
        *(b"\xc3(", b"\xe0\x9f\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
        *(b"\xe2\x82(", b"\xf0\x9f\x92)"),
        rb"\ud800",
    ],
)
def test_a_symbol_that_is_no_text_has_no_code_in_a_known_shape_either(symbol: bytes) -> None:
    feed = Feed(MIDS)
    for number in range(100):
        assert feed.rows(f'{{"s":"{"ABC"[: 1 + number % 3]}","p":{number}}}')
    n_symbols = len(feed.dictionaries.symbol)
    payload = b'{"s":"%s","p":1}' % symbol
    assert feed.rows(payload) == {}
    assert feed.reasons() == [("bad_text", payload)]
    assert len(feed.dictionaries.symbol) == n_symbols
    assert feed.rows('{"s":"ABC","p":7}')["mids"][0]["price"] == 7.0
