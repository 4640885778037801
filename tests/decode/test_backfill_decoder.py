"""Answers of trades that were missed: decoded on request, remembered where asked, taken later."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.decode.feeds import Feed

from tickwire.decode.plan import constant, given, message, rows, text
from tickwire.errors import DecodeError, PlanError

ANSWER = message(
    "missed",
    kind="backfill",
    rows=[
        rows(
            at="[]",
            into="trades",
            symbol=given(),
            channel=constant("trades"),
            price="p",
            size="q",
            side=constant("buy"),
            trade_id=text("t"),
        )
    ],
)


def answer(*numbers: int) -> bytes:
    return json.dumps([{"t": n, "p": "1.5", "q": "2"} for n in numbers]).encode()


def test_a_rest_answer_of_trades_is_decoded_on_request_alone() -> None:
    feed = Feed([ANSWER])
    asked: dict[str, Any] = {"symbol": "A", "ts_recv": 3, "conn": 9}
    decoder = feed.decoder
    backfills = decoder.backfills
    # No message is routed to it, and it counts as none.
    assert feed.rows(answer(1)) == {}
    assert decoder.unknown_messages == 1
    memory = backfills.memory_of("missed")
    assert backfills.take("missed", answer(1, 2), **asked) == (2, None, None)
    assert backfills.take("missed", b"[]", **asked) == (0, None, None)
    found = [(row["trade_id"], row["conn"]) for row in feed.take("trades")]
    assert found == [("1", 9), ("2", 9)]
    # Their ids are kept where that is asked for.
    assert decoder.seen.newest(memory, 0) == (0, 0)
    assert backfills.take("missed", answer(1, 2), remember=True, **asked) == (2, None, None)
    assert decoder.seen.newest(memory, 0) == (2, 2)
    assert backfills.take("missed", answer(2, 3), **asked) == (1, None, None)
    assert decoder.seen.newest(memory, 0) == (2, 2)
    assert decoder.duplicate_trades == 0
    for wrong in (b"[", b'[{"t":4,"p":"x","q":"1"}]', b'[{"t":4}]', b"\xff"):
        with pytest.raises(DecodeError, match="somewhere trades of A, which begin"):
            backfills.take("missed", wrong, **asked)
    assert decoder.messages == 1
    for call in (backfills.memory_of, lambda name: backfills.take(name, b"[]", **asked)):
        with pytest.raises(PlanError, match="somewhere: no message 'other'"):
            call("other")


def test_a_rest_answer_that_does_not_fit_is_taken_later() -> None:
    feed = Feed([ANSWER])
    numbers = iter(range(1, 10**6))
    for _ in range(100):
        page = answer(*(next(numbers) for _ in range(1000)))
        if feed.decoder.backfills.take("missed", page, symbol="A", ts_recv=3, conn=9) is None:
            break
    assert feed.rings["trades"].published == 16_000
    feed.take("trades")
    assert feed.decoder.backfills.take("missed", page, symbol="A", ts_recv=3, conn=9) is not None
