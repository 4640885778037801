"""The first message of a shape, which is walked and makes a script, beside those that follow it."""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import Decoder, Program
from tickwire.decode.plan import choice, constant, message, ms, rows
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_SHAPES = 30
MESSAGES = [
    message(
        f"trade {number}",
        when={"type": f"trade{number}"},
        rows=[
            rows(
                at="",
                into="trades",
                symbol="s",
                price="p",
                size="q",
                trade_id="i",
                side=choice("m", {"buy": "buy", "sell": "sell"}),
                channel=constant("trades"),
                ts_event=ms("T"),
            )
        ],
    )
    for number in range(N_SHAPES)
]


def payload(shape: int, turn: int) -> bytes:
    """Write a trade of a shape, with digits of its own."""
    at = N_SHAPES * turn + shape
    return (
        f'{{"type":"trade{shape}","s":"BTCUSDT","m":"buy","p":"6{turn % 10000:04}.50",'
        f'"q":"0.{turn % 7}1","i":{1_000_000 + at},"T":{1_764_500_000_000 + turn}}}'
    ).encode()


@pytest.mark.parametrize("is_new", [False, True], ids=["known", "new"])
def test_shapes(benchmark: BenchmarkFixture, is_new: bool) -> None:
    """30 messages of 30 shapes, each by a call from Python: a decoder's first, or later ones."""
    program = Program("bench", MESSAGES, {"trades": TABLES["trades"]})
    dictionaries = Dictionaries()
    ring = Ring(TABLES["trades"], 1 << 13, dictionaries)
    turn = 0

    def connect():
        decoder = Decoder(program, {"trades": ring}, dictionaries, venue="bench")
        return decoder.connection(1)

    connection = connect()

    def setup():
        nonlocal connection, turn
        turn += 1
        if is_new:
            connection = connect()
        return ([payload(shape, turn) for shape in range(N_SHAPES)],), {}

    def run(payloads: list[bytes]) -> None:
        for each in payloads:
            connection.decode(each, 1)

    measure(benchmark, run, setup=setup, n_messages=N_SHAPES, rounds=200)
    assert ring.published == N_SHAPES * turn
