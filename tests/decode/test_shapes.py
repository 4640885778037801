"""Plans are general: other exchanges' shapes, declared and decoded from real captures."""

import random
from types import ModuleType

import pytest
from tests.decode.shapes import bitfinex, bybit, coinbase, deribit, kraken, kraken2, okx
from tests.reference import Columns, compare, disguise, parse, read_messages
from tests.reference.captures import Message
from tests.reference.rig import Rig
from tests.reference.rows import BadMessageError

from tickwire.decode.plan import Rows, constant, message, rows
from tickwire.errors import PlanError

TABLES = ["trades", "quotes", "book", "tickers"]
CASES = [
    (shape, capture)
    for shape in (bitfinex, okx, deribit, kraken, kraken2, bybit, coinbase)
    for capture in shape.CAPTURES
]
IDS = [capture for _, capture in CASES]


def check(shape: ModuleType, messages: list[Message]) -> Rig:
    """Decode with the plan and with plain Python, and compare the rows."""
    rig = Rig(shape.VENUE, shape.MESSAGES, TABLES)
    expected = {name: Columns(name) for name in TABLES}
    state = (shape.STATE(),) if hasattr(shape, "STATE") else ()
    seen: set[tuple[str, str]] = set()
    n_bad = 0
    for sent in messages:
        rig.message(sent.payload, sent.ts_recv, sent.conn)
        common = {"venue": shape.VENUE, "ts_recv": sent.ts_recv, "conn": sent.conn}
        try:
            found = shape.rows_of(parse(sent.payload), *state)
            for name, rows in found or ():
                for row in rows:
                    expected[name].check(common | row)
        except (BadMessageError, KeyError):
            n_bad += 1
            continue
        for name, rows in found or ():
            if name == "trades" and shape is not kraken:
                rows = [row for row in rows if (row["symbol"], row["trade_id"]) not in seen]
                seen |= {(row["symbol"], row["trade_id"]) for row in rows}
            expected[name].extend(common | row for row in rows)
    for name, columns in expected.items():
        compare(columns, rig.table(name))
    assert sum(rig.decoder.errors.values()) == n_bad
    return rig


@pytest.mark.captures
@pytest.mark.parametrize(("shape", "capture"), CASES, ids=IDS)
def test_captures_decode_as_plain_python_says(shape: ModuleType, capture: str) -> None:
    rig = check(shape, read_messages(capture))
    assert sum(rig.table(name).num_rows for name in TABLES) > 0


@pytest.mark.captures
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("shape", "capture"), CASES, ids=IDS)
def test_other_spelling_gives_the_same_rows(shape: ModuleType, capture: str, seed: int) -> None:
    rng = random.Random(seed)
    messages = [
        Message(disguise(message.payload, rng.random(), escape=True), message.ts_recv, message.conn)
        for message in read_messages(capture, limit=300)
    ]
    check(shape, messages)


def test_rows_declared_in_turn_are_refused() -> None:
    """Levels of one place, of another, then of the first again cannot be read in one pass."""

    def level(at: str) -> Rows:
        return rows(
            at=at,
            into="book",
            symbol="$.s",
            channel=constant("book"),
            price="[0]",
            size="[1]",
            is_snapshot=constant(True),
        )

    in_turn = message("in turn", rows=[level("x.b[]"), level("y.b[]"), level("x.a[]")])
    with pytest.raises(PlanError, match="'x' and 'y' are declared in turn"):
        Rig("shape", [in_turn], TABLES)
    Rig("shape", [message("apart", rows=[*in_turn.rows[::2], in_turn.rows[1]])], TABLES)
