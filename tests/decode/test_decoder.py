"""The decoder against the model: random documents of every declared shape."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

import pytest
from tests.decode.declarations import GROUPS
from tests.decode.documents import SYMBOLS, Writer, expectations
from tests.decode.feeds import DATA, Feed
from tests.decode.model import Model

from tickwire.decode.plan import constant, given, message, rows, text
from tickwire.errors import DecodeError, PlanError

NAMED = SYMBOLS[:2]


def exact(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows with their floats as bits, so that -0.0 is not 0.0."""
    return {
        table: [
            {k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in row.items()}
            for row in found
        ]
        for table, found in rows.items()
    }


def compare(group: str, rng: Random, mistakes: float, noise: float, *, steady: bool) -> None:
    """Decode random documents of a group one after the other, by the decoder and by the model."""
    messages = GROUPS[group]
    feed = Feed(messages, symbols=NAMED)
    model = Model(messages, DATA, NAMED)
    places = [expectations(message, DATA) for message in messages]
    n_bad = 0
    for n in range(60):
        writer = Writer(rng, mistakes=mistakes, noise=noise, steady=steady)
        if steady and n % 8 == 7:
            writer = Writer(rng, mistakes=mistakes, noise=0.1)
        text = writer.space() + writer.write(rng.choice(places)) + writer.space()
        payload = text.encode()
        expected = model.decode(payload)
        assert exact(feed.rows(payload)) == exact(expected or {}), text
        if expected is None:
            n_bad += 1
            assert [kept for _, kept in feed.reasons()] == [payload], text
    assert feed.reasons() == []
    assert sum(feed.decoder.errors.values()) == n_bad
    assert feed.decoder.messages == 60


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mistakes", [0.0, 0.01, 0.1], ids=["right", "some wrong", "many wrong"])
@pytest.mark.parametrize("group", GROUPS)
def test_random_documents_give_the_rows_of_the_model(
    group: str, mistakes: float, seed: int
) -> None:
    rng = Random(f"{group} {mistakes} {seed}")
    compare(group, rng, mistakes, rng.choice((0.0, 0.05, 0.3)), steady=False)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mistakes", [0.0, 0.01], ids=["right", "some wrong"])
@pytest.mark.parametrize("group", GROUPS)
def test_documents_of_one_form_give_the_rows_of_the_model(
    group: str, mistakes: float, seed: int
) -> None:
    compare(group, Random(f"steady {group} {mistakes} {seed}"), mistakes, 0.0, steady=True)


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
    # No message is routed to it, and it counts as none.
    assert feed.rows(answer(1)) == {}
    assert decoder.unknown_messages == 1
    memory = decoder.memory_of("missed")
    assert decoder.take_backfill("missed", answer(1, 2), **asked) == (2, None, None)
    assert decoder.take_backfill("missed", b"[]", **asked) == (0, None, None)
    found = [(row["trade_id"], row["conn"]) for row in feed.take("trades")]
    assert found == [("1", 9), ("2", 9)]
    # Their ids are kept where that is asked for.
    assert decoder.seen.newest(memory, 0) == (0, 0)
    assert decoder.take_backfill("missed", answer(1, 2), remember=True, **asked) == (2, None, None)
    assert decoder.seen.newest(memory, 0) == (2, 2)
    assert decoder.take_backfill("missed", answer(2, 3), **asked) == (1, None, None)
    assert decoder.seen.newest(memory, 0) == (2, 2)
    assert decoder.duplicate_trades == 0
    for wrong in (b"[", b'[{"t":4,"p":"x","q":"1"}]', b'[{"t":4}]', b"\xff"):
        with pytest.raises(DecodeError, match="somewhere trades of A, which begin"):
            decoder.take_backfill("missed", wrong, **asked)
    assert decoder.messages == 1
    for call in (decoder.memory_of, lambda name: decoder.take_backfill(name, b"[]", **asked)):
        with pytest.raises(PlanError, match="somewhere: no message 'other'"):
            call("other")


def test_a_rest_answer_that_does_not_fit_is_taken_later() -> None:
    feed = Feed([ANSWER])
    numbers = iter(range(1, 10**6))
    for _ in range(100):
        page = answer(*(next(numbers) for _ in range(1000)))
        if feed.decoder.take_backfill("missed", page, symbol="A", ts_recv=3, conn=9) is None:
            break
    assert feed.rings["trades"].published == 16_000
    feed.take("trades")
    assert feed.decoder.take_backfill("missed", page, symbol="A", ts_recv=3, conn=9) is not None
